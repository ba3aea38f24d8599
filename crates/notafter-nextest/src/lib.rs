//! Scenarios as tests of your own workspace: each build and each check of a scenario is a test, for `cargo nextest run`
//! and `cargo test` alike.
//!
//! ```toml
//! # Cargo.toml of the package whose scenarios lie in its directory `scenarios`
//! [dev-dependencies]
//! notafter-nextest = "0.1"
//!
//! [[test]]
//! name = "scenarios"
//! harness = false
//! ```
//!
//! ```no_run
//! // tests/scenarios.rs
//! fn main() -> std::process::ExitCode {
//!     notafter_nextest::main("scenarios")
//! }
//! ```
//!
//! The tests run the tool `notafter`: the program that the variable `NOTAFTER` names, else the first on the `PATH`. What
//! they say is what the gate of a release would say, since it is the same program. Listing needs nothing but the files.
//!
//! nextest runs every test in a process of its own. The first one that needs a scenario and build gates it, the others
//! wait and read what came out: one run serves all checks. What tests of one run share lies in a private directory of
//! the user that is named after `NEXTEST_RUN_ID`, and goes away when a later run finds that its owner is gone.
//!
//! A scenario with a `replay:` block passes where each build comes to what the block tells.
//!
//! What must never happen here: a test that passes without a verdict of *allow*, or of what is told.
#![forbid(unsafe_code)]

mod error;
mod listing;
mod owner;
mod scenarios;
mod shared;
mod tool;
mod verdict;

pub use error::Error;
pub use scenarios::{Scenarios, main};
