//! A gate of which a part is killed, at random moments: `cargo xtask chaos` in short.

use super::bare::can_run_without_namespaces;
use super::docker::can_use_engine;
use super::needs::are_installed;
use super::runs::can_run;
use xtask::chaos::{Chaos, Ground, Kill, run};

const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/scenarios");
/// Each kind twice and more, at moments that differ from kind to kind.
const KILLS: u32 = 12;

#[test]
fn whatever_is_killed_nothing_is_left_and_nothing_allowed() {
    if can_run() {
        disturb(Ground::Namespaces, KILLS, 2);
    }
}

#[test]
fn without_namespaces_either() {
    if can_run_without_namespaces() {
        disturb(Ground::Machine, KILLS, 2);
    }
}

#[test]
fn in_containers_neither_and_the_gate_beside_goes_on() {
    if can_use_engine() && are_installed(&["busybox"]) {
        disturb(Ground::Containers, 5, 1);
    }
}

#[expect(clippy::print_stdout, reason = "which kill left what is to be read where it did")]
fn disturb(ground: Ground, kills: u32, each: u32) {
    let scratch = tempfile::tempdir().unwrap();
    let chaos = Chaos {
        notafter: env!("CARGO_BIN_EXE_notafter").into(),
        scenarios: SCENARIOS.into(),
        scratch: scratch.path().into(),
        ground,
        kills,
        seed: 2018,
    };
    let summary = run(&chaos, &mut |line| println!("{line}")).unwrap();
    assert!(Kill::ALL.iter().all(|kill| summary.kinds[kill].0 >= each), "{summary:?}");
}
