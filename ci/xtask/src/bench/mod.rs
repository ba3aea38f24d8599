//! Measurements: every one is a ratio or a figure taken in one run, kept as a table in `docs/benchmarks.md`.

mod document;
mod table;

pub use document::{record, replace_table};
pub use table::Table;
