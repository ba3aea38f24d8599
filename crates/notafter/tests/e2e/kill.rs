//! A gate of which a part is killed, at random moments: `cargo xtask chaos` in short.

use super::bare::can_run_without_namespaces;
use super::runs::can_run;
use xtask::chaos::{Chaos, Kill, run};

const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/scenarios/chaos.yaml");
/// Each kind twice and more, at moments that differ from kind to kind.
const KILLS: u32 = 12;

#[test]
fn whatever_is_killed_nothing_is_left_and_nothing_allowed() {
    if can_run() {
        disturb("namespaces");
    }
}

#[test]
fn without_namespaces_either() {
    if can_run_without_namespaces() {
        disturb("none");
    }
}

#[expect(clippy::print_stdout, reason = "which kill left what is to be read where it did")]
fn disturb(isolation: &'static str) {
    let scratch = tempfile::tempdir().unwrap();
    let chaos = Chaos {
        notafter: env!("CARGO_BIN_EXE_notafter").into(),
        scenario: SCENARIO.into(),
        scratch: scratch.path().into(),
        isolation,
        kills: KILLS,
        seed: 2018,
    };
    let summary = run(&chaos, &mut |line| println!("{line}")).unwrap();
    assert!(Kill::ALL.iter().all(|kill| summary.kinds[kill].0 >= 2), "{summary:?}");
}
