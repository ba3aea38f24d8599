//! Namespaces: leaving the old ones, and bringing up the loopback device of a new network.
//!
//! # Safety
//! Two raw operations. unshare(2) is called with namespace flags alone, none of which touches memory or the table of
//! descriptors of this process. The `ifreq` that ioctl(2) reads and writes lives on the stack for the whole call.
#![expect(
    unsafe_code,
    reason = "unshare(2) with an argument that rustix calls unsafe in general; an ioctl with a union"
)]

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::io;
use std::os::fd::AsRawFd;

/// A set of namespaces, as the flags of clone(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Namespaces(libc::c_int);

impl Namespaces {
    /// System V and POSIX message queues, semaphores, shared memory.
    pub const IPC: Self = Self(libc::CLONE_NEWIPC);
    /// Mounts.
    pub const MOUNT: Self = Self(libc::CLONE_NEWNS);
    /// Network devices, addresses, ports.
    pub const NETWORK: Self = Self(libc::CLONE_NEWNET);
    /// Process ids; takes effect for children alone.
    pub const PID: Self = Self(libc::CLONE_NEWPID);
    /// User and group ids, capabilities.
    pub const USER: Self = Self(libc::CLONE_NEWUSER);
    /// Host and domain name.
    pub const UTS: Self = Self(libc::CLONE_NEWUTS);

    /// Both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags as clone(2) takes them.
    pub(crate) const fn flags(self) -> libc::c_int {
        self.0
    }
}

/// Moves this process into new namespaces.
///
/// # Errors
/// Those of unshare(2): `EPERM` and `ENOSPC` where the machine refuses them, `EINVAL` for a user namespace in a
/// process with several threads.
pub fn unshare(namespaces: Namespaces) -> io::Result<()> {
    // SAFETY: a plain system call; the flags are namespaces only (private field), never CLONE_FILES or CLONE_VM.
    if unsafe { libc::unshare(namespaces.0) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Brings up `lo` in the network namespace of the calling thread.
///
/// # Errors
/// Those of socket(2) and netdevice(7).
pub fn bring_loopback_up() -> io::Result<()> {
    let socket =
        rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: an all-zero `ifreq` is a valid value of that C struct.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo\0") {
        *to = libc::c_char::from_ne_bytes([*from]); // signed on some architectures
    }
    // Both flags fit; the kernel's field is a short.
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: `request` is a valid `ifreq` that outlives the call; SIOCSIFFLAGS reads no more than that.
    let code = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
