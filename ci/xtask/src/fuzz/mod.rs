//! Feeds broken input to every parser of untrusted bytes: whole files, mutated, for a given time.
//!
//! It follows no coverage, so that it needs nothing but the pinned toolchain. What it looks for is a panic, and an input
//! on which a parser takes too long.

mod answers;
mod corpus;
mod mutate;
mod run;
mod targets;

pub use run::chore;
