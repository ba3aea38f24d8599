//! Verdicts of nights in one SQLite file: what a night came to is there when the next one asks what has changed.
//!
//! Each entry is one transaction. A process that is killed loses the build that it was gating and nothing before it; a file
//! that a killed process leaves opens again without anybody's help. Time is an argument.
//!
//! What must never happen here: judging; comparing nights; writing to a file that somebody else's program made; two nights
//! at once.

mod error;
mod lock;
mod schema;
mod select;
mod store;
#[cfg(test)]
mod tests;

pub use error::HistoryError;
pub use lock::Lock;
pub use store::{Begin, Filter, History, Tonight};
