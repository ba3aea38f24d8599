//! Whole gates under the shifted clock, on a service of one line.

use super::runs::can_run;
use super::scene::{SOUND, Scene, shown};

/// What 1900000000 seconds after the epoch are.
const LICENCE_ENDS: &str = "2030-03-17T17:46:40Z";

fn gate(command: &str) -> (Option<i32>, String) {
    let text = SOUND.replace("[sleep, \"1000000\"]", command);
    assert_ne!(text, SOUND);
    let scene = Scene::with("scenario.yaml", &text);
    let output = scene.command(&["gate", "scenario.yaml"]).output().unwrap();
    (output.status.code(), shown(&output))
}

#[test]
fn a_build_in_which_nothing_ends_is_allowed() {
    if !can_run() {
        return;
    }
    let (code, text) = gate("[sleep, \"1000000000\"]");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("allow: sleeper passes every check through 2031-01-01T00:00:00Z"), "{text}");
}

#[test]
fn a_date_in_the_program_blocks_from_its_second_on() {
    if !can_run() {
        return;
    }
    let (code, text) = gate(
        "[bash, -c, \"exec 3<> <(:); while printf -v now '%(%s)T' -1; ((now < 1900000000)); do read -t 60 -u 3; done; echo licence ended; exit 1\"]",
    );
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&format!("block: sleeper breaks on {LICENCE_ENDS}")), "{text}");
    assert!(text.contains("| licence ended"), "{text}");
}

#[test]
fn a_program_that_ends_soon_after_its_start_does_not_pass() {
    if !can_run() {
        return;
    }
    let (code, text) = gate("[sh, -c, \"sleep 0.05; echo no licence; exit 1\"]");
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("control-fails"), "{text}");
}
