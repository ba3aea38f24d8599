//! What differs between architectures: registers, numbers of system calls, the machine code in the vDSO.
//!
//! Each architecture has a module with the same items: `calls`, `wrapper`, [`AUDIT_ARCH`], [`NAME`],
//! [`RESTARTS_LOOK_ALIKE`], `VDSO_PREFIX` and [`Registers`].
//!
//! What must never happen here: an architecture that is not written out yet and goes on with real time.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64 as native;
#[cfg(target_arch = "x86_64")]
use x86_64 as native;

pub use native::{AUDIT_ARCH, NAME, RESTARTS_LOOK_ALIKE, Registers, calls};
pub(crate) use native::{VDSO_PREFIX, wrapper};

#[cfg(not(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64"))))]
compile_error!(
    "notafter-sys is written for Linux on x86_64 and aarch64; other architectures need a module beside that one"
);

/// The wrapper: machine code that replaces the clock entries of the vDSO. Offsets are from its start.
pub(crate) struct Wrapper {
    pub(crate) code: &'static [u8],
    /// Where the address goes at which the program begins, 8 bytes.
    pub(crate) program: usize,
    /// From the entry's first instruction to behind the one that asks for the clock page.
    pub(crate) ask: std::ops::Range<usize>,
    /// The names of the functions that it stands for, without the architecture's prefix, and where they begin in it.
    pub(crate) replaced: Vec<(&'static str, usize)>,
    /// Completes a copy of the code that lies in an image.
    pub(crate) link: fn(&mut [u8], Linked) -> Result<(), crate::vdso::VdsoError>,
}

/// Where the wrapper lies in an image and what it has to know of that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Linked {
    /// The wrapper's start, from the image's.
    pub(crate) at: usize,
    /// The kernel's own `clock_gettime`, from the image's start.
    pub(crate) target: usize,
    /// Length of the image in bytes.
    pub(crate) image_len: usize,
}
