//! The processes of a service, as a whole.

use crate::wire::{Attempt, Failure};
use notafter_sys::fork;
use notafter_sys::processes::kill_below;
use rustix::process::{Pid, Signal};
use std::time::Duration;

/// How often members are looked for at the end; a process that forks without end is faster than one look.
const LOOKS: u32 = 1_500;
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// What makes a process one of the service's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Members {
    /// It descends from this init, which adopts what its own parents leave behind.
    BelowInit,
    /// It is in the container of which this init is the first process. An engine's helper that made it may change
    /// its threads, so that nothing but the keeper's socket tells of the end.
    OfContainer,
    /// It is in the pid namespace of which this init is pid 1.
    OfNamespace,
}

impl Members {
    /// Arranges that no process of the service, yet to be started, can leave it.
    pub(super) fn gather(self) -> Result<(), Failure> {
        match self {
            Self::BelowInit => rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
                .doing(|| "adopt what the service leaves".to_owned()),
            Self::OfContainer => Ok(()),
            // The kernel ends a namespace with its pid 1, and pid 1 with the keeper.
            Self::OfNamespace => {
                fork::die_with_maker(0).map(|_| ()).doing(|| "tie the init to the sandbox".to_owned())
            }
        }
    }

    /// Kills every process of the service as far as one look shows them.
    pub(super) fn kill(self) {
        match self {
            Self::BelowInit => {
                let _ = kill_below(own_pid(), |_| false); // without /proc there would be no supervisor
            }
            // As pid 1 of this namespace: every other process of it, and none outside.
            Self::OfContainer | Self::OfNamespace => {
                let _ = rustix::process::kill_process_group(Pid::INIT, Signal::KILL);
            }
        }
    }

    /// Ends every process of the service; what still lives after that is the keeper's to end.
    pub(super) fn end(self) {
        if let Self::BelowInit = self {
            for _ in 0..LOOKS {
                if !matches!(kill_below(own_pid(), |_| false), Ok(1..)) {
                    break;
                }
                while let Ok(Some(_)) = fork::reap_any() {}
                std::thread::sleep(BETWEEN_LOOKS);
            }
        }
    }
}

fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}
