//! What the embedded and the scripted back end have in common, native and shifted: tests of everything above rest on
//! the scripted one behaving like the real one.

use crate::machine::bare;
use crate::scene::{LONG, embedded, host_clock, idle, name, server, shell, wait_for_end, wait_for_log};
use libtest_mimic::Trial;
use notafter_backend::scripted::{ByInstant, Life, PortAct, Script, Scripted, ScriptedService};
use notafter_backend::{
    Backend, ConnectFailure, Error, ExecOutcome, LaunchSpec, Sandbox, SandboxSpec, ServiceState, StopReason,
};
use notafter_core::{ClockReading, Motion, Pace, UnixTime};
use std::io::{Read, Write};

/// Where shifted sandboxes start.
const START: i64 = 1_500_000_000;

/// A back end and the clock of its sandboxes.
struct Stage {
    backend: Box<dyn Backend>,
    clock: Option<UnixTime>,
}

impl Stage {
    /// A sandbox with the hosts `steady`, `brief`, `broken` and `place`.
    fn open(&self) -> Box<dyn Sandbox> {
        let hosts = ["steady", "brief", "broken", "place"].map(name).to_vec();
        self.backend.open(&SandboxSpec { hosts, clock: self.clock, scratch: None }).unwrap()
    }
}

type Open = fn() -> Stage;
type Behaviour = (&'static str, fn(&Stage));

const BEHAVIOURS: &[Behaviour] = &[
    ("a_command_ends_with_its_code_and_output", a_command_ends_with_its_code_and_output),
    ("a_main_process_runs_until_it_is_stopped", a_main_process_runs_until_it_is_stopped),
    ("a_motion_arrives_where_it_was_told", a_motion_arrives_where_it_was_told),
    ("a_service_that_cannot_start_is_a_state", a_service_that_cannot_start_is_a_state),
    ("connections_come_about_or_say_why_not", connections_come_about_or_say_why_not),
    ("every_process_has_its_proof", every_process_has_its_proof),
    ("what_was_never_launched_is_an_error", what_was_never_launched_is_an_error),
];

/// Every behaviour on every stage.
pub(crate) fn trials() -> Vec<Trial> {
    let mut stages: Vec<(&str, Open)> = vec![
        ("embedded_native", || Stage { backend: Box::new(embedded()), clock: None }),
        ("embedded_shifted", || Stage { backend: Box::new(embedded()), clock: Some(start()) }),
        ("scripted_native", || Stage { backend: Box::new(scripted()), clock: None }),
        ("scripted_shifted", || Stage { backend: Box::new(scripted()), clock: Some(start()) }),
    ];
    if rustix::process::geteuid().is_root() {
        stages.push(("machine_native", || Stage { backend: Box::new(bare()), clock: None }));
        stages.push(("machine_shifted", || Stage { backend: Box::new(bare()), clock: Some(start()) }));
    }
    let all = stages.into_iter().flat_map(|stage| BEHAVIOURS.iter().map(move |behaviour| (stage, behaviour)));
    all.map(|((stage, open), (name, behaviour))| {
        Trial::test(format!("{stage}::{name}"), move || {
            behaviour(&open());
            Ok(())
        })
    })
    .collect()
}

fn start() -> UnixTime {
    UnixTime::clamped(START)
}

/// The services below as a table.
fn scripted() -> Scripted {
    let answer = |command: &[String]| match command.last().map(String::as_str) {
        Some("echo hello; exit 3") => ExecOutcome::Exited { code: 3, output: "hello\n".to_owned() },
        last => ExecOutcome::Unstartable { reason: format!("{}: no such file", last.unwrap_or_default()) },
    };
    let greet = PortAct::serving(|mut stream, _| stream.write_all(b"hello").unwrap());
    let steady = ScriptedService { greeting: "listening".to_owned(), ..ScriptedService::default() }
        .port(8080, ByInstant::always(greet))
        .runs(move |command, _| answer(command));
    let of = |life: Life| ScriptedService { starts: ByInstant::always(life), ..ScriptedService::default() };
    let script = Script::default()
        .with(&name("steady"), steady)
        .with(&name("brief"), of(Life::Ends { code: 7, says: "bye".to_owned() }))
        .with(&name("broken"), of(Life::Unstartable { reason: "/no/such/file: no such file".to_owned() }))
        .with(&name("place"), ScriptedService::default().runs(move |command, _| answer(command)));
    Scripted::new(host_clock().second, move |_, _| script.clone())
}

fn steady() -> LaunchSpec {
    server("steady", 8080, "hello")
}

fn command(script: &str) -> Vec<String> {
    ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
}

fn a_main_process_runs_until_it_is_stopped(stage: &Stage) {
    let mut sandbox = stage.open();
    sandbox.launch(&steady()).unwrap();
    wait_for_log(&mut *sandbox, "steady", "listening\n");
    assert_eq!(sandbox.state(&name("steady")).unwrap(), ServiceState::Running);
    for reason in [StopReason::Restart { grace: LONG }, StopReason::Teardown] {
        sandbox.launch(&steady()).unwrap();
        wait_for_log(&mut *sandbox, "steady", "listening\n");
        sandbox.stop(&name("steady"), reason).unwrap();
        let ServiceState::Ended { code, at } = sandbox.state(&name("steady")).unwrap() else { panic!() };
        let expected = if reason == StopReason::Teardown { 128 + 9 } else { 128 + 15 };
        assert_eq!(code, expected);
        assert!(at <= sandbox.now());
        // Its log outlives it.
        assert!(sandbox.log(&name("steady")).unwrap().text.contains("listening"));
    }
    sandbox.launch(&shell("brief", "echo bye; exit 7")).unwrap();
    assert_eq!(wait_for_end(&mut *sandbox, "brief"), 7);
    assert_eq!(sandbox.log(&name("brief")).unwrap().text, "bye\n");
    let outcome = sandbox.exec(&name("brief"), &command("echo hello; exit 3"), LONG).unwrap();
    assert!(matches!(outcome, ExecOutcome::Unstartable { .. }), "{outcome:?}");
}

fn a_service_that_cannot_start_is_a_state(stage: &Stage) {
    let mut sandbox = stage.open();
    sandbox
        .launch(&LaunchSpec { command: Some(vec!["/no/such/file".to_owned()]), ..idle("broken") })
        .unwrap();
    let ServiceState::Unstartable { reason } = sandbox.state(&name("broken")).unwrap() else { panic!() };
    assert!(reason.starts_with("/no/such/file: no such file"), "{reason}");
}

fn a_command_ends_with_its_code_and_output(stage: &Stage) {
    let mut sandbox = stage.open();
    sandbox.launch(&steady()).unwrap();
    sandbox.launch(&idle("place")).unwrap();
    assert_eq!(sandbox.state(&name("place")).unwrap(), ServiceState::Idle);
    for service in ["steady", "place"] {
        let outcome = sandbox.exec(&name(service), &command("echo hello; exit 3"), LONG).unwrap();
        let ExecOutcome::Exited { code, output } = outcome else { panic!("{outcome:?}") };
        assert_eq!((code, output.as_str()), (3, "hello\n"));
    }
    let outcome = sandbox.exec(&name("place"), &["/no/such/file".to_owned()], LONG).unwrap();
    assert!(matches!(outcome, ExecOutcome::Unstartable { .. }), "{outcome:?}");
}

fn connections_come_about_or_say_why_not(stage: &Stage) {
    let mut sandbox = stage.open();
    sandbox.launch(&steady()).unwrap();
    wait_for_log(&mut *sandbox, "steady", "listening\n");
    let mut stream = sandbox.connect(None, "steady", 8080, LONG).unwrap().unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "hello");
    for (host, port, expected) in [
        ("steady", 1, ConnectFailure::Refused),
        ("place", 8081, ConnectFailure::Refused),
        ("elsewhere", 8080, ConnectFailure::UnknownHost("elsewhere".to_owned())),
    ] {
        assert_eq!(sandbox.connect(None, host, port, LONG).unwrap().unwrap_err(), expected);
    }
    sandbox.stop(&name("steady"), StopReason::Teardown).unwrap();
    let stopped = sandbox.connect(None, "steady", 8080, LONG).unwrap().unwrap_err();
    assert_eq!(stopped, ConnectFailure::Refused);
}

fn what_was_never_launched_is_an_error(stage: &Stage) {
    let mut sandbox = stage.open();
    let service = name("steady");
    assert!(matches!(sandbox.state(&service), Err(Error::UnknownService(_))));
    assert!(matches!(sandbox.log(&service), Err(Error::UnknownService(_))));
    assert!(matches!(sandbox.stop(&service, StopReason::Teardown), Err(Error::UnknownService(_))));
    assert!(matches!(sandbox.exec(&service, &command(""), LONG), Err(Error::UnknownService(_))));
}

fn a_motion_arrives_where_it_was_told(stage: &Stage) {
    let mut sandbox = stage.open();
    let Some(start) = stage.clock else {
        let to = sandbox.now().second.plus_secs(60);
        let moved = sandbox.move_clock(Motion::Step, to, LONG);
        assert!(matches!(moved, Err(Error::Unsupported { .. })), "{moved:?}");
        return;
    };
    sandbox.launch(&steady()).unwrap();
    assert_eq!(sandbox.now(), ClockReading::at(start));
    for (motion, days) in
        [(Motion::Step, 1), (Motion::Elapse(Pace::Leap), 30), (Motion::Elapse(Pace::Walk), 365)]
    {
        let to = start.plus_secs(days * 86_400);
        let moved = sandbox.move_clock(motion, to, LONG).unwrap();
        assert!(moved.jumps >= 1, "{moved:?}");
        assert_eq!(sandbox.now(), ClockReading::at(to));
    }
    let back = sandbox.move_clock(Motion::Elapse(Pace::Leap), start, LONG);
    assert!(back.is_err(), "{back:?}");
    assert_eq!(sandbox.state(&name("steady")).unwrap(), ServiceState::Running);
}

fn every_process_has_its_proof(stage: &Stage) {
    let mut sandbox = stage.open();
    sandbox.launch(&steady()).unwrap();
    sandbox.launch(&idle("place")).unwrap();
    sandbox.exec(&name("place"), &command("echo hello; exit 3"), LONG).unwrap();
    let report = sandbox.witnesses().unwrap();
    assert_eq!(report.unproven, []);
    let services: std::collections::BTreeSet<_> =
        report.witnesses.iter().map(|witness| witness.service.as_str()).collect();
    let expected: &[&str] = if stage.clock.is_some() { &["place", "steady"] } else { &[] };
    assert_eq!(services.into_iter().collect::<Vec<_>>(), expected);
}
