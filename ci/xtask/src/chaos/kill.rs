//! What can be killed, and how.

use rustix::process::Signal;
use std::fmt;

/// One way to disturb a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kill {
    /// SIGKILL of an init, which is the supervisor of the clock in its service too.
    Init,
    /// SIGKILL of the keeper of a sandbox.
    Keeper,
    /// SIGINT of the runner, as a person at a terminal sends it.
    RunnerInterrupted,
    /// SIGKILL of the runner, as an impatient CI sends it.
    RunnerKilled,
    /// SIGTERM of the runner, as a patient CI sends it.
    RunnerTerminated,
}

impl Kill {
    /// Every way, in turn.
    pub const ALL: [Self; 5] =
        [Self::RunnerInterrupted, Self::RunnerKilled, Self::RunnerTerminated, Self::Keeper, Self::Init];

    pub(super) fn signal(self) -> Signal {
        match self {
            Self::Init | Self::Keeper | Self::RunnerKilled => Signal::KILL,
            Self::RunnerInterrupted => Signal::INT,
            Self::RunnerTerminated => Signal::TERM,
        }
    }
}

impl fmt::Display for Kill {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Init => "SIGKILL of an init",
            Self::Keeper => "SIGKILL of a keeper",
            Self::RunnerInterrupted => "SIGINT of the runner",
            Self::RunnerKilled => "SIGKILL of the runner",
            Self::RunnerTerminated => "SIGTERM of the runner",
        })
    }
}
