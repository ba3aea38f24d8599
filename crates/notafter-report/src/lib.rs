//! Records and verdicts for people and for machines: the last arrow of the pipeline,
//! `RunRecord` + `Verdict` → bytes.
//!
//! Every renderer is a pure function of what it is given and writes into the sink it is given, so a saved record
//! renders to the same bytes on any machine. Text from outside (subjects, logs, file names) is hostile: nothing
//! reaches a sink for people without passing the escaping of `page`, the only way out.
//!
//! What must never happen here: looking at the network, the file system or a clock; judging; printing; an escape
//! sequence that does not come from the [`StyleSheet`].
#![forbid(unsafe_code)]

mod error;
pub mod explain;
pub mod json;
mod page;
pub mod plan;
pub mod progress;
pub mod replay;
pub mod scan;
mod style;
pub mod terminal;
mod words;

#[cfg(test)]
mod sample;

pub use error::Error;
pub use style::StyleSheet;
