//! Instants and spans. Three clocks are in play, and each type or its use says which one it is read on: *host*
//! (the machine's), *candidate* (what the services see) and *verifier* (what a probe takes as now).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a text or a sum is no instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The sum leaves the years -9999 to 9999.
    #[error("the instant lies outside the years -9999 to 9999")]
    OutOfRange,
    /// The text is no RFC 3339 instant with an offset.
    #[error("`{text}` is not an RFC 3339 instant such as 2018-12-06T04:30:00Z")]
    NotAnInstant {
        /// The text as it was given.
        text: String,
    },
}

/// A whole second, counted from 1970-01-01T00:00:00Z without leap seconds; as edges of credentials and planned
/// instants are. Serialises as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = r"^(-00)?[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"))]
pub struct UnixTime(i64);

impl UnixTime {
    /// `99991231235959Z`: what RFC 5280 §4.1.2.5 writes for "no well-defined expiration date".
    pub const NO_EXPIRY: Self = Self(253_402_300_799);
    /// -9999-01-02T01:59:59Z, the earliest that calendars here can show.
    pub const MIN: Self = Self(-377_705_023_201);

    /// From seconds since the epoch.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`] before [`Self::MIN`] or after [`Self::NO_EXPIRY`].
    pub fn from_secs(secs: i64) -> Result<Self, TimeError> {
        if (Self::MIN.0..=Self::NO_EXPIRY.0).contains(&secs) {
            Ok(Self(secs))
        } else {
            Err(TimeError::OutOfRange)
        }
    }

    /// From seconds since the epoch, the nearest that can be shown where they lie outside.
    #[must_use]
    pub fn clamped(secs: i64) -> Self {
        Self(secs.clamp(Self::MIN.0, Self::NO_EXPIRY.0))
    }

    /// Seconds since the epoch.
    #[must_use]
    pub fn as_secs(self) -> i64 {
        self.0
    }

    /// The instant `secs` later (earlier where negative), clamped to what can be shown.
    #[must_use]
    pub fn plus_secs(self, secs: i64) -> Self {
        Self::clamped(self.0.saturating_add(secs))
    }

    /// Seconds from `earlier` to `self`; negative where `self` comes first.
    #[must_use]
    pub fn secs_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// Reads RFC 3339; a fraction of a second is cut off.
    ///
    /// # Errors
    /// [`TimeError`] for a text that is no instant or lies outside the range.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        if text == "9999-12-31T23:59:59Z" {
            return Ok(Self::NO_EXPIRY); // jiff ends some hours earlier
        }
        let instant: jiff::Timestamp =
            text.parse().map_err(|_| TimeError::NotAnInstant { text: text.to_owned() })?;
        Self::from_secs(instant.as_second() - i64::from(instant.subsec_nanosecond() < 0))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(instant) => formatter.pad(&instant.to_string()),
            Err(_) => formatter.pad("9999-12-31T23:59:59Z"),
        }
    }
}

impl TryFrom<String> for UnixTime {
    type Error = TimeError;
    fn try_from(text: String) -> Result<Self, TimeError> {
        Self::parse(&text)
    }
}

impl From<UnixTime> for String {
    fn from(time: UnixTime) -> Self {
        time.to_string()
    }
}

/// What a clock showed at one moment, to the nanosecond. The field or variable that holds one says whose clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ClockReading {
    /// The whole second that the clock showed.
    pub second: UnixTime,
    /// Nanoseconds into that second, below 1,000,000,000.
    pub nanos: u32,
}

impl ClockReading {
    /// The very beginning of `second`.
    #[must_use]
    pub fn at(second: UnixTime) -> Self {
        Self { second, nanos: 0 }
    }
}

impl fmt::Display for ClockReading {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return self.second.fmt(formatter);
        }
        let text = self.second.to_string();
        write!(formatter, "{}.{:03}Z", text.trim_end_matches('Z'), self.nanos / 1_000_000)
    }
}

/// A distance between two instants in seconds, shown the way people say it: `3 d 4 h`, `90 s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Span(i64);

impl Span {
    /// A span of whole seconds; negative ones point to the past.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs)
    }

    /// Whole seconds.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.unsigned_abs();
        let units =
            [(secs / 86_400, "d"), (secs / 3_600 % 24, "h"), (secs / 60 % 60, "min"), (secs % 60, "s")];
        let parts: Vec<String> = units
            .iter()
            .skip_while(|unit| unit.0 == 0)
            .take(2)
            .filter(|unit| unit.0 > 0)
            .map(|unit| format!("{} {}", unit.0, unit.1))
            .collect();
        formatter.pad(&if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_read_and_show_as_rfc_3339() {
        let end = UnixTime::parse("2018-12-06T04:29:59Z").unwrap();
        assert_eq!(end.as_secs(), 1_544_070_599);
        assert_eq!(end.plus_secs(1).to_string(), "2018-12-06T04:30:00Z");
        assert_eq!(UnixTime::parse("2018-12-06T05:29:59.9+01:00").unwrap(), end);
        assert!(UnixTime::parse("2018-12-06").is_err());
    }

    #[test]
    fn no_expiry_survives_a_round_trip() {
        let text = UnixTime::NO_EXPIRY.to_string();
        assert_eq!(text, "9999-12-31T23:59:59Z");
        assert_eq!(UnixTime::parse(&text).unwrap(), UnixTime::NO_EXPIRY);
        assert_eq!(UnixTime::NO_EXPIRY.plus_secs(i64::MAX), UnixTime::NO_EXPIRY);
        assert_eq!(UnixTime::MIN.to_string(), "-009999-01-02T01:59:59Z");
        assert_eq!(UnixTime::parse(&UnixTime::MIN.to_string()).unwrap(), UnixTime::MIN);
    }

    #[test]
    fn spans_read_as_people_say_them() {
        for (secs, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (-90, "1 min 30 s"),
            (86_400, "1 d"),
            (35 * 86_400 + 4 * 3_600 + 1, "35 d 4 h"),
        ] {
            assert_eq!(Span::from_secs(secs).to_string(), text);
        }
    }
}
