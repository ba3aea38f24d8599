//! Records and verdicts built by hand, in the likeness of the outage that scenarios/o2-ericsson-2018 retells.

mod comparison;
mod outcome;
mod run;
mod scenario;

pub(crate) use comparison::{beside, every_difference};
pub(crate) use outcome::{allow, block, controlled, finding, held_works, hostile, unshifted};
pub(crate) use run::{events, look, point, software};
pub(crate) use scenario::{
    allowed, blocked, breaks, case_id, check_name, fingerprint, instant, service_name,
};
