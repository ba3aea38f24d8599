//! Runs beside an engine that does not see our files. The principal, on this machine, has read the scenario and found the
//! images; a deputy, in a container there, does what touches the world: it runs the cases, and tells every event. What
//! it is sent is what the run needs, and nothing else.
//!
//! What must never happen here: a record of a run that did not come to its end, unless it says so of a case.

mod deputy;
mod frames;
mod hidden;
mod messages;
mod parcels;
mod principal;

pub use deputy::run_if_deputy;
pub use principal::Principal;
