//! Each guest across live jumps, with all its processes, threads and timers in place: wall time is set ahead, then time
//! elapses, then wall time is set back.

use super::guest::{self, Guest};
use super::said::{Said, differ_in_the_clock_alone, parse};
use crate::needs::{PATH, can_run_with};
use crate::scene::Scene;
use notafter_backend::{
    Backend, Embedded, ExecOutcome, LaunchSpec, RootTree, Sandbox, SandboxSpec, ServiceState,
};
use notafter_core::{ClockReading, Motion, Pace, ServiceName, UnixTime};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
/// How many looks at an unchanged log show that it waits for wall time; also a busy machine comes so far.
const SILENCE: u32 = 30;
const AGAIN: &str = "/tmp/again";
/// Where the clock stands at first, and where each motion takes it.
const START: i64 = 1_900_000_000;
const MOTIONS: [(Motion, i64); 3] = [
    (Motion::Step, 1_950_000_000),
    (Motion::Elapse(Pace::Leap), 2_000_000_000),
    (Motion::Step, 1_850_000_000),
];

fn host_clock() -> ClockReading {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME).unwrap();
    ClockReading { second: UnixTime::clamped(now.tv_sec()), nanos: u32::try_from(now.tv_nsec()).unwrap() }
}

struct Running {
    sandbox: Box<dyn Sandbox>,
    service: ServiceName,
}

impl Running {
    fn start(launch: &LaunchSpec) -> Self {
        let executable = Path::new(env!("CARGO_BIN_EXE_notafter"));
        let backend = Embedded::with_executable(executable, host_clock).unwrap();
        let service = launch.service.clone();
        let clock = Some(UnixTime::clamped(START).into());
        let mut sandbox = backend
            .open(&SandboxSpec { hosts: vec![service.clone()], aliases: Vec::new(), clock, scratch: None })
            .unwrap();
        sandbox.launch(launch).unwrap();
        Self { sandbox, service }
    }

    fn log(&mut self) -> String {
        self.sandbox.log(&self.service).unwrap().text
    }

    fn second(&self) -> i64 {
        self.sandbox.now().second.as_secs()
    }

    /// Waits for `done`. Wall time stands still between motions, and who waits for it to show an instant would wait
    /// for ever: it is set on by a second where nothing is said for longer than any wait takes.
    #[track_caller]
    fn until(&mut self, done: fn(&mut Self, usize) -> bool, lines: usize) {
        let (mut written, mut silent) = (0, 0);
        for _ in 0..LONG.as_millis() / POLL.as_millis() {
            if done(self, lines) {
                return;
            }
            std::thread::sleep(POLL);
            let now_written = self.sandbox.log(&self.service).unwrap().written;
            silent = if now_written == written { silent + 1 } else { 0 };
            written = now_written;
            if silent == SILENCE {
                silent = 0;
                self.go(Motion::Step, self.second() + 1);
            }
        }
        let log = self.log();
        panic!("it does not end: {:?}\n{log}", self.sandbox.state(&self.service));
    }

    fn go(&mut self, motion: Motion, to: i64) {
        self.sandbox.move_clock(motion, UnixTime::clamped(to), LONG).unwrap();
    }
}

fn has_said(running: &mut Running, lines: usize) -> bool {
    running.log().lines().count() >= lines
}

fn has_ended(running: &mut Running, _: usize) -> bool {
    match running.sandbox.state(&running.service).unwrap() {
        ServiceState::Running => false,
        ServiceState::Ended { code: 0, .. } => true,
        other => panic!("{other:?}\n{}", running.log()),
    }
}

/// What it says natively.
fn native(command: &[String], path: &str) -> Vec<Said> {
    let output = Command::new(&command[0]).args(&command[1..]).env("PATH", path).output().unwrap();
    parse(&String::from_utf8_lossy(&output.stdout))
}

fn lives_through_jumps(guest: &Guest) {
    if !can_run_with(guest.needs) {
        return;
    }
    let scene = Scene::new();
    let Some(built) = guest.build(scene.path()) else { return };
    let native = native(&built.command, &built.path);
    let (command, file) = built.as_service(AGAIN);
    let mut running = Running::start(&LaunchSpec {
        command: Some(command),
        env: [("PATH".to_owned(), PATH.to_owned())].into(),
        files: vec![file],
        ..LaunchSpec::idle(ServiceName::new("guest").unwrap(), RootTree::Host)
    });
    running.until(has_said, native.len());
    let before = running.second();
    for (motion, to) in MOTIONS {
        running.go(motion, to);
    }
    let after = running.second();
    let touch = ["touch", AGAIN].map(str::to_owned);
    let touched = running.sandbox.exec(&running.service, &touch, LONG).unwrap();
    assert!(matches!(touched, ExecOutcome::Exited { code: 0, .. }), "{touched:?}");
    running.until(has_ended, 0);
    let said = parse(&running.log());
    let (first, second) = said.split_at(native.len());
    differ_in_the_clock_alone(&native, first, &(START..=before));
    differ_in_the_clock_alone(&native, second, &(after..=running.second()));
    assert_eq!(running.sandbox.witnesses().unwrap().unproven, []);
}

macro_rules! lives {
    ($($name:ident: $guest:expr;)*) => {$(
        #[test]
        fn $name() {
            lives_through_jumps(&$guest);
        }
    )*};
}

lives! {
    busybox_static: guest::BUSYBOX;
    cpp: guest::CPP;
    glibc_dynamic: guest::GLIBC;
    glibc_static_pie: guest::GLIBC_STATIC_PIE;
    go_static: guest::GO;
    java: guest::JAVA;
    musl_static: guest::MUSL_STATIC;
    node: guest::NODE;
    perl: guest::PERL;
    php: guest::PHP;
    python: guest::PYTHON;
    ruby: guest::RUBY;
    rust_static: guest::RUST_STATIC;
    shell: guest::SHELL;
}
