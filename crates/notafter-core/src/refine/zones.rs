//! When the clocks on the wall change, in the time zones that a scenario gives its services.

use crate::{EnvValue, Scenario, UnixTime};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use std::collections::BTreeSet;

/// More changes of one zone than a window of thirty years has.
const MOST_CHANGES: usize = 64;
/// Where Debian and most others keep the files of zones, as tzset(3) takes them.
const ZONE_FILES: &str = "/usr/share/zoneinfo/";

/// The first seconds of summer time and of standard time, after `start` and before `horizon`, each once.
pub(super) fn changes(scenario: &Scenario, start: UnixTime, horizon: UnixTime) -> BTreeSet<UnixTime> {
    let told = scenario.services.iter().filter_map(|service| match service.env.get("TZ") {
        Some(EnvValue::Plain(zone)) => Some(zone.as_str()),
        Some(EnvValue::Hidden(_) | EnvValue::Secret(_)) | None => None,
    });
    let zones: BTreeSet<&str> = told.collect();
    zones.into_iter().filter_map(zone).flat_map(|zone| changes_in(&zone, start, horizon)).collect()
}

/// The zone that `TZ` names (tzset(3)): one of the IANA database, or a rule of POSIX.
fn zone(told: &str) -> Option<TimeZone> {
    let told = told.strip_prefix(':').unwrap_or(told);
    let name = told.strip_prefix(ZONE_FILES).unwrap_or(told);
    TimeZone::get(name).or_else(|_| TimeZone::posix(name)).ok()
}

fn changes_in(zone: &TimeZone, start: UnixTime, horizon: UnixTime) -> Vec<UnixTime> {
    let (Ok(from), Ok(to)) =
        (Timestamp::from_second(start.as_secs()), Timestamp::from_second(horizon.as_secs()))
    else {
        return Vec::new();
    };
    let mut offset: Offset = zone.to_offset(from);
    let mut found = Vec::new();
    for change in zone.following(from).take_while(|change| change.timestamp() < to).take(MOST_CHANGES) {
        // Some change the name of a zone alone.
        if change.offset() != offset {
            offset = change.offset();
            found.push(UnixTime::clamped(change.timestamp().as_second()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixTime {
        UnixTime::parse(text).unwrap()
    }

    #[test]
    fn each_way_to_tell_a_zone_is_understood_and_others_change_nothing() {
        let (start, horizon) = (at("2030-01-01T00:00:00Z"), at("2031-01-01T00:00:00Z"));
        let berlin = vec![at("2030-03-31T01:00:00Z"), at("2030-10-27T01:00:00Z")];
        for told in [
            "Europe/Berlin",
            ":Europe/Berlin",
            "/usr/share/zoneinfo/Europe/Berlin",
            "CET-1CEST,M3.5.0,M10.5.0/3",
        ] {
            assert_eq!(changes_in(&zone(told).unwrap(), start, horizon), berlin, "{told}");
        }
        for told in ["UTC", "Asia/Tokyo"] {
            assert_eq!(changes_in(&zone(told).unwrap(), start, horizon), [], "{told}");
        }
        for told in ["", "Middle-earth/Shire", "/etc/passwd"] {
            let found = zone(told).map(|zone| changes_in(&zone, start, horizon)).unwrap_or_default();
            assert_eq!(found, [], "{told}");
        }
        let new_york = changes_in(&zone("America/New_York").unwrap(), start, at("2060-01-01T00:00:00Z"));
        assert_eq!(new_york.len(), 60);
    }
}
