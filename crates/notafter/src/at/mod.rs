//! `notafter at INSTANT -- COMMAND`: any command of this machine under a shifted clock.
//!
//! Two processes: the front, which stands for the command before whoever called it, and behind it the supervisor,
//! which must be single-threaded and outlives the command while programs that it left behind still run.

mod front;
mod supervising;

pub(crate) use front::{FAILED, run};
