//! `cargo xtask bench clock`: what the clock engine costs programs, beside what they cost natively and under libfaketime.
//! All three take turns in one run, so that whatever else the machine does falls on all of them.

mod guests;
mod measure;
mod rows;
mod servers;
mod side;

pub(super) use measure::measure;
