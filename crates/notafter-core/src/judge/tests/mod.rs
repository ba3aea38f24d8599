//! Judging, on records of scripted worlds.

mod breaks;
mod fail_closed;
mod policy;
mod rotations;
mod shared;
