//! A few random scenarios: `cargo xtask soak` in short. `docs/soak.md` says what it does.

use super::needs::{can_run_with, repository};
use std::collections::BTreeSet;
use xtask::soak::{Soak, run};

/// Cases of the first seed: one of each kind at least, of each library, to block and to allow.
const NUMBERS: [u64; 9] = [4, 5, 7, 9, 10, 11, 13, 20, 22];
/// What builds the guests, and what they run.
const PROGRAMS: [&str; 8] = ["go", "java", "javac", "jar", "keytool", "nginx", "openssl", "timeout"];

#[test]
fn verdict_second_and_cause_are_those_that_were_planted() {
    if !can_run_with(&PROGRAMS) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let soak = Soak {
        notafter: env!("CARGO_BIN_EXE_notafter").into(),
        sources: repository().join("fixtures/soak"),
        scratch: scratch.path().into(),
        seed: 1,
        numbers: NUMBERS.into(),
        jobs: 2,
    };
    let all = run(&soak, &|told| println!("{told:?}")).unwrap();
    let missed: Vec<_> = all.iter().filter(|told| !told.wrong.is_empty()).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    let kinds: BTreeSet<&str> = all.iter().map(|told| told.kind).collect();
    assert_eq!(Vec::from_iter(kinds), ["deadline", "held", "link", "own"]);
    assert!(all.iter().any(|told| told.blocks) && all.iter().any(|told| !told.blocks), "{all:#?}");
}
