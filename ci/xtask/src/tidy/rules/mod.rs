//! One file per rule. Each is a pure function, and each has a sabotaged workspace in `tests.rs` that it alone catches.

mod clocks;
mod dependencies;
mod descriptions;
mod documents;
mod leftovers;
mod lock;
mod paths;
mod ranks;
mod rule;
mod sizes;
#[cfg(test)]
mod tests;
mod unsafe_code;

pub use rule::{RULES, Rule, Violation};
