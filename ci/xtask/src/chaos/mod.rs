//! Kills parts of a running gate at random moments and looks at what is left.
//!
//! What must never happen here: a round that finds nothing because it looked in the wrong place. Every round has seen
//! the processes alive that it expects to be gone afterwards.

mod chore;
mod ground;
mod kill;
mod processes;
pub(crate) mod random;
mod round;
mod run;

pub use chore::chore;
pub use ground::Ground;
pub use kill::Kill;
pub use round::Ended;
pub use run::{Chaos, Summary, run};
