//! How a run is told to stop.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code of a run that a second signal ended at once: nothing was looked at, so it is inconclusive.
const KILLED_EXIT: i32 = 3;

/// A request to stop. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    raised: Arc<AtomicBool>,
}

impl Interrupt {
    /// One that nobody has raised yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Has SIGINT, SIGTERM and SIGHUP raise it, where the caller does not have them ignored. The first one lets the run end in order; a second one ends the
    /// process at once, and the sandboxes with it.
    ///
    /// # Errors
    /// Where the handlers cannot be installed.
    pub fn on_signals(&self) -> Result<(), crate::Error> {
        let ignored = ignored_signals();
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            if ignored & (1 << (signal - 1)) != 0 {
                continue; // as nohup(1) leaves SIGHUP: the caller does not want it heard
            }
            // In this order, or the first signal would already see the flag raised.
            signal_hook::flag::register_conditional_shutdown(signal, KILLED_EXIT, Arc::clone(&self.raised))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&self.raised)))
                .map_err(|source| crate::Error::Signals { source })?;
        }
        Ok(())
    }

    /// Asks the run to stop.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::SeqCst);
    }

    /// Whether the run was asked to stop.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::SeqCst)
    }
}

/// The signals that this process ignores, signal 1 in the lowest bit (proc_pid_status(5)); none where it cannot be
/// told.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
