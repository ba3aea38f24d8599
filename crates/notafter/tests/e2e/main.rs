//! The binary, end to end: what people see, and the exit codes that CI acts upon.

#![expect(clippy::unwrap_used, reason = "clippy does not see that what helps tests is a test")]

mod answers;
mod at;
mod attest;
mod bad_input;
mod bare;
mod browser;
mod check;
mod compose;
mod docker;
mod edited;
mod elsewhere;
mod engine;
mod escape;
mod guests;
mod identity;
mod images;
mod incidents;
mod jumps;
mod kill;
mod layouts;
mod left;
mod mariadb;
mod mistakes;
mod motions;
mod needs;
mod nightly;
mod outage;
mod parallel;
mod postgres_image;
mod recipes;
mod records;
mod refusals;
mod registry;
mod rotations;
mod runs;
mod scan;
mod scene;
mod servers;
mod shifted;
mod soak;
mod software;
mod ssh;
mod storms;
mod stranger;
