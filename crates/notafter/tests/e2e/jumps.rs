//! Some hundred jumps under load: `cargo xtask jumps` in short. `docs/clock-engine.md` says what it does.

use crate::needs::{can_run_with, repository};
use notafter_backend::Embedded;
use notafter_core::{ClockReading, UnixTime};
use std::path::Path;
use std::process::Command;
use xtask::jumps::{Jumps, Told, run};

fn host_clock() -> ClockReading {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME).unwrap();
    ClockReading { second: UnixTime::clamped(now.tv_sec()), nanos: u32::try_from(now.tv_nsec()).unwrap() }
}

/// What became of so many jumps; none where the machine cannot build the crowd.
fn jumped(count: u32, sabotage: Option<&str>) -> Option<Result<Told, String>> {
    if !can_run_with(&["cc"]) {
        return None;
    }
    let room = tempfile::tempdir().unwrap();
    let guest = room.path().join("crowd");
    let source = repository().join("fixtures/guests/crowd.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-static", "-o"]).args([&guest, &source]).args(["-lpthread", "-lrt"]);
    assert!(compiler.status().unwrap().success());
    let backend = Embedded::with_executable(Path::new(env!("CARGO_BIN_EXE_notafter")), host_clock).unwrap();
    let jumps = Jumps { backend: &backend, guest: &guest, count, seed: 1, spinners: 1, sabotage };
    Some(run(&jumps, &mut |_| {}).map_err(|error| format!("{error:#}")))
}

#[test]
fn no_wake_up_is_lost_and_nobody_dies() {
    let Some(told) = jumped(200, None) else { return };
    let told = told.unwrap();
    assert!(told.waiters >= 80 && told.least >= 20, "{told:?}");
}

#[test]
fn whoever_misses_a_wake_up_wakes_early_or_dies_is_found() {
    for (sabotage, found) in [
        ("skip", "1 waits are not over"),
        ("early", "1 wake-ups came before their deadline (poll)"),
        ("die", "1 processes ended (poll)"),
    ] {
        let Some(told) = jumped(200, Some(sabotage)) else { return };
        let error = told.expect_err(sabotage);
        assert!(error.contains(found), "{sabotage}: {error}");
    }
}
