//! The ledger: every program that was executed under the clock, and everything that stands against believing it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// More programs than this are counted, not listed.
const MAX_LISTED: usize = 4096;

/// One program that was executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// Process id in the supervisor's pid namespace.
    pub pid: i32,
    /// The executable, as the process sees it.
    pub exe: String,
    /// Whether it asked for the clock page as its first instructions. Before that it has not run at all.
    pub proven: bool,
}

/// Something that stands against believing that every process saw the shifted clock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fault {
    /// Process id in the supervisor's pid namespace.
    pub pid: i32,
    /// What happened, as a lower-case fragment.
    pub reason: String,
}

/// Everything that a supervisor did and met.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The programs, in order.
    pub executions: Vec<Execution>,
    /// Programs that were proven but are not listed, because there were so many.
    pub unlisted: u64,
    /// What stands against belief; empty in a sound run.
    pub faults: BTreeSet<Fault>,
    /// Calls that were refused though the kernel has them, as lower-case fragments; programs have another way.
    pub refusals: BTreeSet<String>,
    /// What could not be looked at though no proof stands on it, as lower-case sentences without an end.
    pub unseen: BTreeSet<String>,
    /// Notifications answered.
    pub notifications: u64,
}

impl Ledger {
    pub(crate) fn fault(&mut self, pid: i32, reason: impl Into<String>) {
        if self.faults.len() < MAX_LISTED {
            self.faults.insert(Fault { pid, reason: reason.into() });
        }
    }

    pub(crate) fn executed(&mut self, pid: i32, exe: String) {
        if self.executions.len() >= MAX_LISTED {
            // A proven one makes room; should all be unproven, the list may grow by what is running at once.
            if let Some(proven) = self.executions.iter().position(|execution| execution.proven) {
                self.executions.remove(proven);
                self.unlisted += 1;
            }
        }
        self.executions.push(Execution { pid, exe, proven: false });
    }

    /// The process asked for the page; false where no exec of it is known.
    pub(crate) fn proven(&mut self, pid: i32) -> bool {
        let last = self.executions.iter_mut().rev().find(|execution| execution.pid == pid);
        last.map(|execution| execution.proven = true).is_some()
    }
}
