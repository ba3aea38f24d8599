//! One line for each event worth a reader's time, while a run is under way.
//!
//! Lines are plain and stand alone, for CI logs as for terminals. A service that is down fails every look from then
//! on: the first one is told, the others are counted.

use crate::StyleSheet;
use crate::page::Page;
use crate::words::{case_error, count, duration, ended, last_line, seen};
use notafter_core::{
    Case, CaseError, CaseId, Check, CheckName, ClockReading, Connection, Event, Observation, Outcome,
    Scenario, ServiceEnd,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// How much to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Beginnings, ends, and what is not as expected.
    Brief,
    /// Every look, every motion of the clock and every service that gets ready as well.
    Full,
}

/// Renders events, and keeps what later lines need of earlier ones.
#[derive(Debug, Clone)]
pub struct Progress {
    checks: Vec<Check>,
    detail: Detail,
    running: BTreeMap<CaseId, Tally>,
    latest: Option<CaseId>,
}

/// What a case came to so far.
#[derive(Debug, Clone, Default)]
struct Tally {
    looks: usize,
    unmet: usize,
    failing: BTreeSet<(CheckName, Connection)>,
    now: Option<ClockReading>,
}

impl Progress {
    /// For a run of `scenario`.
    #[must_use]
    pub fn new(scenario: &Scenario, detail: Detail) -> Self {
        Self { checks: scenario.checks.clone(), detail, running: BTreeMap::new(), latest: None }
    }

    /// Takes in an event and writes the lines that it is worth: none or one, each with its newline.
    ///
    /// # Errors
    /// Where the sink fails.
    pub fn write(&mut self, sink: &mut impl fmt::Write, event: &Event, styles: &StyleSheet) -> fmt::Result {
        let page = &mut Page::new(sink, styles);
        match event {
            Event::CaseEnded { case, outcome, error, took } => {
                self.case_ended(page, case, *outcome, error.as_ref(), *took)
            }
            Event::CaseStarted { case } => self.case_started(page, case),
            Event::InventoryLearnt { inventory } if self.detail == Detail::Full => {
                let known = count(inventory.credentials.len(), "credential");
                let opaque = count(inventory.opaque.len(), "file");
                line(page, "inventory", &format!("{known} known, {opaque} not looked into"))
            }
            Event::InventoryLearnt { .. } | Event::Witnessed { .. } => Ok(()),
            Event::Moved { case, now, jumps, woken } => {
                self.tally(case).now = Some(*now);
                if self.detail == Detail::Brief {
                    return Ok(());
                }
                let (jumps, woken) = (count(*jumps as usize, "jump"), count(*woken as usize, "wait"));
                line(
                    page,
                    case.as_str(),
                    &format!("the clock stands at {now} after {jumps}; {woken} came due"),
                )
            }
            Event::Observed { case, observation } => self.observed(page, case, observation),
            Event::ServiceEnded { case, end } => service_ended(page, case, end),
            Event::ServiceReady { case, service, took, .. } if self.detail == Detail::Full => {
                line(page, case.as_str(), &format!("{service} is ready after {}", duration(*took)))
            }
            Event::ServiceReady { .. } => Ok(()),
        }
    }

    /// Where the run stands, for a line that a terminal overwrites: `walk: 2018-12-06T04:30:00Z, 12 looks, 2 not as
    /// expected`. Empty while no case runs.
    #[must_use]
    pub fn status(&self) -> String {
        let running = self.latest.as_ref().and_then(|id| Some((id, self.running.get(id)?)));
        let Some((id, tally)) = running else {
            return String::new();
        };
        let now = tally.now.map_or_else(String::new, |now| format!("{}, ", now.second));
        let unmet =
            if tally.unmet > 0 { format!(", {} not as expected", tally.unmet) } else { String::new() };
        format!("{id}: {now}{}{unmet}", count(tally.looks, "look"))
    }

    fn tally(&mut self, case: &CaseId) -> &mut Tally {
        self.running.entry(case.clone()).or_default()
    }

    fn case_started(&mut self, page: &mut Page<'_>, case: &Case) -> fmt::Result {
        self.running.insert(case.id.clone(), Tally::default());
        self.latest = Some(case.id.clone());
        line(page, &format!("case {}", case.id), &format!("started: {}", case.reason))
    }

    fn case_ended(
        &mut self,
        page: &mut Page<'_>,
        case: &CaseId,
        outcome: Outcome,
        error: Option<&CaseError>,
        took: Duration,
    ) -> fmt::Result {
        let tally = self.running.remove(case).unwrap_or_default();
        let word = match outcome {
            Outcome::Error => "error",
            Outcome::Fail => "fail",
            Outcome::Pass => "pass",
            Outcome::Skip => "skip",
        };
        let why = match error {
            Some(error) => format!(": {}", case_error(error)),
            None if tally.unmet > 0 => {
                format!(": {} of {} not as expected", tally.unmet, count(tally.looks, "look"))
            }
            None => String::new(),
        };
        let plain = anstyle::Style::new();
        page.line(&[
            (plain, case.as_str()),
            (plain, ": "),
            (page.styles.outcome(Some(outcome)), word),
            (plain, &format!(" in {}{why}", duration(took))),
        ])
    }

    fn observed(&mut self, page: &mut Page<'_>, case: &CaseId, look: &Observation) -> fmt::Result {
        let met =
            self.checks.iter().find(|check| check.name == look.check).map(|check| check.is_met_by(look));
        let key = (look.check.clone(), look.connection);
        let full = self.detail == Detail::Full;
        let tally = self.tally(case);
        tally.looks += 1;
        let (check, at, over, seen) = (&look.check, look.planned, look.connection, seen(&look.seen));
        let text = match met {
            Some(Some(true)) if tally.failing.remove(&key) => {
                format!("{check} works again at {at} ({over}): {seen}")
            }
            Some(Some(true)) if full => format!("{check} as expected at {at} ({over}): {seen}"),
            Some(Some(true)) => return Ok(()),
            Some(Some(false)) => {
                tally.unmet += 1;
                if !tally.failing.insert(key) && !full {
                    return Ok(());
                }
                format!("{check} failed at {at} ({over}): {seen}")
            }
            Some(None) if full => {
                format!("{check} decides nothing at {at} ({over}), it straddles an edge: {seen}")
            }
            Some(None) => return Ok(()),
            None => format!("{check}, which the scenario does not know, at {at} ({over}): {seen}"),
        };
        line(page, case.as_str(), &text)
    }
}

fn service_ended(page: &mut Page<'_>, case: &CaseId, end: &ServiceEnd) -> fmt::Result {
    let wrote = last_line(&end.log_tail).map_or_else(String::new, |line| format!("; it last wrote: {line}"));
    line(page, case.as_str(), &format!("{} at {}{wrote}", ended(end), end.at.second))
}

fn line(page: &mut Page<'_>, who: &str, text: &str) -> fmt::Result {
    let plain = anstyle::Style::new();
    page.line(&[(plain, who), (plain, ": "), (plain, text)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn lines(detail: Detail) -> String {
        let (record, _) = sample::block();
        let styles = StyleSheet::plain();
        let mut progress = Progress::new(&record.scenario, detail);
        let mut text = String::new();
        for event in sample::events(&record) {
            progress.write(&mut text, &event, &styles).unwrap();
        }
        text
    }

    #[test]
    fn brief_lines_tell_what_begins_ends_and_fails() {
        insta::assert_snapshot!(lines(Detail::Brief));
    }

    #[test]
    fn full_lines_tell_every_look() {
        insta::assert_snapshot!(lines(Detail::Full));
    }

    #[test]
    fn the_status_tells_where_the_run_stands() {
        let (record, _) = sample::block();
        let mut progress = Progress::new(&record.scenario, Detail::Brief);
        assert_eq!(progress.status(), "");
        let events = sample::events(&record);
        let last = events.iter().rposition(|event| matches!(event, Event::Observed { .. })).unwrap();
        for event in &events[..=last] {
            progress.write(&mut String::new(), event, &StyleSheet::plain()).unwrap();
        }
        assert_eq!(progress.status(), "repeat-walk: 2018-12-06T04:30:00Z, 15 looks, 5 not as expected");
    }

    #[test]
    fn a_failure_is_told_once_and_so_is_its_end() {
        let (record, _) = sample::block();
        let styles = StyleSheet::plain();
        let mut progress = Progress::new(&record.scenario, Detail::Brief);
        let walk = sample::case_id("walk");
        let mut text = String::new();
        for works in [true, false, false, true, true] {
            let observation = sample::look("phone-attaches", Connection::Fresh, sample::breaks(), works);
            let event = Event::Observed { case: walk.clone(), observation };
            progress.write(&mut text, &event, &styles).unwrap();
        }
        assert_eq!(
            text,
            "walk: phone-attaches failed at 2018-12-06T04:30:00Z (fresh): exit code 1: attach: connection refused\n\
             walk: phone-attaches works again at 2018-12-06T04:30:00Z (fresh): exit code 0\n"
        );
    }
}
