//! What a block tells.

use super::shared::*;
use crate::refine::tests::world::*;
use crate::*;

#[test]
fn ends_of_processes_count_by_what_they_mean() {
    let (record, _) = World::new().gate();
    let control = record.cases[0].clone();
    let ready = control.ready[0].1;
    let table = [
        (CANDIDATE, Some(0), false, Restart::Never, false, Outcome::Fail),
        (CANDIDATE, Some(1), false, Restart::Never, false, Outcome::Fail),
        ("portal", Some(0), false, Restart::Never, false, Outcome::Pass),
        ("portal", Some(0), true, Restart::Never, false, Outcome::Fail),
        ("portal", Some(3), false, Restart::Never, false, Outcome::Fail),
        ("portal", None, true, Restart::Never, false, Outcome::Fail),
        ("portal", Some(3), false, Restart::Always, true, Outcome::Pass),
        ("portal", Some(3), true, Restart::Always, true, Outcome::Pass),
        ("portal", Some(3), true, Restart::Always, false, Outcome::Fail),
        (CANDIDATE, Some(3), false, Restart::Always, true, Outcome::Pass),
    ];
    for (service, code, before_ready, restart, again, expected) in table {
        let mut scenario = record.scenario.clone();
        scenario.services.iter_mut().for_each(|known| known.restart = restart);
        let mut case = control.clone();
        let service = name(service);
        if !again {
            case.ready.retain(|(known, _)| *known != service);
        }
        let log_tail = String::new();
        case.ends.push(ServiceEnd { service, code, at: ready, before_ready, reason: None, log_tail });
        let row = (&case.ends[0].service, code, before_ready, restart, again);
        assert_eq!(case.outcome_from_observations(&scenario), expected, "{row:?}");
    }
}

#[test]
fn a_block_tells_everything_that_a_release_engineer_asks() {
    let (_, verdict) = outage().gate();
    let finding = &verdict.findings[0];
    insta::assert_snapshot!(finding.summary, @"node breaks at 2018-12-06T04:30:00Z: CN=node software ends at 2018-12-06T04:29:59Z");
    assert_eq!(finding.culprit, Some(embedded().fingerprint));
    assert_eq!(finding.services, [name("node"), name("portal")]);
    let fresh_and_held = vec![Connection::Fresh, Connection::Held];
    let checks: Vec<(&str, _)> =
        finding.checks.iter().map(|(check, over)| (check.as_str(), over.clone())).collect();
    assert_eq!(checks, [("attaches", fresh_and_held), ("portal-answers", vec![Connection::Fresh])]);
    assert_eq!(finding.expected.as_deref(), Some("attaches works"));
    assert_eq!(
        finding.seen.as_deref(),
        Some("nothing there: connection refused; node ended with exit code 1")
    );
    assert_eq!(finding.seen_at, Some(at(BROKEN)));
    assert_eq!(finding.location, Some(location(51)));
    assert_eq!(finding.case, Some(id("cold-2018-12-06T043000Z")));
    assert!(finding.log_tail.as_ref().unwrap().ends_with("shutting down"));
    insta::assert_snapshot!(finding.help.as_ref().unwrap(), @"ship a build whose credential outlives the support window, or rotate it before it ends; it lies in /node of node at byte 4096");
    let [Evidence::Coincidence { edge }, Evidence::NamedInLog { service, line }] =
        finding.evidence.as_slice()
    else {
        panic!("{:?}", finding.evidence);
    };
    assert_eq!((edge.at, service), (at(END), &name("node")));
    assert_eq!(line, "certificate CN=node software has expired, shutting down");
    assert_eq!(
        verdict.coverage.entries,
        [CoverageEntry { credential: embedded().fingerprint, touch: Touch::Exercised }]
    );
    assert_eq!(codes(&verdict).len(), 1);
}

#[test]
fn held_connections_that_outlive_the_break_are_told() {
    let ill = Ill::RefusesNew { from: at(BROKEN), culprit: Some(embedded().fingerprint) };
    let (_, verdict) = World::new().holding([embedded()]).ill(ill).gate();
    let finding = &verdict.findings[0];
    let attaches = CheckName::new("attaches").unwrap();
    assert_eq!(finding.checks, [(attaches.clone(), vec![Connection::Fresh])]);
    assert_eq!(finding.still_working, [(attaches, Connection::Held)]);
    assert!(
        matches!(&finding.evidence[1], Evidence::SeenOnTheWire { reason } if reason.starts_with("expired"))
    );
    assert_eq!(finding.services, [name("node")]);
    assert_eq!(finding.case, Some(id("cold-2018-12-06T043000Z")), "where nothing could be held from before");
}

#[test]
fn a_held_connection_that_is_idle_for_a_day_and_closed_has_outlived_the_break_all_the_same() {
    let ill = Ill::RefusesNew { from: at(BROKEN), culprit: Some(embedded().fingerprint) };
    let (mut record, _) = World::new().holding([embedded()]).ill(ill).gate();
    let walk = record.cases.iter_mut().find(|case| case.case.purpose == Purpose::Walk).unwrap();
    let held = |look: &&mut Observation| look.connection == Connection::Held && look.planned > at(BROKEN);
    for look in walk.observations.iter_mut().filter(held) {
        look.seen = Seen::Absent { reason: "the service has closed the held connection".to_owned() };
    }
    let verdict = judge(&record);
    let attaches = CheckName::new("attaches").unwrap();
    assert_eq!(verdict.findings[0].checks, [(attaches.clone(), vec![Connection::Fresh])]);
    assert_eq!(verdict.findings[0].still_working, [(attaches.clone(), Connection::Held)]);

    // One that is refused has not.
    let walk = record.cases.iter_mut().find(|case| case.case.purpose == Purpose::Walk).unwrap();
    for look in walk.observations.iter_mut().filter(held) {
        let (layer, reason) = (RefusalLayer::Verifier, "expired".to_owned());
        look.seen = Seen::Refused(Refusal { layer, alert: None, reason, culprit: None });
    }
    let verdict = judge(&record);
    assert_eq!(verdict.findings[0].checks, [(attaches, vec![Connection::Fresh, Connection::Held])]);
    assert!(verdict.findings[0].still_working.is_empty());
}

#[test]
fn what_only_a_fresh_start_loses_still_works_where_processes_live_on() {
    let ill = Ill::RefusesNew { from: at(BROKEN), culprit: Some(embedded().fingerprint) };
    let (mut record, _) = World::new().holding([embedded()]).ill(ill).gate();
    for case in record.cases.iter_mut().filter(|case| case.case.purpose != Purpose::Walk) {
        for look in case.observations.iter_mut().filter(|look| look.planned >= at(BROKEN)) {
            if look.check.as_str() == "portal-answers" {
                look.seen = Seen::Absent { reason: "no session".to_owned() };
            }
        }
    }
    let finding = &judge(&record).findings[0];
    let [attaches, portal] = ["attaches", "portal-answers"].map(|check| CheckName::new(check).unwrap());
    let fresh = vec![Connection::Fresh];
    assert_eq!(finding.checks, [(attaches.clone(), fresh.clone()), (portal.clone(), fresh)]);
    assert_eq!(finding.still_working, [(attaches, Connection::Held), (portal, Connection::Fresh)]);
}

#[test]
fn of_two_credentials_that_end_together_none_is_named_without_evidence() {
    let twin = certificate(2, "CN=twin", at(END));
    let silent = Ill::Dies { from: at(BROKEN), at_start: true, watchdog: None, log: "bye" };
    let (_, verdict) = World::new().holding([embedded(), twin.clone()]).ill(silent.clone()).gate();
    let finding = &verdict.findings[0];
    assert_eq!((verdict.decision, finding.culprit, finding.evidence.len()), (Decision::Block, None, 2));
    assert!(finding.summary.contains("2 credentials change there"), "{}", finding.summary);
    // The log of the process that fell names one of them.
    let named = outage().holding([twin.clone()]).gate().1;
    assert_eq!(named.findings[0].culprit, Some(embedded().fingerprint));
    assert_eq!(named.findings[0].evidence.len(), 3);
    // One of them is the candidate's own.
    let foreign = World::new().holding([embedded(), held_by("hss", twin)]).ill(silent).gate().1;
    assert_eq!(foreign.findings[0].culprit, Some(embedded().fingerprint));
}

#[test]
fn what_a_verifier_says_of_a_credential_that_has_not_ended_is_shown_and_not_believed() {
    let late = certificate(6, "CN=stale", at("2030-01-01T00:00:00Z"));
    let ill = Ill::RefusesNew { from: at(BROKEN), culprit: Some(late.fingerprint) };
    let (_, verdict) = World::new().holding([late]).ill(ill).gate();
    let finding = &verdict.findings[0];
    assert_eq!((verdict.decision, finding.culprit), (Decision::Block, None));
    assert!(
        matches!(finding.evidence.as_slice(), [Evidence::SeenOnTheWire { .. }]),
        "{:?}",
        finding.evidence
    );
    assert!(finding.summary.ends_with("the evidence does not single out one credential"));
}

#[test]
fn what_falls_later_for_another_reason_does_not_fall_with_it() {
    let register = held_by("hss", certificate(4, "CN=hss", at("2019-06-01T00:00:00Z")));
    let world = outage().holding([register]).ill(Ill::HssRefuses { from: at("2019-06-01T00:00:01Z") });
    let (_, verdict) = world.gate();
    let checks: Vec<&str> = verdict.findings[0].checks.iter().map(|(check, _)| check.as_str()).collect();
    assert_eq!(checks, ["attaches", "portal-answers"]);
    assert_eq!(verdict.findings[0].services, [name("node"), name("portal")]);
}

#[test]
fn what_depends_on_the_first_to_break_comes_before_what_does_not() {
    let (_, verdict) = outage().ill(Ill::HssRefuses { from: at(BROKEN) }).gate();
    assert_eq!(verdict.findings[0].services, [name("node"), name("portal"), name("hss")]);
}

#[test]
fn a_build_that_broke_in_the_last_second_of_its_certificate_is_already_broken_too() {
    let ended = certificate(3, "CN=old software", at("2018-10-24T23:59:59Z"));
    let from = ended.not_after;
    let (_, verdict) =
        World::new().holding([ended]).ill(Ill::Dies { from, at_start: true, watchdog: None, log: "" }).gate();
    assert_eq!(worst(&verdict), Some(FindingCode::AlreadyBroken));
    assert_eq!(verdict.findings[0].bracket.unwrap().first_fail, from);
}

/// The control stands a day behind the start.
#[test]
fn a_date_in_the_first_day_blocks_in_its_second() {
    let dies = Ill::Dies { from: at("2018-11-01T22:40:42Z"), at_start: true, watchdog: None, log: "too old" };
    let world = || World::new().ill(dies.clone());
    let (record, verdict) = world().with(|scenario| scenario.file_times = FileTimes::Shifted).gate();
    let finding = &verdict.findings[0];
    assert_eq!((verdict.decision, verdict.findings.len()), (Decision::Block, 1), "{:#?}", verdict.findings);
    insta::assert_snapshot!(finding.summary, @"node breaks at 2018-11-01T22:40:42Z: no known credential changes there (unexplained)");
    assert!(record.cases.len() <= 32, "{}", record.cases.len());
    // Who goes by the age of files that bear the machine's time fails there as well, whatever the date.
    let (_, verdict) = world().gate();
    assert_eq!(worst(&verdict), Some(FindingCode::ControlFails));
}

/// The control has no second to stand in before it.
#[test]
fn a_certificate_whose_last_second_is_the_start_has_broken_it_already() {
    let ended = certificate(3, "CN=old software", start());
    let from = ended.not_after;
    let (_, verdict) =
        World::new().holding([ended]).ill(Ill::Dies { from, at_start: true, watchdog: None, log: "" }).gate();
    assert_eq!(worst(&verdict), Some(FindingCode::AlreadyBroken), "{:#?}", verdict.findings);
    assert_eq!(verdict.findings[0].bracket.unwrap().first_fail, from);
    assert_eq!(verdict.findings[0].culprit, Some(Fingerprint::from_bytes([3; 32])));
}

#[test]
fn a_build_that_broke_before_the_start_is_told_so() {
    let since = "2018-10-25T00:00:00Z";
    let ended = certificate(3, "CN=old software", at("2018-10-24T23:59:59Z"));
    let dies = Ill::Dies { from: at(since), at_start: true, watchdog: Some(60), log: "" };
    let (record, verdict) = World::new().holding([ended.clone(), embedded()]).ill(dies).gate();
    let finding = &verdict.findings[0];
    assert_eq!((verdict.decision, finding.code), (Decision::Block, FindingCode::AlreadyBroken));
    let bracket = finding.bracket.unwrap();
    assert_eq!((bracket.first_fail, bracket.is_exact()), (at(since), true));
    assert_eq!(finding.culprit, Some(ended.fingerprint));
    assert!(record.cases.len() <= 6, "{}", record.cases.len());
    insta::assert_snapshot!(finding.summary, @"node breaks at 2018-10-25T00:00:00Z: CN=old software ends at 2018-10-24T23:59:59Z; it is broken at the start already");
}

#[test]
fn a_control_that_fails_says_what_it_saw() {
    let (record, verdict) = World::new().ill(Ill::NeverWorks).gate();
    let finding = &verdict.findings[0];
    assert_eq!((verdict.decision, finding.code), (Decision::Inconclusive, FindingCode::ControlFails));
    insta::assert_snapshot!(finding.summary, @"node fails in control, where no boundary is crossed");
    assert_eq!(finding.seen.as_deref(), Some("nothing there: no answer in time"));
    assert_eq!(finding.location, Some(location(51)));
    assert_eq!(record.cases.len(), 1, "nothing beyond is asked");
}

#[test]
fn a_native_control_that_fails_alone_is_no_break() {
    let world =
        World::new().with(|scenario| scenario.start = Start::Now(start())).ill(Ill::Fluke { launch: 0 });
    let (_, verdict) = world.gate();
    assert_eq!(worst(&verdict), Some(FindingCode::ControlFails));
    assert!(verdict.findings[0].summary.contains("control-native"));
}

#[test]
fn an_expired_peer_that_is_let_in_blocks() {
    for from in [END, BROKEN] {
        let (_, verdict) = with_stranger().ill(Ill::RefusesStranger { from: at(from) }).gate();
        assert_eq!(verdict.decision, Decision::Allow, "refused from {from}: {:#?}", verdict.findings);
    }
    let (_, verdict) = with_stranger().gate();
    let finding = &verdict.findings[0];
    assert_eq!((verdict.decision, finding.code), (Decision::Block, FindingCode::BreaksInWindow));
    assert_eq!(finding.bracket.unwrap().first_fail, at(BROKEN));
    assert_eq!(finding.expected.as_deref(), Some("stranger is rejected, while attaches works"));
    assert_eq!(finding.seen.as_deref(), Some("the TLS handshake came about"));
    let early = Ill::RefusesStranger { from: at("2018-11-20T00:00:00Z") };
    assert_eq!(with_stranger().ill(early).gate().1.decision, Decision::Block, "refused before its end");
}

#[test]
fn a_candidate_that_goes_away_breaks_whatever_the_checks_say() {
    let deaf = || outage().with(|scenario| scenario.checks.truncate(1));
    let (_, verdict) = deaf().gate();
    let finding = &verdict.findings[0];
    assert_eq!((verdict.decision, finding.bracket.unwrap().first_fail), (Decision::Block, at(BROKEN)));
    assert_eq!(finding.services[0], name(CANDIDATE));
    assert_eq!(finding.expected.as_deref(), Some("node runs"));
    assert_eq!(finding.seen.as_deref(), Some("node ended with exit code 1"));
}

#[test]
fn what_was_seen_is_what_failed_first() {
    let ill = Ill::RefusesNew { from: at(BROKEN), culprit: Some(embedded().fingerprint) };
    let world = World::new().holding([embedded()]).ill(ill).ill(Ill::HssRefuses { from: at(END) });
    let (_, verdict) = world.gate();
    let finding = &verdict.findings[0];
    assert_eq!(finding.bracket.unwrap().first_fail, at(END));
    assert_eq!(finding.seen_at, Some(at(END)), "the candidate itself is refused one second later");
    assert_eq!(finding.expected.as_deref(), Some("registers works"));
    assert_eq!(finding.seen.as_deref(), Some("refused by the verifier: the register refuses"));
    assert_eq!(finding.location, Some(location(41)));
}

#[test]
fn a_peer_that_ended_in_the_native_control_is_named_with_its_log() {
    // The host's clock runs on while the case is looked at.
    let tamper: Tamper = |events| {
        let later = |secs| ClockReading::at(start().plus_secs(secs));
        let mut broken = Vec::new();
        for event in events.iter_mut() {
            if let Event::Observed { case, observation } = event
                && case.as_str() == "control-native"
                && observation.check.as_str() == "portal-answers"
            {
                observation.seen = Seen::Absent { reason: "connection refused".to_owned() };
                (observation.begin, observation.end) = (later(8), later(9));
                broken.push(case.clone());
            }
        }
        for case in broken {
            let end = ServiceEnd {
                service: name("hss"),
                code: Some(1),
                at: later(8),
                before_ready: false,
                reason: None,
                log_tail: "cannot read the key".to_owned(),
            };
            events.insert(events.len() - 1, Event::ServiceEnded { case, end });
        }
    };
    let now = |scenario: &mut Scenario| scenario.start = Start::Now(start());
    let (_, verdict) = World::new().with(now).tampered(tamper).gate();
    let finding = &verdict.findings[0];
    assert_eq!(finding.code, FindingCode::ControlFails);
    assert_eq!(finding.services[0], name("hss"), "{finding:#?}");
    assert_eq!(finding.log_tail.as_deref(), Some("cannot read the key"));
    insta::assert_snapshot!(finding.summary, @"hss fails in control-native, where no boundary is crossed");
}
