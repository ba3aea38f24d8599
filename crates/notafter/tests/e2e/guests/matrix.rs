//! Each guest natively, a year ahead and years back.

use super::guest::{self, Built, Guest};
use super::said::{Best, Said, differ_in_the_clock_alone, parse};
use crate::scene::{Scene, shown};
use std::process::{Child, Command, Output, Stdio};

/// Native, as a wait may end late by chance: how often that may happen to one and the same wait.
const RUNS: usize = 6;

fn host_now() -> i64 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME).unwrap().tv_sec()
}

fn start(mut command: Command, built: &Built) -> Child {
    command.env("PATH", &built.path).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[track_caller]
fn said(output: &Output) -> Vec<Said> {
    assert_eq!(output.status.code(), Some(0), "{}", shown(output));
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(!complaints.contains("notafter:"), "{complaints}");
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// Runs it in all three ways at once, again and again until every wait has ended in time once.
fn differs_in_the_clock_alone(guest: &Guest) {
    let scene = Scene::new();
    let Some(built) = guest.build(scene.path()) else { return };
    // Whole days of seconds, so that the windows are easy to read.
    let shifts = [("2040-01-01T00:00:00Z", 2_208_988_800_i64), ("2018-11-01T00:00:00Z", 1_541_030_400)];
    let (mut native_best, mut shifted_best) = (Best::default(), [Best::default(), Best::default()]);
    for run in 1..=RUNS {
        let begun = host_now();
        let mut plain = Command::new(&built.command[0]);
        plain.args(&built.command[1..]).current_dir(scene.path());
        let native = start(plain, &built);
        let shifted = shifts.map(|(instant, _)| {
            let mut words = vec!["at", instant, "--"];
            words.extend(built.command.iter().map(String::as_str));
            start(scene.command(&words), &built)
        });
        let native = said(&native.wait_with_output().unwrap());
        native_best.take(&native);
        let shifted = shifted.map(|child| said(&child.wait_with_output().unwrap()));
        let took = host_now() - begun + 1;
        differ_in_the_clock_alone(&native, &native, &(begun..=begun + took));
        for ((best, shifted), (_, from)) in shifted_best.iter_mut().zip(&shifted).zip(shifts) {
            differ_in_the_clock_alone(&native, shifted, &(from..=from + took));
            best.take(shifted);
        }
        assert!(native_best.len() >= 3, "it hardly waits: {native:?}");
        let late: Vec<String> = shifted_best.iter().flat_map(|best| best.late(&native_best)).collect();
        if late.is_empty() {
            return;
        }
        assert!(run < RUNS, "late in every run: {late:?}");
    }
}

macro_rules! matrix {
    ($($name:ident: $guest:expr;)*) => {$(
        #[test]
        fn $name() {
            differs_in_the_clock_alone(&$guest);
        }
    )*};
}

matrix! {
    busybox_static: guest::BUSYBOX;
    cpp: guest::CPP;
    glibc_dynamic: guest::GLIBC;
    glibc_static: guest::GLIBC_STATIC;
    glibc_static_pie: guest::GLIBC_STATIC_PIE;
    go_static: guest::GO;
    go_with_race_detection: guest::GO_RACE;
    java: guest::JAVA;
    musl_static: guest::MUSL_STATIC;
    node: guest::NODE;
    perl: guest::PERL;
    php: guest::PHP;
    python: guest::PYTHON;
    ruby: guest::RUBY;
    rust_dynamic: guest::RUST;
    rust_static: guest::RUST_STATIC;
    shell: guest::SHELL;
}
