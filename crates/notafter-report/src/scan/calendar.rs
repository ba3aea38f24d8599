//! The ends as a calendar (RFC 5545): one event each, with alarms 30 days and 7 days before.

use super::findings::Findings;
use crate::page::escape;
use crate::words::path_chain;
use notafter_core::UnixTime;

/// Octets of a line before it is folded (RFC 5545 §3.1).
const LINE_LEN: usize = 75;

/// One event for every end that is asked for and that comes.
#[must_use]
pub fn calendar(findings: &Findings<'_>) -> String {
    let mut text = String::new();
    let mut line = |content: &str| fold(&mut text, content);
    line("BEGIN:VCALENDAR");
    line("VERSION:2.0");
    line("PRODID:-//notafter//scan//EN");
    for credential in findings.shown() {
        let Some(end) = credential.written_end() else { continue };
        let place = credential.places.first().map_or_else(String::new, path_chain);
        let (kind, word) = (credential.kind.word(), credential.kind.end_word());
        line("BEGIN:VEVENT");
        line(&format!("UID:{}@notafter", credential.fingerprint));
        line(&format!("DTSTAMP:{}", stamp(findings.now)));
        line(&format!("DTSTART:{}", stamp(end)));
        line(&format!("SUMMARY:{}", value(&format!("{kind} {} ends", credential.subject))));
        let told = format!("{word} {end}; SHA-256 {}; lies in {place}", credential.fingerprint);
        line(&format!("DESCRIPTION:{}", value(&told)));
        for before in ["P30D", "P7D"] {
            line("BEGIN:VALARM");
            line("ACTION:DISPLAY");
            line(&format!("DESCRIPTION:{}", value(&format!("{} ends at {end}", credential.subject))));
            line(&format!("TRIGGER:-{before}"));
            line("END:VALARM");
        }
        line("END:VEVENT");
    }
    line("END:VCALENDAR");
    text
}

/// `20181206T042959Z`.
fn stamp(at: UnixTime) -> String {
    at.to_string().chars().filter(|character| !matches!(character, '-' | ':')).collect()
}

/// Text as a value (RFC 5545 §3.3.11).
fn value(text: &str) -> String {
    escape(text).replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,")
}

fn fold(text: &mut String, content: &str) {
    let mut len = 0;
    for character in content.chars() {
        if len + character.len_utf8() > LINE_LEN {
            text.push_str("\r\n ");
            len = 1;
        }
        text.push(character);
        len += character.len_utf8();
    }
    text.push_str("\r\n");
}
