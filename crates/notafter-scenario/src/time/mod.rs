//! Durations and instants as scenario files write them.

mod duration;
mod instant;
#[cfg(test)]
mod tests;

pub(crate) use duration::{Amount, AmountError};
pub(crate) use instant::{Base, InstantError, InstantText, Sign};
