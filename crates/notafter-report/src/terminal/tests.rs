use super::write;
use crate::page::is_hostile;
use crate::{Detail, StyleSheet, sample};
use notafter_core::{
    Bracket, ClockReading, CoverageEntry, Decision, FindingCode, MemoryRead, OpaqueFile, ProcessRead,
    RunRecord, Severity, Start, Touch, Verdict,
};
use unicode_width::UnicodeWidthStr;

fn rendered((record, verdict): &(RunRecord, Verdict)) -> String {
    let mut text = String::new();
    write(&mut text, record, verdict, Detail::Brief, &StyleSheet::plain()).unwrap();
    text
}

#[test]
fn a_block_names_instant_certificate_and_what_falls() {
    insta::assert_snapshot!(rendered(&sample::block()));
}

#[test]
fn an_allow_says_what_proves_it() {
    insta::assert_snapshot!(rendered(&sample::allow()));
}

#[test]
fn an_inconclusive_says_what_to_do_next() {
    insta::assert_snapshot!(rendered(&sample::unshifted()));
}

#[test]
fn held_connections_that_still_work_are_named() {
    insta::assert_snapshot!(rendered(&sample::held_works()));
}

#[test]
fn the_causal_control_stands_first_and_what_is_missing_of_it_below() {
    let text = rendered(&sample::controlled());
    let flowing = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "evidence 1. with it issued anew to end at 2021-11-01T00:00:00Z, and nothing else changed, it breaks all the \
         same (case reissued-node-walk) 2. the first failure comes 1 s after its notAfter",
        "no control node and hss were not issued anew together: that takes more than 8 launches",
    ] {
        assert!(flowing.contains(told), "{told}: {text}");
    }
}

#[test]
fn hostile_text_stays_text() {
    let text = rendered(&sample::hostile());
    assert!(!text.chars().any(|char| char != '\n' && is_hostile(char)), "{text}");
    assert!(
        !text.lines().skip(1).any(|line| line.starts_with("allow") || line.starts_with("proved")),
        "{text}"
    );
    insta::assert_snapshot!(text);
}

/// A verifier that bears with a certificate for a day after its end.
#[test]
fn a_break_that_nothing_explains_names_what_ended_shortly_before() {
    let (record, mut verdict) = sample::block();
    let finding = &mut verdict.findings[0];
    let bracket = finding.bracket.unwrap();
    (finding.culprit, finding.evidence) = (None, Vec::new());
    let mut told = |delay_secs: i64| {
        let (last_pass, first_fail) =
            (bracket.last_pass.plus_secs(delay_secs), bracket.first_fail.plus_secs(delay_secs));
        verdict.findings[0].bracket = Some(Bracket { last_pass, first_fail });
        let text = rendered(&(record.clone(), verdict.clone()));
        text.lines().find(|line| line.contains("ended before")).map(str::to_owned)
    };
    let a_day_later = told(86_400).unwrap();
    assert_eq!(a_day_later.trim_start(), "ended before CN=sgsn-mme software (47a0a7ae), 1 d earlier");
    assert_eq!(told(8 * 86_400), None);
}

#[test]
fn several_findings_each_have_their_say() {
    let (mut record, mut verdict) = sample::block();
    record.scenario.start = Start::Now(record.scenario.start.instant());
    record.scenario.checks[0].location.file = "my scenarios/o2.yaml".to_owned();
    record.inventory.opaque.push(OpaqueFile {
        service: sample::service_name("sgsn-mme"),
        path: "/etc/keys/store.p12".to_owned(),
        reason: "locked: none of 4 passwords opens it".to_owned(),
    });
    let mut unexplained = sample::finding(
        FindingCode::BreaksInWindow,
        Severity::Block,
        "mvno-portal breaks between 2019-01-01T00:00:00Z and 2019-02-01T00:00:00Z: no known credential changes \
         there (unexplained)",
    );
    unexplained.bracket = Some(Bracket {
        last_pass: sample::instant("2019-01-01T00:00:00Z"),
        first_fail: sample::instant("2019-02-01T00:00:00Z"),
    });
    unexplained.case = Some(sample::case_id("walk"));
    verdict.findings.push(unexplained);
    verdict.findings.push(sample::finding(
        FindingCode::WaiverExpired,
        Severity::Block,
        "the waiver of `flaky` by ops@example.net ran out on 2026-01-01T00:00:00Z",
    ));
    verdict.findings.push(sample::finding(
        FindingCode::BudgetExceeded,
        Severity::Inconclusive,
        "case cold-2020-11-01T000000Z did not run: the budget of 60 s was spent",
    ));
    let mut waived =
        sample::finding(FindingCode::CredentialNotCrossed, Severity::Note, "no check crossed CN=hss");
    waived.waived = Some("ops@example.net until 2027-01-01T00:00:00Z: replaced in May".to_owned());
    verdict.findings.push(waived);
    verdict
        .coverage
        .entries
        .push(CoverageEntry { credential: sample::fingerprint(0xe1), touch: Touch::Served });
    verdict
        .coverage
        .entries
        .push(CoverageEntry { credential: sample::fingerprint(0x99), touch: Touch::Never });
    insta::assert_snapshot!(rendered(&(record, verdict)));
}

#[test]
fn a_build_that_is_broken_today_says_since_when() {
    let (mut record, mut verdict) = sample::block();
    record.scenario.start = Start::Now(sample::instant("2018-12-13T06:30:00Z"));
    verdict.findings[0].code = FindingCode::AlreadyBroken;
    let text = rendered(&(record, verdict));
    insta::assert_snapshot!(text.lines().take(2).collect::<Vec<_>>().join("\n"), @r"
    block: sgsn-mme 1.14 is broken already, since 2018-12-06T04:30:00Z, 7 d 2 h ago;
           support is promised until 2020-11-01T00:00:00Z
    ");
}

#[test]
fn a_verdict_without_findings_never_reads_as_an_allow() {
    let (record, mut verdict) = sample::block();
    verdict.findings.clear();
    for (decision, first) in [(Decision::Block, "block: "), (Decision::Inconclusive, "inconclusive: ")] {
        verdict.decision = decision;
        assert!(rendered(&(record.clone(), verdict.clone())).starts_with(first));
    }
}

#[test]
fn reports_fit_80_columns() {
    for sample in [sample::block(), sample::allow(), sample::unshifted(), sample::held_works()] {
        for line in rendered(&sample).lines() {
            assert!(line.width() <= 80, "{line}");
            assert_eq!(line.trim_end(), line);
        }
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let (record, verdict) = sample::block();
    let mut coloured = String::new();
    write(&mut coloured, &record, &verdict, Detail::Brief, &StyleSheet::ansi()).unwrap();
    let plain: String = {
        let mut rest = coloured.as_str();
        let mut plain = String::new();
        while let Some((before, after)) = rest.split_once("\u{1b}[") {
            plain.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        plain + rest
    };
    assert_ne!(coloured, plain);
    assert_eq!(plain, rendered(&(record, verdict)));
}

/// A break at no known edge, searched to the second.
fn searched() -> (RunRecord, Verdict) {
    let (mut record, mut verdict) = sample::block();
    let (from, to) = (sample::instant("2018-11-02T00:00:00Z"), sample::breaks());
    let (mut low, mut high) = (from, to.plus_secs(700 * 86_400));
    while high.secs_since(low) > 1 {
        let at = low.plus_secs(high.secs_since(low) / 2);
        record.cases.push(sample::point(at, at < to));
        if at < to { low = at } else { high = at }
    }
    verdict.findings[0].case = Some(record.cases.last().unwrap().case.id.clone());
    (record, verdict)
}

#[test]
fn a_long_search_is_told_in_one_sentence() {
    let (record, verdict) = searched();
    let text = rendered(&(record.clone(), verdict.clone()));
    insta::assert_snapshot!(text.split_once("\ncases:\n").unwrap().1);
    let mut full = String::new();
    write(&mut full, &record, &verdict, Detail::Full, &StyleSheet::plain()).unwrap();
    for case in &record.cases {
        assert!(
            full.lines().any(|line| line.split_whitespace().next() == Some(case.case.id.as_str())),
            "{full}"
        );
    }
    assert!(text.lines().all(|line| line.width() <= 80), "{text}");
}

#[test]
fn memory_that_could_not_be_read_is_told_in_the_report() {
    let (mut record, verdict) = sample::allow();
    let whole =
        || ProcessRead { pid: 1, exe: "/node".to_owned(), read_bytes: 4_096, gap: None, held: Vec::new() };
    let gap =
        || Some("was read in part, 256 of 900 MiB; what ends in the rest alone is not known".to_owned());
    let service = record.scenario.candidate.service.clone();
    let at = ClockReading { second: record.scenario.start.instant(), nanos: 0 };
    for (index, case) in record.cases.iter_mut().enumerate() {
        let processes = vec![whole(), ProcessRead { gap: gap().filter(|_| index > 0), ..whole() }];
        case.memory = vec![MemoryRead { service: service.clone(), step: 0, at, processes }];
    }
    let text = rendered(&(record, verdict));
    let flowing = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = "not looked into: the memory of 1 program - the memory of sgsn-mme, /node, was read in part, 256 of \
                900 MiB; what ends in the rest alone is not known (in 1 case)";
    assert!(flowing.contains(told), "{text}");
}

/// A rotation took it out of use before its end.
#[test]
fn what_ends_out_of_use_is_not_said_to_be_unknown() {
    let (record, mut verdict) = sample::block();
    verdict.coverage.entries.clear();
    let text = rendered(&(record, verdict));
    assert!(text.contains("no credential that ends inside the support window is in use then"), "{text}");
}
