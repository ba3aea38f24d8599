//! A small scenario and what it takes to run it: a `register`, the `node` that needs it, a `phone` in which commands
//! run.

use crate::images::{Images, ServiceImage};
use crate::run::{Planner, run_planned};
use crate::{Error, Options};
use notafter_backend::scripted::{ByInstant, Life, PortAct, Script, Scripted, ScriptedService};
use notafter_backend::{Backend, ExecOutcome, RootTree};
use notafter_core::{
    Answer, Candidate, Case, CaseClock, CaseId, CaseRecord, Check, CheckName, Connection, Event, Expectation,
    ExpectedSpan, FileTimes, HttpContent, HttpMethod, ImageRef, Motion, Observation, Outcome, Pace, Planning,
    Policy, Probe, Purpose, ReadyProbe, Restart, Restrictions, RunRecord, Scenario, ScenarioName, Seen,
    Service, ServiceName, SourceLocation, Start, Step, UnixTime, Works,
};
use notafter_image::ImageConfig;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) const PORT: u16 = 2123;

pub(crate) fn at(text: &str) -> UnixTime {
    UnixTime::parse(text).unwrap()
}

/// The second in which things end in these tests; the one after it is the first bad one.
pub(super) fn edge() -> UnixTime {
    at("2018-12-06T04:29:59Z")
}

pub(crate) fn start() -> UnixTime {
    at("2018-11-01T00:00:00Z")
}

pub(crate) fn name(text: &str) -> ServiceName {
    ServiceName::new(text).unwrap()
}

pub(crate) fn location() -> SourceLocation {
    SourceLocation { file: "scenario.yaml".to_owned(), line: 1, column: 1 }
}

pub(crate) fn service(text: &str) -> Service {
    Service {
        name: name(text),
        aliases: Vec::new(),
        image: Some(ImageRef::Rootfs(PathBuf::from("tree"))),
        entrypoint: None,
        command: Some(vec![format!("/{text}")]),
        env: BTreeMap::new(),
        user: None,
        workdir: None,
        files: Vec::new(),
        scan: Vec::new(),
        volumes: Vec::new(),
        ready: None,
        restrictions: Restrictions::default(),
        ready_within: Duration::from_millis(200),
        needs: Vec::new(),
        after: Vec::new(),
        restart: Restart::Never,
        stands_for: Vec::new(),
        location: location(),
    }
}

pub(crate) fn check(text: &str, probe: Probe) -> Check {
    Check {
        name: CheckName::new(text).unwrap(),
        from: None,
        probe,
        connections: vec![Connection::Fresh],
        within: Duration::from_millis(300),
        settle: Duration::ZERO,
        before: Vec::new(),
        stale: Vec::new(),
        expect: vec![ExpectedSpan {
            after: None,
            through: None,
            expectation: Expectation::Works(Works::default()),
            location: location(),
        }],
        location: location(),
    }
}

pub(super) fn exec(service: &str, command: &[&str]) -> Probe {
    let command = command.iter().map(|&word| word.to_owned()).collect();
    Probe::Exec { service: name(service), command }
}

pub(super) fn http(host: &str) -> Probe {
    let (host, path) = (host.to_owned(), "/".to_owned());
    Probe::Http {
        host,
        port: PORT,
        path,
        method: HttpMethod::Get,
        content: HttpContent::default(),
        tls: None,
        token: None,
    }
}

/// `register`, `node` (needs it, the candidate) and `phone` (needs the node, a place for commands).
pub(crate) fn scenario(checks: Vec<Check>) -> Scenario {
    let register = service("register");
    let mut node = service("node");
    node.needs = vec![name("register")];
    node.ready = Some(ReadyProbe::Tcp(PORT));
    let mut phone = service("phone");
    phone.needs = vec![name("node")];
    phone.command = Some(Vec::new());
    Scenario {
        name: ScenarioName::new("small").unwrap(),
        directory: PathBuf::from("."),
        start: Start::Fixed(start()),
        horizon: at("2020-11-01T00:00:00Z"),
        candidate: Candidate { service: name("node"), build: None },
        budget: None,
        builds: Vec::new(),
        credentials: Vec::new(),
        crls: Vec::new(),
        tokens: Vec::new(),
        services: vec![register, node, phone],
        checks,
        policy: Policy::default(),
        rotations: Vec::new(),
        planning: Planning::default(),
        file_times: FileTimes::default(),
        replay: Vec::new(),
        remarks: Vec::new(),
        backend: None,
    }
}

/// Everything runs for ever; the node listens, and commands in the phone work while the node runs.
pub(super) fn script() -> Script {
    let listens = PortAct::serving(|stream, _| drop(stream));
    let node = ScriptedService::default().port(PORT, ByInstant::always(listens));
    let phone = ScriptedService::default().runs(|_, moment| match moment.running.contains(&name("node")) {
        true => ExecOutcome::Exited { code: 0, output: "attached\n".to_owned() },
        false => ExecOutcome::Exited { code: 1, output: "no network\n".to_owned() },
    });
    Script::default()
        .with(&name("register"), ScriptedService::default())
        .with(&name("node"), node)
        .with(&name("phone"), phone)
}

/// The script with another node.
pub(super) fn with_node(change: impl FnOnce(&mut ScriptedService)) -> Script {
    let mut script = script();
    change(script.services.get_mut(&name("node")).unwrap());
    script
}

pub(super) fn dies_after_edge(says: &str) -> ByInstant<Life> {
    ByInstant::always(Life::Runs).from(edge().plus_secs(1), Life::Ends { code: 3, says: says.to_owned() })
}

pub(super) fn case(id: &str, steps: Vec<Step>) -> Case {
    Case {
        id: CaseId::new(id).unwrap(),
        purpose: Purpose::Walk,
        reason: "to see".to_owned(),
        clock: CaseClock::Shifted(start()),
        steps,
    }
}

pub(super) fn look(checks: &[&str]) -> Step {
    Step::Check { checks: checks.iter().map(|&text| CheckName::new(text).unwrap()).collect() }
}

pub(super) fn elapse(to: UnixTime) -> Step {
    Step::Move { motion: Motion::Elapse(Pace::Walk), to }
}

pub(super) fn restart(services: &[&str]) -> Step {
    Step::Restart { services: services.iter().map(|&text| name(text)).collect() }
}

/// A run and everything that it told.
pub(super) struct Ran {
    pub(super) record: RunRecord,
    pub(super) events: Vec<Event>,
}

impl Ran {
    pub(super) fn case(&self, id: &str) -> &CaseRecord {
        self.record.case(&CaseId::new(id).unwrap()).unwrap()
    }

    pub(super) fn outcome(&self, id: &str) -> Outcome {
        self.case(id).outcome.unwrap()
    }

    /// What each look of a case saw, in words.
    pub(super) fn seen(&self, id: &str) -> Vec<String> {
        self.case(id).observations.iter().map(in_words).collect()
    }
}

fn in_words(observation: &Observation) -> String {
    let seen = match &observation.seen {
        Seen::Absent { reason } => format!("absent: {reason}"),
        Seen::Answered(Answer::Exited { code, output }) => format!("exited {code}: {}", output.trim_end()),
        Seen::Answered(Answer::Http { status, body }) => format!("http {status}: {body}"),
        Seen::Answered(Answer::Logged { line }) => format!("logged: {line}"),
        Seen::Answered(Answer::Queried { rows }) => format!("queried {rows}"),
        Seen::Answered(Answer::Alive) => "alive".to_owned(),
        Seen::Answered(Answer::Connected) => "connected".to_owned(),
        Seen::Answered(Answer::Greeted { said }) => format!("greeted: {said}"),
        Seen::Answered(Answer::Handshake) => "handshake".to_owned(),
        Seen::Refused(refusal) => format!("refused: {}", refusal.reason),
    };
    format!("{} {} {}", observation.begin, observation.connection, seen)
}

/// Options that leave every instant at once: a script does not change its mind.
pub(super) fn at_once() -> Options {
    Options { linger: Duration::ZERO, ..Options::default() }
}

pub(super) fn images() -> Images {
    let image = ServiceImage {
        root: RootTree::Empty,
        binds: Vec::new(),
        config: ImageConfig::default(),
        identity: None,
        remarks: Vec::new(),
    };
    Images::of_one(Path::new("."), ImageRef::Rootfs(PathBuf::from("tree")), image)
}

pub(super) fn backend(script: Script) -> Scripted {
    Scripted::new(start(), move |_, _| script.clone())
}

/// Runs `cases`, and nothing after them.
pub(super) fn run_cases(
    scenario: &Scenario,
    backend: &dyn Backend,
    options: &Options,
    cases: Vec<Case>,
) -> Result<Ran, Error> {
    run_watched(scenario, backend, options, cases, &mut |_| {})
}

/// The same, and lets `watch` see every event first.
pub(super) fn run_watched(
    scenario: &Scenario,
    backend: &dyn Backend,
    options: &Options,
    cases: Vec<Case>,
    watch: &mut dyn FnMut(&Event),
) -> Result<Ran, Error> {
    let refine = move |record: &RunRecord| {
        let begun: BTreeSet<_> = record.cases.iter().map(|case| case.case.id.clone()).collect();
        cases.iter().filter(|case| !begun.contains(&case.id)).cloned().collect()
    };
    let mut events = Vec::new();
    let planner = Planner { refine: &refine, plan: &refine };
    let record = run_planned(scenario, &images(), backend, options, &planner, &mut |event| {
        watch(event);
        events.push(event.clone());
    })?;
    Ok(Ran { record, events })
}

/// Runs one case with default options.
pub(super) fn run_case(scenario: &Scenario, script: Script, steps: Vec<Step>) -> Ran {
    run_cases(scenario, &backend(script), &at_once(), vec![case("walk", steps)]).unwrap()
}
