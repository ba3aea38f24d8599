//! Drafts of scenarios: from a program alone to checks that it passes in control.

mod checks;
mod found;
mod survey;

pub use checks::{complete, starting_point};
pub use found::found_in;
