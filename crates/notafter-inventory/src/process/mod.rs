//! Credentials in the memory of a running process.

mod held;
mod maps;
mod memory;
mod pages;
mod scanned;

pub use held::{Held, ProcessFiles, scan_memory};
pub use scanned::scan_process;
