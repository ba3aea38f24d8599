//! What rotations have to do with a break, and what the release owes to them.

use super::finding::finding;
use super::words;
use crate::checkpoint::{checkpoints, first_failure};
use crate::{
    Bracket, CaseRecord, Evidence, Expectation, Finding, FindingCode, Fingerprint, Origin, Purpose, Rotation,
    RunRecord, Scenario, Severity, Span,
};

/// The rotation after which the first failure of `case` shows an old certificate on the wire.
pub(super) fn not_picked_up<'a>(record: &'a RunRecord, case: &CaseRecord) -> Option<&'a Rotation> {
    let scenario = &record.scenario;
    let failure = first_failure(case, scenario)?;
    let point = checkpoints(case, scenario).into_iter().find(|point| point.step == failure.step)?;
    let mut failing = point.looks.iter().filter(|look| look.met == Some(false));
    let look = failing.find(|look| {
        let span = look.check.expectation_at(look.observation.begin.second);
        span.is_some_and(|span| matches!(span.expectation, Expectation::Serves { .. }))
    })?;
    let of_check =
        |rotation: &&Rotation| rotation.served.as_ref().is_some_and(|served| served.check == look.check.name);
    scenario.rotations.iter().filter(of_check).rfind(|rotation| rotation.deadline() < Some(point.at))
}

/// Every rotation that may have to do with a break in `bracket` for which `culprit` is blamed.
pub(super) fn evidence(record: &RunRecord, bracket: Bracket, culprit: Option<Fingerprint>) -> Vec<Evidence> {
    let scenario = &record.scenario;
    let origin = culprit.and_then(|culprit| record.inventory.find(culprit)).map(|it| &it.origin);
    let blamed = match origin {
        Some(Origin::Declared(name)) => Some(name),
        Some(Origin::Embedded | Origin::Memory | Origin::Served) | None => None,
    };
    let falls =
        |at: Option<crate::UnixTime>| at.is_some_and(|at| bracket.last_pass < at && at <= bracket.first_fail);
    let concerned = |rotation: &&Rotation| {
        falls(Some(rotation.at))
            || falls(rotation.deadline().map(|at| at.plus_secs(1)))
            || blamed.is_some_and(|name| *name == rotation.replaces || *name == rotation.brings)
    };
    let found = scenario.rotations.iter().filter(concerned).map(|rotation| Evidence::Rotation {
        rotation: rotation.name.clone(),
        at: rotation.at,
        problems: scenario.problems(rotation),
    });
    found.collect()
}

/// The same in words, for a headline; none where no rotation has to do with it.
pub(super) fn because(record: &RunRecord, found: &Finding) -> Option<String> {
    let scenario = &record.scenario;
    let told = found.evidence.iter().find_map(|evidence| match evidence {
        Evidence::Rotation { rotation, problems, .. } => Some((scenario.rotation(rotation)?, problems)),
        Evidence::CausalControl { .. }
        | Evidence::Coincidence { .. }
        | Evidence::Delayed { .. }
        | Evidence::InMemory { .. }
        | Evidence::NamedInLog { .. }
        | Evidence::SeenOnTheWire { .. } => None,
    });
    let (rotation, problems) = told?;
    Some(match problems.first() {
        Some(first) => first.told(rotation),
        None if found.bracket.is_some_and(|bracket| bracket.first_fail < rotation.at) => {
            format!("rotation {} would have replaced it at {}", rotation.name, rotation.at)
        }
        None if found.culprit.is_some() => {
            format!("rotation {} of {} does not help", rotation.name, rotation.at)
        }
        None => format!("rotation {} replaces {} there", rotation.name, rotation.replaces),
    })
}

/// The headline of a rotation that was not picked up.
pub(super) fn headline(record: &RunRecord, found: &Finding, rotation: &Rotation) -> String {
    let service = rotation.served.as_ref().map_or_else(String::new, |served| served.by.to_string());
    let within = rotation.served.as_ref().map_or(0, |served| served.within.as_secs());
    let within = Span::from_secs(i64::try_from(within).unwrap_or(i64::MAX));
    let mut text = format!(
        "{service} does not show what rotation {} brought at {}, not even {within} later",
        rotation.name, rotation.at
    );
    let told = found.evidence.iter().find_map(|evidence| match evidence {
        Evidence::Rotation { rotation: name, problems, .. } if *name == rotation.name => problems.first(),
        Evidence::CausalControl { .. }
        | Evidence::Coincidence { .. }
        | Evidence::Delayed { .. }
        | Evidence::InMemory { .. }
        | Evidence::NamedInLog { .. }
        | Evidence::Rotation { .. }
        | Evidence::SeenOnTheWire { .. } => None,
    });
    if let Some(first) = told {
        text.push_str(&format!("; {}", first.told(rotation)));
    } else if let Some(end) = record.scenario.credential(&rotation.replaces).map(|old| old.x509.not_after) {
        text.push_str(&format!("; the old one ends at {end}"));
    }
    text
}

/// One note for what the release owes to rotations that a walk performed and that were seen on the wire.
pub(super) fn findings(record: &RunRecord, known: &[Finding]) -> Vec<Finding> {
    if known.iter().any(|finding| finding.severity > Severity::Note) {
        return Vec::new();
    }
    let scenario = &record.scenario;
    let walk =
        record.cases.iter().find(|case| case.case.purpose == Purpose::Walk && !case.rotated.is_empty());
    let Some(walk) = walk else { return Vec::new() };
    let owed = scenario.rotations.iter().filter(|rotation| {
        let old = scenario.credential(&rotation.replaces);
        old.is_some_and(|old| old.x509.not_after < scenario.horizon)
    });
    let Some(first) = owed.clone().next() else { return Vec::new() };
    let code = FindingCode::RotationNeeded;
    let slowest = owed.clone().filter_map(|rotation| took(walk, scenario, rotation)).max();
    let seen = match slowest {
        None => String::new(),
        Some(0) => "; each time the new certificate was on the wire at once".to_owned(),
        Some(secs) => {
            format!("; the new certificate was on the wire {} later at the latest", Span::from_secs(secs))
        }
    };
    let times = match owed.count() {
        1 => "one rotation".to_owned(),
        count => format!("{count} rotations"),
    };
    let old = scenario.credential(&first.replaces).map_or(first.at, |old| old.x509.not_after);
    let summary = format!(
        "the release lives on {times}, the first ({}) at {}, {} before what it replaces ends{seen}",
        first.name,
        first.at,
        Span::from_secs(old.secs_since(first.at))
    );
    let mut found = finding(code, Severity::Note, summary);
    found.seen_at = Some(first.at);
    found.location = Some(first.location.clone());
    found.case = Some(walk.case.id.clone());
    found.help = words::help(code).map(str::to_owned);
    vec![found]
}

/// Seconds from `rotation` to the first look that was shown what it brought.
fn took(walk: &CaseRecord, scenario: &Scenario, rotation: &Rotation) -> Option<i64> {
    let served = rotation.served.as_ref()?;
    let points = checkpoints(walk, scenario);
    let looks = points.iter().filter(|point| point.at >= rotation.at).flat_map(|point| &point.looks);
    let mut shown = looks.filter(|look| look.check.name == served.check).filter(|look| {
        let leaf = look.observation.served.first();
        leaf.is_some_and(|leaf| leaf.declared.as_ref() == Some(&rotation.brings))
    });
    shown.next().map(|look| look.observation.begin.second.secs_since(rotation.at))
}
