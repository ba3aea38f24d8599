//! Times of files: a call that tells one of this run is issued again, and what it has told is put right.
//!
//! The kernel carries out every call itself, with the caller's own rights and root. Only where a look beforehand finds
//! a time that a motion has changed, or cannot find out, is the caller stopped behind its call.

use super::engine::Supervisor;
use super::tracees::RESTART_CALL;
use crate::filter::REWRITTEN;
use crate::guest;
use crate::nanos::Nanos;
use crate::stat::{Look, StatCall};
use notafter_sys::arch::Registers;
use notafter_sys::notify::Notification;
use notafter_sys::trace::{Running, Stopped};
use std::io;

impl Supervisor {
    pub(super) fn stat(&mut self, listener: u32, notification: &Notification) {
        let call = StatCall { number: notification.number.into(), args: notification.args };
        let tid = notification.tid;
        let told = self.stamps.follow(&self.page).map(|()| call.look(tid));
        match told {
            Ok(Look::Times(times)) if times.iter().all(|time| self.shown(*time).is_none()) => {
                self.proceed(listener, notification);
            }
            // It stays unanswered: interrupting the thread withdraws it.
            Ok(_) => self.tell_times(tid, call),
            Err(error) => {
                self.ledger.fault(tid, format!("the history of the clock cannot be read: {error}"));
                self.proceed(listener, notification);
            }
        }
    }

    /// What the guests' clock showed when the kernel stamped a file so, where that is another time.
    fn shown(&self, stamp: Nanos) -> Option<Nanos> {
        let shown = self.stamps.shown(stamp, self.clock().real_wall())?;
        (shown != stamp).then_some(shown)
    }

    /// Has the call issued again by its thread, which has been stopped in it.
    pub(super) fn issue_marked(
        &mut self,
        stopped: Stopped,
        call: &StatCall,
    ) -> io::Result<Option<(Registers, Running)>> {
        let own = stopped.registers()?;
        if !own.has_args(&call.args) || own.call() != Some(call.number) || own.result() != RESTART_CALL {
            // A signal came first: the call is issued again and put before the supervisor anew.
            stopped.detach(0)?;
            return Ok(None);
        }
        let mut registers = own;
        registers.set_argument(5, own.args()[5] & 0xffff_ffff | u64::from(REWRITTEN) << 32);
        registers.rewind_call();
        stopped.set_registers(registers)?;
        Ok(Some((own, stopped.step()?)))
    }

    /// The thread stands still behind its call (`signal` is SIGTRAP), or before it because of a signal.
    pub(super) fn leave_marked(
        &mut self,
        stopped: Stopped,
        own: &Registers,
        call: &StatCall,
        signal: i32,
    ) -> io::Result<()> {
        let mut registers = stopped.registers()?;
        registers.set_argument(5, own.args()[5]);
        stopped.set_registers(registers)?;
        let is_done = signal == libc::SIGTRAP;
        if is_done && registers.result() == 0 {
            let tid = stopped.tid();
            if let Err(error) = call.put_right(tid, |stamp| self.shown(stamp)) {
                let exe = guest::exe(tid);
                self.ledger.fault(tid, format!("times of files cannot be told to {exe}: {error}"));
            }
        }
        stopped.detach(if is_done { 0 } else { signal })
    }
}
