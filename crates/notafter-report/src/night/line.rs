//! What is told of a build as soon as it is judged.

use crate::StyleSheet;
use crate::page::{Page, clip};
use crate::words::duration;
use anstyle::Style;
use notafter_core::{NightEntry, Severity, Span, Standing};
use std::fmt;
use std::time::Duration;

/// Longer headlines are clipped: the history holds them whole.
pub(super) const MAX_TEXT: usize = 240;
/// The widest word of a standing.
const WORD: usize = "inconclusive".len();

/// Writes one line: what a build came to, and why.
///
/// # Errors
/// Where the sink fails.
pub fn line(sink: &mut impl fmt::Write, entry: &NightEntry, styles: &StyleSheet) -> fmt::Result {
    let plain = Style::new();
    let took = match entry.took {
        Duration::ZERO => String::new(),
        took => format!(" ({})", length(took)),
    };
    let rest = format!("  {}: {}{took}", entry.judged, clip(&entry.headline, MAX_TEXT));
    let word = format!("{:WORD$}", entry.standing);
    Page::new(sink, styles).line(&[(standing_style(styles, entry.standing), &word), (plain, &rest)])
}

pub(super) fn standing_style(styles: &StyleSheet, standing: Standing) -> Style {
    match standing {
        Standing::Allow => styles.allow,
        Standing::Block => styles.block,
        Standing::Inconclusive | Standing::Refused => styles.inconclusive,
    }
}

pub(super) fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Inconclusive => "unknown",
        Severity::Block => "block",
    }
}

/// `3 min 12 s`, `0.4 s`.
pub(super) fn length(took: Duration) -> String {
    match took.as_secs() {
        0..60 => duration(took),
        secs => Span::from_secs(i64::try_from(secs).unwrap_or(i64::MAX)).to_string(),
    }
}
