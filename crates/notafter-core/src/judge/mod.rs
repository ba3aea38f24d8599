//! Judging: from a record to a verdict. Pure, and fails closed: allow is what remains when nothing else holds.
//!
//! What must never happen here: a record that does not show that the gate looked becoming an allow; a case that may
//! not be believed becoming a block.

mod behind;
mod blast;
mod breaks;
mod control;
mod coverage;
mod finding;
mod policy;
mod renewal;
mod rotation;
mod soundness;
#[cfg(test)]
mod tests;
mod verdict;
mod words;

pub use policy::is_waivable;
pub use verdict::judge;
