//! Credentials in the memory of a running process.

mod maps;
mod memory;
mod scanned;

pub use scanned::scan_process;
