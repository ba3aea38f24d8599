//! One line for each event worth a reader's time, while a run is under way.
//!
//! Lines are plain and stand alone, for CI logs as for terminals. A service that is down fails every look from then
//! on: the first one is told, the others are counted. So are the points of a search for the second of a break.

use crate::page::Page;
use crate::words::{Search, case_error, count, duration, ended, is_point, last_line, looked, seen};
use crate::{Detail, StyleSheet};
use notafter_core::{
    Case, CaseError, CaseId, CheckName, ClockReading, Connection, Event, Inventory, Observation, Outcome,
    RunRecord, Scenario, ServiceEnd, plan,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// Points of a search after which a line says that it goes on.
const SEARCH_LINES: usize = 10;
/// Less than this is not worth an estimate.
const SOON: Duration = Duration::from_secs(5);

/// Renders events, and keeps what later lines need of earlier ones.
#[derive(Debug, Clone)]
pub struct Progress {
    scenario: Scenario,
    detail: Detail,
    running: BTreeMap<CaseId, Tally>,
    latest: Option<CaseId>,
    /// Cases that run when nothing fails, known with the inventory.
    planned: usize,
    /// Cases that have ended, and how long they took together, on the host's clock.
    ended: (usize, Duration),
    search: Search,
}

/// What a case came to so far.
#[derive(Debug, Clone, Default)]
struct Tally {
    looks: usize,
    unmet: usize,
    failing: BTreeSet<(CheckName, Connection)>,
    now: Option<ClockReading>,
    /// The case, where it is one point of a search that is told as a whole.
    point: Option<Case>,
}

impl Progress {
    /// For a run of `scenario`.
    #[must_use]
    pub fn new(scenario: &Scenario, detail: Detail) -> Self {
        Self {
            scenario: scenario.clone(),
            detail,
            running: BTreeMap::new(),
            latest: None,
            planned: 0,
            ended: (0, Duration::ZERO),
            search: Search::default(),
        }
    }

    /// Takes in an event and writes the lines that it is worth, each with its newline; mostly none or one.
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
            Event::InventoryLearnt { inventory } => self.learnt(page, inventory),
            Event::Witnessed { .. } => Ok(()),
            Event::Moved { case, now, jumps, woken, restless } => {
                self.tally(case).now = Some(*now);
                for it in restless {
                    let what = format!("{}, process {} ({}), does not rest", it.service, it.pid, it.process);
                    line(page, case.as_str(), &format!("{what}: time goes on without waiting for it"))?;
                }
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
            Event::MemoryRead { case, read, .. } => {
                for process in &read.processes {
                    let whose =
                        format!("the memory of {}, process {} ({})", read.service, process.pid, process.exe);
                    match &process.gap {
                        Some(gap) => line(page, case.as_str(), &format!("{whose} {gap}"))?,
                        None if self.detail == Detail::Full => {
                            let held = count(process.held.len(), "credential");
                            let kib = process.read_bytes >> 10;
                            line(page, case.as_str(), &format!("{whose}: {held} of interest in {kib} KiB"))?;
                        }
                        None => {}
                    }
                }
                Ok(())
            }
            Event::Observed { case, observation } => self.observed(page, case, observation),
            Event::Rotated { case, rotated } => match (&rotated.failed, self.detail) {
                (Some(reason), _) => {
                    line(page, case.as_str(), &format!("rotation {} failed: {reason}", rotated.rotation))
                }
                (None, Detail::Full) => line(page, case.as_str(), &format!("rotation {}", rotated.rotation)),
                (None, _) => Ok(()),
            },
            Event::ServiceEnded { case, .. } if self.tally(case).point.is_some() => Ok(()),
            Event::ServiceEnded { case, end } => service_ended(page, case, end),
            Event::ServiceReady { case, service, took, .. } if self.detail == Detail::Full => {
                line(page, case.as_str(), &format!("{service} is ready after {}", duration(*took)))
            }
            Event::ServiceReady { .. } => Ok(()),
        }
    }

    /// Writes what is still to be told when a run is over.
    ///
    /// # Errors
    /// Where the sink fails.
    pub fn finish(&mut self, sink: &mut impl fmt::Write, styles: &StyleSheet) -> fmt::Result {
        self.search_ended(&mut Page::new(sink, styles))
    }

    /// Where the run stands, for a line that a terminal overwrites: `walk (3 of 4): 2018-12-06T04:30:00Z, 12 looks,
    /// 2 not as expected`. Empty while no case runs.
    #[must_use]
    pub fn status(&self) -> String {
        let running = self.latest.as_ref().and_then(|id| Some((id, self.running.get(id)?)));
        let Some((id, tally)) = running else {
            return String::new();
        };
        let number = self.ended.0 + 1;
        let of = match number <= self.planned {
            true => format!(" ({number} of {})", self.planned),
            false => format!(" (case {number})"),
        };
        let now = tally.now.map_or_else(String::new, |now| format!("{}, ", now.second));
        let unmet =
            if tally.unmet > 0 { format!(", {} not as expected", tally.unmet) } else { String::new() };
        let left = self.left().map_or_else(String::new, |left| format!(", {left}"));
        format!("{id}{of}: {now}{}{unmet}{left}", count(tally.looks, "look"))
    }

    /// How long the rest takes at least, by the mean of the cases so far: a failure asks for more cases than were
    /// planned, and how many nobody knows. None where nothing can be said, or it is soon over.
    fn left(&self) -> Option<String> {
        let (ended, spent) = self.ended;
        let left = self.planned.checked_sub(ended).filter(|left| *left > 0 && ended > 0)?;
        let estimate = spent / u32::try_from(ended).ok()? * u32::try_from(left).ok()?;
        (estimate >= SOON).then(|| format!("at least {} s to go", estimate.as_secs()))
    }

    fn learnt(&mut self, page: &mut Page<'_>, inventory: &Inventory) -> fmt::Result {
        let mut record = RunRecord::new(self.scenario.clone(), self.scenario.start.instant());
        record.inventory = inventory.clone();
        self.planned = plan(&record).len();
        if self.detail == Detail::Brief {
            return Ok(());
        }
        let known = count(inventory.credentials.len(), "credential");
        let opaque = count(inventory.opaque.len(), "file");
        line(page, "inventory", &format!("{known} known, {opaque} not looked into"))
    }

    fn tally(&mut self, case: &CaseId) -> &mut Tally {
        self.running.entry(case.clone()).or_default()
    }

    fn case_started(&mut self, page: &mut Page<'_>, case: &Case) -> fmt::Result {
        let point = (self.detail == Detail::Brief && is_point(case)).then(|| case.clone());
        let is_point = point.is_some();
        self.running.insert(case.id.clone(), Tally { point, ..Tally::default() });
        self.latest = Some(case.id.clone());
        match (is_point, self.search.len()) {
            (true, 0) => line(page, "search", "fresh starts at instants in between, to find when it breaks"),
            (true, _) => Ok(()),
            (false, _) => {
                self.search_ended(page)?;
                line(page, &format!("case {}", case.id), &format!("started: {}", case.reason))
            }
        }
    }

    fn search_ended(&mut self, page: &mut Page<'_>) -> fmt::Result {
        let search = std::mem::take(&mut self.search);
        match search.len() {
            0 => Ok(()),
            _ => line(page, "search", &format!("{}, in {}", search.told(), duration(search.took))),
        }
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
        self.ended.0 += 1;
        self.ended.1 += took;
        if let (Some(point), None) = (&tally.point, error) {
            self.search.add(point, Some(outcome), took);
            return match self.search.len() % SEARCH_LINES {
                0 => line(page, "search", &format!("goes on after {}", self.search.told())),
                _ => Ok(()),
            };
        }
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
        let left = self.left().map_or_else(String::new, |left| format!("; {left}"));
        let plain = anstyle::Style::new();
        page.line(&[
            (plain, case.as_str()),
            (plain, ": "),
            (page.styles.outcome(Some(outcome)), word),
            (plain, &format!(" in {}{why}{left}", duration(took))),
        ])
    }

    fn observed(&mut self, page: &mut Page<'_>, case: &CaseId, look: &Observation) -> fmt::Result {
        let met = self.scenario.check(&look.check).map(|check| check.is_met_by(look));
        let key = (look.check.clone(), look.connection);
        let full = self.detail == Detail::Full;
        let tally = self.tally(case);
        tally.looks += 1;
        if tally.point.is_some() {
            tally.unmet += usize::from(met == Some(Some(false)));
            return Ok(());
        }
        let (check, at, over) = (&look.check, look.planned, look.connection);
        let seen = if met == Some(Some(false)) { looked(look) } else { seen(&look.seen) };
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
        assert_eq!(
            progress.status(),
            "repeat-walk (3 of 4): 2018-12-06T04:30:00Z, 15 looks, 5 not as expected"
        );
    }

    #[test]
    fn the_rest_is_estimated_from_what_ran_and_only_as_far_as_it_is_planned() {
        let (mut record, _) = sample::block();
        record.cases.iter_mut().for_each(|case| case.took = Duration::from_secs(20));
        let mut progress = Progress::new(&record.scenario, Detail::Brief);
        let mut text = String::new();
        for event in sample::events(&record) {
            progress.write(&mut text, &event, &StyleSheet::plain()).unwrap();
        }
        let ends: Vec<&str> = text.lines().filter(|line| line.contains(" in 20.0 s")).collect();
        assert!(ends[0].ends_with("; at least 60 s to go"), "{ends:?}");
        assert!(ends[1].ends_with("; at least 40 s to go"), "{ends:?}");
        assert!(ends[2].ends_with("; at least 20 s to go"), "{ends:?}");
    }

    #[test]
    fn a_search_is_told_as_a_whole() {
        let (mut record, _) = sample::block();
        let from = sample::instant("2018-11-02T00:00:00Z");
        record.cases.truncate(1);
        for day in 0..12 {
            record.cases.push(sample::point(from.plus_secs(day * 86_400), day < 7));
        }
        let told = |detail| {
            let mut progress = Progress::new(&record.scenario, detail);
            let mut text = String::new();
            for event in sample::events(&record) {
                progress.write(&mut text, &event, &StyleSheet::plain()).unwrap();
            }
            progress.finish(&mut text, &StyleSheet::plain()).unwrap();
            text
        };
        insta::assert_snapshot!(told(Detail::Brief), @r"
        case control: started: at 2018-11-02T00:00:00Z, before anything in the window changes, to show that all works there
        control: pass in 0.4 s
        search: fresh starts at instants in between, to find when it breaks
        search: goes on after 10 fresh starts between 2018-11-02T00:00:00Z and 2018-11-11T00:00:00Z: 7 pass, 3 fail
        search: 12 fresh starts between 2018-11-02T00:00:00Z and 2018-11-13T00:00:00Z: 7 pass, 5 fail, in 2.4 s
        ");
        assert!(told(Detail::Full).lines().count() > 12 * 5);
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
