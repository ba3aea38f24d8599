//! Who reaches for the init from inside, or comes in from outside.

use crate::kill::{looping, marked, marker};
use crate::scene::{LONG, embedded, idle, name, run, shell, wait_for_end, wait_for_log};
use notafter_backend::{Backend, FileSpec, LaunchSpec, Sandbox, SandboxSpec};
use notafter_core::{Motion, Pace, UnixTime};
use std::process::Command;
use std::time::Duration;

pub(crate) const ALL: &[(&str, fn())] = &[
    ("a_process_put_in_from_outside_is_found", a_process_put_in_from_outside_is_found),
    ("an_init_is_out_of_reach_of_what_it_started", an_init_is_out_of_reach_of_what_it_started),
    ("an_init_outlives_a_signal_to_everything", an_init_outlives_a_signal_to_everything),
    ("time_passes_for_what_is_stopped", time_passes_for_what_is_stopped),
];

fn start() -> UnixTime {
    UnixTime::parse("2030-01-01T00:00:00Z").unwrap()
}

fn shifted() -> Box<dyn Sandbox> {
    let spec = SandboxSpec {
        hosts: vec![name("a")],
        aliases: Vec::new(),
        clock: Some(start().into()),
        scratch: None,
    };
    embedded().open(&spec).unwrap()
}

fn a_process_put_in_from_outside_is_found() {
    let marker = marker("intruder");
    let mut sandbox = shifted();
    sandbox.launch(&looping("a", &marker)).unwrap();
    wait_for_log(&mut *sandbox, "a", "up");
    assert_eq!(sandbox.witnesses().unwrap().unproven, []);
    let target = marked(&marker)[0].as_raw_nonzero().to_string();
    let way_in = ["--target", &target, "--user", "--preserve-credentials", "--pid", "sleep", "1000"];
    let mut intruder = Command::new("nsenter").args(way_in).spawn().unwrap();
    let mut reasons = Vec::new();
    let mut is_found = false;
    for _ in 0..500 {
        reasons = sandbox.witnesses().unwrap().unproven;
        // A look that comes early finds the program that is about to become it.
        is_found =
            reasons.iter().any(|gap| gap.reason.contains("sleep was put into the sandbox from outside"));
        if is_found {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(sandbox);
    // It ends with the namespace.
    intruder.wait().unwrap();
    assert!(is_found, "{reasons:?}");
}

fn an_init_is_out_of_reach_of_what_it_started() {
    let attack = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/guests/attack.py");
    let files = vec![FileSpec {
        path: "/tmp/attack.py".to_owned(),
        contents: std::fs::read(attack).unwrap(),
        mode: 0o644,
        layout: notafter_backend::FileLayout::Plain,
    }];
    for user in [None, Some("www-data".to_owned())] {
        let mut sandbox = shifted();
        sandbox.launch(&LaunchSpec { files: files.clone(), user, ..idle("a") }).unwrap();
        let (code, said) = run(&mut *sandbox, "a", "exec python3 /tmp/attack.py 1 signals");
        assert_eq!((code, said.matches(": refused\n").count()), (0, 10), "{said}");
        assert!(said.ends_with("it lives: True\n"), "{said}");
        assert_eq!(run(&mut *sandbox, "a", "exec date -u +%Y"), (0, "2030\n".to_owned()));
        assert_eq!(sandbox.witnesses().unwrap().unproven, []);
    }
}

fn an_init_outlives_a_signal_to_everything() {
    let mut sandbox = shifted();
    sandbox.launch(&shell("a", "sleep 1000 & echo up; exec sleep 1000")).unwrap();
    wait_for_log(&mut *sandbox, "a", "up");
    // Who sends it is spared by the kernel, and ends with the main process.
    run(&mut *sandbox, "a", "kill -9 -1; exec sleep 1000");
    assert_eq!(wait_for_end(&mut *sandbox, "a"), 137);
    assert_eq!(sandbox.witnesses().unwrap().unproven, []);
    sandbox.launch(&shell("a", "date -u +again-%Y; exec sleep 1000")).unwrap();
    wait_for_log(&mut *sandbox, "a", "again-2030");
}

/// A sleep that falls due while its process is stopped is over once that goes on.
fn time_passes_for_what_is_stopped() {
    let mut sandbox = shifted();
    sandbox.launch(&shell("a", "echo up; sleep 3600; date -u +woken-%FT%H; exec sleep 1000000")).unwrap();
    wait_for_log(&mut *sandbox, "a", "up");
    // Stopped before its sleep, it would begin that only when it goes on.
    run(&mut *sandbox, "a", "until grep -qsx sleep /proc/[0-9]*/comm; do :; done; exec sleep 0.3");
    run(&mut *sandbox, "a", "kill -STOP -1");
    sandbox.move_clock(Motion::Elapse(Pace::Walk), start().plus_secs(7_200), LONG).unwrap();
    assert_eq!(sandbox.log(&name("a")).unwrap().text, "up\n");
    run(&mut *sandbox, "a", "kill -CONT -1");
    wait_for_log(&mut *sandbox, "a", "woken-2030-01-01T02");
    assert_eq!(sandbox.witnesses().unwrap().unproven, []);
}
