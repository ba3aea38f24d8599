//! The vDSO: the shared object that the kernel maps into every process so that reading a clock costs no system
//! call (vdso(7)). Here lives its patched form, in which those reads go through a wrapper.

mod image;
mod parse;
mod wrapper;

pub use image::{PatchedVdso, VDSO_MAX};
pub use parse::{Symbol, VdsoError, VdsoImage};
pub use wrapper::{PAGE_ADDRESS, PAGE_REQUEST};
