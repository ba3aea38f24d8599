//! Clock policy: which call sees which time, the clock page, motions, waits, the ledger.
//!
//! A [`ClockPage`] is the clock of one sandbox. A [`Supervisor`], the only thread of its process, starts programs
//! under it and answers their time calls; whoever owns the page moves it. Mechanism is `notafter-sys`'s: here is
//! why a thread is stopped, never how.
//!
//! What must never happen here: going on unshifted. A program that cannot be shifted is not let run, and the
//! [`Ledger`] says so.
#![forbid(unsafe_code)]

mod calls;
mod canary;
mod clock;
mod error;
mod filter;
mod guest;
mod ledger;
mod nanos;
mod page;
mod skip;
mod stamps;
mod stat;
mod supervisor;
mod sweep;
mod wait;

pub use canary::{Canary, CanaryReport};
pub use error::Error;
pub use ledger::{Execution, Fault, Ledger};
pub use page::{ClockPage, Face, Stamp};
pub use skip::{FARTHEST_JUMP, Pacer, Stillness, stillness};
pub use supervisor::{Busy, Executable, Happening, Launch, Supervisor, Survey, Waiter};
pub use sweep::{Gap, Sweep};
