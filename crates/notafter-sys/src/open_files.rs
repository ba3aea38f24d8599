//! Open files (open file descriptions, open(2)) of other processes, recognised again without being kept open.
//!
//! An epoll instance does not keep the files open that it watches, and lists them by file *and* descriptor number
//! (epoll(7), questions 1 and 6). So an instance that watches one file through one number knows that file again when
//! it lies at that number once more, and watches nothing when the last descriptor of the file is closed. Nothing is
//! asked about the file's readiness, and whoever has it notices nothing.

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::unistd;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Where a file lies while it is looked at: one descriptor number for all of them.
#[derive(Debug)]
pub struct Seat {
    number: OwnedFd,
    /// What lies there otherwise, so that nothing else gets the number.
    nobody: OwnedFd,
}

/// An open file on the seat. It leaves the seat, and is no longer kept open by it, on drop.
#[derive(Debug)]
pub struct Seated<'seat>(&'seat mut Seat);

/// An open file that will be known again. Does not keep it open.
#[derive(Debug)]
pub struct Known(Epoll);

impl Seat {
    /// An empty seat.
    ///
    /// # Errors
    /// `EMFILE` where this process may have no more descriptors.
    pub fn new() -> io::Result<Self> {
        let nobody: OwnedFd = EventFd::from_flags(EfdFlags::EFD_CLOEXEC)?.into();
        Ok(Self { number: nobody.try_clone()?, nobody })
    }

    /// Lets the open file behind `file` sit down.
    ///
    /// # Errors
    /// Those of dup3(2).
    pub fn seat(&mut self, file: impl AsFd) -> io::Result<Seated<'_>> {
        unistd::dup3(file, &mut self.number, OFlag::O_CLOEXEC)?;
        Ok(Seated(self))
    }
}

impl Drop for Seated<'_> {
    fn drop(&mut self) {
        // Fails only where either descriptor is none, and both are owned.
        let _ = unistd::dup3(&self.0.nobody, &mut self.0.number, OFlag::O_CLOEXEC);
    }
}

impl Seated<'_> {
    /// Remembers the file. Takes one descriptor of this process.
    ///
    /// # Errors
    /// `EMFILE` where this process may have no more descriptors, `ENOSPC` where its user may watch no more files
    /// (`/proc/sys/fs/epoll/max_user_watches`), `EPERM` for a file that cannot be watched.
    pub fn remember(&self) -> io::Result<Known> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&self.0.number, EpollEvent::new(EpollFlags::empty(), 0))?;
        Ok(Known(epoll))
    }

    /// Whether it is this one.
    ///
    /// # Errors
    /// Those of epoll_ctl(2) that say neither.
    pub fn is(&self, known: &Known) -> io::Result<bool> {
        let mut unchanged = EpollEvent::new(EpollFlags::empty(), 0);
        match known.0.modify(&self.0.number, &mut unchanged) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Known {
    /// Whether it is still open: in some process, or on its way to one through a socket.
    ///
    /// # Errors
    /// Where /proc does not show this process.
    pub fn is_open(&self) -> io::Result<bool> {
        let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", self.0.0.as_raw_fd()))?;
        Ok(text.lines().any(|line| line.starts_with("tfd:")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

    fn timer() -> OwnedFd {
        TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC).unwrap().into()
    }

    #[test]
    fn an_open_file_is_known_again_by_another_descriptor_until_the_last_is_closed() {
        let (file, other) = (timer(), timer());
        let mut seat = Seat::new().unwrap();
        let known = seat.seat(&file).unwrap().remember().unwrap();
        let copy = file.try_clone().unwrap();
        drop(file);
        assert!(known.is_open().unwrap());
        assert!(seat.seat(&copy).unwrap().is(&known).unwrap());
        assert!(!seat.seat(&other).unwrap().is(&known).unwrap());
        drop(copy);
        assert!(!known.is_open().unwrap(), "neither the seat nor the memory keeps it open");
        assert!(!seat.seat(&other).unwrap().is(&known).unwrap());
    }
}
