//! A shell script that looks at a certificate every now and then, as operators write them.

use super::gated::gate_text;
use crate::needs::can_run_with;
use notafter_core::{Decision, FindingCode, Outcome, UnixTime};

const SCENARIO: &str = r#"
notafter: 1
name: watchdog
start: 2030-01-01T00:00:00Z
support: 1y
candidate: watch
credentials:
  ca: { x509: { ca: root, subject: "CN=ca", key: p256, validity: { from: "start - 1y", until: "support.end + 5y" } } }
  leaf: { x509: { issuer: ca, subject: "CN=leaf", dns: [leaf], usage: [server], validity: { from: start, for: 45d } } }
services:
  watch:
    image: host
    command: [sh, -c, "while :; do sleep 21600; openssl verify -CAfile /etc/w/ca.pem /etc/w/leaf.pem || exit 3; done"]
    files:
      /etc/w/ca.pem: { certificate: ca }
      /etc/w/leaf.pem: { certificate: leaf }
checks:
  lives: { probe: { alive: { service: watch } }, expect: { works: {} } }
"#;

#[test]
fn a_shell_loop_that_notices_late_and_gives_up_blocks_with_the_edge_behind_it() {
    if !can_run_with(&["openssl"]) {
        return;
    }
    let gated = gate_text(SCENARIO);
    let finding = gated.is(Decision::Block, FindingCode::BreaksInWindow);
    // It looks every six hours, for the last time before the edge where the leap to it lands: two minutes short of it.
    let late =
        finding.bracket.unwrap().first_fail.secs_since(UnixTime::parse("2030-02-15T00:00:00Z").unwrap());
    assert!((6 * 3_600 - 125..6 * 3_600 - 100).contains(&late), "{late}: {}", gated.text);
    assert_eq!(gated.culprit(finding).subject, "CN=leaf", "{}", gated.text);
    for part in
        ["; only a process that lives on shows it, 5 h 5", " min after the edge at 2030-02-15T00:00:01Z"]
    {
        assert!(finding.summary.contains(part), "{}", finding.summary);
    }
    assert_eq!(gated.outcome("walk-short"), Some(Outcome::Pass));

    let healthy = gate_text(&SCENARIO.replace("for: 45d", "for: 450d"));
    assert_eq!((healthy.code, healthy.verdict.decision), (Some(0), Decision::Allow), "{}", healthy.text);
}
