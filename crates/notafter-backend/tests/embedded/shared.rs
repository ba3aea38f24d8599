//! What the back ends have in common, native and shifted: tests of everything above rest on the scripted one behaving
//! like the real ones. No behaviour is left out on any of them.

use crate::exchanged::{files_are_exchanged_as_anywhere_else, files_lie_where_they_are_wanted};
use crate::machine::bare;
use crate::scene::{LONG, embedded, host_clock, idle, name, server, shell, wait_for_end, wait_for_log};
use libtest_mimic::Trial;
use notafter_backend::scripted::{ByInstant, Life, PortAct, Script, Scripted, ScriptedService};
use notafter_backend::{
    Backend, ConnectFailure, Docker, Error, ExecOutcome, FileLayout, FileSpec, LaunchSpec, MemoryFiles,
    ProcessMemory, RootTree, Sandbox, SandboxSpec, ServiceState, StopReason, VolumeContent, VolumeMount,
};
use notafter_core::{
    Capability, ClockReading, Isolation, Motion, Pace, Restrictions, RootAccess, UnixTime, VolumeName,
    VolumeState,
};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;

/// Where shifted sandboxes start.
const START: i64 = 1_500_000_000;

/// A back end, the clock of its sandboxes, and what its services run on.
pub(crate) struct Stage {
    pub(crate) backend: Box<dyn Backend>,
    clock: Option<UnixTime>,
    /// None is the machine's own files.
    pub(crate) tree: Option<tempfile::TempDir>,
    /// Whether set-user-ID bits have their effect.
    gains_privileges: bool,
}

impl Stage {
    fn on_machine(backend: impl Backend + 'static, clock: Option<UnixTime>) -> Self {
        Self { backend: Box::new(backend), clock, tree: None, gains_privileges: false }
    }

    /// In namespaces.
    fn apart(clock: Option<UnixTime>) -> Self {
        Self { gains_privileges: true, ..Self::on_machine(embedded(), clock) }
    }

    /// Containers, which have no part of the machine's files: services run on a shell and this very program.
    fn in_containers() -> Self {
        let tree = tempfile::tempdir().unwrap();
        let bin = tree.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        // As most images have one.
        std::fs::create_dir(tree.path().join("tmp")).unwrap();
        std::fs::copy("/bin/busybox", bin.join("busybox")).unwrap();
        for applet in ["sh", "sleep"] {
            std::os::unix::fs::symlink("busybox", bin.join(applet)).unwrap();
        }
        std::fs::copy(std::env::current_exe().unwrap(), bin.join("tests")).unwrap();
        let machine = Self::on_machine(Docker::new(host_clock).unwrap(), Some(start()));
        Self { tree: Some(tree), gains_privileges: true, ..machine }
    }

    fn placed(&self, spec: LaunchSpec) -> LaunchSpec {
        match &self.tree {
            Some(tree) => LaunchSpec { root: RootTree::Tree(tree.path().to_owned()), ..spec },
            None => spec,
        }
    }

    pub(crate) fn idle(&self, service: &str) -> LaunchSpec {
        self.placed(idle(service))
    }

    fn shell(&self, service: &str, script: &str) -> LaunchSpec {
        self.placed(shell(service, script))
    }

    /// A service that says `listening` and answers every connection to port 8080 with `hello`.
    fn steady(&self) -> LaunchSpec {
        let command = ["/bin/tests", SERVE].map(str::to_owned).to_vec();
        match self.tree {
            Some(_) => LaunchSpec { command: Some(command), ..self.idle("steady") },
            None => server("steady", 8080, "hello"),
        }
    }

    pub(crate) fn is_scripted(&self) -> bool {
        self.backend.name() == "scripted"
    }

    /// A sandbox with the hosts `steady`, `brief`, `broken` and `place`.
    pub(crate) fn open(&self) -> Box<dyn Sandbox> {
        let hosts = ["steady", "brief", "broken", "place"].map(name).to_vec();
        self.backend
            .open(&SandboxSpec {
                hosts,
                aliases: Vec::new(),
                clock: self.clock.map(Into::into),
                scratch: None,
            })
            .unwrap()
    }
}

/// The argument with which this program is the steady service.
const SERVE: &str = "__serve";

/// Answers for ever, where the arguments say so.
pub(crate) fn run_if_server() {
    if std::env::args().nth(1).as_deref() != Some(SERVE) {
        return;
    }
    let listener = std::net::TcpListener::bind(("0.0.0.0", 8080)).unwrap();
    std::io::stdout().write_all(b"listening\n").unwrap();
    let answer = std::hint::black_box(b"hello".to_vec());
    for stream in listener.incoming() {
        stream.unwrap().write_all(&answer).unwrap();
    }
}

/// Whether an engine answers that this user may look into.
fn has_engine() -> bool {
    let has = rustix::process::geteuid().is_root()
        && std::path::Path::new("/bin/busybox").exists()
        && Docker::sweep().is_ok();
    if !has {
        let told = "PASSED OVER: the contract on containers, for want of an engine that answers to root, or of /bin/busybox\n";
        std::io::stderr().write_all(told.as_bytes()).unwrap();
    }
    has
}

type Open = fn() -> Stage;
type Behaviour = (&'static str, fn(&Stage));

const BEHAVIOURS: &[Behaviour] = &[
    ("a_command_ends_with_its_code_and_output", a_command_ends_with_its_code_and_output),
    ("a_main_process_runs_until_it_is_stopped", a_main_process_runs_until_it_is_stopped),
    ("a_motion_arrives_where_it_was_told", a_motion_arrives_where_it_was_told),
    ("a_service_that_cannot_start_is_a_state", a_service_that_cannot_start_is_a_state),
    ("a_service_holds_no_more_than_it_is_left", a_service_holds_no_more_than_it_is_left),
    ("a_service_uses_no_more_than_its_limits", a_service_uses_no_more_than_its_limits),
    ("a_sealed_root_tree_cannot_be_written_to", a_sealed_root_tree_cannot_be_written_to),
    ("connections_come_about_or_say_why_not", connections_come_about_or_say_why_not),
    ("files_are_exchanged_as_anywhere_else", files_are_exchanged_as_anywhere_else),
    ("files_lie_where_they_are_wanted", files_lie_where_they_are_wanted),
    ("every_process_has_its_proof", every_process_has_its_proof),
    ("what_processes_hold_in_memory_can_be_read", what_processes_hold_in_memory_can_be_read),
    ("what_was_never_launched_is_an_error", what_was_never_launched_is_an_error),
];

/// Every behaviour on every stage.
pub(crate) fn trials() -> Vec<Trial> {
    let mut stages: Vec<(&str, Open)> = vec![
        ("embedded_native", || Stage::apart(None)),
        ("embedded_shifted", || Stage::apart(Some(start()))),
        ("scripted_native", || Stage::on_machine(scripted(), None)),
        ("scripted_shifted", || Stage::on_machine(scripted(), Some(start()))),
    ];
    if rustix::process::geteuid().is_root() {
        stages.push(("machine_native", || Stage::on_machine(bare(), None)));
        stages.push(("machine_shifted", || Stage::on_machine(bare(), Some(start()))));
    }
    if has_engine() {
        stages.push(("docker_shifted", Stage::in_containers));
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
    let exited = |output: &str| ExecOutcome::Exited { code: 0, output: output.to_owned() };
    let answer = move |command: &[String]| match command.last().map(String::as_str) {
        Some("echo hello; exit 3") => ExecOutcome::Exited { code: 3, output: "hello\n".to_owned() },
        Some(HELD) => exited("CapEff: 0000000000000001\nCapBnd: 0000000000000001\nNoNewPrivs: 1\n"),
        Some(SEALED) => exited("/data\nx\n"),
        Some(FORKS) => ExecOutcome::Exited { code: 2, output: "sh: can't fork\n".to_owned() },
        Some(EATS) => ExecOutcome::Exited { code: 128 + 9, output: String::new() },
        last => ExecOutcome::Unstartable { reason: format!("{}: no such file", last.unwrap_or_default()) },
    };
    let greet = PortAct::serving(|mut stream, _| stream.write_all(b"hello").unwrap());
    let steady = ScriptedService {
        greeting: "listening".to_owned(),
        memory: Some(ByInstant::always(Ok(b"hello".to_vec()))),
        ..ScriptedService::default()
    }
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

/// What a service may do at most is shown by shells alone: an image may hold nothing else.
const HELD: &str = "while read key value; do case $key in CapBnd:|CapEff:|NoNewPrivs:) echo $key $value;; esac; \
                    done < /proc/self/status";
const SEALED: &str = "for place in / /tmp /etc /bin /data; do \
                      if (echo x > $place/own) 2>/dev/null; then echo $place; fi; done; read -r line < /cfg/a; echo $line";
const FORKS: &str =
    "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do sleep 3 & done; echo all";
const EATS: &str = "x=0123456789abcdef; for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23; do x=$x$x; done; \
                    echo ate";

pub(crate) fn command(script: &str) -> Vec<String> {
    ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
}

fn a_main_process_runs_until_it_is_stopped(stage: &Stage) {
    let mut sandbox = stage.open();
    sandbox.launch(&stage.steady()).unwrap();
    wait_for_log(&mut *sandbox, "steady", "listening\n");
    assert_eq!(sandbox.state(&name("steady")).unwrap(), ServiceState::Running);
    for reason in [StopReason::Restart { grace: LONG }, StopReason::Teardown] {
        sandbox.launch(&stage.steady()).unwrap();
        wait_for_log(&mut *sandbox, "steady", "listening\n");
        sandbox.stop(&name("steady"), reason).unwrap();
        let ServiceState::Ended { code, at } = sandbox.state(&name("steady")).unwrap() else { panic!() };
        let expected = if reason == StopReason::Teardown { 128 + 9 } else { 128 + 15 };
        assert_eq!(code, expected);
        assert!(at <= sandbox.now());
        // Its log outlives it.
        assert!(sandbox.log(&name("steady")).unwrap().text.contains("listening"));
    }
    sandbox.launch(&stage.shell("brief", "echo bye; exit 7")).unwrap();
    assert_eq!(wait_for_end(&mut *sandbox, "brief"), 7);
    assert_eq!(sandbox.log(&name("brief")).unwrap().text, "bye\n");
    let outcome = sandbox.exec(&name("brief"), &command("echo hello; exit 3"), LONG).unwrap();
    assert!(matches!(outcome, ExecOutcome::Unstartable { .. }), "{outcome:?}");
}

fn a_service_that_cannot_start_is_a_state(stage: &Stage) {
    let mut sandbox = stage.open();
    sandbox
        .launch(&LaunchSpec { command: Some(vec!["/no/such/file".to_owned()]), ..stage.idle("broken") })
        .unwrap();
    let ServiceState::Unstartable { reason } = sandbox.state(&name("broken")).unwrap() else { panic!() };
    assert!(reason.starts_with("/no/such/file: no such file"), "{reason}");
}

fn a_command_ends_with_its_code_and_output(stage: &Stage) {
    let mut sandbox = stage.open();
    sandbox.launch(&stage.steady()).unwrap();
    sandbox.launch(&stage.idle("place")).unwrap();
    assert_eq!(sandbox.state(&name("place")).unwrap(), ServiceState::Idle);
    for service in ["steady", "place"] {
        let outcome = sandbox.exec(&name(service), &command("echo hello; exit 3"), LONG).unwrap();
        let ExecOutcome::Exited { code, output } = outcome else { panic!("{outcome:?}") };
        assert_eq!((code, output.as_str()), (3, "hello\n"));
    }
    let outcome = sandbox.exec(&name("place"), &["/no/such/file".to_owned()], LONG).unwrap();
    assert!(matches!(outcome, ExecOutcome::Unstartable { .. }), "{outcome:?}");
}

fn a_service_holds_no_more_than_it_is_left(stage: &Stage) {
    let kept = Restrictions { capabilities: Some([Capability::Chown].into()), ..Restrictions::default() };
    let mut sandbox = stage.open();
    sandbox.launch(&LaunchSpec { restrictions: kept, ..stage.idle("place") }).unwrap();
    let outcome = sandbox.exec(&name("place"), &command(HELD), LONG).unwrap();
    let ExecOutcome::Exited { code: 0, output } = outcome else { panic!("{outcome:?}") };
    let lines: Vec<&str> = output.lines().collect();
    let no_new = if stage.gains_privileges { "NoNewPrivs: 0" } else { "NoNewPrivs: 1" };
    assert_eq!(lines, ["CapEff: 0000000000000001", "CapBnd: 0000000000000001", no_new]);
    sandbox
        .launch(&LaunchSpec {
            user: Some("0:0".to_owned()),
            restrictions: none_left(),
            ..stage.idle("place")
        })
        .unwrap();
    if stage.is_scripted() {
        return; // it plays one table whatever was asked for
    }
    let outcome = sandbox.exec(&name("place"), &command(HELD), LONG).unwrap();
    let ExecOutcome::Exited { code: 0, output } = outcome else { panic!("{outcome:?}") };
    assert_eq!(output, format!("CapEff: 0000000000000000\nCapBnd: 0000000000000000\n{no_new}\n"));
}

fn none_left() -> Restrictions {
    Restrictions { capabilities: Some([].into()), ..Restrictions::default() }
}

/// As the strictest deployments have it: no capability, a user of its own, and nothing to write to but volumes.
fn a_sealed_root_tree_cannot_be_written_to(stage: &Stage) {
    let file = FileSpec {
        path: "/cfg/a".to_owned(),
        contents: b"x\n".to_vec(),
        mode: 0o400,
        layout: FileLayout::Plain,
    };
    let data = VolumeMount {
        name: VolumeName::new("data").unwrap(),
        path: "/data".to_owned(),
        state: VolumeState::Carried,
        content: VolumeContent::Empty,
    };
    let mut sandbox = stage.open();
    for user in [None, Some("4711:4711".to_owned())] {
        let launched = sandbox.launch(&LaunchSpec {
            user: user.clone().filter(|_| rustix::process::geteuid().is_root()),
            files: vec![file.clone()],
            volumes: vec![VolumeMount {
                name: VolumeName::new(format!("data-{}", user.is_some())).unwrap(),
                ..data.clone()
            }],
            restrictions: Restrictions { root: Some(RootAccess::ReadOnly), ..none_left() },
            ..stage.idle("place")
        });
        if stage.backend.isolation() == Isolation::None {
            let error = launched.unwrap_err();
            let told = format!("{error}: {}", std::error::Error::source(&error).unwrap());
            assert!(told.contains("read-only") && told.contains("--isolation none"), "{told}");
            return;
        }
        launched.unwrap();
        let outcome = sandbox.exec(&name("place"), &command(SEALED), LONG).unwrap();
        let ExecOutcome::Exited { code: 0, output } = outcome else { panic!("{outcome:?}") };
        assert_eq!(output, "/data\nx\n", "{user:?}");
    }
    let report = sandbox.witnesses().unwrap();
    assert_eq!(report.unproven, []);
}

/// Where a limit cannot be kept, that is told.
fn a_service_uses_no_more_than_its_limits(stage: &Stage) {
    let restrictions = Restrictions {
        memory_bytes: Some(64 << 20),
        pids: Some(12),
        milli_cpus: Some(1000),
        ..Restrictions::default()
    };
    let mut sandbox = stage.open();
    sandbox.launch(&LaunchSpec { restrictions: restrictions.clone(), ..stage.idle("place") }).unwrap();
    let outcomes = [FORKS, EATS].map(|script| sandbox.exec(&name("place"), &command(script), LONG).unwrap());
    let remarks = sandbox.close().unwrap();
    let is_told =
        |key: &str| remarks.iter().any(|remark| remark.starts_with(&format!("place: `{key}` is not kept")));
    let keys = ["pids_limit", "mem_limit"];
    for ((outcome, key), whole) in outcomes.iter().zip(keys).zip(["all", "ate"]) {
        let ExecOutcome::Exited { code, output } = outcome else { panic!("{outcome:?}") };
        assert_eq!(output.contains(whole) && *code == 0, is_told(key), "{key}: {code} {output}; {remarks:?}");
    }
    if rustix::process::geteuid().is_root() {
        assert!(!is_told("pids_limit") && !is_told("mem_limit"), "{remarks:?}");
    }
}

fn connections_come_about_or_say_why_not(stage: &Stage) {
    let mut sandbox = stage.open();
    sandbox.launch(&stage.steady()).unwrap();
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

fn what_processes_hold_in_memory_can_be_read(stage: &Stage) {
    let mut sandbox = stage.open();
    sandbox.launch(&stage.steady()).unwrap();
    sandbox.launch(&stage.idle("place")).unwrap();
    wait_for_log(&mut *sandbox, "steady", "listening\n");
    let processes = sandbox.memory(&name("steady")).unwrap();
    assert_eq!(processes.len(), 1, "{processes:?}");
    for ProcessMemory { pid, exe, memory } in processes {
        let memory = memory.unwrap();
        assert!(pid > 0 && exe.starts_with('/'), "{pid} {exe}");
        assert!(holds(&memory, b"hello"), "{exe}");
        let mut entry = [0; 8];
        let first = mappings(&memory).next().unwrap().0;
        memory.pagemap.read_exact_at(&mut entry, first / 4096 * 8).unwrap();
    }
    assert!(sandbox.memory(&name("place")).unwrap().is_empty());
    sandbox.stop(&name("steady"), StopReason::Teardown).unwrap();
    assert!(sandbox.memory(&name("steady")).unwrap().is_empty());
    assert!(matches!(sandbox.memory(&name("elsewhere")), Err(Error::UnknownService(_))));
}

/// The private mappings of a process that can be written to, as addresses.
fn mappings(memory: &MemoryFiles) -> std::vec::IntoIter<(u64, u64)> {
    let mut text = vec![0; 1 << 20];
    let mut len = 0;
    while let Ok(read @ 1..) = memory.maps.read_at(&mut text[len..], len as u64) {
        len += read;
    }
    let text = String::from_utf8(text[..len].to_vec()).unwrap();
    let found = text.lines().filter(|line| line.contains(" rw-p ")).map(|line| {
        let (begin, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let address = |digits| u64::from_str_radix(digits, 16).unwrap();
        (address(begin), address(end))
    });
    found.collect::<Vec<_>>().into_iter()
}

fn holds(memory: &MemoryFiles, wanted: &[u8]) -> bool {
    let mut page = [0; 4096];
    mappings(memory).flat_map(|(begin, end)| (begin..end.min(begin + (64 << 20))).step_by(4096)).any(|at| {
        memory.mem.read_exact_at(&mut page, at).is_ok() && page.windows(wanted.len()).any(|it| it == wanted)
    })
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
    sandbox.launch(&stage.steady()).unwrap();
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
    sandbox.launch(&stage.steady()).unwrap();
    sandbox.launch(&stage.idle("place")).unwrap();
    sandbox.exec(&name("place"), &command("echo hello; exit 3"), LONG).unwrap();
    let report = sandbox.witnesses().unwrap();
    assert_eq!(report.unproven, []);
    let services: std::collections::BTreeSet<_> =
        report.witnesses.iter().map(|witness| witness.service.as_str()).collect();
    let expected: &[&str] = if stage.clock.is_some() { &["place", "steady"] } else { &[] };
    assert_eq!(services.into_iter().collect::<Vec<_>>(), expected);
}
