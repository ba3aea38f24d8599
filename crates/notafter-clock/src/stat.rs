//! Calls that tell the times of a file (stat(2), statx(2)): which file is meant, and where its times go.

use crate::calls;
use crate::nanos::Nanos;
use notafter_sys::arch::calls::{LSTAT, STAT};
use notafter_sys::memory;
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Statx, StatxFlags, StatxTimestamp};
use rustix::io::Errno;
use std::ffi::CString;
use std::io;
use std::mem::offset_of;
use std::os::fd::OwnedFd;

/// Longest path, the null counted (`PATH_MAX`).
const MOST_PATH: usize = 4096;

/// One call of [`calls::STATS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StatCall {
    pub(crate) number: i64,
    pub(crate) args: [u64; 6],
}

/// What a look at a file says of its times.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// They are these, or there is no such file; neither is affected by who asks.
    Times(Vec<Nanos>),
    /// The kernel alone can tell which file the caller means.
    Unclear,
}

/// The file that a call is about.
enum Named {
    Descriptor(i32),
    Path { directory: i32, path: CString, follow: bool },
}

impl StatCall {
    fn int(&self, index: usize) -> i32 {
        self.args[index] as u32 as i32
    }

    fn named(&self, tid: i32) -> io::Result<Named> {
        let at = |directory, path: u64, flags: i32| {
            let path = if path == 0 { Vec::new() } else { memory::read_text(tid, path, MOST_PATH)? };
            if path.is_empty() && flags & libc::AT_EMPTY_PATH != 0 {
                return Ok(Named::Descriptor(directory));
            }
            let path = CString::new(path)?;
            Ok(Named::Path { directory, path, follow: flags & libc::AT_SYMLINK_NOFOLLOW == 0 })
        };
        match self.number {
            libc::SYS_fstat => Ok(Named::Descriptor(self.int(0))),
            STAT => at(libc::AT_FDCWD, self.args[0], 0),
            LSTAT => at(libc::AT_FDCWD, self.args[0], libc::AT_SYMLINK_NOFOLLOW),
            libc::SYS_newfstatat => at(self.int(0), self.args[1], self.int(3)),
            _ => at(self.int(0), self.args[1], self.int(2)),
        }
    }

    /// Looks at the file as the thread `tid` would find it, where that is certain: nothing on the way leads through
    /// /proc, where the same path means other files to other processes.
    pub(crate) fn look(&self, tid: i32) -> Look {
        let Ok(named) = self.named(tid) else { return Look::Unclear };
        match stat(tid, &named) {
            // What pipes and sockets show is when they were made.
            Ok(found)
                if matches!(u32::from(found.stx_mode) & libc::S_IFMT, libc::S_IFIFO | libc::S_IFSOCK) =>
            {
                Look::Times(Vec::new())
            }
            Ok(found) => {
                let times = [found.stx_atime, found.stx_btime, found.stx_ctime, found.stx_mtime];
                Look::Times(times.iter().map(nanos).collect())
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::BADF) => Look::Times(Vec::new()),
            Err(_) => Look::Unclear,
        }
    }

    /// Changes the times that the call has told `tid` by `shown`, where that says another; the rest stays.
    pub(crate) fn put_right(&self, tid: i32, shown: impl Fn(Nanos) -> Option<Nanos>) -> io::Result<()> {
        let (buffer, fields) = match self.number {
            libc::SYS_fstat | STAT | LSTAT => (self.args[1], &OF_STAT[..]),
            libc::SYS_newfstatat => (self.args[2], &OF_STAT[..]),
            _ => (self.args[4], &OF_STATX[..]),
        };
        for offset in fields {
            let address = buffer.wrapping_add(*offset as u64);
            let mut bytes = [0; 12];
            memory::read(tid, address, &mut bytes)?;
            if let Some(time) = shown(decode(bytes)) {
                memory::write(tid, address, &encode(time))?;
            }
        }
        Ok(())
    }
}

/// Where the times of a file stand: seconds in eight bytes, and nanoseconds in the four after them, which are the lower
/// half of eight in `struct stat` and all of them in `struct statx`.
const OF_STAT: [usize; 3] =
    [offset_of!(libc::stat, st_atime), offset_of!(libc::stat, st_mtime), offset_of!(libc::stat, st_ctime)];
const OF_STATX: [usize; 4] = [
    offset_of!(libc::statx, stx_atime),
    offset_of!(libc::statx, stx_btime),
    offset_of!(libc::statx, stx_ctime),
    offset_of!(libc::statx, stx_mtime),
];

fn decode(bytes: [u8; 12]) -> Nanos {
    let (secs, nanos) = bytes.split_at(8);
    let secs = secs.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let nanos = nanos.iter().rev().fold(0_i64, |sum, byte| sum << 8 | i64::from(*byte));
    Nanos::from(notafter_sys::page::Timespec { secs: secs.cast_signed(), nanos })
}

fn encode(time: Nanos) -> [u8; 12] {
    let [secs, nanos] = time.to_words();
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&secs.to_le_bytes());
    bytes[8..].copy_from_slice(&nanos.to_le_bytes()[..4]);
    bytes
}

fn nanos(time: &StatxTimestamp) -> Nanos {
    Nanos::from(notafter_sys::page::Timespec { secs: time.tv_sec, nanos: time.tv_nsec.into() })
}

fn stat(tid: i32, named: &Named) -> Result<Statx, Errno> {
    let of = |what: &str| format!("/proc/{tid}/{what}");
    let at = |directory: i32| match directory {
        libc::AT_FDCWD => of("cwd"),
        fd => of(&format!("fd/{fd}")),
    };
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    match named {
        Named::Descriptor(fd) => rustix::fs::statx(rustix::fs::CWD, at(*fd), AtFlags::empty(), wanted),
        Named::Path { directory, path, follow } => {
            // Absolute links lead on from the root of the thread, and out of its directory.
            let (base, within) = if path.as_bytes().starts_with(b"/") {
                (of("root"), ResolveFlags::IN_ROOT)
            } else {
                (at(*directory), ResolveFlags::BENEATH)
            };
            let open = |path: &str| -> Result<OwnedFd, Errno> {
                rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            };
            let base = open(&base)?;
            let no_follow = if *follow { OFlags::empty() } else { OFlags::NOFOLLOW };
            let flags = OFlags::PATH | OFlags::CLOEXEC | no_follow;
            let resolve = within | ResolveFlags::NO_MAGICLINKS;
            let open = |resolve| rustix::fs::openat2(&base, path.as_c_str(), flags, Mode::empty(), resolve);
            match open(resolve) {
                Ok(found) if rustix::fs::fstatfs(&found)?.f_type == rustix::fs::PROC_SUPER_MAGIC => {
                    Err(Errno::XDEV)
                }
                Ok(found) => rustix::fs::statx(&found, c"", AtFlags::EMPTY_PATH, wanted),
                // `/proc/self` was this process's own, if the way led there: it is told whether it left a file system.
                // What has appeared since is as unclear.
                Err(_) => Err(open(resolve | ResolveFlags::NO_XDEV).err().unwrap_or(Errno::XDEV)),
            }
        }
    }
}

/// Whether the filter puts this call before the supervisor for the times of a file.
pub(crate) fn tells_times(number: i64) -> bool {
    calls::STATS.contains(&number)
}
