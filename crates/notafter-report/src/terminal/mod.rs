//! The report that a release engineer reads: the headline first, then what it rests on, then everything else.

mod against;
mod allow;
mod block;
mod cases;
mod command;
mod inconclusive;
mod report;
mod tail;

#[cfg(test)]
mod tests;

pub(crate) use block::told;
pub(crate) use command::repeating;
pub use report::{write, write_beside};
