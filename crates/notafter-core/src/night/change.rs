//! What changed from night to night: a pure function of what nights remember.

use super::{End, Judged, NightEntry, NightFinding, Outlook, Standing};
use crate::{ServiceName, UnixTime};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Ends that lie no further from where they lay, counted from the start of simulated time, have moved with it: such
/// credentials are made anew in every run. In seconds.
const SAME_DISTANCE: i64 = 3_600;

/// What an earlier night remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// The number of that night; later ones are greater.
    pub night: u64,
    /// What it remembers.
    #[serde(flatten)]
    pub entry: NightEntry,
}

/// A finding of one build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The build.
    pub judged: Judged,
    /// The finding.
    pub finding: NightFinding,
}

/// A build that came to something else than when it was last judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The build.
    pub judged: Judged,
    /// What it came to then; none where no night has judged it before.
    pub before: Option<Standing>,
    /// What it comes to now.
    pub now: Standing,
}

/// How what lies ahead of a service has moved since the service was last looked at. All spans are seconds above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "how", content = "secs")]
pub enum Movement {
    /// Nothing was known of it.
    First,
    /// It now ends later.
    Later(i64),
    /// The same end has come nearer.
    Nearer(i64),
    /// What was to end has ended since, and this is the next.
    Next,
    /// It now ends sooner than it was to.
    Sooner(i64),
    /// It lies as far ahead as it did.
    Steady,
}

impl Movement {
    /// Whether time runs out.
    #[must_use]
    pub const fn comes_closer(self) -> bool {
        matches!(self, Self::Nearer(_) | Self::Sooner(_))
    }
}

/// What lies ahead of a service of one build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// The build.
    pub judged: Judged,
    /// The service.
    pub service: ServiceName,
    /// The next end of what it holds.
    pub end: Option<End>,
    /// First second in which it falls.
    pub breaks_at: Option<UnixTime>,
    /// Seconds from the start of simulated time to the nearer of the two.
    pub left_secs: i64,
    /// How that has moved.
    pub movement: Movement,
}

/// What is different from the nights before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Findings that stood neither in the last verdict nor in the last one that looked at everything.
    pub new: Vec<Told>,
    /// Findings that stood there and do not stand any more, of builds at which the gate could look.
    pub healed: Vec<Told>,
    /// Builds that came to something else than when they were last judged.
    pub turned: Vec<Turn>,
    /// Builds of the last night that this one has not judged.
    pub gone: Vec<Judged>,
    /// What lies ahead of each service, nearest first.
    pub forecasts: Vec<Forecast>,
}

/// What `now`, the entries of one whole night, say beside `earlier`: entries of nights before it in the same folder, in any
/// order. Of each build the last two count: the last one, and the last at which the gate could look.
#[must_use]
pub fn changes(now: &[NightEntry], earlier: &[Earlier]) -> Change {
    let mut past: BTreeMap<&Judged, Vec<&Earlier>> = BTreeMap::new();
    for known in earlier {
        past.entry(&known.entry.judged).or_default().push(known);
    }
    past.values_mut().for_each(|known| known.sort_by_key(|known| known.night));
    let mut change = Change::default();
    for entry in now {
        let known = past.get(&entry.judged).map_or(&[][..], Vec::as_slice);
        compare(entry, known, &mut change);
    }
    change.forecasts.sort_by_key(|forecast| forecast.left_secs);
    let judged: BTreeSet<&Judged> = now.iter().map(|entry| &entry.judged).collect();
    let last_night = earlier.iter().map(|known| known.night).max();
    let of_last_night = past.iter().filter(|(_, known)| known.last().map(|known| known.night) == last_night);
    change.gone =
        of_last_night.map(|(name, _)| (*name).clone()).filter(|name| !judged.contains(name)).collect();
    change
}

/// Compares one entry with those of the same build in earlier nights, oldest first.
fn compare(entry: &NightEntry, known: &[&Earlier], change: &mut Change) {
    let last = known.last().map(|known| &known.entry);
    let sound = known.iter().rev().map(|known| &known.entry).find(|known| known.standing.is_sound());
    let told = |finding: &NightFinding| Told { judged: entry.judged.clone(), finding: finding.clone() };
    let stands_in = |entry: &NightEntry, key: &str| entry.findings.iter().any(|known| known.key == key);
    let stood = |key: &str| [last, sound].into_iter().flatten().any(|known| stands_in(known, key));
    change.new.extend(entry.findings.iter().filter(|finding| !stood(&finding.key)).map(told));
    if entry.standing.is_sound() {
        let mut seen = BTreeSet::new();
        let before = [last, sound].into_iter().flatten().flat_map(|known| &known.findings);
        let healed = before.filter(|finding| !stands_in(entry, &finding.key));
        change.healed.extend(healed.filter(|finding| seen.insert(&finding.key)).map(told));
    }
    let before = last.map(|last| last.standing);
    if before != Some(entry.standing) {
        change.turned.push(Turn { judged: entry.judged.clone(), before, now: entry.standing });
    }
    let Some(start) = entry.start else { return };
    for outlook in &entry.outlooks {
        let Some(nearest) = outlook.nearest() else { continue };
        let then = known.iter().rev().find_map(|known| {
            let outlook = known.entry.outlooks.iter().find(|then| then.service == outlook.service)?;
            Some((known.entry.start?, outlook))
        });
        change.forecasts.push(Forecast {
            judged: entry.judged.clone(),
            service: outlook.service.clone(),
            end: outlook.end.clone(),
            breaks_at: outlook.breaks_at,
            left_secs: nearest.secs_since(start),
            movement: movement((start, outlook), then),
        });
    }
}

/// How an outlook has moved; each stands beside the start of simulated time from which it was seen.
fn movement((start, now): (UnixTime, &Outlook), then: Option<(UnixTime, &Outlook)>) -> Movement {
    let Some((then_start, then)) = then else { return Movement::First };
    // Ends are compared with ends: whether a gate looked closely enough to find a break is another matter.
    let (at, was) = match (&now.end, &then.end) {
        (Some(end), Some(was)) => (end.at, was.at),
        _ => match (now.nearest(), then.nearest()) {
            (Some(at), Some(was)) => (at, was),
            _ => return Movement::First,
        },
    };
    let (left, left_then) = (at.secs_since(start), was.secs_since(then_start));
    if at == was {
        return match left_then - left {
            nearer @ 1.. => Movement::Nearer(nearer),
            0 => Movement::Steady,
            // Simulated time begins earlier than it did: the scenario was changed.
            further => Movement::Later(-further),
        };
    }
    if (left - left_then).abs() <= SAME_DISTANCE {
        return Movement::Steady;
    }
    match at.secs_since(was) {
        _ if was < start => Movement::Next,
        later @ 1.. => Movement::Later(later),
        sooner => Movement::Sooner(-sooner),
    }
}
