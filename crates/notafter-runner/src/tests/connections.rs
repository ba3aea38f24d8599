//! Fresh and held connections over real loopback sockets.

use super::scene::{
    PORT, at_once, backend, case, check, edge, elapse, http, look, restart, run_case, run_watched, scenario,
    with_node,
};
use notafter_backend::scripted::{ByInstant, PortAct, Script};
use notafter_core::{ClockReading, Connection, Event, Outcome, Step};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Answers requests on one connection until `last` of them are answered.
fn answer(stream: TcpStream, last: usize, status: &str) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut lines = BufReader::new(stream).lines();
    for _ in 0..last {
        loop {
            let Some(line) = lines.next().transpose()? else { return Ok(()) };
            if line.is_empty() {
                break;
            }
        }
        write!(writer, "HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok")?;
    }
    Ok(())
}

fn serving(last: usize, status: &'static str) -> PortAct {
    PortAct::serving(move |stream, _| _ = answer(stream, last, status))
}

fn node_that(act: ByInstant<PortAct>) -> Script {
    with_node(|node| _ = node.ports.insert(PORT, act))
}

fn held_walk(extra: Option<Step>) -> Vec<Step> {
    let mut steps = vec![look(&["portal"]), elapse(edge().plus_secs(1)), look(&["portal"])];
    steps.extend(extra);
    steps.push(look(&["portal"]));
    steps
}

fn portal() -> notafter_core::Scenario {
    let mut portal = check("portal", http("node"));
    portal.connections = vec![Connection::Fresh, Connection::Held];
    scenario(vec![portal])
}

#[test]
fn a_held_connection_outlives_the_edge_while_new_ones_fail() {
    let acts = ByInstant::always(serving(100, "200 OK")).from(edge().plus_secs(1), PortAct::Refuses);
    let ran = run_case(&portal(), node_that(acts), held_walk(None));
    assert_eq!(ran.outcome("walk"), Outcome::Fail);
    let seen = ran.seen("walk");
    assert_eq!(seen[1], "2018-11-01T00:00:00Z held http 200: ok");
    assert!(seen[2].starts_with("2018-12-06T04:30:00Z fresh absent: "), "{}", seen[2]);
    assert_eq!(seen[3], "2018-12-06T04:30:00Z held http 200: ok");
    let opened = ran.case("walk").observations[3].opened;
    assert_eq!(opened, Some(ClockReading::at(super::scene::start())));
}

#[test]
fn a_held_connection_that_the_service_gives_up_is_told_and_held_anew_at_once() {
    // After the fresh one, the second connection that asks for anything is held: it answers once, and is closed before
    // the clock has moved. The one that shows readiness asks for nothing, and may be served late.
    let (begun, closed) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let closes = Arc::clone(&closed);
    let act = PortAct::serving(move |stream, _| {
        let asks = stream.peek(&mut [0]).is_ok_and(|len| len > 0);
        let is_held = asks && begun.fetch_add(1, Ordering::SeqCst) == 1;
        _ = answer(stream, if is_held { 1 } else { 100 }, "200 OK");
        closes.fetch_or(is_held, Ordering::SeqCst);
    });
    let steps = vec![
        look(&["portal"]),
        elapse(edge()),
        look(&["portal"]),
        elapse(edge().plus_secs(1)),
        look(&["portal"]),
    ];
    let backend = backend(node_that(ByInstant::always(act)));
    let cases = vec![case("walk", steps)];
    let ran = run_watched(&portal(), &backend, &at_once(), cases, &mut |event| {
        while matches!(event, Event::Moved { .. }) && !closed.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
    })
    .unwrap();
    let held: Vec<_> = ran.seen("walk").into_iter().filter(|seen| seen.contains(" held ")).collect();
    assert_eq!(held[0], "2018-11-01T00:00:00Z held http 200: ok");
    assert!(held[1].starts_with("2018-12-06T04:29:59Z held absent: "), "{}", held[1]);
    assert_eq!(held[2], "2018-12-06T04:30:00Z held http 200: ok");
    let opened = ran.case("walk").observations[5].opened;
    assert_eq!(
        opened,
        Some(ClockReading::at(edge())),
        "before the next checkpoint, as a client would have it"
    );
}

#[test]
fn a_restart_that_a_step_asked_for_does_not_count_against_the_held_connection() {
    let acts = ByInstant::always(serving(100, "200 OK"));
    let ran = run_case(&portal(), node_that(acts), held_walk(Some(restart(&["node"]))));
    assert_eq!(ran.outcome("walk"), Outcome::Pass);
    let opened = ran.case("walk").observations[5].opened.unwrap();
    assert_eq!(opened, ClockReading::at(edge().plus_secs(1)));
}

#[test]
fn a_status_that_is_not_expected_fails_the_case() {
    let acts = ByInstant::always(serving(100, "200 OK")).from(edge().plus_secs(1), serving(100, "503 Gone"));
    let ran = run_case(&portal(), node_that(acts), held_walk(None));
    assert_eq!(ran.outcome("walk"), Outcome::Fail);
    assert_eq!(ran.seen("walk")[2], "2018-12-06T04:30:00Z fresh http 503: ok");
}
