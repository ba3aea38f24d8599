//! The ends as a calendar (RFC 5545): one event each, with alarms 30 days and 7 days before.

use super::findings::Findings;
use crate::ical::{Calendar, CalendarEvent};
use crate::words::path_chain;

/// One event for every end that is asked for and that comes.
#[must_use]
pub fn calendar(findings: &Findings<'_>) -> String {
    let mut calendar = Calendar::new("scan");
    for credential in findings.shown() {
        let Some(end) = credential.written_end() else { continue };
        let place = credential.places.first().map_or_else(String::new, path_chain);
        let word = credential.kind.end_word();
        calendar.event(&CalendarEvent {
            uid: &credential.fingerprint.to_string(),
            stamp: findings.now,
            at: end,
            summary: &format!("{} ends", credential.title()),
            description: &format!("{word} {end}; SHA-256 {}; lies in {place}", credential.fingerprint),
            categories: None,
            alarms: &[30, 7],
        });
    }
    calendar.end()
}
