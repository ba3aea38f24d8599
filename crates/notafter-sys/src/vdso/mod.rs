//! The vDSO: the shared object that the kernel maps into every process so that reading a clock costs no system
//! call (vdso(7)). Here lives its patched form, in which those reads go through a wrapper.

mod image;
mod parse;

pub use image::{PatchedVdso, VDSO_MAX};
pub use parse::{Symbol, VdsoError, VdsoImage};

/// Where the clock page lies in every shifted process: high enough to miss the brk heap and mmap's own choices,
/// low enough for every address-space layout of x86_64 (unlimited stack and legacy mmap included), and of aarch64 with
/// addresses of 48 bits and pages of 4 KiB.
pub const PAGE_ADDRESS: u64 = 0x7e80_4200_3000;

/// Third argument of the `clock_gettime` call by which a program asks, at its very beginning, for the page.
pub const PAGE_REQUEST: u64 = 0x1C_10C4_B1D5;
