//! A small world for tests: three services, a clock, and things that go wrong in them. It plays the cases that
//! `refine` asks for and tells what a runner would tell. Nothing here knows how the answer is found.

mod gate;
mod ill;
mod parts;
mod play;

pub(crate) use gate::{Tamper, World};
pub(crate) use ill::Ill;
pub(crate) use parts::{CANDIDATE, DAY, at, certificate, check, held_by, location, name, start, tls};
