//! What is mapped at an address of another process.
//!
//! # Safety
//! Unsafe code makes the PROCMAP_QUERY ioctl with a pointer to a live structure of `linux/fs.h`'s layout.
#![allow(unsafe_code, reason = "the ioctl has no safe wrapper")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// One mapping of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// Its first address.
    pub start: u64,
    /// The address behind its last.
    pub end: u64,
    /// Whether it can be read and neither written nor executed.
    pub is_read_only: bool,
    /// Whether it is shared with the file.
    pub is_shared: bool,
    /// Device and inode of the file behind it; zeroes where there is none.
    pub file: (u64, u64),
}

/// `struct procmap_query`.
#[repr(C)]
#[derive(Default)]
struct Query {
    size: u64,
    flags: u64,
    address: u64,
    start: u64,
    end: u64,
    access: u64,
    page_size: u64,
    offset: u64,
    inode: u64,
    major: u32,
    minor: u32,
    name_size: u32,
    build_id_size: u32,
    name: u64,
    build_id: u64,
}

const PROCMAP_QUERY: u64 = 3 << 30 | (size_of::<Query>() as u64) << 16 | (b'f' as u64) << 8 | 17;
const READ: u64 = 1;
const WRITE: u64 = 2;
const EXECUTE: u64 = 4;
const SHARED: u64 = 8;

/// The mapping of the process `pid` that holds `address`; none where nothing is mapped there.
///
/// # Errors
/// Those of open(2) on /proc/PID/maps: `ESRCH` or `ENOENT` where the process is gone, `EACCES` or `EPERM` where it
/// may not be looked at.
pub fn mapping_at(pid: i32, address: u64) -> io::Result<Option<Mapping>> {
    let path = format!("/proc/{pid}/maps");
    let maps = File::open(&path)?;
    let mut query = Query { size: size_of::<Query>() as u64, address, ..Query::default() };
    // SAFETY: `query` is a live `struct procmap_query` that says its own size, which is what the ioctl takes.
    if unsafe { libc::ioctl(maps.as_raw_fd(), PROCMAP_QUERY, &raw mut query) } == 0 {
        return Ok(Some(Mapping {
            start: query.start,
            end: query.end,
            is_read_only: query.access & (READ | WRITE | EXECUTE) == READ,
            is_shared: query.access & SHARED != 0,
            file: (libc::makedev(query.major, query.minor), query.inode),
        }));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOENT) => Ok(None),
        // Kernels before 6.11 do not have it.
        Some(libc::ENOTTY) => {
            let text = std::fs::read_to_string(path)?;
            Ok(text
                .lines()
                .filter_map(parse)
                .find(|mapping| mapping.start <= address && address < mapping.end))
        }
        _ => Err(error),
    }
}

/// A line of /proc/PID/maps (proc_pid_maps(5)).
fn parse(line: &str) -> Option<Mapping> {
    let mut fields = line.split_ascii_whitespace();
    let hex = |text| u64::from_str_radix(text, 16).ok();
    let (start, end) = fields.next()?.split_once('-')?;
    let access = fields.next()?;
    let _offset = fields.next()?;
    let (major, minor) = fields.next()?.split_once(':')?;
    let number = |text| u32::from_str_radix(text, 16).ok();
    Some(Mapping {
        start: hex(start)?,
        end: hex(end)?,
        is_read_only: access.starts_with("r--"),
        is_shared: access.ends_with('s'),
        file: (libc::makedev(number(major)?, number(minor)?), fields.next()?.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_answer_is_what_its_list_says() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let text = std::fs::read_to_string("/proc/self/maps").unwrap();
        let program = text.lines().filter_map(parse).find(|mapping| mapping.file.1 != 0).unwrap();
        assert_eq!(mapping_at(pid, program.start).unwrap(), Some(program));
        assert_eq!(mapping_at(pid, 0).unwrap(), None);
    }

    #[test]
    fn lines_of_the_list_are_understood() {
        let line = "7e8042003000-7e8042004000 r--s 00000000 00:01 42    /memfd:notafter-clock (deleted)";
        let page = parse(line).unwrap();
        assert!(page.is_read_only && page.is_shared);
        assert_eq!((page.start, page.end), (0x7e80_4200_3000, 0x7e80_4200_4000));
        assert_eq!(page.file, (libc::makedev(0, 1), 42));
        assert!(!parse(&line.replace("r--s", "r-xs")).unwrap().is_read_only);
        assert!(!parse(&line.replace("r--s", "r--p")).unwrap().is_shared);
        assert_eq!(parse("nonsense"), None);
    }
}
