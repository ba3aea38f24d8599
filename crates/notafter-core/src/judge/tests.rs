use super::judge;
use crate::refine::world::{
    CANDIDATE, DAY, Ill, Tamper, World, at, certificate, check, held_by, location, name, start, tls,
};
use crate::*;
use std::time::Duration;

const END: &str = "2018-12-06T04:29:59Z";
const BROKEN: &str = "2018-12-06T04:30:00Z";

fn embedded() -> Credential {
    certificate(1, "CN=node software", at(END))
}

fn outage() -> World {
    let log = "starting\ncertificate CN=node software has expired, shutting down";
    let ill = Ill::Dies { from: at(BROKEN), at_start: true, watchdog: Some(3_600), log };
    World::new().holding([embedded()]).ill(ill)
}

fn id(text: &str) -> CaseId {
    CaseId::new(text).unwrap()
}

fn is_case(event: &Event, wanted: &str) -> bool {
    let case = match event {
        Event::CaseEnded { case, .. }
        | Event::Moved { case, .. }
        | Event::Observed { case, .. }
        | Event::ServiceEnded { case, .. }
        | Event::ServiceReady { case, .. }
        | Event::Witnessed { case, .. } => case,
        Event::CaseStarted { case } => &case.id,
        Event::InventoryLearnt { .. } => return false,
    };
    case.as_str() == wanted
}

fn worst(verdict: &Verdict) -> Option<FindingCode> {
    verdict.findings.first().filter(|finding| finding.severity > Severity::Note).map(|finding| finding.code)
}

fn codes(verdict: &Verdict) -> Vec<(FindingCode, Severity)> {
    verdict.findings.iter().map(|finding| (finding.code, finding.severity)).collect()
}

fn fail_with(events: &mut [Event], case: &str, why: CaseError) {
    for event in events {
        if let Event::CaseEnded { case: ended, outcome, error, .. } = event
            && ended.as_str() == case
        {
            *outcome = Outcome::Error;
            *error = Some(why.clone());
        }
    }
}

/// Each row is a run in which all is well but one thing that the runner did not do or did not see. Removing the
/// rule that notices makes that row an allow.
#[test]
fn what_the_gate_did_not_see_is_never_allowed() {
    use FindingCode as Code;
    let table: [(&str, Tamper, Code); 20] = [
        (
            "no witness for one service in the walk",
            |events| {
                events.retain(|e| !matches!(e, Event::Witnessed { case, witness } if case.as_str() == "walk" && witness.service.as_str() == "portal"))
            },
            Code::Unshifted,
        ),
        (
            "no witness in control",
            |events| events.retain(|e| !(matches!(e, Event::Witnessed { .. }) && is_case(e, "control"))),
            Code::Unshifted,
        ),
        (
            "a gap that the back end reports",
            |events| {
                let (service, reason) = (name("hss"), "pid 7 made a call".to_owned());
                fail_with(events, "cold", CaseError::Unshifted { service, pid: Some(7), reason });
            },
            Code::Unshifted,
        ),
        (
            "the budget is spent",
            |events| fail_with(events, "walk", CaseError::BudgetExceeded { budget: Duration::from_secs(9) }),
            Code::BudgetExceeded,
        ),
        ("told to stop", |events| fail_with(events, "walk", CaseError::Interrupted), Code::Interrupted),
        (
            "the harness fails",
            |events| fail_with(events, "cold", CaseError::Harness { message: "no space left".to_owned() }),
            Code::HarnessError,
        ),
        (
            "an error without a reason",
            |events| {
                for event in events {
                    if let Event::CaseEnded { outcome, .. } = event {
                        *outcome = Outcome::Error;
                    }
                }
            },
            Code::HarnessError,
        ),
        (
            "a case is skipped",
            |events| {
                for event in events {
                    if let Event::CaseEnded { case, outcome, .. } = event
                        && case.as_str() == "cold"
                    {
                        *outcome = Outcome::Skip;
                    }
                }
            },
            Code::PlanIncomplete,
        ),
        (
            "a case never ends",
            |events| events.retain(|e| !(matches!(e, Event::CaseEnded { .. }) && is_case(e, "walk"))),
            Code::PlanIncomplete,
        ),
        (
            "one look of the walk was not made",
            |events| {
                let missing = events.iter().rposition(|e| matches!(e, Event::Observed { observation, .. } if observation.connection == Connection::Held && is_case(e, "walk")));
                if let Some(index) = missing {
                    events.remove(index);
                }
            },
            Code::PlanIncomplete,
        ),
        (
            "a case saw nothing at all",
            |events| events.retain(|e| !(matches!(e, Event::Observed { .. }) && is_case(e, "cold"))),
            Code::PlanIncomplete,
        ),
        (
            "a look ended in another second than planned",
            |events| {
                for event in events {
                    if let Event::Observed { case, observation } = event
                        && case.as_str() == "cold"
                    {
                        observation.end = ClockReading::at(observation.end.second.plus_secs(1));
                    }
                }
            },
            Code::PlanIncomplete,
        ),
        (
            "said to have failed, and nothing shows it",
            |events| {
                for event in events {
                    if let Event::CaseEnded { case, outcome, .. } = event
                        && case.as_str() == "walk"
                    {
                        *outcome = Outcome::Fail;
                    }
                }
            },
            Code::HarnessError,
        ),
        (
            "a service was not reported ready after a restart",
            |events| {
                let ready = events
                    .iter()
                    .rposition(|e| matches!(e, Event::ServiceReady { .. }) && is_case(e, "walk"));
                if let Some(index) = ready {
                    events.remove(index);
                }
            },
            Code::HarnessError,
        ),
        (
            "the walk ends before the horizon",
            |events| {
                for event in &mut *events {
                    if let Event::CaseStarted { case } = event
                        && case.id.as_str() == "walk"
                    {
                        case.steps.truncate(1);
                    }
                }
                events.retain(|e| !matches!(e, Event::Observed { case, observation } if case.as_str() == "walk" && observation.step > 0));
                events.retain(|e| !matches!(e, Event::ServiceReady { case, at, .. } if case.as_str() == "walk" && at.second > start()));
            },
            Code::PlanIncomplete,
        ),
        (
            "the walk never reaches the horizon",
            |events| {
                let early = start().plus_secs(300 * DAY);
                for event in events {
                    match event {
                        Event::CaseStarted { case } if case.id.as_str() == "walk" => {
                            case.steps[1] = Step::Move { motion: Motion::Elapse(Pace::Leap), to: early };
                        }
                        Event::Observed { case, observation }
                            if case.as_str() == "walk" && observation.step > 1 =>
                        {
                            observation.begin = ClockReading::at(early);
                            observation.end = ClockReading::at(early);
                        }
                        _ => {}
                    }
                }
            },
            Code::PlanIncomplete,
        ),
        (
            "not everything is restarted at the horizon",
            |events| {
                for event in events {
                    if let Event::CaseStarted { case } = event
                        && case.id.as_str() == "walk"
                    {
                        case.steps[3] = Step::Restart { services: vec![name("portal")] };
                    }
                }
            },
            Code::PlanIncomplete,
        ),
        (
            "a checkpoint of the walk leaves checks out",
            |events| {
                for event in events {
                    if let Event::CaseStarted { case } = event
                        && case.id.as_str() == "walk"
                        && let Step::Check { checks } = &mut case.steps[2]
                    {
                        checks.truncate(1);
                    }
                }
            },
            Code::PlanIncomplete,
        ),
        (
            "the control stands far beyond the start",
            |events| {
                let late = start().plus_secs(300 * DAY);
                for event in events {
                    match event {
                        Event::CaseStarted { case } if case.id.as_str() == "control" => {
                            case.clock = CaseClock::Shifted(late);
                        }
                        Event::Observed { case, observation } if case.as_str() == "control" => {
                            observation.begin = ClockReading::at(late);
                            observation.end = ClockReading::at(late);
                        }
                        _ => {}
                    }
                }
            },
            Code::PlanIncomplete,
        ),
        (
            "the start at the horizon was made elsewhere",
            |events| {
                for event in events {
                    match event {
                        Event::CaseStarted { case } if case.id.as_str() == "cold" => {
                            case.clock = CaseClock::Shifted(start())
                        }
                        Event::Observed { case, observation } if case.as_str() == "cold" => {
                            observation.begin = ClockReading::at(start());
                            observation.end = ClockReading::at(start());
                        }
                        _ => {}
                    }
                }
            },
            Code::PlanIncomplete,
        ),
    ];
    assert_eq!(World::new().gate().1.decision, Decision::Allow);
    for (what, tamper, code) in table {
        let (_, verdict) = World::new().tampered(tamper).gate();
        assert_eq!(verdict.decision, Decision::Inconclusive, "{what}");
        assert!(codes(&verdict).contains(&(code, Severity::Inconclusive)), "{what}: {:?}", codes(&verdict));
        assert_eq!(verdict.findings.len(), 1, "{what}: {:?}", codes(&verdict));
    }
}

#[test]
fn every_case_of_a_record_is_needed() {
    for world in [World::new(), outage()] {
        let (record, _) = world.gate();
        for index in 0..record.cases.len() {
            let mut cut = record.clone();
            let gone = cut.cases.remove(index).case.id;
            let verdict = judge(&cut);
            assert_eq!(verdict.decision, Decision::Inconclusive, "without {gone}");
            assert!(codes(&verdict).iter().any(|(code, _)| *code == FindingCode::PlanIncomplete));
        }
    }
    let empty = RunRecord::new(World::new().scenario, start());
    assert_eq!(worst(&judge(&empty)), Some(FindingCode::PlanIncomplete));
}

#[test]
fn a_case_that_is_there_twice_hides_nothing() {
    let (mut record, _) = World::new().gate();
    record.cases.push(record.cases[0].clone());
    assert_eq!(worst(&judge(&record)), Some(FindingCode::PlanIncomplete));
}

#[test]
fn a_scenario_that_asks_for_nothing_is_never_allowed() {
    let (_, verdict) = World::new().with(|scenario| scenario.checks.clear()).gate();
    assert_eq!(verdict.decision, Decision::Inconclusive);
    assert_eq!(worst(&verdict), Some(FindingCode::NothingChecked));
    let (_, verdict) = World::new().with(|scenario| scenario.checks[0].connections.clear()).gate();
    assert_eq!(worst(&verdict), Some(FindingCode::NothingChecked));
    let (_, verdict) = World::new().with(|scenario| scenario.candidate.service = name("other")).gate();
    assert_eq!(worst(&verdict), Some(FindingCode::NothingChecked));
}

#[test]
fn a_break_blocks_only_when_every_case_behind_it_may_be_believed() {
    let (record, verdict) = outage().gate();
    assert_eq!(verdict.decision, Decision::Block);
    let shown = verdict.findings[0].case.clone().unwrap();
    for case in [id("control"), shown.clone(), id(&format!("{shown}-again"))] {
        let mut doubtful = record.clone();
        let found = doubtful.cases.iter_mut().find(|found| found.case.id == case).unwrap();
        found.witnesses.clear();
        let verdict = judge(&doubtful);
        assert_eq!(verdict.decision, Decision::Inconclusive, "{case}");
        assert!(codes(&verdict).iter().any(|(code, _)| *code == FindingCode::Unshifted), "{case}");
    }
}

#[test]
fn a_process_that_died_needs_a_witness_too() {
    let (mut record, verdict) = outage().gate();
    let shown = verdict.findings[0].case.clone().unwrap();
    let found = record.cases.iter_mut().find(|found| found.case.id == shown).unwrap();
    found.witnesses.retain(|witness| witness.service.as_str() != CANDIDATE);
    let verdict = judge(&record);
    assert_eq!(verdict.decision, Decision::Inconclusive);
    assert!(codes(&verdict).contains(&(FindingCode::Unshifted, Severity::Inconclusive)));
}

#[test]
fn a_command_in_a_service_without_a_process_needs_a_witness() {
    let idle = || {
        World::new().with(|scenario| {
            scenario.services[2].image = Some(ImageRef::Host);
            let service = name("portal");
            scenario.checks[2].probe = Probe::Exec { service, command: vec!["true".to_owned()] };
        })
    };
    assert_eq!(idle().gate().1.decision, Decision::Allow);
    let blind: Tamper = |events| {
        events.retain(
            |e| !matches!(e, Event::Witnessed { witness, .. } if witness.service.as_str() == "portal"),
        );
    };
    assert_eq!(worst(&idle().tampered(blind).gate().1), Some(FindingCode::Unshifted));
    let unused = idle().with(|scenario| scenario.checks.truncate(2)).tampered(blind);
    assert_eq!(unused.gate().1.decision, Decision::Allow, "where nothing runs there is nothing to prove");
}

#[test]
fn the_native_control_may_not_be_skipped_where_it_can_run() {
    let skips: Tamper = |events| {
        for event in events {
            if let Event::CaseEnded { case, outcome, .. } = event
                && case.as_str() == "control-native"
            {
                *outcome = Outcome::Skip;
            }
        }
    };
    let world = World::new().with(|scenario| scenario.start = Start::Now(start())).tampered(skips);
    assert_eq!(worst(&world.gate().1), Some(FindingCode::PlanIncomplete));
}

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
fn what_the_observations_show_outranks_what_the_runner_says() {
    let (mut record, _) = outage().gate();
    record.cases.iter_mut().for_each(|case| case.outcome = Some(Outcome::Pass));
    assert_eq!(judge(&record).decision, Decision::Block);
}

#[test]
fn a_failure_that_does_not_come_back_is_flaky() {
    let (mut record, _) = outage().gate();
    let shown = judge(&record).findings[0].case.clone().unwrap();
    let passing = record.case(&id("control")).unwrap().clone();
    let again =
        record.cases.iter_mut().find(|case| case.case.id.as_str() == format!("{shown}-again")).unwrap();
    let at = match again.case.clock {
        CaseClock::Shifted(at) => ClockReading::at(at),
        CaseClock::Native => unreachable!("repeats of shifted cases are shifted"),
    };
    again.outcome = Some(Outcome::Pass);
    again.ends.clear();
    again.witnesses = passing.witnesses.clone();
    again.ready = passing.ready.iter().map(|(service, _)| (service.clone(), at)).collect();
    again.observations = passing
        .observations
        .into_iter()
        .map(|observation| Observation { begin: at, end: at, planned: at.second, ..observation })
        .collect();
    let verdict = judge(&record);
    assert_eq!((verdict.decision, worst(&verdict)), (Decision::Inconclusive, Some(FindingCode::Flaky)));
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
    assert_eq!(finding.seen.as_deref(), Some("nothing there: connection refused"));
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

fn declared(text: &str, seed: u8, not_after: UnixTime) -> (CredentialSpec, Credential) {
    let subject = format!("CN={text}");
    let name = CredentialName::new(text).unwrap();
    let mut credential = certificate(seed, &subject, not_after);
    credential.origin = Origin::Declared(name.clone());
    credential.places.clear();
    let x509 = GeneratedX509 {
        subject,
        issuer: X509Issuer::SelfSigned,
        dns: Vec::new(),
        ip: Vec::new(),
        usage: vec![KeyUsage::Server],
        key: KeyAlgorithm::P256,
        not_before: credential.not_before,
        not_after,
    };
    (CredentialSpec { name, x509, location: location(5) }, credential)
}

/// `site` is declared, ends in the window, and is mounted into `service`.
fn mounted(service: Option<&str>) -> World {
    let (spec, credential) = declared("site", 7, at("2019-06-01T00:00:00Z"));
    World::new().holding([credential]).with(|scenario| {
        for known in scenario.services.iter_mut().filter(|known| Some(known.name.as_str()) == service) {
            known.files.push(MountedFile {
                path: "/tls.pem".to_owned(),
                source: MountedSource::Chain(spec.name.clone()),
                mode: 0o644,
                folder: None,
                location: location(6),
            });
        }
        scenario.credentials.push(spec);
    })
}

#[test]
fn a_declared_credential_that_no_check_meets_is_inconclusive() {
    let (_, verdict) = mounted(None).gate();
    assert_eq!(
        (verdict.decision, worst(&verdict)),
        (Decision::Inconclusive, Some(FindingCode::CredentialNotCrossed))
    );
    insta::assert_snapshot!(verdict.findings[0].summary, @"no check lived through the validity of site (CN=site), which ends at 2019-06-01T00:00:00Z");
    for service in ["hss", "node", "portal"] {
        assert_eq!(mounted(Some(service)).gate().1.decision, Decision::Allow, "{service}");
    }
    let blind = mounted(Some("portal")).with(|scenario| scenario.checks.truncate(2));
    assert_eq!(
        worst(&blind.gate().1),
        Some(FindingCode::CredentialNotCrossed),
        "no check reaches the portal"
    );
    let waived = mounted(None)
        .with(|scenario| waive(scenario, Waived::Fingerprint(Fingerprint::from_bytes([7; 32])), 30));
    assert_eq!(waived.gate().1.decision, Decision::Allow);
}

#[test]
fn an_issuer_is_met_where_what_it_issued_is() {
    let (root, credential) = declared("root", 8, at("2019-06-01T00:00:00Z"));
    let world = mounted(Some("hss")).holding([credential]).with(|scenario| {
        scenario.credentials[0].x509.issuer = X509Issuer::IssuedBy(root.name.clone());
        scenario.credentials.push(root);
    });
    assert_eq!(world.gate().1.decision, Decision::Allow);
}

#[test]
fn a_served_credential_behind_a_waived_break_is_not_crossed() {
    let mut served = certificate(9, "CN=served", at("2019-06-01T00:00:00Z"));
    served.origin = Origin::Served;
    served.places.clear();
    let world = outage().ill(Ill::Serves { credential: served }).with(|scenario| {
        waive(scenario, Waived::Fingerprint(embedded().fingerprint), 30);
    });
    assert_eq!(worst(&world.gate().1), Some(FindingCode::CredentialNotCrossed));
}

#[test]
fn a_client_certificate_is_met_by_the_check_that_shows_it() {
    let world = mounted(None).with(|scenario| {
        let Probe::Tls { terms, .. } = &mut scenario.checks[0].probe else { panic!("checks here are TLS") };
        terms.identity = Some(CredentialName::new("site").unwrap());
    });
    assert_eq!(world.gate().1.decision, Decision::Allow);
}

fn waive(scenario: &mut Scenario, waives: Waived, days: i64) {
    scenario.policy.waivers.push(Waiver {
        waives,
        owner: "ops".to_owned(),
        reason: "known".to_owned(),
        until: start().plus_secs(days * DAY),
        location: location(90),
    });
}

#[test]
fn waivers_let_pass_what_they_name_and_no_more() {
    let code = |text: &str| Waived::Code(text.to_owned());
    let own = Waived::Fingerprint(embedded().fingerprint);
    let other = Waived::Fingerprint(Fingerprint::from_bytes([9; 32]));
    let table: [(Waived, i64, Decision, Option<FindingCode>); 6] = [
        (code("breaks-in-window"), 30, Decision::Allow, None),
        (code("breaks-in-window"), 0, Decision::Allow, None),
        (own, 30, Decision::Allow, None),
        (other, 30, Decision::Block, Some(FindingCode::BreaksInWindow)),
        (code("flaky"), 30, Decision::Block, Some(FindingCode::BreaksInWindow)),
        (code("breaks-in-window"), -1, Decision::Block, Some(FindingCode::BreaksInWindow)),
    ];
    for (waives, days, decision, expected) in table {
        let (_, verdict) = outage().with(|scenario| waive(scenario, waives.clone(), days)).gate();
        assert_eq!((verdict.decision, worst(&verdict)), (decision, expected), "{waives:?} for {days} days");
        if decision == Decision::Allow {
            assert!(verdict.findings[0].waived.as_ref().unwrap().starts_with("ops until"));
        }
    }
    let (_, verdict) = World::new().with(|scenario| waive(scenario, code("flaky"), -1)).gate();
    assert_eq!((verdict.decision, worst(&verdict)), (Decision::Block, Some(FindingCode::WaiverExpired)));
    assert_eq!(verdict.findings[0].location, Some(location(90)));
}

#[test]
fn nobody_can_answer_for_what_the_gate_did_not_see() {
    for code in ["unshifted", "plan-incomplete", "harness-error", "control-fails", "already-broken"] {
        let broken = World::new()
            .ill(Ill::NeverWorks)
            .with(|scenario| waive(scenario, Waived::Code(code.to_owned()), 30));
        assert_ne!(broken.gate().1.decision, Decision::Allow, "{code}");
        let blind: Tamper = |events| events.retain(|event| !matches!(event, Event::Witnessed { .. }));
        let unseen = World::new().tampered(blind).with(|s| waive(s, Waived::Code(code.to_owned()), 30));
        assert_ne!(unseen.gate().1.decision, Decision::Allow, "{code}");
    }
}

#[test]
fn a_waived_break_does_not_hide_what_lies_behind_it() {
    let (spec, credential) = declared("site", 7, at("2019-06-01T00:00:00Z"));
    let world = outage().holding([credential]).with(|scenario| {
        let source = MountedSource::Chain(spec.name.clone());
        let file =
            MountedFile { path: "/t".to_owned(), source, mode: 0o644, folder: None, location: location(6) };
        scenario.services[1].files.push(file);
        scenario.credentials.push(spec);
        waive(scenario, Waived::Fingerprint(embedded().fingerprint), 30);
    });
    let (_, verdict) = world.gate();
    assert_eq!(
        (verdict.decision, worst(&verdict)),
        (Decision::Inconclusive, Some(FindingCode::CredentialNotCrossed))
    );
}

#[test]
fn coverage_is_counted_and_policy_may_demand_it() {
    let unreached = held_by("lonely", certificate(8, "CN=lonely", at("2019-03-01T00:00:00Z")));
    let world = || World::new().holding([embedded(), unreached.clone()]);
    let (_, verdict) = world().gate();
    assert_eq!(
        (verdict.decision, verdict.coverage.exercised(), verdict.coverage.entries.len()),
        (Decision::Allow, 1, 2)
    );
    assert_eq!(verdict.coverage.entries[1].touch, Touch::Never);
    let demanding = |share| world().with(|scenario| scenario.policy.require_coverage = Some(share)).gate().1;
    assert_eq!(demanding(50).decision, Decision::Allow);
    assert_eq!(worst(&demanding(51)), Some(FindingCode::CoverageBelowPolicy));
    assert_eq!(demanding(51).decision, Decision::Inconclusive);
}

#[test]
fn a_certificate_that_ends_unused_is_what_policy_says() {
    let mut anchor = certificate(5, "CN=an old root", at("2019-01-01T00:00:00Z"));
    anchor.ca = true;
    anchor.places[0].container = Container::Pem;
    let judged = |policy| {
        let world = World::new().holding([
            embedded(),
            anchor.clone(),
            certificate(6, "CN=late", at("2021-01-01T00:00:00Z")),
        ]);
        let (_, verdict) = world.with(|scenario| scenario.policy.present_but_unused = policy).gate();
        (verdict.decision, codes(&verdict))
    };
    let code = FindingCode::ExpiredEmbeddedCredential;
    assert_eq!(judged(PresentButUnused::Warn), (Decision::Allow, vec![(code, Severity::Note)]));
    assert_eq!(judged(PresentButUnused::Ignore), (Decision::Allow, vec![]));
    assert_eq!(judged(PresentButUnused::Block), (Decision::Block, vec![(code, Severity::Block)]));
}

#[test]
fn an_allow_names_the_nearest_edge_beyond_the_horizon() {
    let horizon = World::new().scenario.horizon;
    for (ends, next) in [
        (horizon.plus_secs(-1), None),
        (horizon, Some(horizon)),
        (horizon.plus_secs(DAY), Some(horizon.plus_secs(DAY))),
    ] {
        let (_, verdict) = World::new().holding([certificate(1, "CN=node", ends)]).gate();
        assert_eq!(verdict.next_edge.map(|edge| edge.at), next);
    }
}

/// A peer's certificate ends; the candidate must refuse it from then on, and not the others.
fn with_stranger() -> World {
    World::new().holding([held_by("stranger", embedded())]).with(|scenario| {
        let mut stranger = check("stranger", tls("stranger"), &[Connection::Fresh], 70);
        let rejected = Expectation::Rejected { control: CheckName::new("attaches").unwrap() };
        let works = Expectation::Works(Works::default());
        let span = |after, through, expectation| ExpectedSpan {
            after,
            through,
            expectation,
            location: location(71),
        };
        stranger.expect = vec![span(None, Some(at(END)), works), span(Some(at(END)), None, rejected)];
        scenario.checks.push(stranger);
    })
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
fn a_look_that_straddles_a_change_of_expectation_decides_nothing() {
    let straddles: Tamper = |events| {
        for event in events {
            if let Event::Observed { case, observation } = event
                && case.as_str() == "walk"
                && observation.check.as_str() == "stranger"
                && observation.begin.second == at(END)
            {
                observation.end = ClockReading::at(at(BROKEN));
            }
        }
    };
    let (_, verdict) =
        with_stranger().ill(Ill::RefusesStranger { from: at(BROKEN) }).tampered(straddles).gate();
    assert_eq!(
        (verdict.decision, worst(&verdict)),
        (Decision::Inconclusive, Some(FindingCode::PlanIncomplete))
    );
    assert!(verdict.findings[0].summary.contains("decides nothing"));
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
fn a_verdict_survives_its_serialised_record() {
    let (record, verdict) = outage().gate();
    let text = serde_json::to_string(&record).unwrap();
    let read: RunRecord = serde_json::from_str(&text).unwrap();
    assert_eq!(judge(&read), verdict);
}
