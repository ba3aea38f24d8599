//! `5s`, `500ms`, `10m`, `2h`, `90d`, `3mo`, `2y`, and several in a row: `1h30m`.

use super::Sign;
use jiff::tz::Offset;
use notafter_core::UnixTime;
use std::fmt;
use std::time::Duration;

/// Why a text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AmountError {
    /// It does not read as one.
    Malformed,
    /// It is longer than ten thousand years.
    TooLong,
}

/// A duration that keeps months and days apart from seconds: a month has no length until it has a beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    months: u32,
    days: u32,
    millis: u64,
}

/// Units from the longest to the shortest; the text of each, what one of it counts, and in which field.
const UNITS: [(&str, Unit); 7] = [
    ("y", Unit::Months(12)),
    ("mo", Unit::Months(1)),
    ("d", Unit::Days),
    ("h", Unit::Millis(3_600_000)),
    ("m", Unit::Millis(60_000)),
    ("s", Unit::Millis(1_000)),
    ("ms", Unit::Millis(1)),
];
const MAX_YEARS: u32 = 10_000;

#[derive(Clone, Copy)]
enum Unit {
    Days,
    Millis(u64),
    Months(u32),
}

impl Amount {
    /// Reads one or more numbers with units, no unit twice.
    pub(crate) fn parse(text: &str) -> Result<Self, AmountError> {
        let mut amount = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = rest.split_at(digits);
            let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (name, after) = after.split_at(letters);
            let (name, unit) = UNITS.iter().find(|unit| unit.0 == name).ok_or(AmountError::Malformed)?;
            if digits == 0 || seen.contains(name) {
                return Err(AmountError::Malformed);
            }
            seen.push(name);
            amount.add(number.parse().map_err(|_| AmountError::TooLong)?, *unit)?;
            rest = after;
        }
        if seen.is_empty() { Err(AmountError::Malformed) } else { Ok(amount) }
    }

    fn add(&mut self, count: u32, unit: Unit) -> Result<(), AmountError> {
        let too_long = AmountError::TooLong;
        match unit {
            Unit::Months(each) => {
                let months = count.checked_mul(each).and_then(|months| self.months.checked_add(months));
                self.months = months.filter(|months| *months <= 12 * MAX_YEARS).ok_or(too_long)?;
            }
            Unit::Days => self.days = Some(count).filter(|days| *days <= 366 * MAX_YEARS).ok_or(too_long)?,
            // At most 2^32 hours in milliseconds: no overflow, and the sum of four such neither.
            Unit::Millis(each) => {
                self.millis += u64::from(count) * each;
                if self.millis / 86_400_000 > 366 * u64::from(MAX_YEARS) {
                    return Err(too_long);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn is_zero(self) -> bool {
        self == Self::default()
    }

    /// The length on a stopwatch; none for months, which have no fixed one. A day is 24 hours.
    pub(crate) fn as_duration(self) -> Option<Duration> {
        let days = Duration::from_secs(u64::from(self.days) * 86_400);
        (self.months == 0).then(|| days + Duration::from_millis(self.millis))
    }

    /// Whether it ends on a whole second, as instants do.
    pub(crate) fn is_whole_seconds(self) -> bool {
        self.millis.is_multiple_of(1_000)
    }

    /// The instant this long after `from` (before, for minus) in the UTC calendar: first months, with the day cut to
    /// the length of the month, then days, then seconds. None outside the range of instants.
    pub(crate) fn applied_to(self, from: UnixTime, sign: Sign) -> Option<UnixTime> {
        let secs = i64::try_from(self.millis / 1_000).ok()?;
        let shifted = if self.months == 0 && self.days == 0 {
            from.as_secs() // keeps instants that the calendar below cannot show
        } else {
            let calendar = jiff::Span::new().try_months(self.months).ok()?.try_days(self.days).ok()?;
            let begin = Offset::UTC.to_datetime(jiff::Timestamp::from_second(from.as_secs()).ok()?);
            let end = match sign {
                Sign::Minus => begin.checked_sub(calendar).ok()?,
                Sign::Plus => begin.checked_add(calendar).ok()?,
            };
            Offset::UTC.to_timestamp(end).ok()?.as_second()
        };
        let end = match sign {
            Sign::Minus => shifted.checked_sub(secs)?,
            Sign::Plus => shifted.checked_add(secs)?,
        };
        UnixTime::from_secs(end).ok()
    }

    #[cfg(test)]
    pub(super) fn from_parts(months: u32, days: u32, millis: u64) -> Self {
        Self { months, days, millis }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (u64::from(self.months), "mo"),
            (u64::from(self.days), "d"),
            (self.millis / 3_600_000, "h"),
            (self.millis / 1_000 % 3_600, "s"),
            (self.millis % 1_000, "ms"),
        ];
        if self.is_zero() {
            return formatter.write_str("0s");
        }
        parts.iter().filter(|part| part.0 > 0).try_for_each(|part| write!(formatter, "{}{}", part.0, part.1))
    }
}
