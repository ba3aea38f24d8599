//! What is left of a wait: the kernel knows nothing of time that has elapsed, and would leave too much.

use super::engine::Supervisor;
use super::tracees::{
    RESTART_CALL, RESTART_FROM_BLOCK, RESTART_UNLESS_HANDLED, detach_unnoticed, is_same_call,
};
use crate::calls::{self, Reads};
use crate::nanos::Nanos;
use crate::wait::Wait;
use notafter_sys::arch::RESTARTS_LOOK_ALIKE;
use notafter_sys::memory;
use notafter_sys::trace::Stopped;
use std::io;

impl Supervisor {
    /// Time has elapsed. Waits of which what is left can be read when they end are issued again with that; sleeps of
    /// which a signal may leave something are attached to until they end.
    pub(super) fn follow_remainders(&mut self) {
        self.tracees.interrupt_awake();
        let clock = self.clock();
        for (tid, wait, reads) in self.sleepers.with_remainders(&clock) {
            if !wait.holds(tid) {
                continue;
            }
            let done = match reads {
                Reads::Caller => self.tracees.attach_for_remainder(tid, wait),
                Reads::CallerAndKernel => {
                    let done = self.tracees.attach_to_renew(tid, wait);
                    if done.is_ok() {
                        self.sleepers.renew(tid);
                    }
                    done
                }
            };
            match done {
                Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                    self.ledger.fault(tid, format!("what is left of a wait cannot be put right: {error}"));
                }
                Ok(()) | Err(_) => {}
            }
        }
    }

    /// A thread stands still in a wait of which something is left.
    pub(super) fn renew_wait(&mut self, stopped: Stopped, wait: &Wait) -> io::Result<()> {
        self.correct_remainder(&stopped, wait)?;
        detach_unnoticed(stopped)
    }

    /// Puts right what the kernel has left of a wait that was just interrupted.
    pub(super) fn correct_remainder(&self, stopped: &Stopped, wait: &Wait) -> io::Result<()> {
        let registers = stopped.registers()?;
        let interrupted = match registers.result() {
            RESTART_FROM_BLOCK | RESTART_UNLESS_HANDLED => true,
            RESTART_CALL => RESTARTS_LOOK_ALIKE,
            _ => false,
        };
        let interrupted = interrupted && is_same_call(&registers, wait);
        let Some(remainder) = calls::remainder(wait.number, &wait.args).filter(|_| interrupted) else {
            return Ok(());
        };
        let [secs, nanos] = self.clock().until(wait.deadline).max(Nanos::ZERO).to_words();
        let written = memory::write_words(stopped.tid(), remainder.address, [secs, nanos / remainder.unit]);
        match written {
            // The kernel could not write there either.
            Err(error) if error.raw_os_error() == Some(libc::EFAULT) => Ok(()),
            written => written,
        }
    }
}
