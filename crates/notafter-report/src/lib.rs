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

mod against;
pub mod calendar;
mod cbom;
mod detail;
mod digest;
mod draft;
mod error;
pub mod explain;
mod format;
pub mod github;
pub mod gitlab;
mod html;
mod ical;
mod identity;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod night;
mod page;
pub mod plan;
pub mod progress;
pub mod replay;
pub mod sarif;
pub mod scan;
mod style;
pub mod terminal;
pub mod testcases;
mod words;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod schemas;

pub use detail::Detail;
pub use draft::{UNSAVED, drafted, scenario_text};
pub use error::Error;
pub use format::Format;
pub use html::html;
pub use style::StyleSheet;
