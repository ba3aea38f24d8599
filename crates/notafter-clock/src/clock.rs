//! What the shifted clocks show: the kernel's clocks seen through one state of the clock page.

use crate::nanos::Nanos;
use notafter_sys::page::{PageState, Wall};
use notafter_sys::timers;

/// The clocks of clock_gettime(2), as far as shifting treats them alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClockKind {
    /// CPU time of a process or thread, and dynamic clocks: never shifted.
    Own,
    /// CLOCK_MONOTONIC, its RAW and COARSE forms, CLOCK_BOOTTIME and its ALARM form.
    Mono,
    /// CLOCK_REALTIME, its COARSE and ALARM forms, CLOCK_TAI.
    Wall,
}

impl ClockKind {
    /// The kind of the clock with this number.
    pub(crate) fn of(clock: i32) -> Self {
        match clock {
            libc::CLOCK_REALTIME
            | libc::CLOCK_REALTIME_COARSE
            | libc::CLOCK_REALTIME_ALARM
            | libc::CLOCK_TAI => Self::Wall,
            libc::CLOCK_MONOTONIC
            | libc::CLOCK_MONOTONIC_RAW
            | libc::CLOCK_MONOTONIC_COARSE
            | libc::CLOCK_BOOTTIME
            | libc::CLOCK_BOOTTIME_ALARM => Self::Mono,
            _ => Self::Own,
        }
    }
}

/// An instant at which something is due, on a shifted clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deadline {
    Mono(Nanos),
    Wall {
        at: Nanos,
        /// Monotonic time at which it would come if wall time went on as it does natively; where wall time is held
        /// a wait must not last for ever.
        no_later_than: Nanos,
    },
}

impl Deadline {
    /// The monotonic time at which it comes, if no motion comes between.
    pub(crate) fn mono(self) -> Nanos {
        match self {
            Self::Mono(at) | Self::Wall { no_later_than: at, .. } => at,
        }
    }
}

/// The shifted clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    state: PageState,
    real_wall: Nanos,
    real_mono: Nanos,
}

impl Clock {
    /// Reads the kernel's clocks and looks at them through `state`.
    pub(crate) fn through(state: PageState) -> Self {
        // Both clocks exist on every kernel.
        let read = |clock| timers::read_clock_by_vdso(clock).map_or(Nanos::ZERO, Nanos::from);
        Self { state, real_wall: read(libc::CLOCK_REALTIME), real_mono: read(libc::CLOCK_MONOTONIC) }
    }

    pub(crate) fn state(&self) -> PageState {
        self.state
    }

    /// What CLOCK_REALTIME shows.
    pub(crate) fn wall(&self) -> Nanos {
        self.shift(ClockKind::Wall, self.real_wall)
    }

    /// What CLOCK_MONOTONIC shows.
    pub(crate) fn mono(&self) -> Nanos {
        self.shift(ClockKind::Mono, self.real_mono)
    }

    /// What the kernel's CLOCK_MONOTONIC shows.
    pub(crate) fn real_mono(&self) -> Nanos {
        self.real_mono
    }

    /// What the kernel's CLOCK_REALTIME shows.
    pub(crate) fn real_wall(&self) -> Nanos {
        self.real_wall
    }

    /// What a clock of this kind shows where the kernel's shows `real`.
    pub(crate) fn shift(&self, kind: ClockKind, real: Nanos) -> Nanos {
        match (kind, self.state.wall) {
            (ClockKind::Own, _) => real,
            (ClockKind::Mono, _) => real + self.state.mono.into(),
            (ClockKind::Wall, Wall::Held(time)) => time.into(),
            (ClockKind::Wall, Wall::Offset(offset)) => real + offset.into(),
        }
    }

    /// The deadline `at` on a clock of this kind; none for CPU time, which is never shifted.
    pub(crate) fn deadline(&self, kind: ClockKind, at: Nanos) -> Option<Deadline> {
        match kind {
            ClockKind::Own => None,
            ClockKind::Mono => Some(Deadline::Mono(at)),
            ClockKind::Wall => Some(Deadline::Wall { at, no_later_than: self.mono() + (at - self.wall()) }),
        }
    }

    /// The deadline `from_now` from now, on the monotonic clock.
    pub(crate) fn after(&self, from_now: Nanos) -> Deadline {
        Deadline::Mono(self.mono() + from_now)
    }

    /// How long until `deadline`, if no motion comes between; zero or less: it is due.
    pub(crate) fn until(&self, deadline: Deadline) -> Nanos {
        match deadline {
            Deadline::Mono(at) => at - self.mono(),
            Deadline::Wall { at, no_later_than } => {
                let by_mono = no_later_than - self.mono();
                if at <= self.wall() { Nanos::ZERO.min(by_mono) } else { by_mono }
            }
        }
    }

    /// Whether the kernel, left alone, would end a wait until `deadline` by its own clocks no earlier than it is
    /// due. It would not where wall time is shifted backward: it would take the deadline for long past.
    pub(crate) fn kernel_is_late_for(&self, deadline: Deadline) -> bool {
        match deadline {
            Deadline::Mono(_) => true,
            Deadline::Wall { .. } => self.wall() >= self.real_wall,
        }
    }

    /// What the kernel's CLOCK_REALTIME will show when `deadline` is due, if no motion comes between.
    pub(crate) fn real_wall_at(&self, deadline: Deadline) -> Nanos {
        self.real_wall + self.until(deadline)
    }
}
