//! Threads that the supervisor has attached to for a moment, and what it does when they stop.

use super::engine::Supervisor;
use crate::clock::Deadline;
use crate::guest;
use crate::nanos::Nanos;
use crate::stat::StatCall;
use crate::wait::Wait;
use notafter_sys::arch::{RESTARTS_LOOK_ALIKE, Registers, calls};
use notafter_sys::memory;
use notafter_sys::trace::{self, Running, Stopped};
use std::collections::HashMap;
use std::io;
use std::time::Duration;

/// How long an exec may take before the supervisor looks whether it has failed.
const EXEC_TAKES: Duration = Duration::from_millis(10);

/// Results by which the kernel says that a call was interrupted and is to be issued again
/// (include/linux/errno.h): ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK.
pub(super) const RESTART_CALL: i64 = -512;
const RESTART_ALWAYS: i64 = -513;
pub(super) const RESTART_UNLESS_HANDLED: i64 = -514;
pub(super) const RESTART_FROM_BLOCK: i64 = -516;
const INTERRUPTED: i64 = -(libc::EINTR as i64);

/// Why a thread is attached.
#[derive(Debug)]
enum Purpose {
    /// Its wait is over: it is made to return.
    EndWait(Wait),
    /// It is about to execute another program, since that instant of the kernel's CLOCK_MONOTONIC.
    Exec { since: Nanos },
    /// Time has elapsed while it sleeps: what a signal leaves of the sleep is to be put right.
    Remainder(Wait),
    /// Time has elapsed while it waits: its call is to be issued again with what is left.
    Renew(Wait),
    /// Its call waits to be issued again with another timeout.
    Rewrite(Wait),
    /// It sits in a call with a rewritten timeout; these are its own registers. With `over`, its time is up.
    Rewritten { own: Box<Registers>, wait: Wait, over: bool },
    /// Its call, which tells times of a file, waits to be issued again.
    Stat(StatCall),
    /// That call was issued again; these are its own registers.
    Telling { own: Box<Registers>, call: StatCall },
}

#[derive(Debug)]
struct Tracee {
    purpose: Purpose,
    /// The handle with which it can be interrupted.
    running: Running,
}

/// The attached threads, by thread id.
#[derive(Debug, Default)]
pub(super) struct Tracees(HashMap<i32, Tracee>);

impl Tracees {
    pub(super) fn forget(&mut self, tid: i32) -> bool {
        self.0.remove(&tid).is_some()
    }

    /// Whether a thread was asked to stop so that its wait ends, and has not stopped yet.
    pub(super) fn any_ending(&self) -> bool {
        self.0.values().any(|tracee| {
            matches!(
                tracee.purpose,
                Purpose::EndWait(_) | Purpose::Renew(_) | Purpose::Rewritten { over: true, .. }
            )
        })
    }

    /// A thread that has been asked to stop, or is on its way to another call. One whose exec failed stays
    /// attached without being on its way anywhere, so attachment for an exec does not count.
    pub(super) fn in_motion(&self) -> Option<i32> {
        let moves = |purpose: &Purpose| match purpose {
            Purpose::EndWait(_)
            | Purpose::Renew(_)
            | Purpose::Rewrite(_)
            | Purpose::Rewritten { over: true, .. }
            | Purpose::Stat(_)
            | Purpose::Telling { .. } => true,
            Purpose::Exec { .. } | Purpose::Remainder(_) | Purpose::Rewritten { over: false, .. } => false,
        };
        self.0.iter().find(|(_, tracee)| moves(&tracee.purpose)).map(|(tid, _)| *tid)
    }

    pub(super) fn is_rewritten(&self, tid: i32) -> bool {
        matches!(self.0.get(&tid), Some(Tracee { purpose: Purpose::Rewritten { .. }, .. }))
    }

    fn attach(&mut self, tid: i32, purpose: Purpose) -> io::Result<&Tracee> {
        // A thread whose last exec failed is still attached.
        let running = match self.0.remove(&tid) {
            Some(tracee) => tracee.running,
            None => trace::seize(tid)?,
        };
        Ok(self.0.entry(tid).or_insert(Tracee { purpose, running }))
    }

    /// Attaches to a thread that is about to execute a program.
    pub(super) fn attach_for_exec(&mut self, tid: i32, now: Nanos) -> io::Result<()> {
        self.attach(tid, Purpose::Exec { since: now }).map(drop)
    }

    /// Attaches to a sleeping thread, so that a signal which ends its sleep is seen; unless that is done.
    pub(super) fn attach_for_remainder(&mut self, tid: i32, wait: Wait) -> io::Result<()> {
        if matches!(self.0.get(&tid), Some(Tracee { purpose: Purpose::Remainder(_), .. })) {
            return Ok(());
        }
        self.attach(tid, Purpose::Remainder(wait)).map(drop)
    }

    /// Asks threads to stop that were attached to for what is left of a sleep, and sleep no longer.
    pub(super) fn interrupt_awake(&mut self) {
        for (tid, tracee) in &mut self.0 {
            if matches!(&tracee.purpose, Purpose::Remainder(wait) if !wait.holds(*tid)) {
                let _ = tracee.running.interrupt(); // gone: its end will be reported
            }
        }
    }

    /// Asks a waiting thread to stop, so that its call is issued again with what is left of it.
    pub(super) fn attach_to_renew(&mut self, tid: i32, wait: Wait) -> io::Result<()> {
        let _ = self.attach(tid, Purpose::Renew(wait))?.running.interrupt(); // as above
        Ok(())
    }

    fn any_executing(&self) -> bool {
        self.0.values().any(|tracee| matches!(tracee.purpose, Purpose::Exec { .. }))
    }

    /// Asks threads to stop whose exec should be over and is: it has failed, and nothing else would stop them.
    fn interrupt_failed_execs(&mut self, now: Nanos) {
        for (tid, tracee) in &mut self.0 {
            let Purpose::Exec { since } = &mut tracee.purpose else { continue };
            if now - *since < EXEC_TAKES.into() {
                continue;
            }
            *since = now;
            let call = guest::blocked_in(*tid).map(|(number, _)| i64::from(number));
            if !matches!(call, Some(libc::SYS_execve | libc::SYS_execveat)) {
                let _ = tracee.running.interrupt(); // gone: its end will be reported
            }
        }
    }
}

impl Supervisor {
    /// Sees to it that no thread stays attached whose exec has failed; returns when to look again.
    pub(super) fn let_go_of_failed_execs(&mut self) -> Option<Duration> {
        if !self.tracees.any_executing() {
            return None;
        }
        let now = self.clock().real_mono();
        self.tracees.interrupt_failed_execs(now);
        Some(EXEC_TAKES)
    }

    /// Makes a thread return from a wait that is over, if it still sits in that very call. One that may not have begun it yet
    /// is looked at again: the kernel would let it wait for as long as it is told.
    pub(super) fn end_wait(&mut self, tid: i32) {
        let clock = self.clock();
        let Some(wait) = self.sleepers.due(tid, &clock) else { return };
        if !self.tracees.is_rewritten(tid) && !wait.holds(tid) && wait.may_begin(tid) {
            return self.sleepers.put_off(tid, &clock);
        }
        let Some(wait) = self.sleepers.end(tid) else { return };
        if let Some(Tracee { purpose: Purpose::Rewritten { over, .. }, running }) =
            self.tracees.0.get_mut(&tid)
        {
            *over = true;
            let _ = running.interrupt(); // gone: its end will be reported
            return;
        }
        if !wait.holds(tid) {
            return;
        }
        match self.tracees.attach(tid, Purpose::EndWait(wait)) {
            Ok(tracee) => {
                let _ = tracee.running.interrupt(); // as above
            }
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            Err(error) => self.ledger.fault(tid, format!("a wait that is over cannot be ended: {error}")),
        }
    }

    /// Has a call issued again with a timeout in the kernel's time, because the kernel would take the guest's for
    /// past. The notification stays unanswered: interrupting the thread withdraws it.
    pub(super) fn rewrite(&mut self, tid: i32, wait: Wait) {
        match self.tracees.attach(tid, Purpose::Rewrite(wait)) {
            Ok(tracee) => {
                let _ = tracee.running.interrupt(); // gone: its end will be reported
            }
            Err(error) => self.ledger.fault(tid, format!("a deadline cannot be rewritten: {error}")),
        }
    }

    /// Has a call issued again that tells times of a file, so that they can be put right.
    pub(super) fn tell_times(&mut self, tid: i32, call: StatCall) {
        match self.tracees.attach(tid, Purpose::Stat(call)) {
            Ok(tracee) => {
                let _ = tracee.running.interrupt(); // gone: its end will be reported
            }
            Err(error) => self.ledger.fault(tid, format!("times of files cannot be told: {error}")),
        }
    }

    /// A traced thread stands still because it was asked to, or because its process is stopped.
    pub(super) fn at_interrupt(&mut self, stopped: Stopped) {
        let tid = stopped.tid();
        let done = match self.tracees.0.remove(&tid).map(|tracee| tracee.purpose) {
            Some(Purpose::EndWait(wait)) => self.finish_wait(stopped, &wait),
            Some(Purpose::Renew(wait)) => self.renew_wait(stopped, &wait),
            Some(Purpose::Rewrite(wait)) => self.issue_rewritten(stopped, wait),
            // It may stand before its call still: notifications of two calls, one of them withdrawn by a signal, have
            // asked it to stop twice. Where it stands behind it, a SIGTRAP waits already, which only its tracer may see.
            Some(purpose @ (Purpose::Rewritten { .. } | Purpose::Telling { .. })) => {
                stopped.step().map(|running| {
                    self.tracees.0.insert(tid, Tracee { purpose, running });
                })
            }
            Some(Purpose::Stat(call)) => self.issue_marked(stopped, &call).map(|issued| {
                if let Some((own, running)) = issued {
                    let purpose = Purpose::Telling { own: Box::new(own), call };
                    self.tracees.0.insert(tid, Tracee { purpose, running });
                }
            }),
            Some(Purpose::Exec { .. } | Purpose::Remainder(_)) | None => detach_unnoticed(stopped),
        };
        self.unless_gone(tid, done);
    }

    /// A thread that was killed while it stood still will be reported as ended.
    fn unless_gone(&mut self, tid: i32, done: io::Result<()>) {
        match done {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                self.ledger.fault(tid, format!("a stopped thread cannot be handled: {error}"));
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// A traced thread stands still because a signal is about to reach it, or has executed its one instruction.
    pub(super) fn at_signal(&mut self, stopped: Stopped, signal: i32) {
        let tid = stopped.tid();
        let done = match self.tracees.0.remove(&tid).map(|tracee| tracee.purpose) {
            Some(Purpose::Rewritten { own, wait, over }) => {
                let stepped = signal == libc::SIGTRAP;
                self.leave_rewritten(stopped, &own, over.then_some(&wait), if stepped { 0 } else { signal })
            }
            // The signal decides what becomes of the call, as it would natively: it fails, or is issued again and
            // put before the supervisor anew.
            Some(Purpose::EndWait(wait) | Purpose::Remainder(wait) | Purpose::Renew(wait)) => {
                self.correct_remainder(&stopped, &wait).and_then(|()| stopped.detach(signal))
            }
            Some(Purpose::Telling { own, call }) => self.leave_marked(stopped, &own, &call, signal),
            Some(Purpose::Exec { .. } | Purpose::Rewrite(_) | Purpose::Stat(_)) | None => {
                stopped.detach(signal)
            }
        };
        self.unless_gone(tid, done);
    }

    fn finish_wait(&mut self, stopped: Stopped, wait: &Wait) -> io::Result<()> {
        let mut registers = stopped.registers()?;
        let result = registers.result();
        if is_same_call(&registers, wait) {
            if is_interrupted(result, wait) {
                self.clear_sets(stopped.tid(), wait);
                registers.end_call(wait.form.on_timeout);
                stopped.set_registers(registers)?;
                self.woken += 1;
            }
        } else if result == INTERRUPTED && registers.call().is_some() {
            // It went on into another call, which only this stop has interrupted: that one is issued again.
            registers.restart_call();
            stopped.set_registers(registers)?;
        }
        stopped.detach(0)
    }

    /// select(2) leaves empty sets behind when its time is up.
    fn clear_sets(&mut self, tid: i32, wait: &Wait) {
        let number = i64::from(wait.number);
        if number != calls::SELECT && number != libc::SYS_pselect6 {
            return;
        }
        let len = (wait.args[0].min(1 << 16) as usize).div_ceil(64) * 8;
        for set in &wait.args[1..4] {
            if *set != 0 && memory::write(tid, *set, &vec![0; len]).is_err() {
                self.ledger.fault(tid, "the sets of a select that timed out cannot be cleared");
            }
        }
    }

    fn issue_rewritten(&mut self, stopped: Stopped, wait: Wait) -> io::Result<()> {
        let tid = stopped.tid();
        let own = stopped.registers()?;
        if !is_same_call(&own, &wait) || own.result() != RESTART_CALL {
            // A signal came first: the call is issued again and put before the supervisor anew.
            return stopped.detach(0);
        }
        // The guest's own timespec may be shared or read-only.
        let scratch = own.scratch();
        let at = self.clock().real_wall_at(wait.deadline).0.max(0);
        memory::write_words(tid, scratch, Nanos(at).to_words())?;
        let mut registers = own;
        registers.set_argument(wait.form.argument, scratch);
        registers
            .set_argument(5, registers.args()[5] & 0xffff_ffff | u64::from(crate::filter::REWRITTEN) << 32);
        registers.rewind_call();
        stopped.set_registers(registers)?;
        let running = stopped.step()?;
        let purpose = Purpose::Rewritten { own: Box::new(own), wait, over: false };
        self.tracees.0.insert(tid, Tracee { purpose, running });
        Ok(())
    }

    fn leave_rewritten(
        &mut self,
        stopped: Stopped,
        own: &Registers,
        over: Option<&Wait>,
        signal: i32,
    ) -> io::Result<()> {
        let mut registers = stopped.registers()?;
        let result = registers.result();
        for (index, argument) in (0..).zip(own.args()) {
            registers.set_argument(index, argument);
        }
        if let Some(wait) = over.filter(|wait| is_interrupted(result, wait)) {
            registers.end_call(wait.form.on_timeout);
            self.woken += 1;
        }
        stopped.set_registers(registers)?;
        stopped.detach(signal)
    }
}

/// Lets a thread go that stood still for nothing it should know of: a call that this has interrupted is issued again.
pub(super) fn detach_unnoticed(stopped: Stopped) -> io::Result<()> {
    let mut registers = stopped.registers()?;
    if registers.result() == INTERRUPTED && registers.call().is_some() {
        registers.restart_call();
        stopped.set_registers(registers)?;
    }
    stopped.detach(0)
}

pub(super) fn is_same_call(registers: &Registers, wait: &Wait) -> bool {
    let is_number = |number| number == i64::from(wait.number) || number == libc::SYS_restart_syscall;
    registers.has_args(&wait.args) && registers.call().is_some_and(is_number)
}

/// Whether a wait that returns `result` at a stop was merely interrupted. A call that waits for the supervisor's
/// answer shows ERESTARTSYS too: only where the wait itself uses it does it count, or where nothing else is shown.
fn is_interrupted(result: i64, wait: &Wait) -> bool {
    match result {
        INTERRUPTED | RESTART_ALWAYS | RESTART_UNLESS_HANDLED | RESTART_FROM_BLOCK => true,
        RESTART_CALL if RESTARTS_LOOK_ALIKE => true,
        RESTART_CALL => {
            let number = i64::from(wait.number);
            let deadline_only = matches!(wait.deadline, Deadline::Wall { .. } | Deadline::Mono(_));
            deadline_only
                && [
                    libc::SYS_mq_timedreceive,
                    libc::SYS_mq_timedsend,
                    libc::SYS_futex_waitv,
                    libc::SYS_futex,
                    calls::FUTEX_WAIT,
                ]
                .contains(&number)
        }
        _ => false,
    }
}
