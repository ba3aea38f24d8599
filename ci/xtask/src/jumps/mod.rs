//! Thousands of jumps under load: two services of one sandbox, each a crowd that waits in every way (`fixtures/guests/crowd.c`),
//! while their clock is set ahead, set back and let elapse by random amounts. After each jump everything that is due must
//! have woken, nothing else, and both must show the same instant.
//!
//! What must never happen here: a crowd that is believed because it was not asked. Every jump ends with an answer of
//! each, and at the end every waiter must have woken again and again.

mod chore;
mod crowd;
mod run;

pub use chore::chore;
pub use run::{Jumps, Told, run};
