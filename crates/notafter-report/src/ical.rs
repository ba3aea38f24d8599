//! Lines of a calendar (RFC 5545).

use crate::page::escape;
use notafter_core::UnixTime;

/// Octets of a line before it is folded (RFC 5545 §3.1).
const LINE_LEN: usize = 75;

/// A calendar in the making.
pub(crate) struct Calendar {
    text: String,
}

/// One event of a second.
pub(crate) struct CalendarEvent<'a> {
    /// Unique in the world and the same in every rendering.
    pub(crate) uid: &'a str,
    /// When it was written.
    pub(crate) stamp: UnixTime,
    pub(crate) at: UnixTime,
    pub(crate) summary: &'a str,
    pub(crate) description: &'a str,
    pub(crate) categories: Option<&'a str>,
    /// Days before it on which to remind.
    pub(crate) alarms: &'a [u32],
}

impl Calendar {
    /// `product` is what wrote it, as in `scan`.
    pub(crate) fn new(product: &str) -> Self {
        let mut calendar = Self { text: String::new() };
        calendar.line("BEGIN:VCALENDAR");
        calendar.line("VERSION:2.0");
        calendar.line(&format!("PRODID:-//notafter//{product}//EN"));
        calendar
    }

    pub(crate) fn event(&mut self, event: &CalendarEvent<'_>) {
        self.line("BEGIN:VEVENT");
        self.line(&format!("UID:{}@notafter", event.uid));
        self.line(&format!("DTSTAMP:{}", stamp(event.stamp)));
        self.line(&format!("DTSTART:{}", stamp(event.at)));
        self.line(&format!("SUMMARY:{}", value(event.summary)));
        if let Some(categories) = event.categories {
            self.line(&format!("CATEGORIES:{categories}"));
        }
        self.line(&format!("DESCRIPTION:{}", value(event.description)));
        for days in event.alarms {
            self.line("BEGIN:VALARM");
            self.line("ACTION:DISPLAY");
            self.line(&format!("DESCRIPTION:{}", value(event.summary)));
            self.line(&format!("TRIGGER:-P{days}D"));
            self.line("END:VALARM");
        }
        self.line("END:VEVENT");
    }

    pub(crate) fn end(mut self) -> String {
        self.line("END:VCALENDAR");
        self.text
    }

    fn line(&mut self, content: &str) {
        let mut len = 0;
        for character in content.chars() {
            if len + character.len_utf8() > LINE_LEN {
                self.text.push_str("\r\n ");
                len = 1;
            }
            self.text.push(character);
            len += character.len_utf8();
        }
        self.text.push_str("\r\n");
    }
}

/// `20181206T042959Z`.
fn stamp(at: UnixTime) -> String {
    at.to_string().chars().filter(|character| !matches!(character, '-' | ':')).collect()
}

/// Text as a value (RFC 5545 §3.3.11).
fn value(text: &str) -> String {
    escape(text).replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,")
}
