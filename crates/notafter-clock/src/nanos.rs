//! Nanoseconds on a clock, wide enough for every year that a certificate can name.

use notafter_core::{ClockReading, UnixTime};
use notafter_sys::page::Timespec;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point on a clock, or a distance between two points of one clock, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Nanos(pub(crate) i128);

const PER_SECOND: i128 = 1_000_000_000;

impl Nanos {
    pub(crate) const ZERO: Self = Self(0);

    pub(crate) fn from_secs(secs: i64) -> Self {
        Self(i128::from(secs) * PER_SECOND)
    }

    /// A timespec of a guest; none where its nanoseconds are no fraction of a second or the seconds are negative,
    /// as the kernel's `EINVAL`.
    pub(crate) fn from_guest([secs, nanos]: [i64; 2]) -> Option<Self> {
        let valid = secs >= 0 && (0..1_000_000_000).contains(&nanos);
        valid.then(|| Self(i128::from(secs) * PER_SECOND + i128::from(nanos)))
    }

    pub(crate) fn to_timespec(self) -> Timespec {
        let clamp = |value: i128| i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX });
        Timespec { secs: clamp(self.0.div_euclid(PER_SECOND)), nanos: clamp(self.0.rem_euclid(PER_SECOND)) }
    }

    /// A point on a wall clock as people read it, clamped to the years that can be shown.
    pub(crate) fn to_reading(self) -> ClockReading {
        let time = self.to_timespec();
        ClockReading { second: UnixTime::clamped(time.secs), nanos: u32::try_from(time.nanos).unwrap_or(0) }
    }

    pub(crate) fn to_words(self) -> [i64; 2] {
        let time = self.to_timespec();
        [time.secs, time.nanos]
    }

    /// The same as a duration; zero where negative.
    pub(crate) fn to_duration(self) -> Duration {
        let time = Self(self.0.max(0)).to_timespec();
        Duration::new(time.secs.unsigned_abs(), u32::try_from(time.nanos).unwrap_or(0))
    }
}

impl From<Timespec> for Nanos {
    fn from(time: Timespec) -> Self {
        Self(i128::from(time.secs) * PER_SECOND + i128::from(time.nanos))
    }
}

impl From<Duration> for Nanos {
    fn from(duration: Duration) -> Self {
        Self(i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX))
    }
}

impl Add for Nanos {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Nanos {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_times_keep_their_nanoseconds_forward() {
        let time = Nanos(-1).to_timespec();
        assert_eq!((time.secs, time.nanos), (-1, 999_999_999));
        assert_eq!(Nanos::from(time), Nanos(-1));
        assert_eq!(Nanos(-5).to_duration(), Duration::ZERO);
    }

    #[test]
    fn malformed_timespecs_of_guests_are_refused() {
        assert!(Nanos::from_guest([0, 1_000_000_000]).is_none());
        assert!(Nanos::from_guest([-1, 0]).is_none());
        assert_eq!(Nanos::from_guest([1, 1]), Some(Nanos(1_000_000_001)));
    }
}
