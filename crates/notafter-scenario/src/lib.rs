//! Scenario files: strict YAML in, a checked [`notafter_core::Scenario`] or located diagnostics out.
//!
//! The first arrow of the pipeline. The text becomes a tree of nodes that know their place in the file; the tree is
//! decoded into raw structs, which are the file format; those are resolved into core's types: every name known, every
//! instant fixed, every bound kept. Services may come from Compose files beside the scenario, policy from a TOML file that scenarios share. An error does not stop the reading: all that can be found are reported at once.
//!
//! What must never happen here: knowing how anything runs, reading a clock or the environment (both are arguments),
//! or ignoring a key that the reader of the file may believe in.
#![forbid(unsafe_code)]

mod argument;
mod bounds;
mod code;
mod compose;
mod context;
mod decode;
mod diagnostic;
mod error;
mod examples;
mod graph;
mod nearest;
mod outline;
mod raw;
mod resolve;
mod schema;
mod source;
mod time;
mod variables;

pub use argument::instant;
pub use code::Code;
pub use compose::compose_draft;
pub use context::{CandidateChoice, Context};
pub use diagnostic::{Diagnostic, Diagnostics, Palette};
pub use error::Error;
pub use outline::{Outline, outline};
pub use resolve::parse;
pub use schema::{policy_schema, schema};
pub use source::{Disk, Entry, Files, MAX_BYTES, Source, load, policy_file};
