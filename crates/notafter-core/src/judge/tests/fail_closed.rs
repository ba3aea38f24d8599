//! What the gate did not see is never an allow, and never a block.

use super::shared::*;
use crate::refine::tests::world::*;
use crate::*;
use std::time::Duration;

/// Each row is a run in which all is well but one thing that the runner did not do or did not see. Removing the
/// rule that notices makes that row an allow.
#[test]
fn what_the_gate_did_not_see_is_never_allowed() {
    use FindingCode as Code;
    let table: [(&str, Tamper, Code); 21] = [
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
        ("time did not wait for a process", never_rests, Code::NeverIdle),
    ];
    assert_eq!(World::new().gate().1.decision, Decision::Allow);
    for (what, tamper, code) in table {
        let (_, verdict) = World::new().tampered(tamper).gate();
        assert_eq!(verdict.decision, Decision::Inconclusive, "{what}");
        assert!(codes(&verdict).contains(&(code, Severity::Inconclusive)), "{what}: {:?}", codes(&verdict));
        assert_eq!(verdict.findings.len(), 1, "{what}: {:?}", codes(&verdict));
    }
}

/// A motion of the walk gave up on a process twice.
fn never_rests(events: &mut Vec<Event>) {
    let Some(end) = events.iter().position(|e| matches!(e, Event::CaseEnded { .. }) && is_case(e, "walk"))
    else {
        return;
    };
    let restless = |pid| Restless {
        service: name("portal"),
        pid,
        process: "spin".to_owned(),
        at: ClockReading::at(start()),
    };
    let moved = Event::Moved {
        case: id("walk"),
        now: ClockReading::at(start()),
        jumps: 1,
        woken: 0,
        restless: vec![restless(2), restless(2), restless(7)],
    };
    events.insert(end, moved);
}

#[test]
fn a_process_that_time_did_not_wait_for_is_named_and_can_be_answered_for() {
    let (record, verdict) = World::new().tampered(never_rests).gate();
    let finding = &verdict.findings[0];
    assert_eq!((finding.code, &finding.case), (FindingCode::NeverIdle, &Some(id("walk"))));
    assert_eq!(finding.services, [name("portal")]);
    insta::assert_snapshot!(finding.summary, @"portal never rested: in case walk time went on from 2018-11-01T00:00:00Z without waiting for its process 2 (spin), and once more");
    assert_eq!(record.case(&id("walk")).unwrap().restless.len(), 2, "each process once");

    let code = || Waived::Code("never-idle".to_owned());
    let waived = World::new().tampered(never_rests).with(|scenario| waive(scenario, code(), 30));
    assert_eq!(waived.gate().1.decision, Decision::Allow);
    let (_, verdict) = outage().tampered(never_rests).with(|scenario| waive(scenario, code(), 30)).gate();
    assert_eq!((verdict.decision, worst(&verdict)), (Decision::Block, Some(FindingCode::BreaksInWindow)));
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
fn a_verdict_survives_its_serialised_record() {
    let (record, verdict) = outage().gate();
    let text = serde_json::to_string(&record).unwrap();
    let read: RunRecord = serde_json::from_str(&text).unwrap();
    assert_eq!(judge(&read), verdict);
}

/// A check that is refused from some day on never compared its count there, and such a look must not stand for one.
#[test]
fn a_count_that_was_compared_with_nothing_was_never_due() {
    let (record, _) = World::new().gate();
    let walk = record.cases.iter().find(|case| case.case.purpose == Purpose::Walk).unwrap();
    let look = &walk.observations[0];
    let test = Test::Rises { pattern: None, every: Duration::from_secs(3_600) };
    let assertion = Assertion::of_text(test);
    let mut check = record.scenario.check(&look.check).unwrap().clone();
    assert!(check.was_due_in(look), "nothing is counted");
    let works = Works { assertions: vec![assertion.clone()], ..Works::default() };
    check.expect[0].expectation = Expectation::Works(works);
    let read = |control: Option<&str>| {
        let reading = Reading {
            assertion: assertion.clone(),
            saw: Some("7".to_owned()),
            control: control.map(str::to_owned),
        };
        Observation { readings: vec![reading], ..look.clone() }
    };
    assert!(!check.was_due_in(look), "nothing was read");
    assert!(!check.was_due_in(&read(None)) && check.was_due_in(&read(Some("6"))));
}
