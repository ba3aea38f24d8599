//! Answers to the system calls that the filter puts before the supervisor.

use super::engine::Supervisor;
use super::sleepers::Waking;
use crate::calls::{self, Basis, WaitForm};
use crate::clock::ClockKind;
use crate::filter::X32;
use crate::guest;
use crate::nanos::Nanos;
use crate::skip::FIDGET;
use crate::stat;
use crate::wait::{Unnoted, Wait};
use notafter_sys::arch;
use notafter_sys::memory;
use notafter_sys::notify::Notification;
use notafter_sys::timers;
use notafter_sys::vdso::PAGE_REQUEST;
use std::io;

impl Supervisor {
    /// Answers one notification. Calls of a thread that is gone by now need none.
    pub(super) fn answer(&mut self, listener: u32, notification: &Notification) {
        let is_x32 = notification.number.cast_unsigned() & X32 != 0;
        if notification.arch != arch::AUDIT_ARCH || is_x32 {
            let exe = guest::exe(notification.tid);
            let kind = if is_x32 { "an x32" } else { "a 32-bit" };
            self.ledger.fault(notification.tid, format!("{exe} made {kind} system call, which was refused"));
            return self.answer_with(listener, notification, Err(libc::ENOSYS));
        }
        let args = &notification.args;
        match i64::from(notification.number) {
            libc::SYS_execve | libc::SYS_execveat => self.before_exec(listener, notification),
            libc::SYS_clock_gettime => self.clock_gettime(listener, notification),
            libc::SYS_exit_group => {
                self.look_before_end(notification.tid);
                self.proceed(listener, notification);
            }
            libc::SYS_gettimeofday => {
                let wall = self.clock().wall().to_timespec();
                let tv = (args[0] != 0).then_some((args[0], [wall.secs, wall.nanos / 1_000]));
                let tz = (args[1] != 0).then_some((args[1], [0_i64]));
                let written = write_if(notification.tid, tv).and_then(|()| write_if(notification.tid, tz));
                self.answer_written(listener, notification, written, 0);
            }
            arch::calls::TIME => {
                let secs = self.clock().wall().to_timespec().secs;
                let target = (args[0] != 0).then_some((args[0], [secs]));
                let written = write_if(notification.tid, target);
                self.answer_written(listener, notification, written, secs);
            }
            libc::SYS_clock_settime | libc::SYS_settimeofday => {
                self.answer_with(listener, notification, Err(libc::EPERM));
            }
            libc::SYS_adjtimex => self.adjust(listener, notification, args[0]),
            libc::SYS_clock_adjtime => match ClockKind::of(args[0] as u32 as i32) {
                ClockKind::Wall => self.adjust(listener, notification, args[1]),
                ClockKind::Mono | ClockKind::Own => self.proceed(listener, notification),
            },
            libc::SYS_io_uring_setup => {
                // Timeouts in a ring's memory cannot be seen from here. Container engines refuse it as well, so
                // programs have another way.
                self.ledger.refusals.insert(format!("io_uring for {}", guest::exe(notification.tid)));
                self.answer_with(listener, notification, Err(libc::EPERM));
            }
            libc::SYS_seccomp => {
                let exe = guest::exe(notification.tid);
                self.ledger.fault(notification.tid, format!("{exe} wants a seccomp listener of its own"));
                self.proceed(listener, notification);
            }
            libc::SYS_setsockopt => {
                self.has_socket_timeouts = true;
                self.proceed(listener, notification);
            }
            libc::SYS_sysinfo => self.sysinfo(listener, notification),
            libc::SYS_times => self.times(listener, notification),
            libc::SYS_madvise
            | libc::SYS_mmap
            | libc::SYS_mprotect
            | libc::SYS_mremap
            | libc::SYS_munmap
            | libc::SYS_pkey_mprotect
            | libc::SYS_remap_file_pages
            | libc::SYS_shmat => {
                self.guard_page(notification);
                self.proceed(listener, notification);
            }
            libc::SYS_timerfd_settime => self.timerfd_settime(listener, notification),
            arch::calls::ALARM
            | libc::SYS_getitimer
            | libc::SYS_setitimer
            | libc::SYS_timer_delete
            | libc::SYS_timer_gettime
            | libc::SYS_timer_settime => self.signal_timer(listener, notification),
            number if stat::tells_times(number) => self.stat(listener, notification),
            _ => match calls::wait_form(notification.number, args) {
                Some(form) => self.wait(listener, notification, form),
                None => self.proceed(listener, notification),
            },
        }
    }

    fn clock_gettime(&mut self, listener: u32, notification: &Notification) {
        let tid = notification.tid;
        if notification.args[2] == PAGE_REQUEST && self.give_page(listener, notification) {
            return;
        }
        // The kernel's own code in the vDSO falls back to the call; what it gets is shifted by the wrapper.
        let len = self.vdso.len() as u64;
        let caller = notification.instruction_pointer;
        if self.bases.may_hold(caller, len)
            && guest::vdso_base(tid).is_ok_and(|base| caller.wrapping_sub(base) < len)
        {
            return self.proceed(listener, notification);
        }
        let id = notification.args[0] as u32 as i32;
        match timers::read_clock(id) {
            Ok(real) => {
                let time = self.clock().shift(ClockKind::of(id), real.into());
                let written = memory::write_words(tid, notification.args[1], time.to_words());
                self.answer_written(listener, notification, written, 0);
            }
            Err(error) => {
                self.answer_with(listener, notification, Err(error.raw_os_error().unwrap_or(libc::EINVAL)));
            }
        }
    }

    /// adjtimex(2): reading the clock's discipline shows the shifted time; changing it is refused.
    fn adjust(&mut self, listener: u32, notification: &Notification, address: u64) {
        let mut modes = [0; 4];
        if memory::read(notification.tid, address, &mut modes).is_err() {
            return self.answer_with(listener, notification, Err(libc::EFAULT));
        }
        if modes != [0; 4] {
            return self.answer_with(listener, notification, Err(libc::EPERM));
        }
        let clock = self.clock();
        match timers::read_timex(|real| clock.shift(ClockKind::Wall, real.into()).to_timespec()) {
            Ok((timex, state)) => {
                let written = memory::write(notification.tid, address, &timex);
                self.answer_written(listener, notification, written, state);
            }
            Err(error) => {
                self.answer_with(listener, notification, Err(error.raw_os_error().unwrap_or(libc::EPERM)));
            }
        }
    }

    fn wait(&mut self, listener: u32, notification: &Notification, form: WaitForm) {
        let tid = notification.tid;
        let clock = self.clock();
        let wait = match Wait::note(notification, form, &clock) {
            Ok(wait) => wait,
            Err(Unnoted::KernelDecides | Unnoted::OwnClock) => return self.proceed(listener, notification),
            Err(Unnoted::Refused(error)) => {
                self.ledger.fault(tid, format!("the timeout of a wait cannot be read: {error}"));
                return self.proceed(listener, notification);
            }
        };
        if wait.length > Nanos::ZERO && wait.length <= Nanos::from(FIDGET) {
            self.stirs.pauses += 1;
        }
        let sleeps_until = i64::from(notification.number) == libc::SYS_clock_nanosleep
            && matches!(form.basis, Basis::Absolute(_));
        if sleeps_until {
            // A sleep until an instant leaves nothing behind when a signal ends it: it can wait for its answer.
            if clock.until(wait.deadline) <= Nanos::ZERO {
                return self.answer_with(listener, notification, Ok(0));
            }
            let waking = Waking::Answer { listener, id: notification.id };
            return self.sleepers.insert(tid, wait, waking);
        }
        self.sleepers.insert(tid, wait, Waking::Stop);
        if clock.kernel_is_late_for(wait.deadline) {
            self.proceed(listener, notification);
        } else {
            self.rewrite(tid, wait);
        }
    }

    pub(super) fn proceed(&self, listener: u32, notification: &Notification) {
        if let Some(listener) = self.listeners.get(listener) {
            let _ = listener.proceed(notification.id); // the caller may be gone
        }
    }

    pub(super) fn answer_with(&self, listener: u32, notification: &Notification, result: Result<i64, i32>) {
        if let Some(listener) = self.listeners.get(listener) {
            let _ = listener.answer(notification.id, result); // the caller may be gone
        }
    }

    /// Answers a call whose result went to the caller's memory.
    pub(super) fn answer_written(
        &mut self,
        listener: u32,
        notification: &Notification,
        written: io::Result<()>,
        result: i64,
    ) {
        let answer = match written {
            Ok(()) => Ok(result),
            Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES)) => {
                let exe = guest::exe(notification.tid);
                self.ledger.fault(notification.tid, format!("the memory of {exe} is out of reach: {error}"));
                Err(libc::EPERM)
            }
            Err(_) => Err(libc::EFAULT),
        };
        self.answer_with(listener, notification, answer);
    }
}

fn write_if<const N: usize>(tid: i32, target: Option<(u64, [i64; N])>) -> io::Result<()> {
    target.map_or(Ok(()), |(address, words)| memory::write_words(tid, address, words))
}
