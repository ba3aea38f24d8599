//! The scripted back end: plays a table, so that everything above can be tested without namespaces.
//!
//! What must never happen here: reading a clock, or looking more capable than the table says.

mod backend;
mod sandbox;
mod script;

pub use backend::{Call, Scripted};
pub use script::{ByInstant, Life, Moment, PortAct, Run, Script, ScriptedService, Serve};
