//! Everything that CI runs, in order. The list is pure data, so that a test can read it.

mod run;
mod steps;
mod tools;

pub use run::run;
pub use steps::{Action, Step, describe, steps};
pub use tools::{Nightly, OTHER_TARGET, Tools};
