//! Findings about the release: what breaks, when, and because of what.

use super::blast::{describe, tell_end};
use super::finding::finding;
use super::{control, rotation, words};
use crate::attribute::{self, attribute, in_memory};
use crate::checkpoint::{checkpoints, first_failure, last_instant};
use crate::refine::{ColdBreak, Investigation, MotionBreak, Repeat};
use crate::{
    Bracket, CaseClock, CaseId, CaseRecord, Credential, CredentialKind, Edge, EdgeKind, Evidence, Finding,
    FindingCode, Origin, Outcome, Purpose, RunRecord, Seen, ServiceName, Severity, Span, UnixTime, memory,
};

/// Everything that the cases show of a release that fails.
pub(super) fn findings(record: &RunRecord, investigation: &Investigation) -> Vec<Finding> {
    if let Some(control) = &investigation.control_failure {
        return of_control(record, control, investigation).into_iter().collect();
    }
    let motion = investigation.motion.as_ref().and_then(|found| of_motion(record, found, investigation));
    let cold = investigation.cold.as_ref().and_then(|found| of_cold(record, found, investigation));
    let skewed = investigation.skewed.iter().filter_map(|id| of_skew(record, id));
    motion.into_iter().chain(cold).chain(skewed).collect()
}

/// What fails where nothing has changed but that one clock is a little off.
fn of_skew(record: &RunRecord, id: &CaseId) -> Option<Finding> {
    let case = record.case(id)?;
    let ahead = case.case.purpose.skew()?;
    let code = FindingCode::SkewIntolerant;
    let mut found = finding(code, Severity::Note, String::new());
    describe(record, &mut found, case, None);
    let (candidate, minutes) = (&record.scenario.candidate.service, ahead.abs() / 60);
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    let names: Vec<&str> = found.checks.iter().map(|(name, _)| name.as_str()).collect();
    let what = if names.is_empty() { "a service".to_owned() } else { names.join(", ") };
    found.summary = format!("{what} fails where the clock of {candidate} is {minutes} min {way} all others");
    found.help = words::help(code).map(str::to_owned);
    Some(found)
}

fn of_control(record: &RunRecord, control: &CaseId, investigation: &Investigation) -> Option<Finding> {
    match &investigation.past {
        Some(past) if past.repeat == Repeat::Failed => {
            let shown = Shown::new(record, past.last_pass, past.first_fail, &past.case)?;
            let mut found = shown.finding(record, FindingCode::AlreadyBroken);
            control::apply(record, investigation, &mut found, &past.case);
            found.summary =
                format!("{}; {}", shown.headline(record, &found), "it is broken at the start already");
            return Some(found);
        }
        Some(past) if past.repeat == Repeat::Passed => return flaky(record, &past.case),
        Some(_) | None => {}
    }
    let case = record.case(control)?;
    match investigation.fails_open {
        Some(Repeat::Failed) => return Some(of_fail_open(record, case)),
        Some(Repeat::Passed) => return flaky(record, control),
        Some(Repeat::Unknown) | None => {}
    }
    let code = FindingCode::ControlFails;
    let mut found = finding(code, Severity::Inconclusive, String::new());
    describe(record, &mut found, case, None);
    let what = found.services.first().map_or_else(|| "a check".to_owned(), ToString::to_string);
    let start = record.scenario.start.instant();
    let is_later = first_failure(case, &record.scenario).is_some_and(|failure| failure.at > start);
    found.summary = match case.case.purpose {
        Purpose::Stale { .. } => {
            format!("{what} neither lets in nor refuses in {control}, with a revocation list that has ended")
        }
        Purpose::Walk if is_later => format!(
            "{what} fails within minutes of each start, at the start of the window too, and works when it was started anew"
        ),
        Purpose::Walk => format!("{what} fails at the start of the window and works a little later"),
        _ => format!("{what} fails in {control}, where no boundary is crossed"),
    };
    if investigation.untried > 0 {
        let untried = investigation.untried;
        found.summary +=
            &format!("; whether it worked before {untried} more of the ends before it was not tried");
    }
    if let Some(service) = not_waited_for(record, case) {
        found.help = Some(words::not_waited_for(service));
        return Some(found);
    }
    found.help = match case.case.clock {
        CaseClock::Shifted(_) if works_natively(record) => {
            Some(words::works_natively(record.scenario.file_times).to_owned())
        }
        CaseClock::Native | CaseClock::Shifted(_) => words::help(code).map(str::to_owned),
    };
    Some(found)
}

/// The service at which nothing was there, though it lived on, and whose scenario does not say when it is ready.
fn not_waited_for<'a>(record: &'a RunRecord, case: &CaseRecord) -> Option<&'a ServiceName> {
    let scenario = &record.scenario;
    let points = checkpoints(case, scenario);
    let failing = points.iter().flat_map(|point| &point.looks).find(|look| look.met == Some(false))?;
    let target = scenario.services.iter().find(|it| it.name.as_str() == failing.target())?;
    let is_absent = matches!(failing.observation.seen, Seen::Absent { .. });
    (is_absent && target.ready.is_none() && case.ends.is_empty()).then_some(&target.name)
}

/// Whether all works on the machine's own clock.
fn works_natively(record: &RunRecord) -> bool {
    let mut native = record.cases.iter().filter(|case| case.case.clock == CaseClock::Native);
    native.any(|case| case.outcome == Some(Outcome::Pass))
}

fn of_fail_open(record: &RunRecord, case: &CaseRecord) -> Finding {
    let code = FindingCode::FailOpen;
    let mut found = finding(code, Severity::Block, String::new());
    describe(record, &mut found, case, None);
    let what = found.services.first().map_or_else(|| "a check".to_owned(), ToString::to_string);
    let names: Vec<&str> = found.checks.iter().map(|(name, _)| name.as_str()).collect();
    found.summary = format!("{what} lets in whom it must refuse: {}", names.join(", "));
    found.help = words::help(code).map(str::to_owned);
    found
}

fn of_cold(record: &RunRecord, cold: &ColdBreak, investigation: &Investigation) -> Option<Finding> {
    match cold.repeat {
        Repeat::Failed => {}
        Repeat::Passed => return flaky(record, &cold.case),
        Repeat::Unknown => return None,
    }
    let shown = Shown::new(record, cold.last_pass, cold.first_fail, &cold.case)?;
    let mut found = shown.finding(record, FindingCode::BreaksInWindow);
    control::apply(record, investigation, &mut found, &cold.case);
    found.summary = shown.headline(record, &found);
    let mut walks = record.cases.iter().filter(|case| is_whole_walk(record, case)).peekable();
    if walks.peek().is_some() && !walks.any(|case| is_failing_walk(record, case)) {
        found.summary += "; only a fresh start shows it";
    }
    Some(found)
}

/// A failure that fresh starts do not show blocks where state or an edge explains it; else the motion itself may be
/// what the service cannot bear.
fn of_motion(record: &RunRecord, motion: &MotionBreak, investigation: &Investigation) -> Option<Finding> {
    match motion.repeat {
        Repeat::Failed => {}
        Repeat::Passed => return flaky(record, &motion.walk),
        Repeat::Unknown => return None,
    }
    let shown = Shown::new(record, motion.last_pass, motion.first_fail, &motion.case)?;
    if let Some(rotation) = rotation::not_picked_up(record, shown.case) {
        let mut found = shown.finding(record, FindingCode::RotationNotPickedUp);
        found.summary = rotation::headline(record, &found, rotation);
        return Some(found);
    }
    if motion.is_break(record) {
        let mut found = shown.finding(record, FindingCode::BreaksInWindow);
        if let Some(edge) = motion.behind {
            blame_delayed(record, shown.case, &mut found, edge);
        }
        control::apply(record, investigation, &mut found, &motion.case);
        if let Some(crash) = &motion.crash {
            tell_end(&mut found, crash, &record.scenario);
            found.services = vec![crash.service.clone()];
            found.case = Some(motion.case.clone());
            found.log_tail = Some(crash.log_tail.clone()).filter(|tail| !tail.is_empty());
        }
        let edge = put_off_from(&found)
            .or(motion.behind.filter(|_| found.culprit.is_none() && found.evidence.is_empty()));
        let when = match (motion.is_aged(), edge) {
            _ if motion.crash.is_some() => {
                "it is started anew, and ends again and again from there on".to_owned()
            }
            _ if motion.comes_and_goes => {
                "it works again hours later, and fails at the same hour again and again from there on"
                    .to_owned()
            }
            _ if motion.fails_soon => "a fresh start fails within minutes there".to_owned(),
            (true, _) => "a fresh start hides it".to_owned(),
            (false, None) => "only a process that lives on shows it".to_owned(),
            (false, Some(edge)) => match motion.first_fail.secs_since(edge) {
                ..=0 => format!("only a process that lives on shows it, at the edge at {edge}"),
                delay => {
                    let delay = Span::from_secs(delay);
                    format!("only a process that lives on shows it, {delay} after the edge at {edge}")
                }
            },
        };
        found.summary = format!("{}; {when}", shown.headline(record, &found));
        return Some(found);
    }
    if motion.comes_and_goes {
        return Some(of_irregular(record, motion, &shown));
    }
    let mut found = shown.finding(record, FindingCode::JumpIntolerant);
    found.severity = Severity::Inconclusive;
    let what = found.services.first().map_or_else(|| "a check".to_owned(), ToString::to_string);
    found.summary = format!(
        "{what} fails in the walk at {}, works when started at that instant, and no credential changes there",
        motion.first_fail
    );
    Some(found)
}

/// A service that comes and goes in no order that a date explains.
fn of_irregular(record: &RunRecord, motion: &MotionBreak, shown: &Shown<'_>) -> Finding {
    let code = FindingCode::Flaky;
    let mut found = finding(code, Severity::Inconclusive, String::new());
    describe(record, &mut found, shown.case, None);
    let what = found.services.first().map_or_else(|| "a check".to_owned(), ToString::to_string);
    found.summary = format!(
        "{what} fails at {} and works again later; it comes and goes in the first week already, or not every time",
        motion.first_fail
    );
    found.help = words::help(code).map(str::to_owned);
    found
}

/// Names what the change at `changed`, behind which the break comes, or one shortly before it makes most likely, where
/// neither a log nor the wire speaks for another.
fn blame_delayed(record: &RunRecord, case: &CaseRecord, found: &mut Finding, changed: UnixTime) {
    let Some(first_fail) = found.bracket.map(|bracket| bracket.first_fail) else { return };
    let edges = attribute::put_off(record, changed, first_fail);
    let likely = attribute::most_likely(record, case, &edges);
    if let Some(edge) = likely.filter(|_| found.culprit.is_none() && found.evidence.is_empty()) {
        found.culprit = Some(edge.credential);
        found.evidence.push(Evidence::Delayed { edge });
        found.evidence.extend(in_memory(record, case, edge.credential));
        found.help = Some(help(record, found.code, found));
    } else {
        let beside = edges.into_iter().filter(|edge| found.culprit.is_none_or(|it| it == edge.credential));
        found.evidence.extend(beside.map(|edge| Evidence::Delayed { edge }));
        found.evidence.sort();
    }
}

/// The change that the break is put off from, where one is told.
fn put_off_from(found: &Finding) -> Option<UnixTime> {
    let mut delayed = found.evidence.iter().filter_map(|evidence| match evidence {
        Evidence::Delayed { edge } => Some(edge),
        Evidence::CausalControl { .. }
        | Evidence::Coincidence { .. }
        | Evidence::InMemory { .. }
        | Evidence::NamedInLog { .. }
        | Evidence::Rotation { .. }
        | Evidence::SeenOnTheWire { .. } => None,
    });
    let own = |edge: &&Edge| found.culprit == Some(edge.credential);
    delayed.rfind(own).map(Edge::changed_at)
}

fn flaky(record: &RunRecord, case: &CaseId) -> Option<Finding> {
    let failing = record.case(case)?;
    let code = FindingCode::Flaky;
    let mut found = finding(code, Severity::Inconclusive, String::new());
    describe(record, &mut found, failing, None);
    found.summary = format!("case {case} failed, and came out differently when it ran again");
    found.help = words::help(code).map(str::to_owned);
    Some(found)
}

/// Whether `case` is a walk through the whole window.
fn is_whole_walk(record: &RunRecord, case: &CaseRecord) -> bool {
    case.case.purpose == Purpose::Walk && last_instant(&case.case) == Some(record.scenario.horizon)
}

/// The same, and whether it failed.
fn is_failing_walk(record: &RunRecord, case: &CaseRecord) -> bool {
    is_whole_walk(record, case) && first_failure(case, &record.scenario).is_some()
}

/// A break and the case that shows it.
struct Shown<'a> {
    bracket: Bracket,
    case: &'a CaseRecord,
    /// The walk that broke too, with what it shows of the blast radius.
    walk: Option<&'a CaseRecord>,
}

impl<'a> Shown<'a> {
    fn new(
        record: &'a RunRecord,
        last_pass: Option<crate::UnixTime>,
        first_fail: crate::UnixTime,
        case: &CaseId,
    ) -> Option<Self> {
        let bracket = Bracket::around(last_pass, first_fail, record);
        // A walk that failed earlier than this shows another break.
        let walk = record.cases.iter().rfind(|walk| {
            is_failing_walk(record, walk)
                && first_failure(walk, &record.scenario).is_some_and(|failure| failure.at >= first_fail)
        });
        Some(Self { bracket, case: record.case(case)?, walk })
    }

    fn finding(&self, record: &RunRecord, code: FindingCode) -> Finding {
        let mut found = finding(code, Severity::Block, String::new());
        found.bracket = Some(self.bracket);
        (found.culprit, found.evidence) = attribute(record, Some(self.bracket), &self.case.case.id);
        found.evidence.extend(rotation::evidence(record, self.bracket, found.culprit));
        found.evidence.sort();
        describe(record, &mut found, self.case, self.walk);
        found.help = Some(help(record, code, &found));
        found
    }

    /// What breaks when and because of what, without a final period.
    fn headline(&self, record: &RunRecord, found: &Finding) -> String {
        let what = found.services.first().map_or_else(|| "a check".to_owned(), ToString::to_string);
        let when = match self.bracket.is_exact() {
            true => format!("at {}", self.bracket.first_fail),
            false => format!("between {} and {}", self.bracket.last_pass, self.bracket.first_fail),
        };
        let rotated = rotation::because(record, found);
        match (found.culprit, rotated) {
            (_, None) => format!("{what} breaks {when}: {}", because(record, found)),
            (Some(_), Some(rotated)) => {
                format!("{what} breaks {when}: {}; {rotated}", because(record, found))
            }
            (None, Some(rotated)) => format!("{what} breaks {when}: {rotated}"),
        }
    }
}

fn culprit<'a>(record: &'a RunRecord, found: &Finding) -> Option<&'a Credential> {
    found.culprit.and_then(|culprit| record.inventory.find(culprit))
}

fn because(record: &RunRecord, found: &Finding) -> String {
    let edges = found.evidence.iter().filter_map(|evidence| match evidence {
        Evidence::Coincidence { edge } | Evidence::Delayed { edge } => Some(edge),
        Evidence::CausalControl { .. }
        | Evidence::InMemory { .. }
        | Evidence::NamedInLog { .. }
        | Evidence::Rotation { .. }
        | Evidence::SeenOnTheWire { .. } => None,
    });
    let named = match culprit(record, found) {
        Some(credential) => {
            let mut own = edges.filter(|edge| edge.credential == credential.fingerprint).peekable();
            let is_elsewhere = own.peek().is_none();
            let late = found.bracket.filter(|bracket| bracket.is_exact() && is_elsewhere);
            let late = late.map_or(0, |bracket| bracket.first_fail.secs_since(credential.not_after));
            match own.any(|edge| edge.kind == EdgeKind::NotBefore) {
                true => format!("{} is valid from {} on", credential.subject, credential.not_before),
                false if credential.kind == CredentialKind::SqlRole => {
                    let (word, end) = (credential.kind.word(), credential.kind.end_word());
                    format!("{word} {}: {end} {}", credential.subject, credential.not_after)
                }
                false if late > 1 => {
                    let (end, late) = (credential.not_after, Span::from_secs(late - 1));
                    format!("{} ends at {end}, {late} before", credential.subject)
                }
                false => format!("{} ends at {}", credential.subject, credential.not_after),
            }
        }
        None => match edges.count().max(coinciding(record, found)) {
            0 if found.evidence.is_empty() => "no known credential changes there (unexplained)".to_owned(),
            0 => "the evidence does not single out one credential".to_owned(),
            count if coinciding(record, found) == 0 => {
                format!(
                    "{count} credentials changed in the time before, and nothing tells which is behind it"
                )
            }
            count => format!("{count} credentials change there, and nothing tells which is behind it"),
        },
    };
    format!("{named}{}", control::beyond(record, found))
}

/// How many edges coincide with the break; of many the evidence names some.
fn coinciding(record: &RunRecord, found: &Finding) -> usize {
    let case = found.case.as_ref().and_then(|case| record.case(case));
    case.map_or(0, |case| attribute::coinciding(record, found.bracket, case).len())
}

pub(super) fn help(record: &RunRecord, code: FindingCode, found: &Finding) -> String {
    if code == FindingCode::BreaksInWindow && found.culprit.is_none() && found.evidence.is_empty() {
        return words::UNEXPLAINED.to_owned();
    }
    let general = words::help(code).unwrap_or_default();
    let place = culprit(record, found).and_then(|credential| {
        let own = |place: &&crate::Place| place.service == record.scenario.candidate.service;
        credential.places.iter().find(own).or_else(|| credential.places.first())
    });
    match place {
        Some(place) if culprit(record, found).is_some_and(|it| it.origin == Origin::Memory) => {
            let anew = match found.culprit.is_some_and(|it| memory::is_of_one_launch(record, it)) {
                true => ", and every start makes another",
                false => "",
            };
            format!("{general}; {} holds it in its memory alone{anew}", place.service)
        }
        Some(place) => {
            format!("{general}; it lies in {} of {} at byte {}", place.path, place.service, place.offset)
        }
        None => general.to_owned(),
    }
}
