//! Services that live and die.

use super::scene::{
    at_once, backend, case, check, dies_after_edge, edge, elapse, exec, look, name, restart, run_case,
    run_cases, scenario, script, start, with_node,
};
use notafter_backend::scripted::{ByInstant, Call, Life, PortAct, ScriptedService};
use notafter_core::{Event, Outcome, ReadyProbe, Restart, Step};

fn attaches() -> notafter_core::Check {
    check("attaches", exec("phone", &["/phone", "attach"]))
}

fn walk() -> Vec<Step> {
    vec![
        look(&["attaches"]),
        elapse(edge().plus_secs(-1)),
        look(&["attaches"]),
        elapse(edge().plus_secs(1)),
        look(&["attaches"]),
    ]
}

#[test]
fn a_healthy_walk_passes_with_a_proof_for_every_process() {
    let ran = run_case(&scenario(vec![attaches()]), script(), walk());
    assert_eq!(ran.outcome("walk"), Outcome::Pass);
    assert_eq!(
        ran.seen("walk"),
        [
            "2018-11-01T00:00:00Z fresh exited 0: attached",
            "2018-12-06T04:29:58Z fresh exited 0: attached",
            "2018-12-06T04:30:00Z fresh exited 0: attached",
        ]
    );
    let mut proven: Vec<_> = ran.case("walk").witnesses.iter().map(|it| it.service.as_str()).collect();
    proven.dedup();
    assert_eq!(proven, ["register", "node", "phone"]);
    let ready: Vec<_> = ran.case("walk").ready.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(ready, ["register", "node", "phone"]);
}

#[test]
fn a_service_that_dies_at_an_edge_fails_the_case_and_its_end_is_told_first() {
    let script = with_node(|node| node.watchdog = dies_after_edge("software certificate has expired"));
    let ran = run_case(&scenario(vec![attaches()]), script, walk());
    assert_eq!(ran.outcome("walk"), Outcome::Fail);
    assert_eq!(ran.seen("walk")[2], "2018-12-06T04:30:00Z fresh exited 1: no network");
    let [end] = ran.case("walk").ends.as_slice() else { panic!("{:?}", ran.case("walk").ends) };
    assert_eq!((end.service.as_str(), end.code, end.before_ready), ("node", Some(3), false));
    assert_eq!(end.at.second, edge().plus_secs(1));
    assert_eq!(end.log_tail, "software certificate has expired\n");
    let position = |wanted: fn(&Event) -> bool| ran.events.iter().rposition(wanted).unwrap();
    let ended = position(|event| matches!(event, Event::ServiceEnded { .. }));
    assert!(ended < position(|event| matches!(event, Event::Observed { .. })));
}

#[test]
fn what_needs_a_service_that_does_not_start_is_not_started() {
    let script =
        with_node(|node| node.starts = ByInstant::always(Life::Ends { code: 2, says: "expired".to_owned() }));
    let backend = backend(script);
    let cases = vec![case("cold", vec![look(&["attaches"])])];
    let ran = run_cases(&scenario(vec![attaches()]), &backend, &at_once(), cases).unwrap();
    assert_eq!(ran.outcome("cold"), Outcome::Fail);
    assert_eq!(
        ran.seen("cold"),
        [
            "2018-11-01T00:00:00Z fresh absent: phone was not started, because a service that it needs is not ready"
        ]
    );
    let ends: Vec<_> = ran
        .case("cold")
        .ends
        .iter()
        .map(|end| (end.service.as_str(), end.code, end.before_ready, end.reason.as_deref()))
        .collect();
    let withheld = Some("not started: it needs node, which is not ready");
    assert_eq!(ends, [("node", Some(2), true, None), ("phone", None, true, withheld)]);
    assert!(!backend.calls().contains(&Call::Launch(name("phone"))));
}

#[test]
fn a_service_that_never_answers_is_late_with_the_reason() {
    let script = with_node(|node| node.ports.clear());
    let ran = run_case(&scenario(vec![attaches()]), script, vec![look(&["attaches"])]);
    assert_eq!(ran.outcome("walk"), Outcome::Fail);
    let end = &ran.case("walk").ends[0];
    assert_eq!(end.reason.as_deref(), Some("not ready within 0.2 s: port 2123: connection refused"));
    assert!(end.before_ready);
}

#[test]
fn a_command_that_cannot_start_is_told_as_such() {
    let reason = "/node: no such file".to_owned();
    let script = with_node(|node| node.starts = ByInstant::always(Life::Unstartable { reason }));
    let ran = run_case(&scenario(vec![attaches()]), script, vec![look(&["attaches"])]);
    assert_eq!(ran.outcome("walk"), Outcome::Fail);
    let end = &ran.case("walk").ends[0];
    assert_eq!((end.code, end.reason.as_deref()), (None, Some("/node: no such file")));
}

#[test]
fn readiness_can_be_a_line_of_the_log_or_a_command() {
    let mut scenario = scenario(vec![attaches()]);
    scenario.services[0].ready = Some(ReadyProbe::Log("listening".to_owned()));
    scenario.services[1].ready = Some(ReadyProbe::Exec(vec!["/node".to_owned(), "ping".to_owned()]));
    let silent = run_case(&scenario, script(), vec![look(&["attaches"])]);
    assert_eq!(
        silent.case("walk").ends[0].reason.as_deref(),
        Some("not ready within 0.2 s: no line of its log contains \"listening\"")
    );

    scenario.services[0].ready = None;
    let unanswered = run_case(&scenario, script(), vec![look(&["attaches"])]);
    assert_eq!(
        unanswered.case("walk").ends[0].reason.as_deref(),
        Some("not ready within 0.2 s: its probe cannot start: /node: no such file")
    );
}

#[test]
fn a_restart_stops_in_reverse_order_and_starts_in_order() {
    let backend = backend(script());
    let steps = vec![look(&["attaches"]), restart(&["node", "register"]), look(&["attaches"])];
    let ran =
        run_cases(&scenario(vec![attaches()]), &backend, &at_once(), vec![case("walk", steps)]).unwrap();
    assert_eq!(ran.outcome("walk"), Outcome::Pass);
    let motions: Vec<Call> =
        backend.calls().into_iter().filter(|call| matches!(call, Call::Launch(_) | Call::Stop(_))).collect();
    let launch = |text| Call::Launch(name(text));
    let stop = |text| Call::Stop(name(text));
    assert_eq!(
        motions,
        [
            launch("register"),
            launch("node"),
            launch("phone"),
            stop("node"),
            stop("register"),
            launch("register"),
            launch("node"),
        ]
    );
    assert!(ran.case("walk").ends.is_empty(), "a stop that a step asked for is no end");
}

#[test]
fn an_aged_restart_that_fails_takes_down_what_needs_it() {
    let script = with_node(|node| {
        node.starts_again = Some(ByInstant::always(Life::Ends { code: 1, says: "too old".to_owned() }));
    });
    let steps = vec![look(&["attaches"]), restart(&["register", "node", "phone"]), look(&["attaches"])];
    let ran = run_case(&scenario(vec![attaches()]), script, steps);
    assert_eq!(ran.outcome("walk"), Outcome::Fail);
    let ended: Vec<_> = ran.case("walk").ends.iter().map(|end| end.service.as_str()).collect();
    assert_eq!(ended, ["node", "phone"]);
}

#[test]
fn a_service_that_runs_always_is_started_again_and_its_end_is_recorded() {
    let mut scenario = scenario(vec![attaches()]);
    scenario.services[1].restart = Restart::Always;
    // It dies while the clock crosses the edge, and starts again behind it.
    let script = with_node(|node| node.watchdog = dies_after_edge("reloading"));
    let ran = run_case(&scenario, script, walk());
    assert_eq!(ran.case("walk").ends.len(), 1);
    assert_eq!(ran.seen("walk")[2], "2018-12-06T04:30:00Z fresh exited 0: attached");
    assert_eq!(ran.outcome("walk"), Outcome::Pass);
}

#[test]
fn a_service_that_crashes_at_every_start_is_given_up() {
    let mut scenario = scenario(vec![attaches()]);
    scenario.services[1].restart = Restart::Always;
    let script =
        with_node(|node| node.starts = ByInstant::always(Life::Ends { code: 1, says: "again".to_owned() }));
    let ran = run_case(&scenario, script, vec![look(&["attaches"])]);
    assert_eq!(ran.outcome("walk"), Outcome::Fail);
    let crashes = ran.case("walk").ends.iter().filter(|end| end.service == name("node")).count();
    assert!((2..=4).contains(&crashes), "{crashes} starts in 0.2 s");
}

#[test]
fn a_peer_on_the_port_of_a_dead_service_does_not_make_it_ready() {
    let script = with_node(|node| {
        *node = ScriptedService::default()
            .port(super::scene::PORT, ByInstant::always(PortAct::serving(|stream, _| drop(stream))));
        node.starts = ByInstant::always(Life::Ends { code: 1, says: String::new() });
    });
    let ran = run_case(&scenario(vec![attaches()]), script, Vec::new());
    assert_eq!(
        ran.case("walk").ready.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["register"]
    );
    assert_eq!(ran.case("walk").case.clock, notafter_core::CaseClock::Shifted(start()));
}
