//! Guarding what makes a process see the shifted clock: its vDSO and the page, from its exec to its end.

use super::engine::Supervisor;
use crate::calls;
use crate::guest;
use crate::sweep::{self, Gap};
use notafter_sys::notify::Notification;
use notafter_sys::page::PAGE_LEN;
use notafter_sys::vdso::PAGE_ADDRESS;
use std::collections::{BTreeSet, HashMap};
use std::io;

/// More processes than this are looked through for those that are gone.
const MAX_REMEMBERED: usize = 4096;

/// More places than this are not remembered: then every caller is asked.
const MAX_PLACES: usize = 1 << 16;

/// Where the vDSO of processes that have executed a program lies, by process id. A process that ended by a signal
/// stays here, so another one with its id may be meant.
#[derive(Debug, Default)]
pub(super) struct Bases {
    by_process: HashMap<i32, u64>,
    /// Wherever a vDSO has ever been; copies of a process have theirs where its is.
    ever: BTreeSet<u64>,
}

impl Bases {
    pub(super) fn insert(&mut self, pid: i32, base: u64) {
        if self.by_process.len() >= MAX_REMEMBERED {
            self.by_process.retain(|pid, _| guest::is_alive(*pid));
        }
        self.by_process.insert(pid, base);
        if self.ever.len() < MAX_PLACES {
            self.ever.insert(base);
        }
    }

    pub(super) fn of(&self, pid: i32) -> Option<u64> {
        self.by_process.get(&pid).copied()
    }

    /// Whether a vDSO of `len` bytes that was patched here can lie at `address`; cheaper than asking the process.
    pub(super) fn may_hold(&self, address: u64, len: u64) -> bool {
        let before = self.ever.range(..=address).next_back();
        self.ever.len() >= MAX_PLACES || before.is_some_and(|base| address - base < len)
    }
}

impl Supervisor {
    /// Looks at the program of a process before another takes its place. A copy of a process that has not executed
    /// anything itself is not looked at: its original will be.
    pub(super) fn look_before_exec(&mut self, tid: i32) {
        if let Some(base) = self.bases.of(tid) {
            self.look(tid, Some(base));
        }
    }

    /// Looks at a process that is about to end. Whatever was changed in it and left so is seen even where no sweep
    /// came by while it lived, and so is a program that never had the page.
    pub(super) fn look_before_end(&mut self, tid: i32) {
        // Between filter and exec a new process is still a copy of this one, which no clock was given to.
        if !self.roots.iter().any(|root| root.pid == tid && !root.has_executed) {
            let base = self.bases.by_process.remove(&tid);
            self.look(tid, base);
        }
    }

    fn look(&mut self, tid: i32, base: Option<u64>) {
        let gap = match self.compare(tid, base) {
            Ok(Ok(())) => return,
            Ok(Err(gap)) => gap,
            Err(error) if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT)) => return,
            Err(error) => Gap::Opaque(error.to_string()),
        };
        let exe = guest::exe(tid);
        self.ledger.fault(tid, format!("{exe}, at its end: {gap}"));
    }

    /// Whether vDSO and page of a process are as they were made; `base` is where its vDSO is thought to lie.
    fn compare(&self, tid: i32, base: Option<u64>) -> io::Result<Result<(), Gap>> {
        let is_patched = |base| {
            let image = sweep::read_image(tid, base, self.vdso.decisive_len())?;
            Ok::<_, io::Error>(image.is_some_and(|image| self.vdso.begins_with(&image)))
        };
        let thought_right = base.map_or(Ok(false), is_patched)?;
        if !thought_right && !is_patched(guest::vdso_base(tid)?)? {
            return Ok(Err(Gap::OtherVdso));
        }
        Ok(if sweep::has_page(tid, self.page_identity)? { Ok(()) } else { Err(Gap::NoPage) })
    }

    /// Notes processes that were put into the pid namespace from outside, by setns(2) or an engine's `exec`: they run
    /// on real time, and the sweep, which follows parents, does not reach them. Their parent is not in the namespace.
    pub(super) fn note_intruders(&mut self) {
        if std::process::id() != 1 {
            return;
        }
        let processes = guest::processes().unwrap_or_default();
        for pid in processes.into_iter().filter(|pid| guest::has_no_parent(*pid)) {
            let exe = guest::exe(pid);
            self.ledger.fault(pid, format!("{exe} was put into the sandbox from outside"));
        }
    }

    /// Notes a call that touches the mapping of the clock page. What becomes of the call is the kernel's decision:
    /// the page may be sealed.
    pub(super) fn guard_page(&mut self, notification: &Notification) {
        let touches = |&(start, length): &(u64, u64)| {
            start < PAGE_ADDRESS + PAGE_LEN as u64 && start.saturating_add(length) > PAGE_ADDRESS
        };
        if calls::remapped(notification.number, &notification.args).iter().any(touches) {
            let exe = guest::exe(notification.tid);
            self.ledger.fault(notification.tid, format!("{exe} reached for the mapping of the clock page"));
        }
    }
}
