//! Memory of other processes, by process_vm_readv(2) where allowed and /proc/PID/mem elsewhere.
//!
//! Addresses come from guests and are hostile: a wrong one is an error of the call, never of this process.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;

/// A length of which every page is a multiple.
const PAGE: usize = 4096;

fn remote(address: u64, len: usize) -> io::Result<RemoteIoVec> {
    let base = usize::try_from(address).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(RemoteIoVec { base, len })
}

fn blocked(errno: Errno) -> bool {
    matches!(errno, Errno::EPERM | Errno::ENOSYS)
}

/// Fills `buffer` from `address` of the thread `tid`.
///
/// # Errors
/// `EFAULT` or `EIO` where the range is not mapped, `EPERM` or `EACCES` where access is refused, `ESRCH` where the
/// thread is gone.
pub fn read(tid: i32, address: u64, buffer: &mut [u8]) -> io::Result<()> {
    let len = buffer.len();
    let target = [remote(address, len)?];
    match process_vm_readv(Pid::from_raw(tid), &mut [IoSliceMut::new(buffer)], &target) {
        Ok(done) if done == len => Ok(()),
        Ok(_) => Err(Errno::EFAULT.into()),
        Err(errno) if blocked(errno) => open(tid, false)?.read_exact_at(buffer, address),
        Err(errno) => Err(errno.into()),
    }
}

/// Writes `bytes` to `address` of the thread `tid`, which must be mapped writable there.
///
/// # Errors
/// As [`read()`].
pub fn write(tid: i32, address: u64, bytes: &[u8]) -> io::Result<()> {
    let target = [remote(address, bytes.len())?];
    match process_vm_writev(Pid::from_raw(tid), &[IoSlice::new(bytes)], &target) {
        Ok(done) if done == bytes.len() => Ok(()),
        Ok(_) => Err(Errno::EFAULT.into()),
        Err(errno) if blocked(errno) => open(tid, true)?.write_all_at(bytes, address),
        Err(errno) => Err(errno.into()),
    }
}

/// Writes `bytes` to `address` of the thread `tid` even where it is mapped read-only: the process gets its own copy
/// of the page (`FOLL_FORCE`, proc_pid_mem(5)).
///
/// # Errors
/// As [`read()`]; `EPERM` too where the kernel is built or booted to refuse such writes.
pub fn overwrite(tid: i32, address: u64, bytes: &[u8]) -> io::Result<()> {
    open(tid, true)?.write_all_at(bytes, address)
}

fn open(tid: i32, writable: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(writable).open(format!("/proc/{tid}/mem"))
}

/// Reads `N` little-endian 64-bit words.
///
/// # Errors
/// As [`read()`].
pub fn read_words<const N: usize>(tid: i32, address: u64) -> io::Result<[i64; N]> {
    let mut bytes = [[0; 8]; N];
    read(tid, address, bytes.as_flattened_mut())?;
    Ok(bytes.map(i64::from_le_bytes))
}

/// The text that ends at the first null byte from `address` on, without it; of up to `most` bytes, the null counted.
///
/// # Errors
/// `ENAMETOOLONG` where it is longer; else as [`read()`].
pub fn read_text(tid: i32, address: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    // What is not mapped may begin with the next page.
    let mut part = vec![0; PAGE - (address % PAGE as u64) as usize];
    while text.len() < most {
        part.truncate(most - text.len());
        read(tid, address.wrapping_add(text.len() as u64), &mut part)?;
        if let Some(end) = part.iter().position(|byte| *byte == 0) {
            text.extend_from_slice(&part[..end]);
            return Ok(text);
        }
        text.extend_from_slice(&part);
        part.resize(PAGE, 0);
    }
    Err(Errno::ENAMETOOLONG.into())
}

/// Writes little-endian 64-bit words.
///
/// # Errors
/// As [`write()`].
pub fn write_words<const N: usize>(tid: i32, address: u64, words: [i64; N]) -> io::Result<()> {
    write(tid, address, words.map(i64::to_le_bytes).as_flattened())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_at_its_null() {
        let tid = nix::unistd::gettid().as_raw();
        let text = [vec![b'x'; 9_000], vec![0], vec![b'y'; 9]].concat();
        for from in [0, 4_904, 9_000] {
            let read = read_text(tid, text[from..].as_ptr() as u64, 9_001).unwrap();
            assert_eq!(read, text[from..9_000]);
        }
        let long = read_text(tid, text.as_ptr() as u64, 9_000).unwrap_err();
        assert_eq!(long.raw_os_error(), Some(libc::ENAMETOOLONG));
        assert_eq!(read_text(tid, 64, 4_096).unwrap_err().raw_os_error(), Some(libc::EFAULT));
    }

    #[test]
    fn own_memory_is_read_and_wild_addresses_are_errors() {
        let words = [1_i64, -2, 3];
        let tid = nix::unistd::gettid().as_raw();
        assert_eq!(read_words::<3>(tid, words.as_ptr() as u64).unwrap(), words);
        for address in [0, 1, u64::MAX - 4] {
            assert!(read_words::<1>(tid, address).is_err());
        }
    }
}
