//! What is new, healed and closer, and what is remembered of a verdict.

use super::*;
use crate::refine::tests::world::*;
use crate::*;
use std::time::Duration;

const DAY: i64 = 86_400;

fn finding(key: &str) -> NightFinding {
    NightFinding {
        key: key.to_owned(),
        code: "breaks-in-window".to_owned(),
        severity: Severity::Block,
        summary: format!("{key} breaks"),
        breaks_at: None,
    }
}

/// An entry whose simulated time begins `day` days after the first night.
fn entry(scenario: &str, standing: Standing, findings: &[&str], day: i64) -> NightEntry {
    let start = at("2026-01-01T00:00:00Z").plus_secs(day * DAY);
    NightEntry {
        judged: Judged { scenario: scenario.to_owned(), build: String::new() },
        standing,
        headline: String::new(),
        at: start,
        start: Some(start),
        horizon: Some(start.plus_secs(365 * DAY)),
        took: Duration::ZERO,
        text_sha256: String::new(),
        findings: findings.iter().map(|key| finding(key)).collect(),
        outlooks: Vec::new(),
    }
}

fn earlier(night: u64, entry: NightEntry) -> Earlier {
    Earlier { night, entry }
}

fn keys(told: &[Told]) -> Vec<&str> {
    told.iter().map(|told| told.finding.key.as_str()).collect()
}

/// New and healed keys of a build that stood so in earlier nights, and so in this one.
fn since(past: &[(Standing, &[&str])], now: (Standing, &[&str])) -> (Vec<String>, Vec<String>) {
    let past: Vec<Earlier> = (1..)
        .zip(past)
        .map(|(night, (standing, keys))| earlier(night, entry("a", *standing, keys, 0)))
        .collect();
    let change = changes(&[entry("a", now.0, now.1, 1)], &past);
    let owned = |told: &[Told]| keys(told).into_iter().map(str::to_owned).collect();
    (owned(&change.new), owned(&change.healed))
}

#[test]
fn what_stood_before_is_not_new_and_what_stands_no_more_has_healed() {
    use Standing::{Allow, Block, Inconclusive, Refused};
    let check = |past: &[(Standing, &[&str])], now: (Standing, &[&str]), new: &[&str], healed: &[&str]| {
        let came_out = since(past, now);
        let expected =
            (new.iter().map(ToString::to_string).collect(), healed.iter().map(ToString::to_string).collect());
        assert_eq!(came_out, expected, "{past:?} {now:?}");
    };
    check(&[], (Block, &["x"]), &["x"], &[]);
    check(&[(Allow, &[])], (Block, &["x"]), &["x"], &[]);
    check(&[(Block, &["x"])], (Block, &["x"]), &[], &[]);
    check(&[(Block, &["x", "y"])], (Block, &["y", "z"]), &["z"], &["x"]);
    check(&[(Block, &["x"])], (Allow, &[]), &[], &["x"]);
    // What a gate did not look at has not healed, and is not new when it is seen again.
    check(&[(Block, &["x"])], (Inconclusive, &["h"]), &["h"], &[]);
    check(&[(Block, &["x"])], (Refused, &["r"]), &["r"], &[]);
    check(&[(Block, &["x"]), (Inconclusive, &["h"])], (Block, &["x"]), &[], &["h"]);
    check(&[(Block, &["x"]), (Inconclusive, &["h"])], (Allow, &[]), &[], &["h", "x"]);
    check(&[(Allow, &[]), (Inconclusive, &["h"])], (Inconclusive, &["h"]), &[], &[]);
    // What had healed by the last sound night is new when it comes again.
    check(&[(Block, &["x"]), (Allow, &[])], (Block, &["x"]), &["x"], &[]);
}

#[test]
fn the_order_in_which_the_past_is_told_does_not_matter() {
    let now = [entry("a", Standing::Block, &["x"], 2)];
    let (first, second) = (entry("a", Standing::Block, &["x"], 0), entry("a", Standing::Allow, &[], 1));
    let forth = changes(&now, &[earlier(1, first.clone()), earlier(2, second.clone())]);
    let back = changes(&now, &[earlier(2, second), earlier(1, first)]);
    assert_eq!(keys(&forth.new), ["x"]);
    assert_eq!(forth, back);
}

#[test]
fn a_build_that_turns_and_one_that_is_gone_are_told() {
    let past = [
        earlier(1, entry("dropped-long-ago", Standing::Allow, &[], 0)),
        earlier(2, entry("turns", Standing::Allow, &[], 1)),
        earlier(2, entry("stays", Standing::Block, &["x"], 1)),
        earlier(2, entry("gone", Standing::Block, &["x"], 1)),
    ];
    let now = [
        entry("turns", Standing::Inconclusive, &["h"], 2),
        entry("stays", Standing::Block, &["x"], 2),
        entry("first", Standing::Refused, &["r"], 2),
    ];
    let change = changes(&now, &past);
    let turned: Vec<(&str, Option<Standing>, Standing)> =
        change.turned.iter().map(|turn| (turn.judged.scenario.as_str(), turn.before, turn.now)).collect();
    assert_eq!(
        turned,
        [("turns", Some(Standing::Allow), Standing::Inconclusive), ("first", None, Standing::Refused)]
    );
    let gone: Vec<&str> = change.gone.iter().map(|judged| judged.scenario.as_str()).collect();
    assert_eq!(gone, ["gone"]);
}

fn outlook(end: Option<i64>, breaks: Option<i64>) -> Outlook {
    let first = at("2026-01-01T00:00:00Z");
    Outlook {
        service: name("web"),
        end: end.map(|day| End { at: first.plus_secs(day * DAY), what: "certificate CN=web".to_owned() }),
        breaks_at: breaks.map(|day| first.plus_secs(day * DAY)),
    }
}

fn with(outlook: Outlook, day: i64) -> NightEntry {
    NightEntry { outlooks: vec![outlook], ..entry("a", Standing::Allow, &[], day) }
}

#[test]
fn what_lies_ahead_moves_as_credentials_and_starts_do() {
    let moved = |then: Outlook, now: Outlook, nights: i64| {
        let change = changes(&[with(now, nights)], &[earlier(1, with(then, 0))]);
        (change.forecasts[0].left_secs, change.forecasts[0].movement)
    };
    let ends = |day| outlook(Some(day), None);
    assert_eq!(moved(ends(30), ends(30), 1), (29 * DAY, Movement::Nearer(DAY)));
    assert_eq!(moved(ends(30), ends(30), 0), (30 * DAY, Movement::Steady), "a start that the scenario names");
    assert_eq!(moved(ends(30), ends(31), 1), (30 * DAY, Movement::Steady), "made anew with every start");
    assert_eq!(moved(ends(30), ends(120), 1), (119 * DAY, Movement::Later(90 * DAY)), "renewed");
    assert_eq!(moved(ends(30), ends(10), 1), (9 * DAY, Movement::Sooner(20 * DAY)));
    assert_eq!(moved(ends(1), ends(90), 2), (88 * DAY, Movement::Next), "the first has ended meanwhile");
    assert_eq!(
        moved(outlook(None, Some(9)), outlook(None, Some(9)), 2),
        (7 * DAY, Movement::Nearer(2 * DAY))
    );
    assert_eq!(moved(outlook(None, None), ends(5), 1), (4 * DAY, Movement::First));
    assert_eq!(
        moved(ends(30), outlook(Some(30), Some(3)), 1),
        (2 * DAY, Movement::Nearer(DAY)),
        "the break comes first, and the end is what is compared"
    );
    assert!(Movement::Nearer(1).comes_closer() && Movement::Sooner(1).comes_closer());
    assert!(
        ![Movement::First, Movement::Later(1), Movement::Next, Movement::Steady]
            .iter()
            .any(|it| it.comes_closer())
    );
}

#[test]
fn the_nearest_comes_first_and_a_service_with_nothing_ahead_is_left_out() {
    let mut one = with(outlook(Some(30), None), 0);
    one.outlooks.push(Outlook { service: name("db"), ..outlook(Some(3), None) });
    one.outlooks.push(Outlook { service: name("cache"), ..outlook(None, None) });
    let change = changes(&[one], &[]);
    let order: Vec<(&str, Movement)> =
        change.forecasts.iter().map(|it| (it.service.as_str(), it.movement)).collect();
    assert_eq!(order, [("db", Movement::First), ("web", Movement::First)]);
}

const END: &str = "2018-12-06T04:29:59Z";
const BROKEN: &str = "2018-12-06T04:30:00Z";

fn outage() -> (RunRecord, Verdict) {
    let log = "starting\ncertificate CN=node software has expired, shutting down";
    let ill = Ill::Dies { from: at(BROKEN), at_start: true, watchdog: Some(3_600), log };
    World::new().holding([certificate(1, "CN=node software", at(END))]).ill(ill).gate()
}

fn remembered(record: &RunRecord, verdict: &Verdict) -> NightEntry {
    let judged = Judged { scenario: "node".to_owned(), build: "1".to_owned() };
    NightEntry::of_run(judged, "00".to_owned(), record, verdict, Duration::from_secs(3))
}

#[test]
fn a_night_remembers_what_breaks_when_and_for_whom() {
    let (record, verdict) = outage();
    let entry = remembered(&record, &verdict);
    assert_eq!((entry.standing, entry.at, entry.start), (Standing::Block, record.started, Some(start())));
    assert_eq!(entry.findings[0].code, "breaks-in-window");
    assert_eq!(entry.findings[0].breaks_at, Some(at(BROKEN)));
    assert_eq!(entry.headline, entry.findings[0].summary);
    let node = entry.outlooks.iter().find(|outlook| outlook.service.as_str() == CANDIDATE).unwrap();
    let end = End { at: at(END), what: "certificate CN=node software".to_owned() };
    assert_eq!((node.breaks_at, node.end.as_ref()), (Some(at(BROKEN)), Some(&end)));
}

#[test]
fn trust_anchors_and_what_never_ends_or_has_ended_do_not_lie_ahead() {
    let (mut record, verdict) = outage();
    let ahead = |record: &RunRecord| {
        let entry = remembered(record, &verdict);
        entry.outlooks.into_iter().find(|it| it.service.as_str() == CANDIDATE).unwrap().end
    };
    for spoil in [
        |credential: &mut Credential| credential.not_after = UnixTime::NO_EXPIRY,
        |credential: &mut Credential| credential.not_after = start().plus_secs(-1),
        |credential: &mut Credential| {
            credential.not_after = at(END);
            credential.places =
                vec![Place::in_file(name(CANDIDATE), "/ca.pem".to_owned(), 9, Container::Pem)];
            (credential.ca, credential.self_issued) = (true, true);
        },
    ] {
        spoil(&mut record.inventory.credentials[0]);
        assert_eq!(ahead(&record), None);
    }
}

#[test]
fn what_is_made_anew_in_every_run_keeps_its_key() {
    let (record, verdict) = outage();
    let key = |origin: Origin, seed: Option<u8>, summary: &str| {
        let (mut record, mut verdict) = (record.clone(), verdict.clone());
        record.inventory.credentials[0].origin = origin;
        if let Some(seed) = seed {
            let anew = Fingerprint::from_bytes([seed; 32]);
            record.inventory.credentials[0].fingerprint = anew;
            verdict.findings[0].culprit = Some(anew);
        }
        verdict.findings[0].summary = summary.to_owned();
        remembered(&record, &verdict).findings[0].key.clone()
    };
    let declared = || Origin::Declared(CredentialName::new("node").unwrap());
    assert_eq!(key(Origin::Embedded, None, "one"), key(Origin::Embedded, None, "two"));
    assert_ne!(key(Origin::Embedded, Some(8), ""), key(Origin::Embedded, Some(9), ""));
    assert_eq!(key(Origin::Served, Some(8), ""), key(Origin::Served, Some(9), ""));
    assert_eq!(key(declared(), Some(8), ""), key(declared(), Some(9), ""));
    assert_ne!(key(declared(), Some(8), ""), key(Origin::Served, Some(8), ""));
}

#[test]
fn a_gate_that_did_not_run_is_never_remembered_as_a_verdict() {
    let judged = Judged { scenario: "x".to_owned(), build: String::new() };
    for standing in Standing::ALL {
        let entry =
            NightEntry::without_run(judged.clone(), standing, "why".to_owned(), at("2026-01-01T00:00:00Z"));
        assert!(!entry.standing.is_sound(), "{standing}");
        assert_eq!((entry.headline.as_str(), entry.findings.len()), ("why", 1));
    }
}
