//! Full depth starts the release with a clock that is a little off, and tells what does not bear that.

use super::edited::gated;
use super::needs::can_run_with;
use super::scene::Scene;
use notafter_core::{Decision, FindingCode, Purpose, Severity, WitnessBasis};

/// A peer that takes an answer for stale, or for forged, where its time is too far from its own.
const SCENARIO: &str = r#"notafter: 1
name: skewed
start: 2030-01-01T00:00:00Z
support: 5d
depth: full
candidate: site
services:
  site:
    image: host
    command: [python3, -u, -c, "SCRIPT"]
    ready: { tcp: { port: 8080 }, within: 20s }
  peer: { image: host, needs: [site] }
checks:
  agrees:
    from: peer
    probe: { exec: { service: peer, command: [sh, -c, 'set -- $$(curl --silent http://site:8080/) $$(date +%s); echo "$$@"; [ $$(($$1 - $$2)) -le MOST ] && [ $$(($$2 - $$1)) -le MOST ]'] } }
    expect: { works: {} }
"#;

const SCRIPT: &str = "import http.server, time\\n\
    class Site(http.server.BaseHTTPRequestHandler):\\n\
    \x20 def do_GET(self):\\n\
    \x20   self.send_response(200); self.end_headers(); self.wfile.write(b'%d' % time.time())\\n\
    http.server.HTTPServer(('', 8080), Site).serve_forever()";

#[test]
fn what_does_not_bear_a_clock_that_is_off_is_told_and_blocks_nothing() {
    if !can_run_with(&["python3", "curl"]) {
        return;
    }
    for (most, told) in [("400", 0), ("60", 2)] {
        let text = SCENARIO.replace("SCRIPT", SCRIPT).replace("MOST", most);
        let scene = Scene::with("scenario.yaml", &text);
        let gated = gated(&scene, &[], &[]);
        assert_eq!(gated.verdict.decision, Decision::Allow, "{}", gated.text);
        let notes: Vec<_> =
            gated.verdict.findings.iter().filter(|it| it.code == FindingCode::SkewIntolerant).collect();
        assert_eq!(notes.len(), told, "{}", gated.text);
        assert!(notes.iter().all(|note| note.severity == Severity::Note), "{}", gated.text);
        let skewed =
            gated.record.cases.iter().filter(|case| matches!(case.case.purpose, Purpose::Skewed { .. }));
        let skewed: Vec<_> = skewed.collect();
        assert_eq!(skewed.len(), 2 + told, "{}", gated.text);
        // Each proves whose clock it was on: the canary of either service read the time that it was to read.
        let canaries = |basis| skewed.iter().all(|case| case.witnesses.iter().any(|it| it.basis == basis));
        assert!(canaries(WitnessBasis::Canary) && canaries(WitnessBasis::Sweep), "{}", gated.text);
    }
}
