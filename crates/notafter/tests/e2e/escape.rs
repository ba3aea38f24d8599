//! Guests that want the real time. The gate shifts the clock on the way that they take, or concludes nothing from the
//! run; where it can do neither, the way stands in the list of gaps.

use super::runs::can_run;
use super::scene::{Scene, shown};

const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/scenarios/escape.yaml");
/// `start` of the scenario, in seconds since the epoch: no guest may ever read an earlier time.
const START: i64 = 1_893_456_000;

/// What must come of a way.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// The guest reads the real time, and nobody notices.
    Gap,
    /// The kernel refuses it where it can seal what is mapped (Linux 6.10), and the run goes on; else it is noticed,
    /// for this reason.
    Kept(&'static str),
    /// It may read the real time, or be refused; the run is inconclusive for this reason.
    Noticed(&'static str),
    /// It is refused, and the report says so in these words; the run goes on.
    Refused(&'static str),
    /// It reads the shifted time, or nothing; the run goes on.
    Shifted,
}

/// Tries a way; what the verdict is and what the guest said, over all cases.
fn attempt(way: &str) -> (Option<i32>, String, String) {
    let scene = Scene::new();
    let arguments = ["gate", SCENARIO, "--quiet", "--keep", "kept"];
    let output = scene.command(&arguments).env("WAY", way).output().unwrap();
    let mut said = String::new();
    for case in std::fs::read_dir(scene.path().join("kept/cases")).unwrap().flatten() {
        said += &std::fs::read_to_string(case.path().join("guest.log")).unwrap_or_default();
    }
    (output.status.code(), shown(&output), said)
}

fn check(way: &str, fate: Fate) {
    let (code, text, said) = attempt(way);
    let context = format!("{way}: the guest said\n{said}and the gate\n{text}");
    assert!(said.contains("read ") || said.contains("refused: "), "{context}");
    let readings = said.lines().filter_map(|line| line.strip_prefix("read ")?.parse::<i64>().ok());
    let escaped = readings.into_iter().any(|reading| reading < START);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let noticed =
        |reason| code == Some(3) && words.contains("what unshifted means") && words.contains(reason);
    match fate {
        Fate::Kept(reason) => {
            let refused = said.contains("refused: ") && !escaped && code == Some(0);
            assert!(refused || noticed(reason), "{context}");
        }
        Fate::Noticed(reason) => assert!(noticed(reason), "{context}"),
        Fate::Refused(words_of_it) => {
            let refused = said.contains("refused: ") && !said.contains("read ") && code == Some(0);
            assert!(refused && words.contains(words_of_it), "{context}");
        }
        Fate::Shifted => assert!(!escaped && code == Some(0), "{context}"),
        Fate::Gap => assert!(escaped && code == Some(0), "no gap any more, tell a better fate: {context}"),
    }
}

fn check_all(ways: &[(&str, Fate)]) {
    if can_run() {
        for (way, fate) in ways {
            check(way, *fate);
        }
    }
}

#[test]
fn every_kind_of_call_is_shifted_or_refused() {
    check_all(&[
        ("call", Fate::Shifted),
        ("call-32-bit", Fate::Noticed("made a 32-bit system call, which was refused")),
        ("call-vsyscall", Fate::Shifted),
        ("call-x32", Fate::Noticed("made an x32 system call, which was refused")),
        ("io-uring", Fate::Refused("was refused io_uring for /odd-escape")),
        ("libc", Fate::Shifted),
    ]);
}

#[test]
fn processes_that_hide_are_shifted_or_noticed() {
    check_all(&[
        ("exec-32-bit", Fate::Noticed("was killed because it cannot be shifted: it is a 32-bit program")),
        ("exec-anonymous", Fate::Shifted),
        ("exec-filtered", Fate::Noticed("may have seen another clock")),
        ("exec-traced", Fate::Noticed("cannot be attached to")),
        ("own-listener", Fate::Noticed("wants a seccomp listener of its own")),
        ("undumpable", Fate::Shifted),
        ("user-changed", Fate::Shifted),
    ]);
}

#[test]
fn a_clock_that_was_taken_out_is_noticed() {
    check_all(&[
        ("page-forged", Fate::Noticed("reached for the mapping of the clock page")),
        ("page-replaced", Fate::Noticed("reached for the mapping of the clock page")),
        ("page-replaced-child", Fate::Noticed("reached for the mapping of the clock page")),
        ("page-replaced-restored", Fate::Noticed("reached for the mapping of the clock page")),
        ("page-unmapped", Fate::Noticed("reached for the mapping of the clock page")),
        ("vdso-changed", Fate::Noticed("its vDSO is not the patched one")),
        ("vdso-dropped", Fate::Noticed("its vDSO is not the patched one")),
        ("vdso-opened", Fate::Kept("its vDSO is not the patched one")),
    ]);
}

#[test]
fn a_process_is_looked_at_before_it_goes() {
    check_all(&[
        ("exec-filtered-unseen", Fate::Noticed("at its end: the clock page is not mapped")),
        ("vdso-changed-child", Fate::Noticed("at its end: its vDSO is not the patched one")),
        ("vdso-changed-exec", Fate::Noticed("at its end: its vDSO is not the patched one")),
        ("vdso-dropped-child", Fate::Noticed("at its end: its vDSO is not the patched one")),
    ]);
}

/// What the gate does not see today. `docs/robustness.md` says why, way by way.
#[test]
fn known_gaps_are_still_gaps() {
    check_all(&[
        ("boot-time", Fate::Gap),
        ("file-time", Fate::Gap),
        ("vdso-changed-restored", Fate::Gap),
        ("vdso-original", Fate::Gap),
    ]);
}
