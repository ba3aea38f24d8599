//! 64-bit ARM, with addresses of 48 bits and pages of 4 KiB: elsewhere the clock page cannot be mapped where it belongs, and
//! no program starts. Run in full-system emulation alone (docs/clock-engine.md, "Architectures").

mod registers;
mod wrapper;

pub use registers::{RESTARTS_LOOK_ALIKE, Registers};
pub(crate) use wrapper::wrapper;

/// The architecture word of `struct seccomp_data` (`AUDIT_ARCH_AARCH64`).
pub const AUDIT_ARCH: u32 = 0xC000_00B7;

/// Its name.
pub const NAME: &str = "aarch64";

/// What the names of the vDSO's functions may begin with; their version is `LINUX_2.6.39`.
pub(crate) const VDSO_PREFIX: &str = "__kernel_";

/// Numbers of system calls that another architecture has, or that libc does not name
/// (include/uapi/asm-generic/unistd.h). Calls that this one lacks have numbers that no call has, each its own.
pub mod calls {
    #![allow(missing_docs, reason = "they are the names of the calls")]

    pub const ALARM: i64 = -1;
    pub const EPOLL_WAIT: i64 = -2;
    /// Linux 6.7.
    pub const FUTEX_WAIT: i64 = 455;
    /// Linux 4.18.
    pub const IO_PGETEVENTS: i64 = 292;
    pub const LSTAT: i64 = -6;
    pub const POLL: i64 = -3;
    pub const SELECT: i64 = -4;
    pub const STAT: i64 = -7;
    pub const TIME: i64 = -5;
}
