use super::expected::{BROKEN, END, Expected, allow, block, check, dies, embedded, ids, inconclusive};
use super::world::{DAY, Ill, Tamper, World, at, certificate, held_by, name, start};
use crate::*;

/// A revocation list that has ended must let nobody in; the control is the same check on one in force.
#[test]
fn who_lets_in_on_a_stale_list_fails_open() {
    let asking = |world: World| {
        world.with(|scenario| {
            let mut asked = scenario.checks[1].clone();
            let control = asked.name.clone();
            asked.name = CheckName::new("attaches-refuses-stale-crl").unwrap();
            asked.connections = vec![Connection::Fresh];
            asked.stale = vec![CredentialName::new("list").unwrap()];
            asked.expect[0].expectation = Expectation::Rejected { control };
            scenario.checks.push(asked);
        })
    };
    let (record, _) = check("it knows lists", &asking(World::new().ill(Ill::KnowsLists)), &allow(4));
    assert_eq!(ids(&record), ["control", "stale-list", "walk", "cold"]);
    let walk = &record.cases[2].case;
    let asks = |step: &Step| matches!(step, Step::Check { checks } if checks.iter().any(|it| it.as_str().ends_with("stale-crl")));
    assert!(!walk.steps.iter().any(asks), "{walk:#?}");

    let opens = Expected { decision: Decision::Block, ..inconclusive(FindingCode::FailOpen, 3) };
    let (record, verdict) = check("it does not", &asking(World::new()), &opens);
    assert_eq!(ids(&record), ["control", "stale-list", "stale-list-again"]);
    let names: Vec<&str> = verdict.findings[0].checks.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["attaches-refuses-stale-crl"]);

    let deaf = asking(World::new().ill(Ill::NeverWorks));
    check("it refuses everybody", &deaf, &inconclusive(FindingCode::ControlFails, 3));
}

#[test]
fn worlds_come_to_their_verdicts() {
    let held = Ill::RefusesNew { from: at(BROKEN), culprit: Some(Fingerprint::from_bytes([1; 32])) };
    let gap = Ill::Gap { from: at(BROKEN), to: at("2018-12-20T00:00:00Z") };
    let second_licence = {
        let mut licence = certificate(2, "CN=licence 2", at("2025-01-01T00:00:00Z"));
        licence.not_before = at("2018-12-20T00:00:00Z");
        licence
    };
    let at_start_only = Ill::Dies { from: at(BROKEN), at_start: true, watchdog: None, log: "" };
    let by_watchdog_only =
        Ill::Dies { from: at(BROKEN), at_start: false, watchdog: Some(1), log: "CN=node software" };
    let table = [
        ("all is well", World::new(), allow(3)),
        ("a certificate ends and nothing minds", World::new().holding([embedded()]), allow(4)),
        ("the outage", World::new().holding([embedded()]).ill(dies(BROKEN)), block(BROKEN, Some(1), 6)),
        ("at its last second", World::new().holding([embedded()]).ill(dies(END)), block(END, Some(1), 7)),
        ("at start only", World::new().holding([embedded()]).ill(at_start_only), block(BROKEN, Some(1), 6)),
        ("held sessions hide it", World::new().holding([embedded()]).ill(held), block(BROKEN, Some(1), 6)),
        (
            "a gap between two licences",
            World::new().holding([embedded(), second_licence]).ill(gap),
            block(BROKEN, Some(1), 6),
        ),
        (
            "only the process that lives on",
            World::new().holding([embedded()]).ill(by_watchdog_only),
            block(BROKEN, Some(1), 8),
        ),
        (
            "a date in the code",
            World::new().ill(dies("2019-07-04T12:34:56Z")),
            block("2019-07-04T12:34:56Z", None, 32),
        ),
        (
            "a date in the code, between edges",
            World::new().holding([embedded()]).ill(dies("2019-07-04T12:34:56Z")),
            block("2019-07-04T12:34:56Z", None, 33),
        ),
        (
            "only fresh starts fail",
            World::new().holding([embedded()]).ill(Ill::ColdFails { from: at(BROKEN) }),
            block(BROKEN, Some(1), 7),
        ),
        (
            "only aged restarts fail",
            World::new().ill(Ill::AgedFails { from: at("2019-07-04T12:34:56Z") }),
            block("2019-07-04T12:34:56Z", None, 12),
        ),
        (
            "a leap is too much",
            World::new().holding([embedded()]).ill(Ill::JumpIntolerant { longest: 7 * DAY }),
            inconclusive(FindingCode::JumpIntolerant, 15),
        ),
        (
            "what a process got at its start ends",
            World::new().ill(Ill::Ages { life: 400 * DAY + 12_345, renews: None }),
            block("2019-12-06T03:25:46Z", None, 12),
        ),
        (
            "what a process got at its start is renewed, and a leap passes that over",
            World::new().ill(Ill::Ages { life: 90 * DAY, renews: Some(60 * DAY) }),
            inconclusive(FindingCode::JumpIntolerant, 12),
        ),
        (
            "a fluke in control",
            World::new().ill(Ill::Fluke { launch: 0 }),
            inconclusive(FindingCode::ControlFails, 1),
        ),
        (
            "a fluke at the horizon",
            World::new().ill(Ill::Fluke { launch: 2 }),
            inconclusive(FindingCode::Flaky, 32),
        ),
        ("it never worked", World::new().ill(Ill::NeverWorks), inconclusive(FindingCode::ControlFails, 1)),
        (
            "it never worked, and something ended before",
            World::new().holding([certificate(3, "CN=old", at("2018-10-25T00:00:00Z"))]).ill(Ill::NeverWorks),
            inconclusive(FindingCode::ControlFails, 2),
        ),
        ("idle sessions are closed", World::new().holding([embedded()]).ill(Ill::LosesSessions), allow(4)),
        (
            "the register falls with its own certificate",
            World::new()
                .holding([held_by("hss", certificate(4, "CN=hss", at(END)))])
                .ill(Ill::HssRefuses { from: at(BROKEN) }),
            block(BROKEN, Some(4), 6),
        ),
    ];
    for (what, world, expected) in &table {
        check(what, world, expected);
    }
}

#[test]
fn a_leeway_behind_an_end_names_what_ended() {
    let breaking = |from: &str| {
        let silent = Ill::Dies { from: at(from), at_start: true, watchdog: Some(1), log: "" };
        World::new().holding([embedded()]).ill(silent)
    };
    for (breaks_at, culprit) in [
        ("2018-12-06T04:31:00Z", Some(1)),
        ("2018-12-06T04:34:59Z", Some(1)),
        ("2018-12-06T04:35:01Z", Some(1)),
        ("2018-12-06T04:31:04Z", None),
        ("2018-12-06T05:30:00Z", None),
    ] {
        check(breaks_at, &breaking(breaks_at), &block(breaks_at, culprit, 40));
    }
    // What ends in that very second is the likelier cause.
    let world =
        breaking("2018-12-06T04:35:00Z").holding([certificate(2, "CN=other", at("2018-12-06T04:34:59Z"))]);
    check("both", &world, &block("2018-12-06T04:35:00Z", Some(2), 40));
}

#[test]
fn a_certificate_made_in_memory_is_named_by_what_the_failing_case_served() {
    for ill in [Ill::InMemory { life: 365 * DAY }, Ill::InVolume { life: 365 * DAY }] {
        let (record, verdict) = World::new().ill(ill).gate();
        let worst = &verdict.findings[0];
        assert_eq!(verdict.decision, Decision::Block, "{:?}", ids(&record));
        assert_eq!(worst.bracket.unwrap().first_fail, at("2019-11-01T00:00:01Z"));
        assert!(worst.bracket.unwrap().is_exact());
        let culprit = record.inventory.find(worst.culprit.unwrap()).unwrap();
        assert_eq!(culprit.subject, "CN=made here");
        assert_eq!(worst.still_working.len(), 1, "{worst:#?}");
        let edges = worst.evidence.iter().filter(|evidence| matches!(evidence, Evidence::Coincidence { .. }));
        assert_eq!(edges.count(), 1, "those of other launches are not there: {:#?}", worst.evidence);
        assert!(record.cases.len() <= 9, "{:?}", ids(&record));
    }
}

#[test]
fn a_certificate_that_only_the_walk_saw_is_lived_through_in_a_second_walk() {
    // The control's certificate ends a day later than the walk's, and by then the service has renewed.
    let ill = Ill::RenewsLate { life: 365 * DAY, late: 3_600 };
    let (record, verdict) = World::new().ill(ill).gate();
    assert_eq!(verdict.decision, Decision::Block, "{:?}", ids(&record));
    assert_eq!(verdict.findings[0].bracket.unwrap().first_fail, at("2019-11-01T00:00:01Z"));
    assert!(record.cases.len() <= 10, "{:?}", ids(&record));
    assert!(ids(&record).contains(&"walk-served"), "{:?}", ids(&record));
    assert!(verdict.findings[0].summary.ends_with("only a process that lives on shows it"));
}

#[test]
fn a_daily_look_at_a_certificate_breaks_behind_its_end() {
    for hours in [1, 20, 24] {
        let watchdog = Some(hours * 3_600);
        let ill =
            Ill::Dies { from: at(BROKEN), at_start: false, watchdog, log: "CN=node software has ended" };
        let (record, verdict) = World::new().holding([embedded()]).ill(ill).gate();
        let finding = &verdict.findings[0];
        assert_eq!(verdict.decision, Decision::Block, "every {hours} h: {:?}", ids(&record));
        assert_eq!(finding.culprit, Some(embedded().fingerprint), "its log names it");
        let bracket = finding.bracket.unwrap();
        assert!(bracket.is_exact() && bracket.first_fail.secs_since(at(BROKEN)) <= hours * 3_600);
        assert!(record.cases.len() <= 12, "{:?}", ids(&record));
    }
}

#[test]
fn a_loop_that_begins_later_in_some_launches_is_known_to_the_second() {
    for by in 1..=4 {
        let dies = Ill::Dies { from: at(BROKEN), at_start: false, watchdog: Some(600), log: "" };
        let world = World::new().holding([embedded()]).ill(dies).ill(Ill::StartsLate { by });
        let (record, verdict) = world.gate();
        let finding = &verdict.findings[0];
        assert_eq!(verdict.decision, Decision::Block, "up to {by} s: {:?}", ids(&record));
        assert_eq!(finding.culprit, Some(embedded().fingerprint));
        let bracket = finding.bracket.unwrap();
        assert!(bracket.is_exact(), "up to {by} s: {bracket:?}, {:?}", ids(&record));
        assert!(record.cases.len() <= 12, "{:?}", ids(&record));
    }
}

#[test]
fn a_loop_that_a_leap_wakes_at_the_edge_blocks_though_smaller_leaps_do_not_wake_it_there() {
    for hours in [1, 6, 20] {
        // OpenSSL refuses in the last valid second, to which the walk leaps.
        let ill = Ill::Dies { from: at(END), at_start: false, watchdog: Some(hours * 3_600), log: "no more" };
        let (record, verdict) = World::new().holding([embedded()]).ill(ill).gate();
        let finding = &verdict.findings[0];
        assert_eq!(verdict.decision, Decision::Block, "every {hours} h: {:?}", ids(&record));
        assert_eq!(
            (finding.code, finding.culprit),
            (FindingCode::BreaksInWindow, Some(embedded().fingerprint))
        );
        assert_eq!(finding.bracket.unwrap().first_fail, at(END));
        assert!(finding.summary.ends_with("at the edge at 2018-12-06T04:30:00Z"), "{}", finding.summary);
        assert!(record.cases.len() <= 12, "{:?}", ids(&record));
    }
}

#[test]
fn what_breaks_late_is_laid_to_the_one_edge_without_which_it_does_not() {
    let late = Ill::Dies { from: at(BROKEN), at_start: false, watchdog: Some(20 * 3_600), log: "" };
    let (_, verdict) = World::new().holding([embedded()]).ill(late.clone()).gate();
    let finding = &verdict.findings[0];
    assert_eq!((verdict.decision, finding.culprit), (Decision::Block, Some(embedded().fingerprint)));
    assert!(matches!(finding.evidence.as_slice(), [Evidence::Delayed { .. }]), "{:#?}", finding.evidence);

    let other = held_by("hss", certificate(2, "CN=hss", at(END)));
    let (_, verdict) = World::new().holding([embedded(), other]).ill(late).gate();
    let finding = &verdict.findings[0];
    assert_eq!((verdict.decision, finding.culprit), (Decision::Block, None), "either could be behind it");
    assert_eq!(finding.evidence.len(), 2, "{:#?}", finding.evidence);
}

#[test]
fn state_that_ages_blocks_where_no_credential_is_known() {
    let expected = block("2019-05-04T06:07:08Z", None, 14);
    let life = at("2019-05-04T06:07:07Z").secs_since(start());
    let (_, verdict) = check("a trial", &World::new().ill(Ill::Trial { life }), &expected);
    let finding = &verdict.findings[0];
    insta::assert_snapshot!(finding.summary, @"node breaks at 2019-05-04T06:07:08Z: no known credential changes there (unexplained); a fresh start hides it");
    insta::assert_snapshot!(finding.help.as_ref().unwrap(), @"find what in the build knows that date: a licence, a date in the code, an account or a password that ends; what was seen, and the log of the case, may name it");
}

#[test]
fn a_break_in_the_walk_does_not_hide_a_later_one_of_fresh_starts() {
    let world = World::new()
        .ill(Ill::InMemory { life: 365 * DAY })
        .ill(Ill::HssRefuses { from: at("2020-06-01T12:00:00Z") });
    let (_, verdict) = world.gate();
    let breaks: Vec<String> =
        verdict.findings.iter().map(|found| found.bracket.unwrap().first_fail.to_string()).collect();
    assert_eq!(breaks, ["2019-11-01T00:00:01Z", "2020-06-01T12:00:00Z"]);
    assert_eq!(verdict.findings[1].services, [name("hss")]);
    assert_eq!(verdict.findings[1].checks.len(), 1);
}

#[test]
fn a_later_break_does_not_turn_a_jump_into_a_block() {
    let world = World::new()
        .holding([embedded()])
        .ill(Ill::JumpIntolerant { longest: 7 * DAY })
        .ill(Ill::HssRefuses { from: at("2020-06-01T12:00:00Z") });
    let (_, verdict) = world.gate();
    let found: Vec<(FindingCode, Severity)> =
        verdict.findings.iter().map(|finding| (finding.code, finding.severity)).collect();
    let expected = [
        (FindingCode::BreaksInWindow, Severity::Block),
        (FindingCode::JumpIntolerant, Severity::Inconclusive),
        (FindingCode::ExpiredEmbeddedCredential, Severity::Note),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_walk_that_fails_elsewhere_when_repeated_is_flaky() {
    let elsewhere: Tamper = |events| {
        for event in events {
            if let Event::Observed { case, observation } = event
                && case.as_str() == "walk-again"
                && observation.begin.second == start()
            {
                observation.seen = Seen::Absent { reason: "gone".to_owned() };
            }
        }
    };
    let world = World::new().ill(Ill::InMemory { life: 365 * DAY }).tampered(elsewhere);
    check("another failure", &world, &inconclusive(FindingCode::Flaky, 10));
}

#[test]
fn the_control_stays_short_of_an_edge_within_the_first_day() {
    let early = certificate(1, "CN=node software", start().plus_secs(3_600));
    let world = World::new().holding([early]).ill(dies("2018-11-01T01:00:01Z"));
    check("it ends after an hour", &world, &block("2018-11-01T01:00:01Z", Some(1), 6));
}

#[test]
fn a_run_that_was_stopped_asks_for_nothing_more() {
    let stopped: Tamper = |events| {
        for event in events {
            if let Event::CaseEnded { case, outcome, error, .. } = event
                && case.as_str().starts_with("cold-")
            {
                *outcome = Outcome::Error;
                *error = Some(CaseError::Interrupted);
            }
        }
    };
    let world = World::new().holding([embedded()]).ill(dies(BROKEN)).tampered(stopped);
    let (record, verdict) = check("stopped", &world, &inconclusive(FindingCode::Interrupted, 4));
    let severe = verdict.findings.iter().filter(|finding| finding.severity > Severity::Note);
    assert_eq!((record.cases.len(), severe.count()), (4, 1));
}

#[test]
fn the_plan_says_what_runs_and_why() {
    let mut record = RunRecord::new(World::new().scenario, start());
    let foreign = held_by("hss", certificate(4, "CN=hss", at("2019-01-01T00:00:00Z")));
    record.inventory = World::new().holding([embedded(), foreign]).inventory;
    let mut shown = String::new();
    for case in plan(&record) {
        let clock = match case.clock {
            CaseClock::Native => "native".to_owned(),
            CaseClock::Shifted(at) => at.to_string(),
        };
        shown += &format!("{} at {clock}: {}\n", case.id, case.reason);
        for step in &case.steps {
            shown += &match step {
                Step::Check { checks } => format!("  check {}\n", checks.len()),
                Step::Move { motion, to } => format!("  {motion:?} to {to}\n"),
                Step::Restart { services } => format!("  restart {}\n", services.len()),
                Step::Rotate { rotation } => format!("  rotate {rotation}\n"),
            };
        }
    }
    insta::assert_snapshot!(shown);
    assert_eq!(
        refine(&record),
        plan(&record)[..1],
        "controls come first, so that the walk knows what they saw"
    );
}

#[test]
fn a_native_control_runs_only_where_simulated_time_begins_now() {
    let now = World::new().with(|scenario| scenario.start = Start::Now(start()));
    let first =
        |world: &World| ids(&world.record()).into_iter().take(2).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(first(&World::new()), ["control", "walk"]);
    assert_eq!(first(&now), ["control-native", "control"]);
    check("all is well now", &now, &allow(4));
}

/// A daily timer looks behind both ends.
#[test]
fn of_two_ends_within_a_day_before_a_break_none_is_named_for_being_later() {
    let timer = Ill::Dies { from: at(BROKEN), at_start: false, watchdog: Some(86_400), log: "over" };
    let other = || certificate(2, "CN=other", at("2018-12-06T14:00:00Z"));
    let world = || World::new().holding([embedded(), other()]).ill(timer.clone());
    let (_, verdict) = world().gate();
    let finding = &verdict.findings[0];
    assert_eq!((verdict.decision, finding.culprit), (Decision::Block, None), "{finding:#?}");
    assert_eq!(finding.evidence.len(), 2, "{finding:#?}");
    insta::assert_snapshot!(finding.summary, @"node breaks at 2018-12-07T00:00:00Z: 2 credentials changed in the time before, and nothing tells which is behind it; only a process that lives on shows it");
    // Unless the process holds one alone.
    let mut held = world();
    held.loaded = vec![embedded()];
    let (_, verdict) = held.gate();
    assert_eq!(verdict.findings[0].culprit, Some(embedded().fingerprint), "{:#?}", verdict.findings);
    insta::assert_snapshot!(verdict.findings[0].summary, @"node breaks at 2018-12-07T00:00:00Z: CN=node software ends at 2018-12-06T04:29:59Z; only a process that lives on shows it, 19 h 30 min after the edge at 2018-12-06T04:30:00Z");
}
