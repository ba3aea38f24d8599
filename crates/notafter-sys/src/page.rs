//! The clock page: one page of shared memory that holds what is added to, or shown instead of, the kernel's clocks.
//!
//! One process writes it; any number read it, among them the wrapper in every shifted process, which knows the
//! layout by number. A sequence count that is odd while the writer works keeps readers from mixing two states.
//!
//! # Safety
//! Unsafe code maps the page and reaches its fields through atomics; the mapping lives as long as the value.
#![allow(unsafe_code, reason = "shared memory is reached through a raw mapping")]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};

/// Length of the page in bytes.
pub const PAGE_LEN: usize = 4096;
const HELD: u32 = 1;

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

/// A mapping of the page.
#[derive(Debug)]
pub struct SharedPage {
    layout: NonNull<Layout>,
    file: File,
    writable: bool,
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
    pub fn create() -> io::Result<Self> {
        let file = File::from(rustix::fs::memfd_create(
            "notafter-clock",
            rustix::fs::MemfdFlags::CLOEXEC | rustix::fs::MemfdFlags::ALLOW_SEALING,
        )?);
        file.set_len(PAGE_LEN as u64)?;
        // Whoever gets the page may not cut it short under the readers.
        rustix::fs::fcntl_add_seals(&file, rustix::fs::SealFlags::SHRINK | rustix::fs::SealFlags::GROW)?;
        Self::map(file, true)
    }

    /// Maps the page behind `file` for reading alone.
    ///
    /// # Errors
    /// Those of mmap(2); `InvalidInput` where the file is not as long as a page.
    pub fn open_read_only(file: File) -> io::Result<Self> {
        if file.metadata()?.len() != PAGE_LEN as u64 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the clock page has another length"));
        }
        Self::map(file, false)
    }

    fn map(file: File, writable: bool) -> io::Result<Self> {
        use rustix::mm::{MapFlags, ProtFlags, mmap};
        let protection = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: a fresh shared mapping at an address that the kernel chooses overlaps nothing.
        let address =
            unsafe { mmap(std::ptr::null_mut(), PAGE_LEN, protection, MapFlags::SHARED, &file, 0)? };
        let layout = NonNull::new(address.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { layout, file, writable })
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

    /// Changes wall time and what is added to monotonic time, for every reader at once.
    ///
    /// # Errors
    /// `PermissionDenied` on a mapping that was opened for reading.
    pub fn store(&mut self, wall: Wall, mono: Timespec) -> io::Result<()> {
        if !self.writable {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the clock page is mapped read-only",
            ));
        }
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
        let mut page = SharedPage::create().unwrap();
        let mut reader = SharedPage::open_read_only(page.reopen_read_only().unwrap()).unwrap();
        let wall = Wall::Held(Timespec { secs: 1_544_070_600, nanos: 5 });
        let mono = Timespec { secs: 7, nanos: 8 };
        page.store(wall, mono).unwrap();
        assert_eq!(reader.load(), PageState { wall, mono, generation: 1 });
        assert_eq!(reader.store(wall, mono).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
