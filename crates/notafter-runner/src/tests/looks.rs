//! What looks see, how often they are repeated, and what they must not show.

use super::scene::{
    at, check, edge, elapse, exec, look, name, restart, run_case, scenario, script, start, with_node,
};
use notafter_backend::ExecOutcome;
use notafter_backend::scripted::{Script, ScriptedService};
use notafter_core::{Outcome, Probe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A phone whose command fails `failures` times before it works.
fn blips(failures: u32) -> Script {
    let asked = Arc::new(AtomicU32::new(0));
    let phone = ScriptedService::default().runs(move |_, _| {
        let code = i32::from(asked.fetch_add(1, Ordering::SeqCst) < failures);
        ExecOutcome::Exited { code, output: String::new() }
    });
    script().with(&name("phone"), phone)
}

#[test]
fn a_blip_inside_settle_is_one_observation_that_tells_its_tries() {
    let mut attaches = check("attaches", exec("phone", &["/phone"]));
    attaches.settle = Duration::from_secs(5);
    let ran = run_case(&scenario(vec![attaches]), blips(2), vec![look(&["attaches"])]);
    assert_eq!(ran.outcome("walk"), Outcome::Pass);
    let [observation] = ran.case("walk").observations.as_slice() else { panic!("more than one look") };
    assert_eq!(observation.tries, 3);
}

#[test]
fn without_settle_the_first_look_counts() {
    let attaches = check("attaches", exec("phone", &["/phone"]));
    let ran = run_case(&scenario(vec![attaches]), blips(1), vec![look(&["attaches"])]);
    assert_eq!(ran.outcome("walk"), Outcome::Fail);
    assert_eq!(ran.case("walk").observations[0].tries, 1);
}

#[test]
fn a_check_that_keeps_failing_is_waited_for_less_until_something_is_done_about_it() {
    let mut attaches = check("attaches", exec("phone", &["/phone"]));
    attaches.settle = Duration::from_secs(1);
    let days = |count: i64| elapse(start().plus_secs(count * 86_400));
    let ask = || look(&["attaches"]);
    let steps = vec![ask(), days(1), ask(), days(2), ask(), days(3), ask(), restart(&["phone"]), ask()];
    let ran = run_case(&scenario(vec![attaches]), blips(u32::MAX), steps);
    let tries: Vec<u32> = ran.case("walk").observations.iter().map(|look| look.tries).collect();
    let [first, second, third, fourth, anew] = tries[..] else { panic!("{tries:?}") };
    // Pauses of 10 ms and more, each half as long again as the one before.
    assert!(first.min(second).min(anew) > third.max(fourth), "{tries:?}");
    assert!(third.min(fourth) > 1, "{tries:?}");
}

#[test]
fn a_service_that_stays_down_is_not_waited_for() {
    let mut alive = check("alive", Probe::Alive { service: name("node") });
    alive.settle = Duration::from_secs(60);
    let script = with_node(|node| node.watchdog = super::scene::dies_after_edge("bye"));
    let steps = vec![look(&["alive"]), elapse(edge().plus_secs(1)), look(&["alive"])];
    let ran = run_case(&scenario(vec![alive]), script, steps);
    assert_eq!(
        ran.seen("walk"),
        [
            "2018-11-01T00:00:00Z fresh alive",
            "2018-12-06T04:30:00Z fresh absent: node ended with exit code 3 at 2018-12-06T04:30:00Z",
        ]
    );
    assert!(ran.case("walk").took < Duration::from_secs(30));
}

#[test]
fn a_log_check_sees_only_what_is_new_since_the_checkpoint_before() {
    let warns =
        check("warns", Probe::Log { service: name("node"), every: None, contains: "warning".to_owned() });
    let script = with_node(|node| {
        node.says.insert(edge(), "warning: ends today".to_owned());
    });
    let mut scenario = scenario(vec![warns]);
    scenario.checks[0].within = Duration::from_millis(20);
    let steps = vec![
        look(&["warns"]),
        elapse(edge()),
        look(&["warns"]),
        elapse(edge().plus_secs(1)),
        look(&["warns"]),
    ];
    let ran = run_case(&scenario, script, steps);
    let nothing = "absent: no line with \"warning\" in the log of node since the last checkpoint";
    assert_eq!(
        ran.seen("walk"),
        [
            format!("2018-11-01T00:00:00Z fresh {nothing}"),
            "2018-12-06T04:29:59Z fresh logged: warning: ends today".to_owned(),
            format!("2018-12-06T04:30:00Z fresh {nothing}"),
        ]
    );
}

/// Between two looks an hour apart nothing is due, and the earlier one stands; then a stream that has stopped is missed.
#[test]
fn a_stream_that_must_go_on_is_looked_at_when_it_is_due() {
    let every = Some(Duration::from_secs(3_600));
    let mut inspects =
        check("inspects", Probe::Log { service: name("node"), every, contains: "inspected".to_owned() });
    inspects.within = Duration::from_millis(20);
    let hour = |hours: i64| start().plus_secs(hours * 3_600);
    let script = with_node(|node| {
        node.says.insert(hour(1), "inspected".to_owned());
    });
    let ask = || look(&["inspects"]);
    let steps = vec![
        ask(),
        elapse(hour(1).plus_secs(-1)),
        ask(),
        elapse(hour(1)),
        ask(),
        elapse(hour(1).plus_secs(1)),
        ask(),
        elapse(hour(2)),
        ask(),
    ];
    let ran = run_case(&scenario(vec![inspects]), script, steps);
    let looks = &ran.case("walk").observations;
    assert_eq!(looks.iter().map(|look| look.tries).collect::<Vec<_>>(), [0, 0, 1, 0, 1]);
    let seen = ran.seen("walk");
    assert_eq!(seen[2], "2018-11-01T01:00:00Z fresh logged: inspected");
    assert_eq!(seen[3], "2018-11-01T01:00:01Z fresh logged: inspected");
    assert!(seen[4].contains("absent: no line with \"inspected\""), "{seen:?}");
}

#[test]
fn commands_that_hang_or_cannot_start_are_absent_with_the_reason() {
    let hangs = ScriptedService::default()
        .runs(|_, _| ExecOutcome::TimedOut { output: "dialling\nringing\n".to_owned() });
    let attaches = check("attaches", exec("phone", &["/phone"]));
    let scenario = scenario(vec![attaches]);
    let ran = run_case(&scenario, script().with(&name("phone"), hangs), vec![look(&["attaches"])]);
    assert_eq!(
        ran.seen("walk"),
        ["2018-11-01T00:00:00Z fresh absent: the command had not ended after 0.3 s; its last line: ringing"]
    );
    let bare = script().with(&name("phone"), ScriptedService::default());
    let ran = run_case(&scenario, bare, vec![look(&["attaches"])]);
    assert_eq!(
        ran.seen("walk"),
        ["2018-11-01T00:00:00Z fresh absent: the command cannot be started: /phone: no such file"]
    );
}

#[test]
fn an_observation_carries_the_planned_instant_and_the_step() {
    let attaches = check("attaches", exec("phone", &["/phone"]));
    let to = at("2019-01-01T00:00:00Z");
    let ran = run_case(
        &scenario(vec![attaches]),
        script(),
        vec![look(&["attaches"]), elapse(to), look(&["attaches"])],
    );
    let places: Vec<_> =
        ran.case("walk").observations.iter().map(|it| (it.step, it.planned, it.begin, it.end)).collect();
    let reading = notafter_core::ClockReading::at;
    assert_eq!(places, [(0, start(), reading(start()), reading(start())), (2, to, reading(to), reading(to))]);
}

#[test]
fn private_keys_that_a_service_prints_reach_no_event() {
    let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    let phone = ScriptedService::default()
        .runs(move |_, _| ExecOutcome::Exited { code: 1, output: format!("my key is {key}") });
    let attaches = check("attaches", exec("phone", &["/phone"]));
    let ran =
        run_case(&scenario(vec![attaches]), script().with(&name("phone"), phone), vec![look(&["attaches"])]);
    assert_eq!(ran.seen("walk"), ["2018-11-01T00:00:00Z fresh exited 1: my key is [private key]"]);
}
