//! The supervisor's state and its loop.

use super::guard::Bases;
use super::segments::Segments;
use super::signal_timers::SignalTimers;
use super::sleepers::Sleepers;
use super::spawn::Root;
use super::steered::Steered;
use super::survey::Stirs;
use super::threads::Threads;
use super::timer_fds::TimerFds;
use super::tracees::Tracees;
use crate::clock::Clock;
use crate::error::{During, Error};
use crate::filter;
use crate::guest;
use crate::ledger::Ledger;
use crate::stamps::Stamps;
use nix::poll::{PollFd, PollFlags, PollTimeout, ppoll};
use nix::sys::signal::Signal;
use nix::sys::time::TimeSpec;
use notafter_core::{ClockReading, FileTimes};
use notafter_sys::bpf::Instruction;
use notafter_sys::notify::Listener;
use notafter_sys::page::{History, SharedPage};
use notafter_sys::signals::SignalWatch;
use notafter_sys::trace::{self, Change};
use notafter_sys::vdso::PatchedVdso;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// How long a program may take from its exec to its first instructions before it counts as unproven.
const MOMENTS: u32 = 100;
const MOMENT: Duration = Duration::from_millis(2);

/// Something that the owner of a supervisor must know.
#[derive(Debug, PartialEq, Eq)]
pub enum Happening {
    /// A program that [`Supervisor::spawn`] started, or an orphan that this process adopted, has ended.
    Ended {
        /// Its process id.
        pid: i32,
        /// Exit code; 128 + the number where a signal ended it.
        code: i32,
        /// The signal that ended it.
        signal: Option<i32>,
    },
    /// One of the caller's descriptors is readable or closed by its peer; by index.
    Readable(usize),
    /// A program could not be started; its process is ending.
    Unstartable {
        /// Its process id.
        pid: i32,
        /// Why, as an errno.
        errno: i32,
        /// What failed, as a lower-case fragment.
        reason: String,
    },
}

/// The supervisor's ends of the filters that are in force, by a number that is never used again.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    live: Vec<(u32, Listener)>,
    added: u32,
}

impl Listeners {
    pub(super) fn add(&mut self, listener: Listener) {
        self.added += 1;
        self.live.push((self.added, listener));
    }

    pub(super) fn get(&self, number: u32) -> Option<&Listener> {
        self.live.iter().find(|(live, _)| *live == number).map(|(_, listener)| listener)
    }
}

/// Starts programs under the clock of a page and answers their time calls. It serves the programs that it started
/// and everything that these start; it must be the only thread of its process.
pub struct Supervisor {
    pub(super) page: SharedPage,
    /// Device and inode of the page.
    pub(super) page_identity: (u64, u64),
    pub(super) vdso: PatchedVdso,
    pub(super) filter: Vec<Instruction>,
    pub(super) listeners: Listeners,
    pub(super) roots: Vec<Root>,
    pub(super) bases: Bases,
    pub(super) tracees: Tracees,
    pub(super) sleepers: Sleepers,
    pub(super) timer_fds: TimerFds,
    pub(super) signal_timers: SignalTimers,
    /// Whether a guest ever put a limit on waits at a socket.
    pub(super) has_socket_timeouts: bool,
    pub(super) segments: Segments,
    pub(super) stamps: Stamps,
    pub(super) threads: Threads,
    pub(super) ledger: Ledger,
    pub(super) steered: Steered,
    pub(super) stirs: Stirs,
    pub(super) woken: u32,
    pub(super) happenings: Vec<Happening>,
    children: SignalWatch,
    /// Whether a child or traced thread may have changed state since all changes were collected. Each change sends
    /// SIGCHLD, so that asking the kernel without it finds none.
    changes: Changes,
}

/// What is known of changes of state that were not collected yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changes {
    Announced,
    Nothing,
}

impl Supervisor {
    /// A supervisor for the clock behind `page`, a descriptor from [`crate::Face::read_only`], whose page says
    /// whether times of files are shifted. Blocks SIGCHLD in the calling thread.
    ///
    /// # Errors
    /// [`Error::Vdso`] where this kernel's vDSO cannot be patched; [`Error::System`].
    pub fn new(page: File) -> Result<Self, Error> {
        let metadata = page.metadata().during("fstat")?;
        let page = SharedPage::open_read_only(page).during("mapping the clock page")?;
        let file_times = match page.history() {
            History::Kept => FileTimes::Shifted,
            History::Forgotten => FileTimes::Real,
        };
        Ok(Self {
            page,
            page_identity: (metadata.dev(), metadata.ino()),
            vdso: PatchedVdso::of_this_kernel()?,
            filter: filter::build(file_times)?,
            listeners: Listeners::default(),
            roots: Vec::new(),
            bases: Bases::default(),
            tracees: Tracees::default(),
            sleepers: Sleepers::default(),
            timer_fds: TimerFds::default(),
            signal_timers: SignalTimers::default(),
            has_socket_timeouts: false,
            segments: Segments::default(),
            stamps: Stamps::default(),
            threads: Threads::default(),
            ledger: Ledger::default(),
            steered: Steered::default(),
            stirs: Stirs::default(),
            woken: 0,
            happenings: Vec::new(),
            children: SignalWatch::new(&[Signal::SIGCHLD]).during("signalfd")?,
            changes: Changes::Announced,
        })
    }

    /// Everything that it did and met so far.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The ledger as of now, without programs that a signal ended before their first instruction: they needed no
    /// proof. One that ends by itself is looked at then, and has left a fault where it never had the page. A
    /// program that has just been executed is given a moment to ask for the clock page.
    ///
    /// # Errors
    /// As [`Supervisor::turn`].
    pub fn audit(&mut self) -> Result<Ledger, Error> {
        for _ in 0..MOMENTS {
            self.step(&[], Some(MOMENT))?;
            if self.unproven().next().is_none() {
                break;
            }
        }
        self.note_intruders();
        self.timer_fds.audit(self.page.load(), &mut self.ledger);
        let unproven: Vec<i32> = self.unproven().collect();
        let mut ledger = self.ledger.clone();
        ledger.executions.retain(|execution| execution.proven || unproven.contains(&execution.pid));
        Ok(ledger)
    }

    fn unproven(&self) -> impl Iterator<Item = i32> {
        let unproven = self.ledger.executions.iter().filter(|execution| !execution.proven);
        unproven.map(|execution| execution.pid).filter(|pid| guest::is_alive(*pid))
    }

    /// Serves the guests until something happens that the caller must know, one of `others` is readable, or
    /// `timeout` is over.
    ///
    /// # Errors
    /// [`Error::System`] where it can no longer serve: the caller should end everything.
    pub fn turn(
        &mut self,
        others: &[BorrowedFd<'_>],
        timeout: Option<Duration>,
    ) -> Result<Vec<Happening>, Error> {
        self.collect_changes()?;
        if self.happenings.is_empty() {
            self.step(others, timeout)?;
        }
        Ok(std::mem::take(&mut self.happenings))
    }

    /// Whether anything is left that this supervisor started, or that was started by that.
    #[must_use]
    pub fn serves_any(&self) -> bool {
        // A listener is gone once nobody is under its filter.
        !self.listeners.live.is_empty() || trace::has_any()
    }

    /// What CLOCK_REALTIME shows to the guests.
    #[must_use]
    pub fn now(&self) -> ClockReading {
        self.clock().wall().to_reading()
    }

    /// Serves the guests once.
    pub(super) fn step(&mut self, others: &[BorrowedFd<'_>], timeout: Option<Duration>) -> Result<(), Error> {
        let next_due = self.end_what_is_due();
        let next_look = self.let_go_of_failed_execs();
        let limit = [timeout, next_due, next_look].into_iter().flatten().min();
        self.wait_and_serve(others, limit)?;
        self.collect_changes()
    }

    pub(super) fn clock(&self) -> Clock {
        Clock::through(self.page.load())
    }

    fn wait_and_serve(&mut self, others: &[BorrowedFd<'_>], limit: Option<Duration>) -> Result<(), Error> {
        let (announced, ready, others_ready) = {
            let own = [self.children.as_fd()];
            let starting = self.roots.iter().filter_map(Root::starting);
            let listeners = self.listeners.live.iter().map(|(_, listener)| listener.as_fd());
            let watched = own.into_iter().chain(listeners).chain(starting).chain(others.iter().copied());
            let mut fds: Vec<PollFd<'_>> = watched.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
            match ppoll(&mut fds, limit.map(TimeSpec::from), None) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno).during("ppoll"),
            }
            let flags = |fd: &PollFd<'_>| fd.revents().unwrap_or(PollFlags::empty());
            let others_from = fds.len() - others.len();
            let listeners: Vec<PollFlags> = fds[1..=self.listeners.live.len()].iter().map(flags).collect();
            let others: Vec<PollFlags> = fds[others_from..].iter().map(flags).collect();
            (!flags(&fds[0]).is_empty(), listeners, others)
        };
        if announced {
            // Before they are collected: what changes meanwhile is announced anew.
            self.children.take();
            self.changes = Changes::Announced;
        }
        for (index, flags) in ready.iter().enumerate().rev() {
            let number = self.listeners.live[index].0;
            if flags.contains(PollFlags::POLLIN) {
                self.serve(number);
            } else if flags.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL) {
                // Every process under this filter is gone.
                self.listeners.live.remove(index);
            }
        }
        self.look_at_starts();
        let readable = others_ready.iter().enumerate().filter(|(_, flags)| !flags.is_empty());
        self.happenings.extend(readable.map(|(index, _)| Happening::Readable(index)));
        Ok(())
    }

    /// Answers every notification that waits now, without waiting for one.
    pub(super) fn serve_pending(&mut self) {
        let numbers: Vec<u32> = self.listeners.live.iter().map(|(number, _)| *number).collect();
        for number in numbers {
            while self.has_notification(number) {
                self.serve(number);
            }
        }
    }

    fn has_notification(&self, number: u32) -> bool {
        let Some(listener) = self.listeners.get(number) else { return false };
        let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        let ready = nix::poll::poll(&mut fds, PollTimeout::ZERO).is_ok();
        ready && fds[0].revents().is_some_and(|flags| flags.contains(PollFlags::POLLIN))
    }

    fn serve(&mut self, number: u32) {
        // The caller may have died since poll said so.
        let Some(Ok(notification)) = self.listeners.get(number).map(Listener::receive) else { return };
        self.ledger.notifications += 1;
        let pauses = self.stirs.pauses;
        self.answer(number, &notification);
        if self.stirs.pauses == pauses {
            self.stirs.calls += 1;
            self.stirs.last_caller = notification.tid;
        }
    }

    /// Collects every change, of those too that nobody was woken by yet.
    pub(super) fn collect_all_changes(&mut self) -> Result<(), Error> {
        self.changes = Changes::Announced;
        self.collect_changes()
    }

    pub(super) fn collect_changes(&mut self) -> Result<(), Error> {
        if self.changes == Changes::Nothing {
            return Ok(());
        }
        loop {
            let change = match trace::next_change() {
                Ok(Some(change)) => change,
                Ok(None) => break,
                Err(error) if error.raw_os_error() == Some(libc::ECHILD) => break,
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => continue,
                Err(error) => return Err(error).during("waitpid"),
            };
            match change {
                Change::Ended { tid, code, signal } => self.ended(tid, code, signal),
                Change::Exec { stopped, former_tid } => self.at_exec(stopped, former_tid),
                Change::Signal { stopped, signal } => self.at_signal(stopped, signal),
                Change::Interrupted { stopped } => self.at_interrupt(stopped),
            }
        }
        self.changes = Changes::Nothing;
        Ok(())
    }

    fn ended(&mut self, tid: i32, code: i32, signal: Option<i32>) {
        self.sleepers.forget(tid);
        let attached_only = self.tracees.forget(tid) && !self.is_own_child(tid);
        if !attached_only {
            self.roots.retain(|root| root.pid != tid);
            self.happenings.push(Happening::Ended { pid: tid, code, signal });
        }
    }

    /// Whether a process that ended was this process's child and not merely attached to. Orphans become children
    /// of the init of their pid namespace; a traced process of another parent ends for that parent a second time.
    fn is_own_child(&self, tid: i32) -> bool {
        // A tracer's wait reaps only its own children; what is left as a zombie has another parent.
        !std::path::Path::new(&format!("/proc/{tid}")).exists()
    }

    /// Takes in that the page was changed: brings the kernel's timers in line, ends what is due now, and returns
    /// how many waits and timers that ended once all of them have.
    ///
    /// # Errors
    /// As [`Supervisor::turn`].
    pub fn jumped(&mut self) -> Result<u32, Error> {
        self.serve_pending();
        let before = self.woken;
        self.woken += self.timer_fds.follow(self.page.load(), &mut self.ledger);
        self.end_what_is_due();
        self.follow_remainders();
        self.doubt_steered();
        // A thread that was asked to stop does so within a scheduler's tick, unless it sleeps uninterruptibly.
        for _ in 0..2_000 {
            self.collect_changes()?;
            if !self.tracees.any_ending() {
                break;
            }
            self.wait_and_serve(&[], Some(Duration::from_micros(250)))?;
        }
        Ok(self.woken - before)
    }

    /// Ends waits, sleeps and timers that are due; returns how long until the next one that needs it.
    fn end_what_is_due(&mut self) -> Option<Duration> {
        let clock = self.clock();
        self.woken += self.signal_timers.fire(&clock, &mut self.ledger);
        self.woken += self.sleepers.end_due_sleeps(&clock, &self.listeners);
        for tid in self.sleepers.due_waits(&clock) {
            self.end_wait(tid);
        }
        let (fired, next_look) = self.timer_fds.look_again(clock.state(), &mut self.ledger);
        self.woken += fired;
        let dues = [self.signal_timers.next_due(&clock), self.sleepers.next_due(&clock), next_look];
        dues.into_iter().flatten().map(crate::nanos::Nanos::to_duration).min()
    }
}
