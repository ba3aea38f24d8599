//! What breaks and what ends, as a calendar (RFC 5545): what an operator puts beside the on-call rota.

use crate::digest::digest;
use crate::ical::{Calendar, CalendarEvent};
use crate::page::clip;
use crate::words::{boundaries, candidate, credential, place};
use notafter_core::{Edge, EdgeKind, Finding, Origin, RunRecord, Severity, Verdict};

/// Characters of what an event is about.
const MAX_TITLE: usize = 160;

/// An event for every break that blocks, with alarms 90, 30 and 7 days before, and one for every end of a known
/// credential inside the support window, and for the first one behind it.
#[must_use]
pub fn calendar(record: &RunRecord, verdict: &Verdict) -> String {
    let mut calendar = Calendar::new("gate");
    let who = candidate(&record.scenario);
    for finding in verdict.findings.iter().filter(|finding| finding.severity == Severity::Block) {
        let Some(bracket) = finding.bracket else { continue };
        calendar.event(&CalendarEvent {
            uid: &digest(&[
                record.scenario.name.as_str(),
                &who,
                finding.code.as_str(),
                &bracket.first_fail.to_string(),
            ]),
            stamp: record.started,
            at: bracket.first_fail,
            summary: &format!("{who} breaks"),
            description: &told(finding),
            categories: Some("BREAK"),
            alarms: &[90, 30, 7],
        });
    }
    // What one launch made for itself is gone with it.
    let counts = |edge: &Edge| match record.inventory.find(edge.credential).map(|known| &known.origin) {
        Some(Origin::Memory) => {
            verdict.coverage.entries.iter().any(|entry| entry.credential == edge.credential)
        }
        Some(Origin::Declared(_) | Origin::Embedded | Origin::Served) | None => true,
    };
    let ends = boundaries(record).into_iter().filter(counts).chain(verdict.next_edge);
    for edge in ends.filter(|edge| edge.kind == EdgeKind::NotAfter) {
        end(&mut calendar, record, edge);
    }
    calendar.end()
}

fn told(finding: &Finding) -> String {
    let help = finding.help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
    format!("{}: {}{help}", finding.code, finding.summary)
}

fn end(calendar: &mut Calendar, record: &RunRecord, edge: Edge) {
    let Some(known) = record.inventory.find(edge.credential) else { return };
    let lies = known.places.first().map_or_else(String::new, |known| format!("; lies in {}", place(known)));
    let named = credential(&record.inventory, edge.credential);
    calendar.event(&CalendarEvent {
        uid: &edge.credential.to_string(),
        stamp: record.started,
        at: known.written_end().unwrap_or(edge.at),
        summary: &format!("{} ends", clip(&known.title(), MAX_TITLE)),
        description: &format!("{} of {named}{lies}", known.kind.end_word()),
        categories: Some("END"),
        alarms: &[30, 7],
    });
}
