//! The one place that reads the host's clock. Everything else takes time as an argument or asks a [`Stopwatch`].

use notafter_core::{ClockReading, UnixTime};
use std::time::{Duration, Instant, SystemTime};

/// The host's wall time, in whole seconds.
#[must_use]
pub fn unix_now() -> UnixTime {
    host_now().second
}

/// The host's wall time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this module is where the host's clock is read")]
pub fn host_now() -> ClockReading {
    match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => ClockReading {
            second: UnixTime::clamped(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)),
            nanos: since.subsec_nanos(),
        },
        // A machine whose clock stands before 1970 has no certificates to judge; the second is near enough.
        Err(before) => {
            let secs = i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX);
            ClockReading::at(UnixTime::clamped(-secs))
        }
    }
}

/// Time since it was started, on the host's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    began: Instant,
}

impl Stopwatch {
    /// Starts at zero.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this module is where the host's clock is read")]
    pub fn start() -> Self {
        Self { began: Instant::now() }
    }

    /// How long it has been running.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Polling with growing pauses until a limit is reached.
#[derive(Debug)]
pub(crate) struct Patience {
    watch: Stopwatch,
    limit: Duration,
    pause: Duration,
    longest: Duration,
}

impl Patience {
    /// Waits at most `limit` in all, in pauses that grow by half from `first` up to `longest`.
    pub(crate) fn new(limit: Duration, first: Duration, longest: Duration) -> Self {
        Self { watch: Stopwatch::start(), limit, pause: first, longest }
    }

    /// What is left of the limit.
    pub(crate) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.watch.elapsed())
    }

    /// How long it has been waiting.
    pub(crate) fn elapsed(&self) -> Duration {
        self.watch.elapsed()
    }

    /// Sleeps once, unless the limit is reached; says whether another try is due.
    pub(crate) fn wait(&mut self) -> bool {
        let left = self.left();
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(self.pause.min(left));
        self.pause = (self.pause * 3 / 2).min(self.longest);
        true
    }
}
