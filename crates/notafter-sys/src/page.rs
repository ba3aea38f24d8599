//! The clock page: one page of shared memory that holds what is added to, or shown instead of, the kernel's clocks.
//!
//! One process writes it; any number read it, among them the wrapper in every shifted process, which knows the
//! layout by number. A sequence count that is odd while the writer works keeps readers from mixing two states.
//!
//! Behind the page the same memory may hold its history: what wall time it showed since when, by the kernel's clock.
//! The kernel stamps files by its own clock, and only who knows the history can tell what a guest's clock showed then.
//!
//! # Safety
//! Unsafe code maps the page and reaches its fields through atomics; the mapping lives as long as the value.
#![allow(unsafe_code, reason = "shared memory is reached through a raw mapping")]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};

/// Length of the page in bytes.
pub const PAGE_LEN: usize = 4096;
const HELD: u32 = 1;

/// Bytes of one [`Change`] in the history: since when in seconds and nanoseconds, the wall time in seconds and
/// nanoseconds, each as a little-endian `i64`, the latter with [`FLOWS`] where it is an offset.
const CHANGE_LEN: u64 = 32;
const FLOWS: i64 = 1 << 32;
/// Changes that a history holds. Memory is taken for those that are there.
const MOST_CHANGES: u64 = 1 << 22;

/// The fields, as the wrapper reads them.
#[repr(C)]
struct Layout {
    sequence: AtomicU32,
    flags: AtomicU32,
    wall_secs: AtomicI64,
    wall_nanos: AtomicI64,
    mono_secs: AtomicI64,
    mono_nanos: AtomicI64,
    generation: AtomicU64,
    changes: AtomicU64,
}

/// Seconds and nanoseconds; the nanoseconds count forward from the second and are below 1,000,000,000.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timespec {
    /// Whole seconds, possibly negative.
    pub secs: i64,
    /// Nanoseconds into the second.
    pub nanos: i64,
}

/// What the page says of wall time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wall {
    /// It stands still at this time since the epoch.
    Held(Timespec),
    /// It is the kernel's CLOCK_REALTIME plus this much.
    Offset(Timespec),
}

/// One consistent state of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageState {
    /// Wall time: CLOCK_REALTIME, its COARSE and ALARM forms, CLOCK_TAI.
    pub wall: Wall,
    /// What is added to CLOCK_MONOTONIC, its RAW and COARSE forms and CLOCK_BOOTTIME.
    pub mono: Timespec,
    /// Counts the states that were written.
    pub generation: u64,
}

/// One change of wall time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The kernel's CLOCK_REALTIME_COARSE, by which it stamps files, when it was made.
    pub since: Timespec,
    /// What wall time is from then on.
    pub wall: Wall,
}

/// Whether a page keeps its [`Change`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// Every change of wall time, up to four million of them.
    Kept,
    /// None.
    Forgotten,
}

impl History {
    /// Bytes of the memory that holds page and history.
    fn file_len(self) -> u64 {
        let changes = match self {
            Self::Kept => MOST_CHANGES,
            Self::Forgotten => 0,
        };
        PAGE_LEN as u64 + changes * CHANGE_LEN
    }
}

/// A mapping of the page.
#[derive(Debug)]
pub struct SharedPage {
    layout: NonNull<Layout>,
    file: File,
    writable: bool,
    history: History,
}

// SAFETY: all access goes through atomics, from whichever thread.
unsafe impl Send for SharedPage {}
// SAFETY: as above.
unsafe impl Sync for SharedPage {}

impl SharedPage {
    /// A new page in memory of its own (memfd_create(2)), mapped for writing.
    ///
    /// # Errors
    /// Those of memfd_create(2), ftruncate(2) and mmap(2).
    pub fn create(history: History) -> io::Result<Self> {
        let file = File::from(rustix::fs::memfd_create(
            "notafter-clock",
            rustix::fs::MemfdFlags::CLOEXEC | rustix::fs::MemfdFlags::ALLOW_SEALING,
        )?);
        file.set_len(history.file_len())?;
        // Whoever gets the page may not cut it short under the readers.
        rustix::fs::fcntl_add_seals(&file, rustix::fs::SealFlags::SHRINK | rustix::fs::SealFlags::GROW)?;
        Self::map(file, true, history)
    }

    /// Maps the page behind `file` for reading alone.
    ///
    /// # Errors
    /// Those of mmap(2); `InvalidInput` where the file is as long as no page is, with a history or without.
    pub fn open_read_only(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        let history =
            [History::Kept, History::Forgotten].into_iter().find(|history| history.file_len() == len);
        let history = history.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "the clock page has another length")
        })?;
        Self::map(file, false, history)
    }

    fn map(file: File, writable: bool, history: History) -> io::Result<Self> {
        use rustix::mm::{MapFlags, ProtFlags, mmap};
        let protection = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: a fresh shared mapping at an address that the kernel chooses overlaps nothing.
        let address =
            unsafe { mmap(std::ptr::null_mut(), PAGE_LEN, protection, MapFlags::SHARED, &file, 0)? };
        let layout = NonNull::new(address.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { layout, file, writable, history })
    }

    fn layout(&self) -> &Layout {
        // SAFETY: the mapping is a page long, page-aligned, lives as long as `self`, and holds only atomics.
        unsafe { self.layout.as_ref() }
    }

    /// A new description of the same page that cannot be written through, for handing to others.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn reopen_read_only(&self) -> io::Result<File> {
        use std::os::fd::AsRawFd;
        File::open(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// The state as of now. A writer that dies in the middle of a change leaves the reader with the state half
    /// changed after a bounded number of tries.
    #[must_use]
    pub fn load(&self) -> PageState {
        let layout = self.layout();
        let mut state = Self::snapshot(layout);
        for _ in 0..1 << 20 {
            let before = layout.sequence.load(Ordering::Acquire);
            state = Self::snapshot(layout);
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && layout.sequence.load(Ordering::Relaxed) == before {
                break;
            }
            std::hint::spin_loop();
        }
        state
    }

    fn snapshot(layout: &Layout) -> PageState {
        let wall = Timespec {
            secs: layout.wall_secs.load(Ordering::Relaxed),
            nanos: layout.wall_nanos.load(Ordering::Relaxed),
        };
        let held = layout.flags.load(Ordering::Relaxed) & HELD != 0;
        PageState {
            wall: if held { Wall::Held(wall) } else { Wall::Offset(wall) },
            mono: Timespec {
                secs: layout.mono_secs.load(Ordering::Relaxed),
                nanos: layout.mono_nanos.load(Ordering::Relaxed),
            },
            generation: layout.generation.load(Ordering::Relaxed),
        }
    }

    /// Whether changes of wall time are kept.
    #[must_use]
    pub fn history(&self) -> History {
        self.history
    }

    /// The changes of wall time after the first `known` ones, in order.
    ///
    /// # Errors
    /// Those of pread(2).
    pub fn changes_after(&self, known: usize) -> io::Result<Vec<Change>> {
        let made = self.layout().changes.load(Ordering::Acquire).min(MOST_CHANGES);
        let known = known as u64;
        let mut bytes = vec![0; usize::try_from(made.saturating_sub(known) * CHANGE_LEN).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, PAGE_LEN as u64 + known * CHANGE_LEN)?;
        Ok(bytes.chunks_exact(CHANGE_LEN as usize).filter_map(Change::decode).collect())
    }

    fn remember(&self, wall: Wall) -> io::Result<()> {
        if self.history == History::Forgotten {
            return Ok(());
        }
        let made = self.layout().changes.load(Ordering::Relaxed);
        if made >= MOST_CHANGES {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the clock has moved too often"));
        }
        let since = crate::timers::read_clock(libc::CLOCK_REALTIME_COARSE)?;
        self.file.write_all_at(&Change { since, wall }.encode(), PAGE_LEN as u64 + made * CHANGE_LEN)?;
        self.layout().changes.store(made + 1, Ordering::Release);
        Ok(())
    }

    /// Changes wall time and what is added to monotonic time, for every reader at once.
    ///
    /// # Errors
    /// `PermissionDenied` on a mapping that was opened for reading; `StorageFull` where no further change can be kept.
    pub fn store(&mut self, wall: Wall, mono: Timespec) -> io::Result<()> {
        if !self.writable {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the clock page is mapped read-only",
            ));
        }
        self.remember(wall)?;
        let layout = self.layout();
        let sequence = layout.sequence.load(Ordering::Relaxed);
        layout.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        let (flags, time) = match wall {
            Wall::Held(time) => (HELD, time),
            Wall::Offset(offset) => (0, offset),
        };
        layout.flags.store(flags, Ordering::Relaxed);
        layout.wall_secs.store(time.secs, Ordering::Relaxed);
        layout.wall_nanos.store(time.nanos, Ordering::Relaxed);
        layout.mono_secs.store(mono.secs, Ordering::Relaxed);
        layout.mono_nanos.store(mono.nanos, Ordering::Relaxed);
        layout.generation.fetch_add(1, Ordering::Relaxed);
        layout.sequence.store(sequence.wrapping_add(2), Ordering::Release);
        Ok(())
    }
}

impl Change {
    fn encode(self) -> [u8; CHANGE_LEN as usize] {
        let (time, flows) = match self.wall {
            Wall::Held(time) => (time, 0),
            Wall::Offset(offset) => (offset, FLOWS),
        };
        let mut bytes = [0; CHANGE_LEN as usize];
        let words = [self.since.secs, self.since.nanos, time.secs, time.nanos | flows];
        for (place, word) in bytes.chunks_exact_mut(size_of::<i64>()).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut words = bytes.as_chunks().0.iter().copied().map(i64::from_le_bytes);
        let mut next = || words.next();
        let since = Timespec { secs: next()?, nanos: next()? };
        let (secs, nanos) = (next()?, next()?);
        let time = Timespec { secs, nanos: nanos & !FLOWS };
        Some(Self { since, wall: if nanos & FLOWS == 0 { Wall::Held(time) } else { Wall::Offset(time) } })
    }
}

impl AsFd for SharedPage {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for SharedPage {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `map` made, and no reference into it outlives `self`.
        let _ = unsafe { rustix::mm::munmap(self.layout.as_ptr().cast(), PAGE_LEN) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_the_one_that_the_wrapper_knows() {
        use std::mem::offset_of;
        let offsets = [
            offset_of!(Layout, sequence),
            offset_of!(Layout, flags),
            offset_of!(Layout, wall_secs),
            offset_of!(Layout, wall_nanos),
            offset_of!(Layout, mono_secs),
            offset_of!(Layout, mono_nanos),
        ];
        assert_eq!(offsets, [0, 4, 8, 16, 24, 32]);
    }

    #[test]
    fn a_reader_sees_what_the_writer_stored_and_cannot_write() {
        let mut page = SharedPage::create(History::Forgotten).unwrap();
        let mut reader = SharedPage::open_read_only(page.reopen_read_only().unwrap()).unwrap();
        let wall = Wall::Held(Timespec { secs: 1_544_070_600, nanos: 5 });
        let mono = Timespec { secs: 7, nanos: 8 };
        page.store(wall, mono).unwrap();
        assert_eq!(reader.load(), PageState { wall, mono, generation: 1 });
        assert_eq!(reader.store(wall, mono).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(reader.changes_after(0).unwrap(), []);
    }

    #[test]
    fn a_history_tells_each_change_in_order() {
        let mut page = SharedPage::create(History::Kept).unwrap();
        let reader = SharedPage::open_read_only(page.reopen_read_only().unwrap()).unwrap();
        let walls = [
            Wall::Held(Timespec { secs: 1_544_070_600, nanos: 999_999_999 }),
            Wall::Offset(Timespec { secs: -3, nanos: 5 }),
            Wall::Held(Timespec { secs: -1, nanos: 0 }),
        ];
        for wall in walls {
            page.store(wall, Timespec::default()).unwrap();
        }
        let told = |known| reader.changes_after(known).unwrap();
        assert_eq!(told(0).iter().map(|change| change.wall).collect::<Vec<_>>(), walls);
        assert_eq!(told(2).iter().map(|change| change.wall).collect::<Vec<_>>(), walls[2..]);
        assert_eq!(told(3), []);
        assert!(told(0).is_sorted_by_key(|change| change.since) && told(0)[0].since.secs > 1_700_000_000);
    }
}
