//! seccomp user notification: system calls of other processes that a supervisor answers (seccomp_unotify(2)).
//!
//! # Safety
//! Unsafe code makes the seccomp(2) system call and the notification ioctls, with pointers to live structures whose
//! layout is `linux/seccomp.h`'s.
#![allow(unsafe_code, reason = "seccomp and its ioctls have no safe wrapper")]

use crate::bpf::Instruction;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

const fn ioctl_number(direction: u64, number: u64, size: usize) -> u64 {
    direction << 30 | (size as u64) << 16 | (b'!' as u64) << 8 | number
}
const RECV: u64 = ioctl_number(3, 0, size_of::<libc::seccomp_notif>());
const SEND: u64 = ioctl_number(3, 1, size_of::<libc::seccomp_notif_resp>());
const ID_VALID: u64 = ioctl_number(1, 2, size_of::<u64>());
const ADDFD: u64 = ioctl_number(1, 3, size_of::<libc::seccomp_notif_addfd>());
const SET_FLAGS: u64 = ioctl_number(1, 4, size_of::<u64>());

/// One system call that waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification {
    /// Cookie of the notification.
    pub id: u64,
    /// The calling thread, in the supervisor's pid namespace.
    pub tid: i32,
    /// Architecture word.
    pub arch: u32,
    /// Number of the system call.
    pub number: i32,
    /// Address of the instruction behind the call.
    pub instruction_pointer: u64,
    /// Arguments.
    pub args: [u64; 6],
}

/// The supervisor's end.
#[derive(Debug)]
pub struct Listener(OwnedFd);

impl Listener {
    /// From a descriptor that [`install`] returned, in this or another process. The kernel refuses its ioctls on
    /// anything else.
    #[must_use]
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Lets the kernel switch to the supervisor and back on one CPU; kernels before 6.6 cannot, and it is only speed.
    pub fn prefer_same_cpu(&self) {
        // SAFETY: this ioctl takes flags by value.
        let _ = unsafe { libc::ioctl(self.0.as_raw_fd(), SET_FLAGS, 1_u64) };
    }

    /// Takes the next notification. Call it when poll(2) says that there is one, else it blocks.
    ///
    /// # Errors
    /// `ENOENT` where the caller died or was interrupted in between.
    pub fn receive(&self) -> io::Result<Notification> {
        // SAFETY: an all-zero `seccomp_notif` is valid, and the kernel demands it.
        let mut raw: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: `raw` is a live `seccomp_notif`, which is what RECV fills.
        check(unsafe { libc::ioctl(self.0.as_raw_fd(), RECV, &raw mut raw) })?;
        Ok(Notification {
            id: raw.id,
            tid: i32::try_from(raw.pid).unwrap_or(0),
            arch: raw.data.arch,
            number: raw.data.nr,
            instruction_pointer: raw.data.instruction_pointer,
            args: raw.data.args,
        })
    }

    /// Makes the call return `value`, or `-errno`.
    ///
    /// # Errors
    /// `ENOENT` where the caller is gone.
    pub fn answer(&self, id: u64, result: Result<i64, i32>) -> io::Result<()> {
        let (val, error) = match result {
            Ok(value) => (value, 0),
            Err(errno) => (0, -errno),
        };
        self.send(libc::seccomp_notif_resp { id, val, error, flags: 0 })
    }

    /// Lets the kernel carry out the call.
    ///
    /// # Errors
    /// `ENOENT` where the caller is gone.
    pub fn proceed(&self, id: u64) -> io::Result<()> {
        self.send(libc::seccomp_notif_resp { id, val: 0, error: 0, flags: 1 })
    }

    fn send(&self, mut response: libc::seccomp_notif_resp) -> io::Result<()> {
        // SAFETY: `response` is a live `seccomp_notif_resp`, which is what SEND reads.
        check(unsafe { libc::ioctl(self.0.as_raw_fd(), SEND, &raw mut response) })
    }

    /// Makes the call return a close-on-exec descriptor of the caller for the file behind `fd`.
    ///
    /// # Errors
    /// `EMFILE` where the caller's limit is reached, `ENOENT` where it is gone.
    pub fn answer_with_fd(&self, id: u64, fd: BorrowedFd<'_>) -> io::Result<()> {
        let srcfd = u32::try_from(fd.as_raw_fd()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let newfd_flags = libc::O_CLOEXEC as u32;
        // 2: SECCOMP_ADDFD_FLAG_SEND, add and answer in one step.
        let mut request = libc::seccomp_notif_addfd { id, flags: 2, srcfd, newfd: 0, newfd_flags };
        // SAFETY: `request` is a live `seccomp_notif_addfd`, which is what ADDFD reads.
        check(unsafe { libc::ioctl(self.0.as_raw_fd(), ADDFD, &raw mut request) })
    }

    /// Adds a close-on-exec descriptor for the file behind `fd` to the caller, which goes on waiting for its answer;
    /// its number there.
    ///
    /// # Errors
    /// As [`Listener::answer_with_fd`].
    pub fn add_fd(&self, id: u64, fd: BorrowedFd<'_>) -> io::Result<i32> {
        let srcfd = u32::try_from(fd.as_raw_fd()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let newfd_flags = libc::O_CLOEXEC as u32;
        let mut request = libc::seccomp_notif_addfd { id, flags: 0, srcfd, newfd: 0, newfd_flags };
        // SAFETY: `request` is a live `seccomp_notif_addfd`, which is what ADDFD reads.
        let number = unsafe { libc::ioctl(self.0.as_raw_fd(), ADDFD, &raw mut request) };
        check(number).map(|()| number)
    }

    /// Whether the caller still waits for this answer; ask after reading its memory, whose owner may have changed.
    #[must_use]
    pub fn is_waiting(&self, id: u64) -> bool {
        // SAFETY: `id` is a live u64, which is what ID_VALID reads.
        unsafe { libc::ioctl(self.0.as_raw_fd(), ID_VALID, &raw const id) == 0 }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether programs may still gain privileges by exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewPrivileges {
    /// They may; installing a filter then needs CAP_SYS_ADMIN in the caller's user namespace.
    Allowed,
    /// They may not (PR_SET_NO_NEW_PRIVS); set-user-ID bits lose their effect.
    Denied,
}

/// Puts `filter` on the calling thread and everything that it becomes or begets; returns the supervisor's end.
///
/// # Errors
/// `EBUSY` where a listener is installed already, `EACCES` without privilege, `EINVAL` for a malformed program.
pub fn install(filter: &[Instruction], privileges: NewPrivileges) -> io::Result<OwnedFd> {
    if privileges == NewPrivileges::Denied {
        // SAFETY: PR_SET_NO_NEW_PRIVS takes plain numbers.
        check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    }
    let fd = set_filter(filter, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)?;
    // SAFETY: the kernel just returned this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The same for a filter that asks nobody. The calling thread holds CAP_SYS_ADMIN in its user namespace, or may gain no
/// privileges.
///
/// # Errors
/// `EACCES` without either, `EINVAL` for a malformed program.
pub fn impose(filter: &[Instruction]) -> io::Result<()> {
    set_filter(filter, 0).map(drop)
}

fn set_filter(filter: &[Instruction], flags: libc::c_ulong) -> io::Result<RawFd> {
    let len = u16::try_from(filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog { len, filter: filter.as_ptr().cast_mut().cast() };
    // SAFETY: `program` points at `len` live instructions of the kernel's layout, which the kernel only reads.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    let result = RawFd::try_from(result).map_err(|_| io::ErrorKind::InvalidData)?;
    check(result)?;
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ioctl_numbers_are_those_of_linux_seccomp_h() {
        assert_eq!(
            [RECV, SEND, ID_VALID, ADDFD, SET_FLAGS],
            [0xc050_2100, 0xc018_2101, 0x4008_2102, 0x4018_2103, 0x4008_2104]
        );
    }
}
