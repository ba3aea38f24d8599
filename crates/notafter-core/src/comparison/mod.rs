//! A candidate beside the build that is in production: what is new, what is defused, what breaks earlier or later.

mod compare;
mod difference;
mod ground;
#[cfg(test)]
mod tests;

pub use compare::compare;
pub use difference::{Comparison, Difference, Gated, Production, Side, Unjudged};
pub use ground::{Incomparable, is_comparable};
