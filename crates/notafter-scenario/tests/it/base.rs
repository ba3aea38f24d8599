//! A small valid scenario, and ways to read it and its variations.

use notafter_core::{Scenario, UnixTime};
use notafter_scenario::{CandidateChoice, Context, Diagnostics, Disk, Source, parse};

/// Every test edits this text, so that each sees one difference alone.
pub(crate) const BASE: &str = r#"notafter: 1
name: base
start: 2018-11-01T00:00:00Z
support: 2y
candidate: node
budget: 60s

builds:
  "1.14": "rootfs:./v1.14"
  "1.15": "rootfs:./v1.15"

credentials:
  root: { x509: { ca: root, subject: "CN=Root", validity: { from: "start - 1y", until: "support.end + 1y" } } }
  site:
    x509:
      issuer: root
      subject: "CN=node"
      dns: [node]
      usage: [server]
      validity: { from: "issued - 1h", for: 90d }

services:
  node:
    needs: [db]
    env: { MODE: fast, TOKEN: { secret: NODE_TOKEN } }
    files:
      /etc/node/tls.pem: { chain: site }
      /etc/node/tls.key: { key: site, mode: "0400" }
    volumes: { cache: { path: /var/cache/node, state: fresh } }
    ready: { tcp: { port: 8443 }, within: 5s }
  db:
    image: host
    command: [/usr/sbin/db, --plain]
    ready: { tcp: { port: 5432 } }

checks:
  answers:
    probe: { https: { url: "https://node:8443/", trust: root } }
    expect: { works: { status: 200 } }
  stranger-refused:
    probe: { tls: { address: "node:8443", trust: root } }
    expect: { rejected: { control: answers } }
  db-lives: { probe: { exec: { service: db, command: [/bin/true] } }, expect: { works: { exit: 0 } } }

policy:
  require_coverage: 100%
  waivers:
    - { code: flaky, owner: ops, reason: known, until: "support.end" }

replay:
  - { build: "1.14", verdict: block, breaks_at: 2019-01-30T00:00:00Z, cause: { declared: site }, falls: [answers] }
"#;

/// The host's time in every test.
pub(crate) const NOW: &str = "2026-06-01T12:00:00Z";

/// What the environment of every test holds.
pub(crate) fn variable(name: &str) -> Option<String> {
    match name {
        "IMAGE" => Some("rootfs:/srv/tree".to_owned()),
        "LONG" => Some("x".repeat(100_000)),
        "PORT" => Some("8443".to_owned()),
        _ => None,
    }
}

pub(crate) fn source(text: &str) -> Source {
    Source::new("scenario.yaml".to_owned(), text.to_owned(), "scenarios/base".into())
}

pub(crate) fn read(text: &str) -> Result<Scenario, Diagnostics> {
    read_with(text, None)
}

pub(crate) fn read_with(text: &str, candidate: Option<&str>) -> Result<Scenario, Diagnostics> {
    let now = UnixTime::parse(NOW).unwrap();
    let candidate = candidate.map(|choice| choice.parse::<CandidateChoice>().unwrap());
    parse(&source(text), &Context { now, variables: &variable, candidate, files: &Disk })
}

/// The base with one thing replaced, which must be there exactly once.
pub(crate) fn edited(from: &str, to: &str) -> String {
    assert_eq!(BASE.matches(from).count(), 1, "{from:?} must stand once in the base");
    BASE.replacen(from, to, 1)
}

pub(crate) fn at(text: &str) -> UnixTime {
    UnixTime::parse(text).unwrap()
}
