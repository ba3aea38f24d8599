//! The clock page from the side of whoever moves the clock.

use crate::clock::Clock;
use crate::error::{During, Error};
use crate::nanos::Nanos;
use notafter_core::{ClockReading, FileTimes, UnixTime};
use notafter_sys::page::{History, SharedPage, Timespec, Wall};
use notafter_sys::timers;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// The clock of one sandbox: every process in it moves when this moves.
#[derive(Debug)]
pub struct ClockPage {
    face: Face,
    /// Those that differ from it by what they are ahead.
    skewed: Vec<Face>,
    /// The kernel's CLOCK_MONOTONIC when the clock was last moved, a motion began or guests were busy.
    mark: Nanos,
}

/// The page that processes see.
#[derive(Debug)]
pub struct Face {
    page: SharedPage,
    identity: (u64, u64),
    /// How far its wall time is ahead of the clock's.
    ahead: Nanos,
}

impl Face {
    fn create(wall: Wall, mono: Timespec, ahead: Nanos, history: History) -> Result<Self, Error> {
        let mut page = SharedPage::create(history).during("memfd_create")?;
        page.store(ahead_by(wall, ahead), mono).during("writing the clock page")?;
        let metadata = page.reopen_read_only().and_then(|file| file.metadata()).during("fstat")?;
        Ok(Self { page, identity: (metadata.dev(), metadata.ino()), ahead })
    }

    /// A descriptor through which others can read the page and not write it.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn read_only(&self) -> Result<File, Error> {
        self.page.reopen_read_only().during("opening the clock page")
    }

    /// What CLOCK_REALTIME shows to those who see it.
    #[must_use]
    pub fn now(&self) -> ClockReading {
        Clock::through(self.page.load()).wall().to_reading()
    }

    /// Device and inode under which processes that map the page show it in /proc/PID/maps.
    pub(crate) fn identity(&self) -> (u64, u64) {
        self.identity
    }
}

fn ahead_by(wall: Wall, ahead: Nanos) -> Wall {
    match wall {
        Wall::Held(time) => Wall::Held((Nanos::from(time) + ahead).to_timespec()),
        Wall::Offset(offset) => Wall::Offset((Nanos::from(offset) + ahead).to_timespec()),
    }
}

impl ClockPage {
    /// A clock whose wall time stands still at `wall`; monotonic time runs as the kernel's.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn held_at(wall: UnixTime, file_times: FileTimes) -> Result<Self, Error> {
        Self::create(Wall::Held(Nanos::from_secs(wall.as_secs()).to_timespec()), file_times)
    }

    /// A clock whose wall time shows `wall` now and goes on from there.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn flowing_from(wall: UnixTime, file_times: FileTimes) -> Result<Self, Error> {
        // Counted from the coarse clock, which lags behind by up to a tick: none of the clocks shows an earlier time.
        let coarse = timers::read_clock(libc::CLOCK_REALTIME_COARSE).during("clock_gettime")?;
        let offset = Nanos::from_secs(wall.as_secs()) - coarse.into();
        Self::create(Wall::Offset(offset.to_timespec()), file_times)
    }

    fn create(wall: Wall, file_times: FileTimes) -> Result<Self, Error> {
        let history = match file_times {
            FileTimes::Real => History::Forgotten,
            FileTimes::Shifted => History::Kept,
        };
        let face = Face::create(wall, Nanos::ZERO.to_timespec(), Nanos::ZERO, history)?;
        let mark = Clock::through(face.page.load()).real_mono();
        Ok(Self { face, skewed: Vec::new(), mark })
    }

    /// Whose wall time is the clock's own.
    #[must_use]
    pub fn face(&self) -> &Face {
        &self.face
    }

    /// A further page that moves with it, and whose wall time is `ahead` seconds ahead of it, or behind where that is
    /// negative; its number among them.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn skew(&mut self, ahead: i64) -> Result<usize, Error> {
        let (state, history) = (self.face.page.load(), self.face.page.history());
        self.skewed.push(Face::create(state.wall, state.mono, Nanos::from_secs(ahead), history)?);
        Ok(self.skewed.len() - 1)
    }

    /// The page of this number; the clock's own where there is none.
    #[must_use]
    pub fn skewed(&self, number: usize) -> &Face {
        self.skewed.get(number).unwrap_or(&self.face)
    }

    fn clock(&self) -> Clock {
        Clock::through(self.face.page.load())
    }

    /// What CLOCK_REALTIME shows under this clock.
    #[must_use]
    pub fn now(&self) -> ClockReading {
        self.clock().wall().to_reading()
    }

    /// Begins a motion in which time elapses in jumps. Real time goes on between the jumps, in monotonic time at
    /// once; wall time takes it in at the next jump, so that the two stay together.
    pub fn begin_elapse(&mut self) {
        self.mark = self.clock().real_mono();
    }

    /// How much is left until wall time shows the beginning of `wall`, what has passed since the last jump counted.
    #[must_use]
    pub fn left_until(&self, wall: UnixTime) -> Duration {
        let clock = self.clock();
        (Nanos::from_secs(wall.as_secs()) - clock.wall() - self.lag(&clock)).to_duration()
    }

    fn lag(&self, clock: &Clock) -> Nanos {
        clock.real_mono() - self.mark
    }

    /// Lets `by` pass at once: monotonic and boot time advance by it, wall time too, and stands still there. Wall time
    /// goes no further than the beginning of `through`, however long ago `by` was worked out.
    ///
    /// # Errors
    /// [`Error::Backwards`] where it shows a later time already.
    pub fn elapse(&mut self, by: Duration, through: UnixTime) -> Result<(), Error> {
        let clock = self.clock();
        let most = Nanos::from_secs(through.as_secs());
        if most < clock.wall() {
            return Err(Error::Backwards);
        }
        let now = clock.wall() + self.lag(&clock);
        let by = Nanos::from(by).min(most - now).max(Nanos::ZERO);
        self.move_to(&clock, (now + by).min(most), by)
    }

    /// Lets time pass until wall time shows the beginning of `wall`, and holds it there.
    ///
    /// # Errors
    /// [`Error::Backwards`] where it shows a later time already.
    pub fn elapse_to(&mut self, wall: UnixTime) -> Result<(), Error> {
        let clock = self.clock();
        let to = Nanos::from_secs(wall.as_secs());
        if to < clock.wall() {
            return Err(Error::Backwards);
        }
        let by = to - clock.wall() - self.lag(&clock);
        self.move_to(&clock, to, by.max(Nanos::ZERO))
    }

    /// Sets wall time alone, as `date -s` does, and holds it there.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn step_to(&mut self, wall: UnixTime) -> Result<(), Error> {
        let clock = self.clock();
        self.move_to(&clock, Nanos::from_secs(wall.as_secs()), Nanos::ZERO)
    }

    /// The stamp of a file that is written now, for a clock under which times of files are shifted. The kernel's stamps go
    /// on once a tick: what is written before the clock moves shows another time than what is written after it only
    /// where a tick lies between.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn stamp(&self) -> Result<Option<Stamp>, Error> {
        if self.face.page.history() == History::Forgotten {
            return Ok(None);
        }
        let now = timers::read_clock(libc::CLOCK_REALTIME_COARSE).during("clock_gettime")?;
        Ok(Some(Stamp(now)))
    }

    /// Guests are busy: what [`Self::catch_up`] counts from is now.
    pub fn note_busy(&mut self) {
        self.mark = self.clock().real_mono();
    }

    /// Lets held wall time go on by `by`, where the clock has not moved and nobody was busy for `after`; never beyond
    /// the second on which it stands. Whether it moved.
    ///
    /// Whoever looks at the wall clock again and again until a fraction of a second has passed would wait for ever:
    /// MariaDB's timers do, of which one sees to it that its thread pool does not lock up.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn catch_up(&mut self, by: Duration, after: Duration) -> Result<bool, Error> {
        let clock = self.clock();
        let (now, next) = (clock.wall(), clock.wall() + by.into());
        let is_due = matches!(clock.state().wall, Wall::Held(_)) && self.lag(&clock) >= after.into();
        let may_move = is_due && next.to_timespec().secs == now.to_timespec().secs;
        if may_move {
            self.move_to(&clock, next, Nanos::ZERO)?;
        }
        Ok(may_move)
    }

    fn move_to(&mut self, clock: &Clock, wall: Nanos, mono_by: Nanos) -> Result<(), Error> {
        self.mark = clock.real_mono();
        let mono = Nanos::from(clock.state().mono) + mono_by;
        let wall = Wall::Held(wall.to_timespec());
        for Face { page, ahead, .. } in std::iter::once(&mut self.face).chain(&mut self.skewed) {
            page.store(ahead_by(wall, *ahead), mono.to_timespec()).during("writing the clock page")?;
        }
        Ok(())
    }
}

/// When the kernel says that a file was written, to within a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(Timespec);

impl Stamp {
    /// Waits until files get another stamp than this, 10 ms at most.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn pass(self) -> Result<(), Error> {
        timers::await_tick(self.0).during("clock_gettime")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixTime {
        UnixTime::parse(text).unwrap()
    }

    #[test]
    fn a_held_clock_moves_only_when_told() {
        let mut page = ClockPage::held_at(at("2018-12-06T04:29:59Z"), FileTimes::Real).unwrap();
        assert_eq!(page.now(), ClockReading::at(at("2018-12-06T04:29:59Z")));
        page.begin_elapse();
        page.elapse(Duration::from_secs(1), at("2020-01-01T00:00:00Z")).unwrap();
        assert_eq!(page.now().second, at("2018-12-06T04:30:00Z"));
        page.elapse_to(at("2020-11-01T00:00:00Z")).unwrap();
        assert!(matches!(page.elapse_to(at("2020-10-31T00:00:00Z")), Err(Error::Backwards)));
        page.step_to(at("2020-10-31T00:00:00Z")).unwrap();
        assert_eq!(page.now().second, at("2020-10-31T00:00:00Z"));
    }

    /// On a busy machine the thread that moves the clock rests at any moment, and real time goes on.
    #[test]
    fn a_jump_that_was_worked_out_earlier_does_not_pass_its_end() {
        let (start, end) = (at("2020-01-01T00:00:00Z"), at("2020-01-01T00:00:01Z"));
        let mut page = ClockPage::held_at(start, FileTimes::Real).unwrap();
        page.begin_elapse();
        let by = page.left_until(end) - Duration::from_micros(100);
        while page.left_until(end) > by - Duration::from_millis(1) {
            std::hint::spin_loop();
        }
        page.elapse(by, end).unwrap();
        assert_eq!(page.now(), ClockReading::at(end));
        page.elapse_to(end).unwrap();
    }

    #[test]
    fn held_time_catches_up_within_its_second_alone() {
        let start = at("2018-12-06T04:29:59Z");
        let mut page = ClockPage::held_at(start, FileTimes::Real).unwrap();
        let by = Duration::from_millis(450);
        assert!(!page.catch_up(by, Duration::from_secs(3_600)).unwrap(), "it has just begun");
        for expected in [Some(450_000_000), Some(900_000_000), None, None] {
            let before = page.now();
            let moved = page.catch_up(by, Duration::ZERO).unwrap();
            assert_eq!(moved.then(|| page.now().nanos), expected);
            assert_eq!(page.now().second, start);
            assert!(moved || page.now() == before);
        }
        assert_eq!(page.face.page.load().mono, Nanos::ZERO.to_timespec());
        page.elapse_to(at("2018-12-06T04:30:00Z")).unwrap();
        assert!(page.catch_up(by, Duration::ZERO).unwrap());
        let mut flowing = ClockPage::flowing_from(start, FileTimes::Real).unwrap();
        assert!(!flowing.catch_up(by, Duration::ZERO).unwrap());
    }

    #[test]
    fn a_skewed_page_moves_with_the_clock_and_stays_as_far_from_it() {
        let start = at("2020-01-01T00:00:00Z");
        let mut page = ClockPage::held_at(start, FileTimes::Real).unwrap();
        let (ahead, behind) = (page.skew(300).unwrap(), page.skew(-300).unwrap());
        let shown = |page: &ClockPage, number| page.skewed(number).now().second.secs_since(page.now().second);
        for _ in 0..2 {
            assert_eq!([shown(&page, ahead), shown(&page, behind)], [300, -300]);
            page.begin_elapse();
            page.elapse_to(at("2020-06-01T00:00:00Z")).unwrap();
        }
        assert!(page.catch_up(Duration::from_millis(450), Duration::ZERO).unwrap());
        assert_eq!(page.skewed(behind).now().nanos, page.now().nanos);
        let monos = [page.face(), page.skewed(ahead)].map(|face| face.page.load().mono);
        assert_eq!(monos[0], monos[1]);
        assert_ne!(page.skewed(ahead).identity(), page.face().identity());
    }

    #[test]
    fn monotonic_time_advances_with_elapse_and_not_with_a_step() {
        let mut page = ClockPage::held_at(at("2020-01-01T00:00:00Z"), FileTimes::Real).unwrap();
        page.begin_elapse();
        page.elapse(Duration::from_secs(86_400), at("2021-01-01T00:00:00Z")).unwrap();
        page.step_to(at("2021-01-01T00:00:00Z")).unwrap();
        assert_eq!(page.face.page.load().mono, Nanos::from_secs(86_400).to_timespec());
    }
}
