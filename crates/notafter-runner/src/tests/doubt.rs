//! Where the gate cannot look, no case passes.

use super::scene::{
    at_once, backend, case, check, edge, elapse, exec, look, name, run_cases, run_watched, scenario, script,
    start, with_node,
};
use crate::{Blame, Error, Interrupt, Options};
use notafter_backend::scripted::{Call, Script, Scripted};
use notafter_backend::{
    Backend, ExecOutcome, FileSpec, LaunchSpec, Log, Moved, ProcessMemory, Sandbox, SandboxSpec,
    ServiceState, StopReason, Unproven, WitnessReport,
};
use notafter_core::{
    CaseClock, CaseError, CaseId, Check, ClockReading, Connection, Event, Isolation, Motion, Outcome, Probe,
    Replacement, ServiceName, Start, UnixTime,
};
use std::net::TcpStream;
use std::time::Duration;

fn attaches() -> Check {
    check("attaches", exec("phone", &["/phone", "attach"]))
}

#[test]
fn an_unproven_process_makes_the_case_an_error() {
    let gap = Unproven { service: name("node"), pid: Some(7), reason: "32-bit code".to_owned() };
    let script = with_node(|node| node.unproven = vec![gap]);
    let cases = vec![case("walk", vec![look(&["attaches"])])];
    let ran = run_cases(&scenario(vec![attaches()]), &backend(script), &at_once(), cases).unwrap();
    assert_eq!(ran.outcome("walk"), Outcome::Error);
    let reason = "32-bit code".to_owned();
    let expected = CaseError::Unshifted { service: name("node"), pid: Some(7), reason };
    assert_eq!(ran.case("walk").error, Some(expected));
}

/// A back end that proves nothing and does not say so.
struct Forgetful(Scripted);

struct ForgetfulSandbox(Box<dyn Sandbox>);

impl Backend for Forgetful {
    fn name(&self) -> &'static str {
        "forgetful"
    }

    fn isolation(&self) -> Isolation {
        self.0.isolation()
    }

    fn open(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, notafter_backend::Error> {
        Ok(Box::new(ForgetfulSandbox(self.0.open(spec)?)))
    }
}

impl Sandbox for ForgetfulSandbox {
    fn launch(&mut self, spec: &LaunchSpec) -> Result<(), notafter_backend::Error> {
        self.0.launch(spec)
    }

    fn stop(&mut self, service: &ServiceName, reason: StopReason) -> Result<(), notafter_backend::Error> {
        self.0.stop(service, reason)
    }

    fn state(&mut self, service: &ServiceName) -> Result<ServiceState, notafter_backend::Error> {
        self.0.state(service)
    }

    fn memory(&mut self, service: &ServiceName) -> Result<Vec<ProcessMemory>, notafter_backend::Error> {
        self.0.memory(service)
    }

    fn log(&mut self, service: &ServiceName) -> Result<Log, notafter_backend::Error> {
        self.0.log(service)
    }

    fn exec(
        &mut self,
        service: &ServiceName,
        command: &[String],
        within: Duration,
    ) -> Result<ExecOutcome, notafter_backend::Error> {
        self.0.exec(service, command, within)
    }

    fn replace(
        &mut self,
        service: &ServiceName,
        replacement: Replacement,
        files: &[FileSpec],
    ) -> Result<(), notafter_backend::Error> {
        self.0.replace(service, replacement, files)
    }

    fn signal(
        &mut self,
        service: &ServiceName,
        number: i32,
    ) -> Result<ServiceState, notafter_backend::Error> {
        self.0.signal(service, number)
    }

    fn connect(
        &mut self,
        from: Option<&ServiceName>,
        host: &str,
        port: u16,
        within: Duration,
    ) -> Result<Result<TcpStream, notafter_backend::ConnectFailure>, notafter_backend::Error> {
        self.0.connect(from, host, port, within)
    }

    fn now(&self) -> ClockReading {
        self.0.now()
    }

    fn move_clock(
        &mut self,
        _motion: Motion,
        _to: UnixTime,
        _within: Duration,
    ) -> Result<Moved, notafter_backend::Error> {
        Ok(Moved::default())
    }

    fn witnesses(&mut self) -> Result<WitnessReport, notafter_backend::Error> {
        Ok(WitnessReport::default())
    }

    fn close(self: Box<Self>) -> Result<Vec<String>, notafter_backend::Error> {
        self.0.close()
    }
}

#[test]
fn a_back_end_that_forgets_its_proofs_passes_nothing() {
    let cases = vec![case("walk", vec![look(&["attaches"])])];
    let forgetful = Forgetful(backend(script()));
    let ran = run_cases(&scenario(vec![attaches()]), &forgetful, &at_once(), cases).unwrap();
    assert_eq!(ran.outcome("walk"), Outcome::Error);
    assert!(matches!(ran.case("walk").error, Some(CaseError::Unshifted { .. })));
}

#[test]
fn a_motion_that_does_not_arrive_is_an_error() {
    let cases = vec![case("walk", vec![elapse(edge()), look(&["attaches"])])];
    let forgetful = Forgetful(backend(script()));
    let ran = run_cases(&scenario(vec![attaches()]), &forgetful, &at_once(), cases).unwrap();
    let message =
        "the clock stands at 2018-11-01T00:00:00Z after a motion to 2018-12-06T04:29:59Z".to_owned();
    assert_eq!(ran.case("walk").error, Some(CaseError::Harness { message }));
}

#[test]
fn an_error_of_the_back_end_names_all_of_its_causes_and_ends_one_case_only() {
    let dealt = Scripted::new(start(), |number, _| match number {
        0 => Script { refuses_to_open: Some("user namespaces are refused".to_owned()), ..script() },
        _ => script(),
    });
    let cases = vec![case("first", vec![look(&["attaches"])]), case("second", vec![look(&["attaches"])])];
    let ran = run_cases(&scenario(vec![attaches()]), &dealt, &at_once(), cases).unwrap();
    let message = "open the scripted sandbox: user namespaces are refused".to_owned();
    assert_eq!(ran.case("first").error, Some(CaseError::Harness { message }));
    assert_eq!(ran.outcome("first"), Outcome::Error);
    assert_eq!(ran.outcome("second"), Outcome::Pass);
}

#[test]
fn what_the_back_end_could_not_clean_is_remarked_once() {
    let script = Script { leaves_behind: vec!["memory is not limited".to_owned()], ..script() };
    let cases = vec![case("first", vec![look(&["attaches"])]), case("second", vec![look(&["attaches"])])];
    let ran = run_cases(&scenario(vec![attaches()]), &backend(script), &at_once(), cases).unwrap();
    let told = ran.record.remarks.iter().filter(|remark| *remark == "memory is not limited");
    assert_eq!(told.count(), 1, "{:?}", ran.record.remarks);
}

#[test]
fn a_spent_budget_ends_every_case_that_is_left() {
    let mut scenario = scenario(vec![attaches()]);
    scenario.budget = Some(Duration::ZERO);
    let cases = vec![case("first", vec![look(&["attaches"])]), case("second", vec![look(&["attaches"])])];
    let ran = run_cases(&scenario, &backend(script()), &at_once(), cases).unwrap();
    for id in ["first", "second"] {
        assert_eq!(ran.outcome(id), Outcome::Error);
        assert_eq!(ran.case(id).error, Some(CaseError::BudgetExceeded { budget: Duration::ZERO }));
    }
}

#[test]
fn a_budget_that_ends_within_a_case_is_the_reason_and_not_what_it_cut_short() {
    let mut scenario = scenario(vec![attaches()]);
    scenario.budget = Some(Duration::from_millis(50));
    scenario.services[1].ready_within = Duration::from_secs(30);
    let script = with_node(|node| node.ports.clear());
    let cases = vec![case("walk", vec![look(&["attaches"])])];
    let ran = run_cases(&scenario, &backend(script), &at_once(), cases).unwrap();
    let budget = Duration::from_millis(50);
    assert_eq!(ran.case("walk").error, Some(CaseError::BudgetExceeded { budget }));
    assert!(ran.case("walk").took < Duration::from_secs(10));
}

#[test]
fn an_interrupt_ends_the_case_that_runs_and_all_that_are_left() {
    let interrupt = Interrupt::new();
    let options = Options { interrupt: interrupt.clone(), ..at_once() };
    let steps = vec![look(&["attaches"]), look(&["attaches"])];
    let cases = vec![case("first", steps.clone()), case("second", steps)];
    let backend = backend(script());
    let ran = run_watched(&scenario(vec![attaches()]), &backend, &options, cases, &mut |event| {
        if matches!(event, Event::Observed { .. }) {
            interrupt.raise();
        }
    })
    .unwrap();
    assert_eq!(ran.case("first").observations.len(), 1);
    for id in ["first", "second"] {
        assert_eq!(ran.case(id).error, Some(CaseError::Interrupted));
    }
    let opened = backend.calls().iter().filter(|call| matches!(call, Call::Open(_))).count();
    assert_eq!(opened, 1, "nothing is begun after the interrupt");
    assert!(backend.calls().contains(&Call::Close));
}

#[test]
fn a_native_case_runs_only_where_time_begins_now() {
    let mut native = case("native", vec![look(&["attaches"])]);
    native.clock = CaseClock::Native;
    let mut scenario = scenario(vec![attaches()]);
    let ran = run_cases(&scenario, &backend(script()), &at_once(), vec![native.clone()]).unwrap();
    assert_eq!(ran.outcome("native"), Outcome::Skip);
    assert_eq!(ran.case("native").error, Some(CaseError::NativeImpossible));

    scenario.start = Start::Now(start());
    let ran = run_cases(&scenario, &backend(script()), &at_once(), vec![native]).unwrap();
    assert_eq!(ran.outcome("native"), Outcome::Pass);
}

#[test]
fn a_plan_that_repeats_itself_is_a_bug_and_no_endless_run() {
    let twice = vec![case("walk", Vec::new()), case("walk", Vec::new())];
    let error = run_cases(&scenario(vec![attaches()]), &backend(script()), &at_once(), twice);
    let error = error.err().unwrap();
    assert!(matches!(error, Error::PlanRepeats { .. }), "{error}");
    assert_eq!(error.blame(), Blame::Harness);
}

#[test]
fn one_case_alone_runs_alone() {
    let cases = vec![case("first", vec![look(&["attaches"])]), case("second", vec![look(&["attaches"])])];
    let only = |id: &str| Options { only: Some(CaseId::new(id).unwrap()), ..at_once() };
    let scenario = scenario(vec![attaches()]);
    let ran = run_cases(&scenario, &backend(script()), &only("second"), cases.clone()).unwrap();
    assert_eq!(ran.record.cases.len(), 1);
    assert_eq!(ran.outcome("second"), Outcome::Pass);

    let error = run_cases(&scenario, &backend(script()), &only("third"), cases).err().unwrap();
    assert_eq!(error.to_string(), "the plan has no case third; it has first, second");
    assert_eq!(error.blame(), Blame::User);
}

#[test]
fn what_no_probe_can_do_is_refused_before_anything_runs() {
    let alive = Probe::Alive { service: name("node") };
    let tcp = Probe::Tcp { host: "node".to_owned(), port: 1 };
    for (probe, connection, kind) in [
        (exec("phone", &["/phone"]), Connection::Held, "exec"),
        (alive, Connection::Held, "alive"),
        (tcp, Connection::Resumed, "tcp"),
    ] {
        let mut check = check("asks", probe);
        check.connections = vec![Connection::Fresh, connection];
        let backend = backend(script());
        let error = run_cases(&scenario(vec![check]), &backend, &at_once(), Vec::new()).err().unwrap();
        assert_eq!(
            error.to_string(),
            format!(
                "scenario.yaml:1:1: check asks asks for {connection} connections, which a probe of kind `{kind}` \
                 does not have"
            )
        );
        assert!(backend.calls().is_empty());
    }
}
