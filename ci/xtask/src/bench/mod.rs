//! Measurements: every one is a ratio or a figure taken in one run, kept as a table in `docs/benchmarks.md`.

mod clock;
mod docker;
mod document;
mod engine;
mod figure;
mod jobs;
mod replay;
mod scan;
mod start;
mod suite;
mod table;

pub use clock::read_clock_as_guest;
pub use document::{record, replace_table};
pub use suite::{Recording, run, run_clock, run_docker, run_jobs, run_scan};
pub use table::Table;
