//! The only place of this crate that reads a clock: how long chores take, on the host's monotonic clock.

use std::time::{Duration, Instant};

/// Runs from its creation on.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "how long a chore took is all that depends on it")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "how long a chore took is all that depends on it")]
    pub fn elapsed(self) -> Duration {
        Instant::now().duration_since(self.0)
    }
}
