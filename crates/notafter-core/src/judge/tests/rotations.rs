//! Rotations: performed at their second or no allow, and no excuse for an end that nobody saw replaced.

use super::shared::*;
use crate::refine::tests::world::*;
use crate::*;
use std::time::Duration;

/// `site`, mounted into the candidate, gives way to `next` in spring.
fn rotated(served: Option<Served>) -> World {
    let (next, credential) = declared("next", 8, at("2021-06-01T00:00:00Z"));
    mounted(Some(CANDIDATE)).holding([credential]).with(|scenario| {
        scenario.credentials.push(next);
        scenario.rotations.push(Rotation {
            name: RotationName::new("renewal").unwrap(),
            at: at("2019-05-01T00:00:00Z"),
            credential: CredentialName::new("site").unwrap(),
            replaces: CredentialName::new("site").unwrap(),
            brings: CredentialName::new("next").unwrap(),
            replacement: Replacement::Rename,
            files: Vec::new(),
            then: None,
            served,
            location: location(80),
        });
    })
}

fn on_the_wire() -> Option<Served> {
    let check = CheckName::new("attaches").unwrap();
    Some(Served { check, by: name(CANDIDATE), within: Duration::from_secs(30), without_restart: true })
}

#[test]
fn a_walk_stops_short_of_a_rotation_performs_it_and_looks() {
    let (record, verdict) = rotated(on_the_wire()).gate();
    assert_eq!(verdict.decision, Decision::Allow, "{:#?}", verdict.findings);
    let walk = record.cases.iter().find(|case| case.case.id.as_str() == "walk").unwrap();
    let steps = &walk.case.steps;
    let performs = steps.iter().position(|step| matches!(step, Step::Rotate { .. })).unwrap();
    let looks = |index: usize| matches!(steps[index], Step::Check { .. });
    let moves = |index: usize| match &steps[index] {
        Step::Move { to, .. } => to.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(moves(performs - 3), "2019-04-30T23:59:59Z");
    assert_eq!(moves(performs - 1), "2019-05-01T00:00:00Z");
    assert!(looks(performs - 2) && looks(performs + 1));
    let needed = verdict.findings.iter().find(|finding| finding.code == FindingCode::RotationNeeded).unwrap();
    assert_eq!(needed.severity, Severity::Note);
    let restarts = steps.iter().filter(|step| matches!(step, Step::Restart { .. })).count();
    assert_eq!(
        restarts, 1,
        "only at the end of the window: one before would hide that old material is in use"
    );
}

#[test]
fn what_a_rotation_replaced_is_excused_only_where_the_wire_is_looked_at() {
    let blind = |world: World| {
        world.with(|scenario| {
            for check in &mut scenario.checks {
                check.probe = Probe::Alive { service: name(CANDIDATE) };
                check.connections = vec![Connection::Fresh];
            }
        })
    };
    let (_, verdict) = blind(rotated(on_the_wire())).gate();
    assert_eq!(verdict.decision, Decision::Allow, "{:#?}", verdict.findings);
    let (_, verdict) = blind(rotated(None)).gate();
    assert_eq!(worst(&verdict), Some(FindingCode::CredentialNotCrossed), "{:#?}", verdict.findings);
}

#[test]
fn a_rotation_that_was_not_performed_or_failed_is_no_allow() {
    let forgotten: Tamper = |events| events.retain(|event| !matches!(event, Event::Rotated { .. }));
    let late: Tamper = |events| {
        for event in events {
            if let Event::Rotated { rotated, .. } = event {
                rotated.at = ClockReading::at(rotated.at.second.plus_secs(1));
            }
        }
    };
    for tamper in [forgotten, late] {
        let (_, verdict) = rotated(on_the_wire()).tampered(tamper).gate();
        assert_eq!(worst(&verdict), Some(FindingCode::PlanIncomplete), "{:#?}", verdict.findings);
    }
    let unplanned: Tamper = |events| {
        events.retain(|event| !matches!(event, Event::Rotated { .. }));
        for event in events {
            if let Event::CaseStarted { case } = event {
                case.steps.retain(|step| !matches!(step, Step::Rotate { .. }));
            }
        }
    };
    let (_, verdict) = rotated(on_the_wire()).tampered(unplanned).gate();
    assert_ne!(verdict.decision, Decision::Allow, "{:#?}", verdict.findings);
    let failed: Tamper = |events| {
        for event in events {
            if let Event::Rotated { rotated, .. } = event {
                rotated.failed = Some("`reload` exited with 1".to_owned());
            }
        }
    };
    let (_, verdict) = rotated(on_the_wire()).tampered(failed).gate();
    assert_eq!(verdict.decision, Decision::Block, "{:#?}", verdict.findings);
    assert!(verdict.findings[0].seen.as_ref().is_some_and(|seen| seen.contains("exited with 1")));
}
