//! Instants of full depth: days of the calendar on which software has failed before, and the windows in which
//! credentials are renewed.

use super::zones;
use crate::holder::edges_in;
use crate::{Depth, RunRecord, UnixTime};
use std::fmt;

const DAY: i64 = 86_400;
/// First seconds at which counters of time begin anew or leave their range.
const ROLLOVERS: [(i64, &str); 4] = [
    // IS-GPS-200: ten bits of weeks, 18 leap seconds ahead of UTC since 2017.
    (1_554_595_182, "GPS week numbers begin anew"),
    (2_173_910_382, "GPS week numbers begin anew"),
    // RFC 5905 §6: 32 bits of seconds since 1900.
    (2_085_978_496, "NTP seconds begin anew"),
    (2_147_483_648, "seconds leave 31 bits"),
];
/// Days before an end at which it is common to renew.
const RENEWALS: [i64; 3] = [30, 7, 1];

/// An instant that a walk of full depth stops at though nothing is known to change there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// On the candidate's clock.
    pub at: UnixTime,
    /// What is special about it.
    pub kind: MomentKind,
}

/// Why a moment is in a plan. The order is that of their weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MomentKind {
    /// Noon of a 29 February, in UTC: it is that day in almost every zone.
    LeapDay,
    /// The first second after a counter ends.
    Rollover(&'static str),
    /// The first second of a year, in UTC.
    NewYear,
    /// The first second of summer time, or of standard time, in a zone of the services.
    ClockChange,
    /// In a window in which a credential is renewed.
    Renewal,
    /// Half way between two boundaries.
    MidGap,
}

impl MomentKind {
    /// Whether a fresh start is made there too.
    pub(super) fn starts_afresh(self) -> bool {
        match self {
            Self::LeapDay | Self::Rollover(_) | Self::NewYear | Self::ClockChange => true,
            Self::Renewal | Self::MidGap => false,
        }
    }
}

impl fmt::Display for MomentKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::LeapDay => "29 February",
            Self::Rollover(what) => what,
            Self::NewYear => "a year begins",
            Self::ClockChange => "clocks change to or from summer time",
            Self::Renewal => "a credential is due to be renewed",
            Self::MidGap => "half way between two boundaries",
        })
    }
}

/// Every moment inside the window of `record`, in time order, each instant once; none where its depth is quick.
#[must_use]
pub fn moments(record: &RunRecord) -> Vec<Moment> {
    let scenario = &record.scenario;
    match scenario.planning.depth {
        Depth::Quick => return Vec::new(),
        Depth::Full => {}
    }
    let (start, horizon) = (scenario.start.instant(), scenario.horizon);
    let mut found = of_calendar(start, horizon);
    let changes = zones::changes(scenario, start, horizon).into_iter();
    found.extend(changes.map(|at| Moment { at, kind: MomentKind::ClockChange }));
    found.extend(of_credentials(record, start, horizon));
    found.retain(|moment| moment.at > start && moment.at < horizon);
    found.sort_unstable();
    found.dedup_by_key(|moment| moment.at);
    found
}

fn of_calendar(start: UnixTime, horizon: UnixTime) -> Vec<Moment> {
    let rollovers = ROLLOVERS
        .iter()
        .map(|(secs, what)| Moment { at: UnixTime::clamped(*secs), kind: MomentKind::Rollover(what) });
    let years = (year(start)..=year(horizon)).flat_map(|year| {
        // 29 February is there in leap years alone.
        let leap = UnixTime::parse(&format!("{year:04}-02-29T12:00:00Z"));
        let new = UnixTime::parse(&format!("{year:04}-01-01T00:00:00Z"));
        let leap = leap.map(|at| Moment { at, kind: MomentKind::LeapDay });
        let new = new.map(|at| Moment { at, kind: MomentKind::NewYear });
        leap.into_iter().chain(new)
    });
    rollovers.chain(years).collect()
}

/// The year of `at` in UTC; no scenario begins before the year 0.
fn year(at: UnixTime) -> u32 {
    at.to_string().split('-').next().and_then(|year| year.parse().ok()).unwrap_or(0)
}

/// Windows of renewal before each end in the window, and the middles between neighbouring edges.
fn of_credentials(record: &RunRecord, start: UnixTime, horizon: UnixTime) -> Vec<Moment> {
    let edges = edges_in(record, start, horizon);
    let mut found = Vec::new();
    for credential in edges.iter().filter_map(|edge| record.inventory.find(edge.credential)) {
        let (begin, end) = (credential.not_before, credential.not_after);
        let life = end.secs_since(begin).max(0);
        let days = RENEWALS.iter().map(|days| days * DAY).filter(|before| *before < life);
        let windows = days.map(|before| end.plus_secs(-before)).chain([begin.plus_secs(life / 3 * 2 + 1)]);
        found.extend(windows.map(|at| Moment { at, kind: MomentKind::Renewal }));
    }
    let mut instants = vec![start, horizon];
    instants.extend(edges.iter().map(crate::Edge::changed_at));
    instants.sort_unstable();
    let gaps = instants.windows(2).filter(|pair| pair[1].secs_since(pair[0]) > 2 * DAY);
    found.extend(gaps.map(|pair| Moment {
        at: pair[0].plus_secs(pair[1].secs_since(pair[0]) / 2),
        kind: MomentKind::MidGap,
    }));
    found
}
