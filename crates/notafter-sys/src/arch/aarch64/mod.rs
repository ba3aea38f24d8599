//! 64-bit ARM. Compiled in CI, and never run: the engine refuses to start (`VdsoError::NotBuilt`), because two things are
//! missing.
//!
//! 1. The wrapper. It has to call the kernel's `__kernel_clock_gettime`, as on x86_64, and to ask for the page with `svc
//!    #0` (`x8`: the number, `x0` to `x5`: arguments). The vDSO exports no `time`, which programs make of
//!    `gettimeofday`; the body of `__kernel_gettimeofday` may be too short for the wrapper, and a kernel with branch
//!    target identification wants `bti c` at each entry. Writes to code need the instruction cache brought in line,
//!    which the kernel does where they go through /proc/PID/mem.
//! 2. Calls that are interrupted. Before it stops for a tracer, arm64's `do_signal` (arch/arm64/kernel/signal.c) has put
//!    the first argument back into `x0` and `pc` back to the `svc`, and forgotten the call's number. So the result does not
//!    tell that a call is to be issued again; `pc` does, and to end the call is to put `pc` behind the instruction.

mod registers;
mod wrapper;

pub use registers::Registers;
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
