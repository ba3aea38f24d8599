//! The armed timerfds of the guests, brought in line when the clock jumps.
//!
//! What is armed is the open file, whoever has it and by whatever descriptor: a copy may be left, in the same process, a
//! fork or one that was sent it, when the descriptor is closed by which it was armed. So each is recognised by its file
//! ([`Known`]), and where its descriptor is another file's it is looked for. None is ever kept open from here.

use crate::clock::{Clock, Deadline};
use crate::guest;
use crate::ledger::Ledger;
use crate::nanos::Nanos;
use nix::sys::resource::{Resource, getrlimit};
use notafter_sys::open_files::{Known, Seat, Seated};
use notafter_sys::page::{PageState, Timespec};
use notafter_sys::timers::{self, ForeignTimerFd, TimerSetting};
use std::collections::HashSet;
use std::io;

/// At most so many are recognised by their file, and no more than take half of this process's descriptors. Of those
/// above it one that is missing counts as closed, unless some armed timerfd may be it: that is a fault.
const MOST_KNOWN: usize = 1024;

/// How soon, and how often at least, a timerfd that is missing is looked for again, in real time: it may be on its
/// way through a socket.
const SOONEST_LOOK: Nanos = Nanos(10_000_000);
const LATEST_LOOK: Nanos = Nanos(1_000_000_000);

/// A process and a descriptor of it.
type Place = (i32, i32);

/// What is remembered of an armed timerfd.
#[derive(Debug, Clone, Copy)]
pub(super) struct Armed {
    /// When it fires next, unless a motion comes between.
    pub(super) deadline: Deadline,
    /// What it was armed with: the interval, or the time until it fires once.
    pub(super) length: Nanos,
    pub(super) interval: Nanos,
    /// The state of the page that the kernel's timer is in line with.
    pub(super) in_line_with: PageState,
}

#[derive(Debug)]
struct Timer {
    /// By which it was reached last.
    place: Place,
    armed: Armed,
    /// None where there are too many.
    known: Option<Known>,
    /// Since when its place is not its own any more, in the kernel's monotonic time.
    missing_since: Option<Nanos>,
}

/// What a look at a timer's place found.
enum Reached {
    Disarmed,
    /// It is in line; `fires` at once or not.
    InLine {
        fires: bool,
    },
    /// Nothing, another file, or nothing that can be reached.
    Missing,
}

/// The armed timerfds.
#[derive(Debug, Default)]
pub(super) struct TimerFds {
    timers: Vec<Timer>,
    /// None until it is needed.
    seat: Option<Seat>,
    /// How many there must be before those that are closed are weeded out.
    weed_at: usize,
    /// When missing ones are looked for again, in the kernel's monotonic time.
    next_look: Nanos,
}

impl TimerFds {
    /// Takes note that the timer behind `file`, which lies at `place`, was armed; where `armed` is none, disarmed.
    pub(super) fn note(&mut self, file: &ForeignTimerFd, place: Place, armed: Option<Armed>) {
        if self.seat.is_none() {
            self.seat = Seat::new().ok();
        }
        let seated = self.seat.as_mut().and_then(|seat| seat.seat(file).ok());
        let is_it = |timer: &Timer| match (&timer.known, &seated) {
            (Some(known), Some(seated)) => is(seated, known),
            _ => timer.place == place && timer.missing_since.is_none(),
        };
        let found = self.timers.iter().position(|timer| timer.place == place && is_it(timer));
        match (found.or_else(|| self.timers.iter().position(is_it)), armed) {
            (Some(index), Some(armed)) => {
                let timer = &mut self.timers[index];
                (timer.armed, timer.place, timer.missing_since) = (armed, place, None);
            }
            (Some(index), None) => {
                self.timers.swap_remove(index);
            }
            (None, Some(armed)) => {
                let remembered = self.timers.iter().filter(|timer| timer.known.is_some()).count();
                let has_room = remembered < most_known();
                let known = seated.as_ref().filter(|_| has_room).and_then(|seated| seated.remember().ok());
                self.timers.push(Timer { place, armed, known, missing_since: None });
            }
            (None, None) => {}
        }
        // Whatever else was there before is not any more.
        self.timers.retain_mut(|timer| match (&timer.known, &seated) {
            (Some(known), Some(seated)) if timer.place == place && !is(seated, known) => {
                timer.missing_since.get_or_insert(now());
                is_open(timer)
            }
            _ => true,
        });
        drop(seated);
        if self.timers.len() >= self.weed_at.max(most_known()) {
            self.timers.retain(is_open);
            self.weed_at = self.timers.len() * 2;
        }
    }

    /// Brings the kernel's timers in line with a page that says `state` now. Returns how many fire because of it.
    pub(super) fn follow(&mut self, state: PageState, ledger: &mut Ledger) -> u32 {
        let mut fired = 0;
        let seat = &mut self.seat;
        self.timers.retain_mut(|timer| match timer.reach(seat, state) {
            Reached::Disarmed => false,
            Reached::InLine { fires } => {
                fired += u32::from(fires);
                true
            }
            Reached::Missing => {
                timer.missing_since.get_or_insert(now());
                true
            }
        });
        fired + self.look_for_missing(state, ledger)
    }

    /// Looks for missing timers again if it is time to. Returns how many fire because of it, and how long until the
    /// next look; none where nothing is missing.
    pub(super) fn look_again(&mut self, state: PageState, ledger: &mut Ledger) -> (u32, Option<Nanos>) {
        if !self.any_missing() {
            return (0, None);
        }
        let now = now();
        let fired = if now >= self.next_look { self.look_for_missing(state, ledger) } else { 0 };
        (fired, self.any_missing().then_some(Nanos((self.next_look - now).0.max(1))))
    }

    /// Looks once more for what is missing, and notes in the ledger what is not found.
    pub(super) fn audit(&mut self, state: PageState, ledger: &mut Ledger) {
        self.look_for_missing(state, ledger);
        for timer in self.timers.iter().filter(|timer| timer.missing_since.is_some()) {
            ledger.fault(timer.place.0, "a timerfd that this process has armed is open and out of reach");
        }
    }

    fn any_missing(&self) -> bool {
        self.timers.iter().any(|timer| timer.missing_since.is_some())
    }

    /// Looks through the descriptors of every process for timers that are missing, and brings them in line.
    fn look_for_missing(&mut self, state: PageState, ledger: &mut Ledger) -> u32 {
        self.timers.retain(|timer| timer.missing_since.is_none() || is_open(timer));
        if !self.any_missing() {
            return 0;
        }
        let mut fired = 0;
        let in_place = self.timers.iter().filter(|timer| timer.missing_since.is_none());
        let in_place: HashSet<Place> = in_place.map(|timer| timer.place).collect();
        let pids = guest::processes().unwrap_or_default();
        let places =
            pids.into_iter().flat_map(|pid| guest::timerfds(pid).into_iter().map(move |fd| (pid, fd)));
        for place in places.filter(|place| !in_place.contains(place)) {
            let Ok(file) = ForeignTimerFd::open(place.0, place.1) else { continue };
            let Some(Ok(seated)) = self.seat.as_mut().map(|seat| seat.seat(&file)) else { continue };
            let found = self
                .timers
                .iter()
                .position(|timer| timer.known.as_ref().is_some_and(|known| is(&seated, known)));
            drop(seated);
            match found {
                Some(index) if self.timers[index].missing_since.is_some() => {
                    let timer = &mut self.timers[index];
                    match timer.bring_in_line(&file, state) {
                        Reached::Disarmed => drop(self.timers.swap_remove(index)),
                        Reached::InLine { fires } => {
                            fired += u32::from(fires);
                            (timer.place, timer.missing_since) = (place, None);
                        }
                        Reached::Missing => {}
                    }
                }
                Some(_) => {} // a copy of one that is in place
                None => self.suspect(place, &file, ledger),
            }
        }
        // What is not recognised by its file was closed, or is under suspicion.
        self.timers.retain(|timer| timer.missing_since.is_none() || timer.known.is_some());
        let now = now();
        let ages = self.timers.iter().filter_map(|timer| Some((now - timer.missing_since?).0));
        let pause = ages.min().unwrap_or(0) / 4;
        self.next_look = Nanos(now.0 + pause.clamp(SOONEST_LOOK.0, LATEST_LOOK.0));
        fired
    }

    /// An armed timer that none here is known to be may be one that is missing and could not be remembered.
    fn suspect(&self, place: Place, file: &ForeignTimerFd, ledger: &mut Ledger) {
        let forgotten = |timer: &Timer| timer.missing_since.is_some() && timer.known.is_none();
        if self.timers.iter().any(forgotten)
            && file.remaining().is_ok_and(|left| left.value != Timespec::default())
        {
            ledger.fault(place.0, "more timerfds are armed than can be told apart");
        }
    }

    /// Every armed timer with the time until it fires.
    pub(super) fn current(&mut self, clock: &Clock) -> impl Iterator<Item = (i32, Armed)> {
        for Timer { armed, .. } in &mut self.timers {
            // The kernel has fired it in the meantime.
            let interval = armed.interval.0;
            let passed = -clock.until(armed.deadline).0;
            if interval > 0 && passed >= 0 {
                let by = Nanos((passed / interval + 1) * interval);
                armed.deadline = match armed.deadline {
                    Deadline::Mono(at) => Deadline::Mono(at + by),
                    Deadline::Wall { at, no_later_than } => {
                        Deadline::Wall { at: at + by, no_later_than: no_later_than + by }
                    }
                };
            }
        }
        let now = *clock;
        let armed = self.timers.iter().filter(move |timer| now.until(timer.armed.deadline) > Nanos::ZERO);
        armed.map(|timer| (timer.place.0, timer.armed))
    }
}

impl Timer {
    /// Brings the kernel's timer in line with `state`, if it still is at its place.
    fn reach(&mut self, seat: &mut Option<Seat>, state: PageState) -> Reached {
        let (pid, fd) = self.place;
        if guest::timerfd_clock(pid, fd).is_none() {
            return Reached::Missing;
        }
        let Ok(file) = ForeignTimerFd::open(pid, fd) else { return Reached::Missing };
        let same = self.known.as_ref().is_none_or(|known| {
            let seated = seat.as_mut().and_then(|seat| seat.seat(&file).ok());
            seated.is_some_and(|seated| is(&seated, known))
        });
        if same { self.bring_in_line(&file, state) } else { Reached::Missing }
    }

    fn bring_in_line(&mut self, file: &ForeignTimerFd, state: PageState) -> Reached {
        // A timer may have been armed since the page was changed: each remembers what it is in line with.
        let previous = self.armed.in_line_with;
        let by = match self.armed.deadline {
            Deadline::Mono(_) => Nanos::from(state.mono) - Nanos::from(previous.mono),
            Deadline::Wall { .. } => Clock::through(state).wall() - Clock::through(previous).wall(),
        };
        match bring_forward(file, by) {
            Ok(Some(fires)) => {
                self.armed.in_line_with = state;
                Reached::InLine { fires }
            }
            Ok(None) => Reached::Disarmed,
            Err(_) => Reached::Missing,
        }
    }
}

/// Lets an armed timer fire earlier by `by`. Whether it fires at once; none where it is not armed.
fn bring_forward(timer: &ForeignTimerFd, by: Nanos) -> io::Result<Option<bool>> {
    let left = timer.remaining()?;
    if left.value == Timespec::default() {
        return Ok(None);
    }
    if by == Nanos::ZERO {
        return Ok(Some(false));
    }
    let remaining = Nanos::from(left.value) - by;
    let value = Nanos(remaining.0.max(1)).to_timespec();
    timer.arm(TimerSetting { value, interval: left.interval })?;
    Ok(Some(remaining <= Nanos::ZERO))
}

/// What cannot be compared is another: a timer that is taken for missing is looked for, and told if it is not found.
fn is(seated: &Seated<'_>, known: &Known) -> bool {
    seated.is(known).unwrap_or(false)
}

/// Whether it is not known to be closed.
fn is_open(timer: &Timer) -> bool {
    timer.known.as_ref().is_none_or(|known| known.is_open().unwrap_or(true))
}

fn most_known() -> usize {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((0, 0));
    usize::try_from(soft / 2).unwrap_or(MOST_KNOWN).min(MOST_KNOWN)
}

/// The kernel's monotonic time.
fn now() -> Nanos {
    timers::read_clock_by_vdso(libc::CLOCK_MONOTONIC).map_or(Nanos::ZERO, Nanos::from)
}
