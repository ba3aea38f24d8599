//! Instants on the command line: the grammar of scenario files, counted from now.

use crate::Error;
use crate::time::{Base, InstantError, InstantText};
use notafter_core::UnixTime;

/// Reads an RFC 3339 instant, or one counted from `now` (the host's), such as `+1y` or `now - 90d`. A day alone is its
/// first second in UTC; a scenario has to write that out, because it is read by others than its author.
///
/// # Errors
/// [`Error::NotAnInstant`].
pub fn instant(text: &str, now: UnixTime) -> Result<UnixTime, Error> {
    let parsed = match InstantText::parse(text) {
        Err(InstantError::DateOnly { date }) => {
            InstantText::parse(&text.replacen(&date, &format!("{date}T00:00:00Z"), 1))
        }
        other => other,
    };
    let read = parsed.ok().and_then(|instant| match instant.base {
        Base::At(at) => instant.counted_from(at),
        Base::Implied | Base::Now => instant.counted_from(now),
        // A command line declares no credentials, start or support window.
        Base::Edge { .. } | Base::Issued | Base::Start | Base::SupportEnd => None,
    });
    read.ok_or_else(|| Error::NotAnInstant { text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_count_from_now() {
        let now = UnixTime::parse("2024-02-29T12:00:00Z").unwrap();
        for (text, expected) in [
            ("+1y", "2025-02-28T12:00:00Z"),
            ("-1d", "2024-02-28T12:00:00Z"),
            ("now", "2024-02-29T12:00:00Z"),
            ("2018-12-06T00:00:00Z", "2018-12-06T00:00:00Z"),
            ("2018-12-06", "2018-12-06T00:00:00Z"),
            ("2018-12-06 + 90d", "2019-03-06T00:00:00Z"),
        ] {
            assert_eq!(instant(text, now).unwrap().to_string(), expected, "{text}");
        }
        for text in [
            "",
            "tomorrow",
            "start",
            "x.not_after",
            "+99999999y",
            "2018-12",
            "2018-13-01",
            "2018-12-06 04:30",
        ] {
            assert!(instant(text, now).is_err(), "{text}");
        }
    }
}
