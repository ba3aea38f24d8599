//! Timers and caches on the monotonic clock: each finds the end of what it holds when time passes, and none does
//! when somebody sets the wall clock.

use super::gated::{gate, go_tree};
use crate::needs::{can_run_with, repository};
use notafter_backend::{Backend, Embedded, FileSpec, LaunchSpec, RootTree, Sandbox, SandboxSpec};
use notafter_core::{
    ClockReading, CredentialName, CredentialSpec, Decision, FindingCode, GeneratedX509, KeyAlgorithm, Motion,
    Outcome, Pace, ScenarioName, ServiceName, SourceLocation, UnixTime, X509Issuer,
};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;
/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(120);

fn ends() -> UnixTime {
    UnixTime::parse("2030-04-11T00:00:00Z").unwrap()
}

/// A service that holds a certificate which ends.
struct Timed {
    scenario: &'static str,
    programs: &'static [&'static str],
    command: &'static [&'static str],
    /// Where it looks for the certificate.
    certificate: &'static str,
    /// Its program, and where that lies inside.
    program: (&'static str, fn(&Path) -> PathBuf),
    /// How long it takes to notice, at most.
    notices_within: i64,
}

const GO: Timed = Timed {
    scenario: "elapse-go",
    programs: &["go"],
    command: &["/cached"],
    certificate: "/etc/service/token.pem",
    program: ("/cached", |scratch| {
        go_tree(scratch);
        scratch.join("cached")
    }),
    notices_within: HOUR,
};
const JAVA: Timed = Timed {
    scenario: "elapse-java",
    programs: &["java", "javac"],
    command: &["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "/srv/Recheck.java"],
    certificate: "/etc/service/tls.pem",
    program: ("/srv/Recheck.java", |_| repository().join("fixtures/elapse/java/Recheck.java")),
    notices_within: DAY,
};
const PYTHON: Timed = Timed {
    scenario: "elapse-python",
    programs: &["python3"],
    command: &["python3", "/srv/cached.py"],
    certificate: "/etc/service/token.pem",
    program: ("/srv/cached.py", |_| repository().join("fixtures/elapse/python/cached.py")),
    notices_within: HOUR,
};
const TOKIO: Timed = Timed {
    scenario: "elapse-tokio",
    programs: &[],
    command: &["/tokio-interval"],
    certificate: "/etc/service/tls.pem",
    program: ("/tokio-interval", |_| built("tokio-interval")),
    notices_within: 6 * HOUR,
};

/// A binary of the fixtures.
fn built(name: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["build", "--release", "--quiet", "--package", "state-fixtures", "--bin", name];
    let status = Command::new(cargo).args(arguments).current_dir(repository()).status().unwrap();
    assert!(status.success());
    Path::new(env!("CARGO_BIN_EXE_notafter")).with_file_name(name)
}

fn host_clock() -> ClockReading {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME).unwrap();
    ClockReading { second: UnixTime::clamped(now.tv_sec()), nanos: u32::try_from(now.tv_nsec()).unwrap() }
}

/// A certificate that ends at [`ends`], as PEM.
fn certificate() -> Vec<u8> {
    let name = CredentialName::new("service").unwrap();
    let x509 = GeneratedX509 {
        subject: "CN=service".to_owned(),
        issuer: X509Issuer::SelfSigned,
        cross_signs: None,
        dns: Vec::new(),
        ip: Vec::new(),
        usage: Vec::new(),
        key: KeyAlgorithm::P256,
        not_before: ends().plus_secs(-100 * DAY),
        not_after: ends(),
    };
    let location = SourceLocation { file: "motions.yaml".to_owned(), line: 1, column: 1 };
    let spec = CredentialSpec { name: name.clone(), x509, location };
    let pki = notafter_pki::Pki::generate(&ScenarioName::new("motions").unwrap(), &[spec]).unwrap();
    pki.issued(&name).unwrap().certificate_pem().as_bytes().to_vec()
}

/// The service, and what it is asked.
struct Running {
    sandbox: Box<dyn Sandbox>,
    service: ServiceName,
}

impl Running {
    /// Starts it two hours before its certificate ends.
    fn start(timed: &Timed) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let service = ServiceName::new("service").unwrap();
        let executable = Path::new(env!("CARGO_BIN_EXE_notafter"));
        let backend = Embedded::with_executable(executable, host_clock).unwrap();
        let clock = Some(ends().plus_secs(-2 * HOUR).into());
        let spec = SandboxSpec { hosts: vec![service.clone()], aliases: Vec::new(), clock, scratch: None };
        let mut sandbox = backend.open(&spec).unwrap();
        let (inside, outside) = timed.program;
        let program = std::fs::read(outside(scratch.path())).unwrap();
        let launch = LaunchSpec {
            command: Some(timed.command.iter().map(|&word| word.to_owned()).collect()),
            env: [("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())].into(),
            files: vec![
                FileSpec {
                    path: inside.to_owned(),
                    contents: program,
                    mode: 0o755,
                    layout: notafter_backend::FileLayout::Plain,
                },
                FileSpec {
                    path: timed.certificate.to_owned(),
                    contents: certificate(),
                    mode: 0o644,
                    layout: notafter_backend::FileLayout::Plain,
                },
            ],
            ..LaunchSpec::idle(service.clone(), RootTree::Host)
        };
        sandbox.launch(&launch).unwrap();
        let mut running = Self { sandbox, service };
        running.answers_within(LONG, "HTTP/1.1 200", "HTTP/1.0 200");
        running
    }

    fn answer(&mut self) -> Option<String> {
        let connected = self.sandbox.connect(None, self.service.as_str(), 8080, LONG).unwrap();
        let mut stream = connected.ok()?;
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: service\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Asks until one of two heads comes.
    #[track_caller]
    fn answers_within(&mut self, limit: Duration, head: &str, or: &str) {
        let pause = Duration::from_millis(20);
        let mut last = None;
        for _ in 0..limit.as_millis() / pause.as_millis() {
            last = self.answer();
            if last.as_ref().is_some_and(|answer| answer.starts_with(head) || answer.starts_with(or)) {
                return;
            }
            std::thread::sleep(pause);
        }
        let log = self.sandbox.log(&self.service).unwrap().text;
        panic!("never {head}: {last:?}\n{log}");
    }

    /// Whether it still believes in its certificate.
    fn works(&mut self) -> bool {
        let answer = self.answer().unwrap();
        let status = answer.split(' ').nth(1).map(str::to_owned);
        match status.as_deref() {
            Some("200") => true,
            Some("503") => false,
            _ => panic!("{answer}"),
        }
    }

    fn go(&mut self, motion: Motion, to: UnixTime) {
        self.sandbox.move_clock(motion, to, LONG).unwrap();
    }
}

/// Time that passes for a day shows the end, a clock that is set does not.
fn is_found_by_elapsing_and_missed_by_a_step(timed: &Timed) {
    if !can_run_with(timed.programs) {
        return;
    }
    let mut stepped = Running::start(timed);
    stepped.go(Motion::Step, ends().plus_secs(30 * DAY));
    assert!(stepped.works(), "{}: a step does not end a wait", timed.scenario);

    let mut elapsed = Running::start(timed);
    elapsed.go(Motion::Elapse(Pace::Walk), ends().plus_secs(DAY));
    elapsed.answers_within(Duration::from_secs(5), "HTTP/1.1 503", "HTTP/1.0 503");
    assert_eq!(elapsed.sandbox.witnesses().unwrap().unproven, []);
}

#[test]
fn a_go_cache_ends_when_time_passes_and_not_when_the_clock_is_set() {
    is_found_by_elapsing_and_missed_by_a_step(&GO);
}

#[test]
fn a_java_executor_looks_when_time_passes_and_not_when_the_clock_is_set() {
    is_found_by_elapsing_and_missed_by_a_step(&JAVA);
}

#[test]
fn a_python_cache_ends_when_time_passes_and_not_when_the_clock_is_set() {
    is_found_by_elapsing_and_missed_by_a_step(&PYTHON);
}

#[test]
fn a_tokio_interval_ticks_when_time_passes_and_not_when_the_clock_is_set() {
    is_found_by_elapsing_and_missed_by_a_step(&TOKIO);
}

/// Gates its scenario: only the walk shows it, within a day of the edge.
fn blocks_within_a_day(timed: &Timed) {
    if !can_run_with(timed.programs) {
        return;
    }
    let gated = gate(timed.scenario, &[], &[]);
    let finding = gated.is(Decision::Block, FindingCode::BreaksInWindow);
    let late = finding.bracket.unwrap().first_fail.secs_since(ends());
    assert!((1..=timed.notices_within).contains(&late), "{late} s\n{}", gated.text);
    assert_eq!(gated.culprit(finding).subject, "CN=service", "{}", gated.text);
    assert!(finding.summary.contains("only a process that lives on shows it"), "{}", finding.summary);
    assert_eq!(gated.outcome("cold"), Some(Outcome::Pass), "a fresh start hides it");
    assert!(finding.seen.as_ref().unwrap().starts_with("HTTP status 503"), "{}", gated.text);
}

#[test]
fn a_java_executor_blocks_within_a_day_of_the_edge() {
    blocks_within_a_day(&JAVA);
}

#[test]
fn a_python_cache_blocks_within_an_hour_of_the_edge() {
    blocks_within_a_day(&PYTHON);
}

#[test]
fn a_tokio_interval_blocks_within_its_period_of_the_edge() {
    blocks_within_a_day(&TOKIO);
}

/// The whole gate takes minutes: Go's own background thread wakes once in a minute of simulated time.
#[test]
fn a_go_cache_fails_in_the_walk_behind_the_edge() {
    if !can_run_with(GO.programs) {
        return;
    }
    let tree = tempfile::tempdir().unwrap();
    go_tree(tree.path());
    let gated = gate(GO.scenario, &["--case", "walk"], &[("ELAPSE_GO_TREE", tree.path())]);
    assert_eq!((gated.code, gated.outcome("walk")), (Some(1), Some(Outcome::Fail)), "{}", gated.text);
    let check = &gated.record.scenario.checks[0];
    let looks = &gated.case("walk").observations;
    let first = looks.iter().find(|look| check.is_met_by(look) == Some(false)).unwrap();
    let late = first.begin.second.secs_since(ends());
    assert!((1..=25 * HOUR + 1).contains(&late), "the first look that the plan makes a day later: {late} s");
}
