//! Software that others wrote, as the machine has it: each scenario blocks to the second when a certificate ends
//! within the window, names that certificate, and allows when it ends later.

use super::needs::{can_run_with, repository};
use super::scene::{Scene, shown};
use notafter_core::{
    Answer, CheckName, Connection, Decision, Finding, FindingCode, Origin, Outcome, RefusalLayer, RunRecord,
    Seen, Touch, Verdict,
};
use std::process::Command;

const DAY: i64 = 86_400;

/// When a TLS library refuses a certificate for the first time.
#[derive(Clone, Copy)]
enum Refuses {
    /// One second after notAfter, as RFC 5280 has it.
    AfterIt,
    /// In the second of notAfter, as OpenSSL does.
    AtIt,
}

/// A scenario of the repository.
struct Software {
    scenario: &'static str,
    /// What has to be installed.
    programs: &'static [&'static str],
    /// The variable that holds the life of its certificate.
    life: &'static str,
    /// The credential that ends.
    credential: &'static str,
    candidate: &'static str,
    refuses: Refuses,
}

const NGINX_TLS: Software = Software {
    scenario: "nginx-tls",
    programs: &["nginx"],
    life: "SITE_LIFE",
    credential: "site",
    candidate: "site",
    refuses: Refuses::AfterIt,
};
const NGINX_MTLS: Software = Software {
    scenario: "nginx-mtls",
    programs: &["nginx"],
    life: "PARTNER_LIFE",
    credential: "partner",
    candidate: "front",
    refuses: Refuses::AtIt,
};
const POSTGRES: Software = Software {
    scenario: "postgres-tls",
    programs: &["postgres", "initdb", "psql", "bash"],
    life: "DB_LIFE",
    credential: "db",
    candidate: "db",
    refuses: Refuses::AtIt,
};
const POSTGRES_LOGIN: Software = Software {
    scenario: "postgres-login",
    programs: &["postgres", "initdb"],
    life: "APP_LIFE",
    credential: "app",
    candidate: "db",
    refuses: Refuses::AtIt,
};
const REDIS: Software = Software {
    scenario: "redis-tls",
    programs: &["redis-server"],
    life: "CACHE_LIFE",
    credential: "cache",
    candidate: "cache",
    refuses: Refuses::AfterIt,
};
const ETCD: Software = Software {
    scenario: "etcd-grpc",
    programs: &["etcd"],
    life: "KV_LIFE",
    credential: "kv",
    candidate: "kv",
    refuses: Refuses::AfterIt,
};
const MOSQUITTO: Software = Software {
    scenario: "mosquitto-mtls",
    programs: &["mosquitto"],
    life: "DEVICE_LIFE",
    credential: "device",
    candidate: "broker",
    refuses: Refuses::AtIt,
};
const RABBITMQ: Software = Software {
    scenario: "rabbitmq-amqp",
    programs: &["/usr/lib/rabbitmq/bin/rabbitmq-server", "erl"],
    life: "MQ_LIFE",
    credential: "mq",
    candidate: "mq",
    refuses: Refuses::AfterIt,
};
const JVM: Software = shop("jvm-tls", &["nginx", "java", "javac"], Refuses::AfterIt);
const NODE: Software = shop("node-tls", &["nginx", "node"], Refuses::AtIt);
const PYTHON: Software = shop("python-tls", &["nginx", "python3"], Refuses::AtIt);
const GO: Software = shop("go-tls", &["nginx", "go"], Refuses::AfterIt);

/// A client of a supplier whose certificate ends.
const fn shop(scenario: &'static str, programs: &'static [&'static str], refuses: Refuses) -> Software {
    let (life, credential, candidate) = ("SUPPLIER_LIFE", "supplier", "shop");
    Software { scenario, programs, life, credential, candidate, refuses }
}

/// What the gate wrote.
struct Gated {
    code: Option<i32>,
    text: String,
    record: RunRecord,
    verdict: Verdict,
}

impl Gated {
    /// The worst finding, which the headline tells.
    fn worst(&self) -> &Finding {
        self.verdict.findings.first().unwrap_or_else(|| panic!("nothing was found: {}", self.text))
    }
}

/// Gates with a certificate of this life; none where the machine lacks something.
fn gate(software: &Software, life: &str) -> Option<Gated> {
    if !can_run_with(software.programs) {
        return None;
    }
    let scene = Scene::new();
    let path = repository().join("scenarios").join(software.scenario);
    let mut command = scene.command(&["gate", path.to_str().unwrap(), "--report", "json=record.json"]);
    command.env(software.life, life);
    if software.scenario == GO.scenario {
        let tree = scene.path().join("tree");
        let built = Command::new(path.join("build")).arg(&tree).output().unwrap();
        assert!(built.status.success(), "{}", shown(&built));
        command.env("SHOP_TREE", &tree);
    }
    let output = command.output().unwrap();
    let text = shown(&output);
    let json = std::fs::read_to_string(scene.path().join("record.json")).unwrap_or_else(|_| panic!("{text}"));
    let (record, verdict) = notafter_report::json::read(&json).unwrap();
    Some(Gated { code: output.status.code(), text, record, verdict })
}

/// Gates a certificate of 90 days under a window of a year.
fn blocks(software: &Software) -> Option<Gated> {
    let gated = gate(software, "90d")?;
    let Gated { code, text, record, verdict } = &gated;
    assert_eq!((*code, verdict.decision), (Some(1), Decision::Block), "{text}");
    let ends = record.scenario.start.instant().plus_secs(90 * DAY);
    let first_fail = match software.refuses {
        Refuses::AfterIt => ends.plus_secs(1),
        Refuses::AtIt => ends,
    };
    let worst = gated.worst();
    assert_eq!(worst.code, FindingCode::BreaksInWindow, "{text}");
    let bracket = worst.bracket.unwrap();
    assert_eq!((bracket.last_pass, bracket.first_fail), (first_fail.plus_secs(-1), first_fail), "{text}");
    let culprit = record.inventory.find(worst.culprit.unwrap()).unwrap();
    assert_eq!(culprit.not_after.as_secs(), ends.as_secs(), "{text}");
    let Origin::Declared(name) = &culprit.origin else { panic!("{text}") };
    assert_eq!(name.as_str(), software.credential, "{text}");
    assert_eq!(worst.services[0].as_str(), software.candidate, "{text}");
    let entry = verdict.coverage.entries.iter().find(|entry| entry.credential == culprit.fingerprint);
    assert_eq!(entry.unwrap().touch, Touch::Exercised, "{text}");
    assert!(text.contains(&format!("block: {} breaks on {first_fail}", software.candidate)), "{text}");
    Some(gated)
}

/// Gates a certificate of two years under a window of one.
fn allows(software: &Software) -> Option<Gated> {
    let gated = gate(software, "2y")?;
    let Gated { code, text, record, verdict } = &gated;
    assert_eq!((*code, verdict.decision), (Some(0), Decision::Allow), "{text}");
    let purposes: Vec<&str> = record.cases.iter().map(|case| case.case.id.as_str()).collect();
    assert_eq!(purposes, ["control-native", "control", "walk", "cold"], "{text}");
    assert!(record.cases.iter().all(|case| case.outcome == Some(Outcome::Pass)), "{text}");
    assert!(record.cases.iter().all(|case| !case.observations.is_empty()), "{text}");
    Some(gated)
}

fn check(name: &str) -> CheckName {
    CheckName::new(name).unwrap()
}

/// A server whose certificate ends, and checks that would go on passing: they see that it runs, no more.
#[test]
fn a_server_that_is_only_seen_to_run_is_not_cleared() {
    if !can_run_with(NGINX_TLS.programs) {
        return;
    }
    let nginx = repository().join("scenarios").join(NGINX_TLS.scenario);
    let whole = std::fs::read_to_string(nginx.join("scenario.yaml")).unwrap();
    let (services, _) = whole.split_once("\nchecks:").unwrap();
    for probe in [
        "alive: { service: site }",
        "tcp: { address: \"site:8443\" }",
        "https: { url: \"https://site:8443/\", verify: off }",
    ] {
        let checks = format!("checks:\n  runs: {{ probe: {{ {probe} }}, expect: {{ works: {{}} }} }}\n");
        let scene = Scene::with("scenario.yaml", &format!("{services}\n{checks}"));
        std::fs::copy(nginx.join("nginx.conf"), scene.path().join("nginx.conf")).unwrap();
        let text = scene.run(&["gate", "scenario.yaml", "--quiet"]);
        assert!(text.starts_with("exit 3\n"), "{probe}: {text}");
        for words in ["no check lived through", "coverage: 0 of 1 expiring credential exercised"] {
            assert!(text.contains(words), "{probe}: {text}");
        }
    }
}

#[test]
fn nginx_blocks_and_a_connection_held_across_the_edge_still_works() {
    let Some(gated) = blocks(&NGINX_TLS) else { return };
    let worst = gated.worst();
    assert_eq!(worst.checks, [(check("page-loads"), vec![Connection::Fresh])], "{}", gated.text);
    assert_eq!(worst.still_working, [(check("page-loads"), Connection::Held)], "{}", gated.text);
    assert!(gated.text.contains("page-loads, over a connection held since before the break"));
    let walk = gated.record.cases.iter().find(|case| case.case.id.as_str() == "walk").unwrap();
    let first_fail = worst.bracket.unwrap().first_fail;
    let held = walk.observations.iter().find(|look| {
        look.connection == Connection::Held && look.begin.second == first_fail && look.opened.is_some()
    });
    let held = held.unwrap_or_else(|| panic!("{}", gated.text));
    assert!(matches!(held.seen, Seen::Answered(Answer::Http { status: 200, .. })), "{held:?}");
    assert!(held.opened.unwrap().second < first_fail, "{held:?}");
}

#[test]
fn nginx_allows() {
    allows(&NGINX_TLS);
}

#[test]
fn nginx_blocks_for_a_client_certificate_that_it_answers_with_400() {
    let Some(gated) = blocks(&NGINX_MTLS) else { return };
    let worst = gated.worst();
    assert_eq!(worst.checks, [(check("partner-gets-in"), vec![Connection::Fresh])], "{}", gated.text);
    assert_eq!(worst.seen.as_deref(), Some("HTTP status 400: 400 The SSL certificate error"));
}

#[test]
fn nginx_allows_where_an_expired_client_is_turned_away_in_time() {
    let Some(gated) = allows(&NGINX_MTLS) else { return };
    let leaves = gated.record.scenario.start.instant().plus_secs(40 * DAY);
    let looks = gated.record.cases.iter().flat_map(|case| &case.observations);
    let mut after = 0;
    for look in looks.filter(|look| look.check.as_str() == "leaver-is-turned-away-in-time") {
        let Seen::Answered(Answer::Http { status, .. }) = look.seen else { panic!("{look:?}") };
        // nginx refuses in the very second of notAfter.
        let expected = if look.begin.second >= leaves { 400 } else { 200 };
        assert_eq!(status, expected, "{look:?}");
        after += usize::from(expected == 400);
    }
    assert!(after >= 3, "{}", gated.text);
    assert_eq!((gated.verdict.coverage.exercised(), gated.verdict.coverage.entries.len()), (1, 1));
    assert!(!gated.text.contains("failed at"), "{}", gated.text);
}

#[test]
fn postgresql_blocks_and_an_open_session_still_works() {
    let Some(gated) = blocks(&POSTGRES) else { return };
    let worst = gated.worst();
    let fresh = vec![Connection::Fresh];
    let [new, open] = ["new-session-opens", "open-session-answers"].map(check);
    assert_eq!(worst.checks, [(new, fresh.clone()), (open.clone(), fresh)], "{}", gated.text);
    assert_eq!(worst.still_working, [(open, Connection::Fresh)], "{}", gated.text);
    assert!(worst.seen.as_ref().unwrap().contains("certificate verify failed"), "{}", gated.text);
}

#[test]
fn postgresql_allows() {
    allows(&POSTGRES);
}

/// PostgreSQL refuses the certificate of who logs in; the session that is open goes on, and passwords hold.
#[test]
fn postgresql_blocks_new_logins_by_a_certificate_that_ended() {
    let Some(gated) = blocks(&POSTGRES_LOGIN) else { return };
    let worst = gated.worst();
    assert_eq!(worst.checks, [(check("by-certificate"), vec![Connection::Fresh])], "{}", gated.text);
    assert_eq!(worst.still_working, [(check("by-certificate"), Connection::Held)], "{}", gated.text);
    assert!(worst.seen.as_ref().unwrap().contains("alert certificate_expired"), "{}", gated.text);
    let mut json = String::new();
    notafter_report::json::write(&mut json, &gated.record, &gated.verdict).unwrap();
    for secret in ["reports-password", "legacy-password"] {
        assert!(!json.contains(secret), "a password is on record");
    }
}

#[test]
fn postgresql_allows_logins_by_a_certificate_that_lasts() {
    let Some(gated) = allows(&POSTGRES_LOGIN) else { return };
    let looks = gated.record.cases.iter().flat_map(|case| &case.observations);
    let strangers: Vec<&Seen> =
        looks.filter(|look| look.check.as_str().contains("-refuses-")).map(|look| &look.seen).collect();
    assert!(strangers.len() >= 6, "{}", gated.text);
    assert!(strangers.iter().all(|seen| matches!(seen, Seen::Refused(_))), "{strangers:?}");
}

/// Each client must find the end by its own TLS library.
fn shop_blocks(software: &Software, says: &str) {
    let Some(gated) = blocks(software) else { return };
    let seen = gated.worst().seen.as_ref().unwrap();
    assert!(seen.starts_with("HTTP status 502: no quote: ") && seen.contains(says), "{seen}");
}

#[test]
fn java_blocks() {
    shop_blocks(&JVM, "java.security.cert.CertificateExpiredException");
}

#[test]
fn java_allows() {
    allows(&JVM);
}

#[test]
fn node_blocks() {
    shop_blocks(&NODE, "certificate has expired");
}

#[test]
fn node_allows() {
    allows(&NODE);
}

#[test]
fn python_blocks() {
    shop_blocks(&PYTHON, "certificate verify failed: certificate has expired");
}

#[test]
fn python_allows() {
    allows(&PYTHON);
}

#[test]
fn go_blocks() {
    shop_blocks(&GO, "x509: certificate has expired or is not yet valid");
}

#[test]
fn go_allows() {
    allows(&GO);
}

/// PING goes on being answered over a connection from before.
#[test]
fn redis_blocks_on_new_connections_alone() {
    let Some(gated) = blocks(&REDIS) else { return };
    assert_eq!(gated.worst().checks, [(check("pong"), vec![Connection::Fresh])], "{}", gated.text);
}

#[test]
fn redis_allows() {
    allows(&REDIS);
}

/// SERVING goes on being said over a connection from before.
#[test]
fn etcd_blocks_grpc_on_new_connections_alone() {
    let Some(gated) = blocks(&ETCD) else { return };
    assert_eq!(gated.worst().checks, [(check("is-healthy"), vec![Connection::Fresh])], "{}", gated.text);
    assert_eq!(gated.worst().still_working, [(check("is-healthy"), Connection::Held)], "{}", gated.text);
}

/// Clients that etcd must not let in are refused by its TLS, before gRPC.
#[test]
fn etcd_allows_grpc_and_turns_strangers_away() {
    let Some(gated) = allows(&ETCD) else { return };
    let looks = gated.record.cases.iter().flat_map(|case| &case.observations);
    let strangers: Vec<&Seen> =
        looks.filter(|look| look.check.as_str().contains("-refuses-")).map(|look| &look.seen).collect();
    assert!(strangers.len() >= 9, "{}", gated.text);
    let by_tls = |seen: &&&Seen| matches!(seen, Seen::Refused(refusal) if refusal.alert.is_some());
    assert_eq!(strangers.iter().filter(by_tls).count(), strangers.len(), "{strangers:?}");
}

/// Who is logged in opens channels for ever; nobody logs in anew, by certificate or by password.
#[test]
fn rabbitmq_blocks_new_logins_alone() {
    let Some(gated) = blocks(&RABBITMQ) else { return };
    let fresh = vec![Connection::Fresh];
    let logins = ["by-certificate", "by-password"].map(|name| (check(name), fresh.clone()));
    assert_eq!(gated.worst().checks, logins, "{}", gated.text);
    assert_eq!(gated.worst().still_working, [(check("by-certificate"), Connection::Held)], "{}", gated.text);
}

/// Certificates are refused within TLS, a wrong password by the broker.
#[test]
fn rabbitmq_allows_and_turns_strangers_away() {
    let Some(gated) = allows(&RABBITMQ) else { return };
    let looks = || gated.record.cases.iter().flat_map(|case| &case.observations);
    let refusals = |name: &'static str| {
        looks().filter(move |look| look.check.as_str().contains(name)).map(|look| match &look.seen {
            Seen::Refused(refusal) => refusal,
            other => panic!("{other:?}"),
        })
    };
    assert!(refusals("-refuses-").count() >= 6, "{}", gated.text);
    assert!(refusals("-refuses-").all(|refusal| refusal.alert.is_some()), "{}", gated.text);
    assert!(refusals("stranger").count() >= 3, "{}", gated.text);
    for refusal in refusals("stranger") {
        assert_eq!(refusal.layer, RefusalLayer::Application);
        assert!(refusal.reason.starts_with("403 ACCESS_REFUSED - Login was refused"), "{}", refusal.reason);
    }
}

/// The broker lets the device in to the end, and strangers at no time.
#[test]
fn mosquitto_blocks_where_its_device_ends_and_allows_where_it_does_not() {
    let (Some(_), Some(allowed)) = (blocks(&MOSQUITTO), allows(&MOSQUITTO)) else { return };
    let looks = allowed.record.cases.iter().flat_map(|case| &case.observations);
    let strangers: Vec<&Seen> =
        looks.filter(|look| look.check.as_str().contains("-refuses-")).map(|look| &look.seen).collect();
    assert!(strangers.len() >= 9, "{}", allowed.text);
    assert!(strangers.iter().all(|seen| matches!(seen, Seen::Refused(_))), "{strangers:?}");
}
