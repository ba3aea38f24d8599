//! Exec: the one moment at which a process is stopped, patched and let go.

use super::engine::Supervisor;
use crate::guest;
use notafter_sys::limits;
use notafter_sys::memory;
use notafter_sys::notify::Notification;
use notafter_sys::signals;
use notafter_sys::trace::Stopped;
use std::io;
use std::os::fd::AsFd;

impl Supervisor {
    /// A thread is about to execute a program: attaches to it, so that the new program stops before its first
    /// instruction. What cannot be attached to may not execute anything.
    pub(super) fn before_exec(&mut self, listener: u32, notification: &Notification) {
        let tid = notification.tid;
        self.look_before_exec(tid);
        match self.tracees.attach_for_exec(tid, self.clock().real_mono()) {
            Ok(()) => self.proceed(listener, notification),
            Err(error) => {
                let why = match guest::tracer_of(tid) {
                    Some(tracer) => format!("process {tracer} traces it"),
                    None => error.to_string(),
                };
                let exe = guest::exe(tid);
                self.ledger.fault(
                    tid,
                    format!("an exec by {exe} was refused because it cannot be attached to: {why}"),
                );
                self.answer_with(listener, notification, Err(libc::EPERM));
            }
        }
    }

    /// A process has become a new program and stands before its first instruction.
    pub(super) fn at_exec(&mut self, stopped: Stopped, former_tid: i32) {
        let tid = stopped.tid();
        self.tracees.forget(former_tid);
        self.tracees.forget(tid);
        self.sleepers.forget(tid);
        self.signal_timers.executed(tid);
        if let Some(root) = self.roots.iter_mut().find(|root| root.pid == tid) {
            root.has_executed = true;
        }
        let exe = guest::exe(tid);
        match self.patch(&stopped) {
            Ok(()) => {
                self.note_if_steered(tid, &exe);
                self.ledger.executed(tid, exe);
                let _ = stopped.detach(0); // gone: its end will be reported
            }
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            Err(error) => {
                self.ledger.fault(tid, format!("{exe} was killed because it cannot be shifted: {error}"));
                let _ = signals::send(tid, libc::SIGKILL); // gone already: so much the better
                let _ = stopped.detach(0);
            }
        }
    }

    fn patch(&mut self, stopped: &Stopped) -> io::Result<()> {
        let tid = stopped.tid();
        let mut registers = stopped.registers()?;
        if registers.is_32_bit() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "it is a 32-bit program"));
        }
        let base = guest::vdso_base(tid)?;
        self.bases.insert(tid, base);
        let (offset, bytes) = self.vdso.patch_for(registers.instruction_pointer());
        memory::overwrite(tid, base + offset, &bytes)?;
        registers.set_instruction_pointer(base + self.vdso.entry());
        stopped.set_registers(registers)
    }

    /// Hands the clock page to a program that asks for it as its first instructions. Whether this was that request.
    pub(super) fn give_page(&mut self, listener: u32, notification: &Notification) -> bool {
        let tid = notification.tid;
        let asks = |base: u64| self.vdso.is_request(notification.instruction_pointer.wrapping_sub(base));
        let from_entry = self.bases.of(tid).is_some_and(asks) || guest::vdso_base(tid).is_ok_and(asks);
        if !from_entry {
            return false;
        }
        let Some(listener_end) = self.listeners.get(listener) else { return true };
        let given = match listener_end.answer_with_fd(notification.id, self.page.as_fd()) {
            // It has no descriptor to spare. Its limit is its own again before it goes on.
            Err(error) if error.raw_os_error() == Some(libc::EMFILE) => {
                let add = || listener_end.add_fd(notification.id, self.page.as_fd());
                limits::with_room_for_descriptors(tid, add)
                    .and_then(|number| listener_end.answer(notification.id, Ok(number.into())))
                    .map_err(|_| error)
            }
            given => given,
        };
        match given {
            Ok(()) => {
                if !self.ledger.proven(tid) {
                    self.ledger.fault(tid, "a program asked for the clock page that was never seen to start");
                }
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            Err(error) => {
                let exe = guest::exe(tid);
                self.ledger.fault(tid, format!("{exe} cannot be given the clock page: {error}"));
                self.answer_with(listener, notification, Err(libc::EPERM));
            }
        }
        true
    }
}
