//! Crashes that a restart makes good for hours or days. Who ends once to read new files is well from then on; whom a daily
//! or weekly timer ends from a date on crashes in every week behind it, and in none before.

use super::boundary::Boundary;
use super::cold::{Repeat, Waiting, repeat};
use super::known::{Known, Ran, Wanted};
use super::motion::MotionBreak;
use super::plan::{check_all, elapse, instant_id, with_rotations};
use super::soon::Crash;
use crate::{Case, CaseClock, Pace, Purpose, Scenario, ServiceEnd, UnixTime};

/// Longer than a week, so that a weekly timer looks between any two stops.
const APART_SECS: i64 = 8 * 86_400;
/// Longer than a day, so that a daily timer does.
const DAYS_APART_SECS: i64 = 25 * 3_600;
/// Stops of one launch, beside those behind the crash.
const MAX_STOPS: i64 = 24;

/// Since when a service crashes in every stretch.
struct Onset<'a> {
    last_pass: UnixTime,
    /// The stop behind the first crash.
    stop: UnixTime,
    end: &'a ServiceEnd,
}

/// None where the service lives on behind `crash`, or crashed as often before it.
pub(super) fn investigate(
    known: &mut Known<'_>,
    crash: &Crash,
    boundaries: &[Boundary],
) -> Result<Option<MotionBreak>, Waiting> {
    let scenario = &known.record.scenario;
    let wide = stops(scenario.start.instant(), crash.at, APART_SECS, scenario);
    let Some(mut ran) = asked(known, spaced("weeks", &wide, scenario))? else { return Ok(None) };
    let Some(mut onset) = onset(&ran, crash, &wide) else { return Ok(None) };
    let mut seen_at = wide;
    for (word, apart) in [("week", APART_SECS), ("days", DAYS_APART_SECS)] {
        if onset.stop.secs_since(onset.last_pass) <= apart {
            continue;
        }
        let close = stops(onset.last_pass, onset.stop, apart, scenario);
        let Some(closer) = asked(known, spaced(word, &close, scenario))? else { return Ok(None) };
        if let Some(found) = self::onset(&closer, crash, &close) {
            (ran, onset, seen_at) = (closer, found, close);
        }
    }
    let Some(again) = repeat(known, ran.id())? else { return Ok(None) };
    let is_same = self::onset(&again, crash, &seen_at).is_some_and(|it| it.stop == onset.stop);
    let first_fail = onset.end.at.second;
    let changes = boundaries.iter().flat_map(Boundary::changes);
    Ok(Some(MotionBreak {
        last_pass: Some(onset.last_pass),
        first_fail,
        case: ran.id().clone(),
        walk: ran.id().clone(),
        repeat: if is_same { Repeat::Failed } else { Repeat::Passed },
        restarted: Vec::new(),
        behind: changes.filter(|at| *at > onset.last_pass && *at <= first_fail).max(),
        aged_fails: false,
        fails_soon: false,
        by_time_alone: false,
        by_date: true,
        comes_and_goes: false,
        crash: Some(onset.end.clone()),
    }))
}

/// The first launch that [`investigate`] asks for.
pub(super) fn first(crash: &Crash, scenario: &Scenario) -> Case {
    spaced("weeks", &stops(scenario.start.instant(), crash.at, APART_SECS, scenario), scenario)
}

fn asked<'a>(known: &mut Known<'a>, case: Case) -> Result<Option<Box<Ran<'a>>>, Waiting> {
    match known.want_to_search(case) {
        Wanted::Missing => Err(Waiting),
        Wanted::Lost => Ok(None),
        Wanted::Ran(ran) => Ok(Some(ran)),
    }
}

/// Two stops soon behind `from`, where who crashes all the time does so, some through `to`, and two behind it. A leap to a
/// stop wakes a timer once, however long it is.
fn stops(from: UnixTime, to: UnixTime, least: i64, scenario: &Scenario) -> Vec<UnixTime> {
    let apart = (to.secs_since(from) / MAX_STOPS).max(least);
    let even = (0..MAX_STOPS).rev().map(|nth| to.plus_secs(-nth * apart)).filter(|at| *at > from);
    let even: Vec<UnixTime> = even.collect();
    let room = even.first().copied().unwrap_or(to).plus_secs(-least);
    let begin = [1, 2].map(|nth| from.plus_secs(nth * least)).into_iter().filter(|at| *at <= room);
    let is_start = from == scenario.start.instant();
    let mut stops: Vec<UnixTime> = Some(from).filter(|_| !is_start).into_iter().chain(begin).collect();
    stops.extend(even);
    stops.extend([1, 2].map(|nth| to.plus_secs(nth * least)));
    stops
}

/// From the start of the scenario over all of `stops`.
fn spaced(word: &str, stops: &[UnixTime], scenario: &Scenario) -> Case {
    let start = scenario.start.instant();
    let legs = stops.iter().flat_map(|at| [elapse(Pace::Leap, *at), check_all(scenario)]);
    let steps = [check_all(scenario)].into_iter().chain(legs).collect();
    let last = stops.last().copied().unwrap_or(start);
    Case {
        id: instant_id(word, last),
        purpose: Purpose::Walk,
        reason: format!(
            "{} stops through {last}, to tell whether a crash comes again and again",
            stops.len()
        ),
        clock: CaseClock::Shifted(start),
        steps: with_rotations(scenario, start, steps),
    }
}

/// Where the service of `crash` begins to crash in every stretch: none where it does not, or did from the first one on.
fn onset<'a>(ran: &Ran<'a>, crash: &Crash, stops: &[UnixTime]) -> Option<Onset<'a>> {
    let crashes = |from: UnixTime, to: UnixTime| {
        let mut ends = ran.record.ends.iter();
        ends.find(|end| crash.is_like(end) && end.at.second > from && end.at.second <= to)
    };
    let stretches: Vec<(UnixTime, UnixTime, Option<&ServiceEnd>)> =
        stops.windows(2).map(|pair| (pair[0], pair[1], crashes(pair[0], pair[1]))).collect();
    let first = stretches.iter().position(|(_, _, end)| end.is_some())?;
    let before = stops.first().is_some_and(|stop| crashes(UnixTime::MIN, *stop).is_some());
    let again = &stretches[first + 1..];
    let recurs = !before && !again.is_empty() && again.iter().all(|(_, _, end)| end.is_some());
    let (last_pass, stop, end) = stretches[first];
    recurs.then_some(Onset { last_pass, stop, end: end? })
}
