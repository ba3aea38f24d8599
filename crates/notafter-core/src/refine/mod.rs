//! Refining: from a record to the cases that run next. Pure: the same record always asks for the same cases.
//!
//! A first round runs the controls; the second the walk and a fresh start at the horizon, over every boundary known
//! by then; later ones repeat what failed and close in on its second. What must never happen here: a failure that is
//! taken for granted after one look, and a search without an end.

mod boundary;
mod calendar;
mod cold;
mod full;
mod hours;
mod investigate;
mod known;
mod mended;
mod motion;
mod next;
mod outage;
mod past;
mod plan;
mod recurring;
mod reduced;
mod reissue;
mod renewal;
mod skewed;
mod soon;
#[cfg(test)]
pub(crate) mod tests;
mod unattended;
mod zones;

pub(crate) use boundary::boundaries;
pub use calendar::{Moment, MomentKind, moments};
pub(crate) use cold::{ColdBreak, Repeat};
pub use hours::hours;
pub(crate) use investigate::{Investigation, investigate};
pub(crate) use known::{believed, max_launches};
pub(crate) use mended::is_mended;
pub(crate) use motion::MotionBreak;
pub use next::{plan, refine};

pub use reduced::reductions;
