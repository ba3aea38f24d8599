//! The canary: a program of our own that is started the same way as the guests and says what it sees.

use crate::error::{During, Error};
use crate::nanos::Nanos;
use notafter_core::ClockReading;
use notafter_sys::page::Timespec;
use notafter_sys::timers::{read_clock, read_clock_by_vdso};
use serde::{Deserialize, Serialize};

/// What the canary saw, on the candidate's clock: seconds and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryReport {
    /// CLOCK_REALTIME through the vDSO.
    pub by_vdso: (i64, i64),
    /// CLOCK_REALTIME by system call.
    pub by_call: (i64, i64),
}

/// Runs and judges the canary.
#[derive(Debug)]
pub struct Canary;

impl Canary {
    /// Reads both ways. To be called in a process that was started under the clock.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn sing() -> Result<CanaryReport, Error> {
        let pair = |time: Timespec| (time.secs, time.nanos);
        Ok(CanaryReport {
            by_vdso: pair(read_clock_by_vdso(libc::CLOCK_REALTIME).during("clock_gettime")?),
            by_call: pair(read_clock(libc::CLOCK_REALTIME).during("clock_gettime")?),
        })
    }
}

impl CanaryReport {
    /// What is wrong with the report of a canary that ran between two readings of the candidate's clock; none where
    /// both of its readings lie between them.
    #[must_use]
    pub fn defect(&self, begin: ClockReading, end: ClockReading) -> Option<String> {
        let nanos = |reading: ClockReading| {
            Nanos::from(Timespec { secs: reading.second.as_secs(), nanos: i64::from(reading.nanos) })
        };
        let (begin, end) = (nanos(begin), nanos(end));
        [("the vDSO", self.by_vdso), ("a system call", self.by_call)].into_iter().find_map(
            |(way, (secs, nanos))| {
                let seen = Nanos::from(Timespec { secs, nanos });
                (seen < begin || seen > end).then(|| {
                    let off = if seen < begin { begin - seen } else { seen - end };
                    format!("the canary read a time by {way} that is {} s off", off.0 / 1_000_000_000)
                })
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notafter_core::UnixTime;

    #[test]
    fn a_canary_on_real_time_is_noticed() {
        let begin = ClockReading::at(UnixTime::clamped(1_000));
        let end = ClockReading::at(UnixTime::clamped(1_001));
        let good = CanaryReport { by_vdso: (1_000, 5), by_call: (1_000, 9) };
        assert_eq!(good.defect(begin, end), None);
        let escaped = CanaryReport { by_call: (9_001, 0), ..good };
        assert_eq!(
            escaped.defect(begin, end).unwrap(),
            "the canary read a time by a system call that is 8000 s off"
        );
    }
}
