//! Worlds that are well or ill, and what the gate makes of them.

mod bounds;
mod expected;
mod full;
mod in_memory;
mod outages;
mod reissued;
mod renewals;
mod soon;
mod unattended;
mod verdicts;
pub(crate) mod world;
