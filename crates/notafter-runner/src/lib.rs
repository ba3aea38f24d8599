//! Cases to events: resolves images, makes credentials, takes stock, runs cases in sandboxes and tells what happened.
//!
//! The only part of the pipeline that touches the world, and the only one that reads the host's clock. It owns the
//! cleanup: whatever a case opened is closed when the case ends, in whichever way.
//!
//! What must never happen here: formatting for people; judging; a secret in an event; going on with a case whose
//! processes are not proven to have seen the shifted clock.
#![forbid(unsafe_code)]

mod allowance;
mod case;
mod draft;
mod elsewhere;
mod error;
mod given;
pub mod history;
mod host_clock;
mod images;
mod interrupt;
mod keep;
mod network;
mod references;
mod run;
mod secrets;
mod single;
mod stage;
mod stocktake;
mod tail;
#[cfg(test)]
mod tests;
mod usage;
mod variables;
mod venue;
mod watched;

pub use draft::{complete, found_in, starting_point};
pub use elsewhere::{Principal, run_if_deputy};
pub use error::{Blame, Error};
pub use host_clock::{Stopwatch, host_now, unix_now};
pub use images::{Images, pull_layout};
pub use interrupt::Interrupt;
pub use notafter_image::{Recognised, identity, recognise, sha256};
pub use run::{Options, plan, run};
pub use variables::Variables;
pub use venue::{Venue, sweep};
pub use watched::{Stamps, Watched};
