//! What must go on: a service that has fallen silent still answers, and only its log tells.

use super::gated::{Gated, gate_text};
use crate::needs::can_run_with;
use crate::runs::can_run;
use notafter_core::{Decision, FindingCode};

fn gate(support: &str, command: &str, every: &str) -> Gated {
    gate_text(&format!(
        "notafter: 1\nname: tap\nstart: 2030-01-01T00:00:00Z\nsupport: {support}\ncandidate: tap\nservices:\n  \
         tap: {{ image: host, command: [sh, -c, '{command}'] }}\nchecks:\n  \
         goes-on: {{ probe: {{ log: {{ service: tap, contains: inspected, every: {every} }} }}, expect: {{ works: {{}} }} }}\n"
    ))
}

#[test]
fn a_stream_that_ceases_between_two_stops_is_not_allowed() {
    if !can_run() {
        return;
    }
    for silent in [
        "sleep 1; echo inspected; exec sleep infinity",
        "while test $(date +%s) -lt 1900000000; do echo inspected; sleep 21600; done; exec sleep infinity",
    ] {
        let gated = gate("1y", silent, "1d");
        assert_ne!(gated.verdict.decision, Decision::Allow, "{}", gated.text);
        assert_eq!(gated.verdict.findings[0].checks[0].0.as_str(), "goes-on", "{}", gated.text);
    }
    let steady = gate("1y", "while :; do echo inspected; sleep 21600; done", "1d");
    assert_eq!(steady.verdict.decision, Decision::Allow, "{}", steady.text);
}

#[test]
fn a_stream_that_no_walk_came_to_look_at_is_not_allowed() {
    if !can_run() {
        return;
    }
    let finding = gate("1d", "exec sleep infinity", "2d");
    let finding = finding.is(Decision::Inconclusive, FindingCode::NothingChecked);
    assert!(finding.summary.contains("goes-on: its `every` never went by"), "{}", finding.summary);
}

/// It answers as ever, and counts what its tap inspects: once a minute, until a day on which the tap lets everything through.
const COUNTING: &str = "import http.server, threading, time\\n\
    count = 0\\n\
    def tap():\\n\
    \x20 global count\\n\
    \x20 while time.time() < UNTIL: time.sleep(60); count += 1\\n\
    class Site(http.server.BaseHTTPRequestHandler):\\n\
    \x20 def do_GET(self):\\n\
    \x20   self.send_response(200); self.end_headers(); self.wfile.write(b'inspected_total %d' % count)\\n\
    threading.Thread(target=tap).start()\\n\
    http.server.ThreadingHTTPServer(('', 8080), Site).serve_forever()";

#[test]
fn a_count_that_stands_still_while_all_answers_is_not_allowed() {
    if !can_run_with(&["python3"]) {
        return;
    }
    let gate = |until: &str, support: &str, every: &str| {
        let script = COUNTING.replace("UNTIL", until);
        gate_text(&format!(
            "notafter: 1\nname: tap\nstart: 2030-01-01T00:00:00Z\nsupport: {support}\ncandidate: tap\nservices:\n  \
             tap: {{ image: host, command: [python3, -u, -c, \"{script}\"], ready: {{ tcp: {{ port: 8080 }}, within: 20s }} }}\nchecks:\n  \
             inspects: {{ probe: {{ http: {{ url: \"http://tap:8080/\" }} }}, expect: {{ works: {{ rises: {{ every: {every}, matches: 'inspected_total (\\d+)' }} }} }} }}\n"
        ))
    };
    // 2030-01-11T15:20:00Z.
    let broken = gate("1894375200", "20d", "6h");
    assert_ne!(broken.verdict.decision, Decision::Allow, "{}", broken.text);
    let worst = &broken.verdict.findings[0];
    assert_eq!(worst.checks[0].0.as_str(), "inspects", "{}", broken.text);
    let told = "as it was at least 6 h before";
    assert!(worst.seen.as_ref().is_some_and(|seen| seen.contains(told)), "{}", broken.text);
    let sound = gate("2e9", "20d", "6h");
    assert_eq!(sound.verdict.decision, Decision::Allow, "{}", sound.text);
    gate("2e9", "1d", "2d").is(Decision::Inconclusive, FindingCode::NothingChecked);
}
