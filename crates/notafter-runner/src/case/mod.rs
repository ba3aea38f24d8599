//! One case: a sandbox, its services, the steps, and what was seen.

mod counts;
mod failing;
mod looks;
mod memory;
mod network;
mod rotation;
mod run;
mod services;
mod steps;

pub(crate) use run::{CaseEnd, run};
