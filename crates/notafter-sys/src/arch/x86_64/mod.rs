//! 64-bit x86.

mod registers;
mod wrapper;

pub use registers::{RESTARTS_LOOK_ALIKE, Registers};
pub(crate) use wrapper::wrapper;

/// The architecture word of `struct seccomp_data` (`AUDIT_ARCH_X86_64`).
pub const AUDIT_ARCH: u32 = 0xC000_003E;

/// Its name.
pub const NAME: &str = "x86_64";

/// What the names of the vDSO's functions may begin with.
pub(crate) const VDSO_PREFIX: &str = "__vdso_";

/// Numbers of system calls that another architecture lacks, or that libc does not name
/// (arch/x86/entry/syscalls/syscall_64.tbl).
pub mod calls {
    #![allow(missing_docs, reason = "they are the names of the calls")]

    pub const ALARM: i64 = libc::SYS_alarm;
    pub const EPOLL_WAIT: i64 = libc::SYS_epoll_wait;
    /// Linux 6.7.
    pub const FUTEX_WAIT: i64 = 455;
    /// Linux 4.18.
    pub const IO_PGETEVENTS: i64 = 333;
    pub const LSTAT: i64 = libc::SYS_lstat;
    pub const POLL: i64 = libc::SYS_poll;
    pub const SELECT: i64 = libc::SYS_select;
    pub const STAT: i64 = libc::SYS_stat;
    pub const TIME: i64 = libc::SYS_time;
}
