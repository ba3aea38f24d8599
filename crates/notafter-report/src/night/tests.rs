//! What people read of nights.

use super::{delta, entries, interrupted, json, line, nights, summary};
use crate::StyleSheet;
use crate::sample::{self, instant, service_name};
use notafter_core::{
    Earlier, End, Judged, NightEntry, NightHead, Outlook, RunRecord, Standing, UnixTime, Verdict, changes,
};
use std::time::Duration;

const DAY: i64 = 86_400;

fn judged(scenario: &str, build: &str) -> Judged {
    Judged { scenario: scenario.to_owned(), build: build.to_owned() }
}

fn of(build: &str, (record, verdict): &(RunRecord, Verdict)) -> NightEntry {
    let took = Duration::from_millis(12_345);
    NightEntry::of_run(judged("o2/2018", build), "00".to_owned(), record, verdict, took)
}

/// One whose only service holds what ends on 1 January 2019, with simulated time that begins `days` before.
fn shop(days: i64, ends: &str, breaks: Option<&str>) -> NightEntry {
    let mut entry = of("", &sample::allow());
    entry.judged = judged("shop", "");
    entry.start = Some(instant("2019-01-01T00:00:00Z").plus_secs(-days * DAY));
    entry.outlooks = vec![Outlook {
        service: service_name("web"),
        end: Some(End { at: instant(ends), what: "certificate CN=web".to_owned() }),
        breaks_at: breaks.map(instant),
    }];
    entry
}

fn refused() -> NightEntry {
    let why = "scenario.yaml:3:1: unknown key `strat`".to_owned();
    NightEntry::without_run(judged("typo", ""), Standing::Refused, why, instant("2026-11-29T02:00:09Z"))
}

fn head(id: u64, ended: Option<&str>, entries: &[NightEntry]) -> NightHead {
    let count = |standing| entries.iter().filter(|entry| entry.standing == standing).count() as u64;
    NightHead {
        id,
        folder: "scenarios".to_owned(),
        began: instant("2026-11-29T02:00:00Z"),
        ended: ended.map(instant),
        version: "0.1.0".to_owned(),
        standings: Standing::ALL.map(|it| (it, count(it))).into_iter().filter(|it| it.1 > 0).collect(),
    }
}

fn summed(now: &[NightEntry], past: &[Earlier]) -> String {
    let mut text = String::new();
    let head = head(7, Some("2026-11-29T02:03:12Z"), now);
    summary(&mut text, &head, now, &changes(now, past), &StyleSheet::plain()).unwrap();
    text
}

#[test]
fn the_first_night_has_nothing_to_compare_with() {
    insta::assert_snapshot!(summed(&[of("1.14", &sample::block()), refused()], &[]));
}

#[test]
fn a_night_tells_what_is_new_what_healed_and_what_comes_closer() {
    let night = |night, entry| Earlier { night, entry };
    let past = [
        night(5, of("1.14", &sample::allow())),
        night(6, of("1.14", &sample::unshifted())),
        night(6, of("1.15", &sample::block())),
        night(6, shop(31, "2019-01-01T00:00:00Z", None)),
        night(6, NightEntry { judged: judged("dropped", ""), ..shop(31, "2019-01-01T00:00:00Z", None) }),
    ];
    let now = [
        of("1.14", &sample::block()),
        of("1.15", &sample::allow()),
        shop(30, "2019-01-01T00:00:00Z", Some("2018-12-20T00:00:00Z")),
    ];
    insta::assert_snapshot!(summed(&now, &past));
}

#[test]
fn builds_are_told_one_by_one_as_they_are_judged() {
    let mut text = String::new();
    for entry in [of("1.14", &sample::block()), of("1.15", &sample::allow()), refused()] {
        line(&mut text, &entry, &StyleSheet::plain()).unwrap();
    }
    interrupted(&mut text, 7, 3, 8, &StyleSheet::plain()).unwrap();
    insta::assert_snapshot!(text);
}

#[test]
fn what_has_changed_of_one_build_is_told_in_few_lines() {
    let past = [Earlier { night: 1, entry: of("1.14", &sample::block()) }];
    let mut text = String::new();
    for now in [sample::block(), sample::allow()] {
        let change = changes(&[of("1.14", &now)], &past);
        delta(&mut text, &change, &StyleSheet::plain()).unwrap();
        text.push('\n');
    }
    insta::assert_snapshot!(text);
}

#[test]
fn the_history_is_a_table_of_nights_or_of_builds() {
    let mut text = String::new();
    let styles = StyleSheet::plain();
    let kept = [of("1.14", &sample::block()), of("1.15", &sample::allow()), refused()];
    let through = head(6, Some("2026-11-29T02:03:12Z"), &kept);
    nights(&mut text, &[head(7, None, &[]), through], &styles).unwrap();
    let web = service_name("web");
    let series = [(5, 32), (6, 31)]
        .map(|(night, days)| Earlier { night, entry: shop(days, "2019-01-01T00:00:00Z", None) });
    text.push('\n');
    entries(&mut text, &series, Some(&web), &styles).unwrap();
    text.push('\n');
    entries(&mut text, &kept.map(|entry| Earlier { night: 6, entry }), None, &styles).unwrap();
    nights(&mut text, &[], &styles).unwrap();
    entries(&mut text, &[], None, &styles).unwrap();
    insta::assert_snapshot!(text);
}

#[test]
fn hostile_text_of_other_people_stays_text() {
    let mut entry = of("1.14", &sample::hostile());
    entry.judged.scenario = "a\u{1b}[2J\nallow  b".to_owned();
    entry.outlooks[0].end = Some(End { at: UnixTime::NO_EXPIRY, what: "x\u{202e}y".to_owned() });
    let kept = [Earlier { night: 1, entry: entry.clone() }];
    let mut text = summed(std::slice::from_ref(&entry), &kept);
    line(&mut text, &entry, &StyleSheet::plain()).unwrap();
    entries(&mut text, &kept, None, &StyleSheet::plain()).unwrap();
    text += &json(&[head(1, None, &[])], &kept).unwrap();
    assert!(!text.chars().any(|char| char != '\n' && crate::page::is_hostile(char)), "{text}");
}

#[test]
fn the_history_reads_as_json_with_its_version() {
    let text = json(&[head(1, None, &[])], &[Earlier { night: 1, entry: refused() }]).unwrap();
    insta::assert_snapshot!(text);
}
