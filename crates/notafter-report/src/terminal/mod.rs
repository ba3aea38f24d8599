//! The report that a release engineer reads: the headline first, then what it rests on, then everything else.

mod allow;
mod block;
mod command;
mod inconclusive;
mod report;
mod tail;

#[cfg(test)]
mod tests;

pub use report::write;
