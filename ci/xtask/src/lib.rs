//! What stands behind `cargo xtask`: the rules of the house (`tidy`), everything that CI runs (`ci`), the writer of
//! the tables in `docs/` (`bench`), what kills running gates (`chaos`), what breaks parsers (`fuzz`), thousands of
//! jumps of a clock (`jumps`), servers that others wrote (`servers`), packages that others made (`corpus`), random
//! scenarios (`soak`), what is shipped (`dist`), the reference of scenario files (`reference`), and the picture
//! of a report (`picture`).
//!
//! Rules and the list of steps are pure functions over plain data, so that each has a test with a sabotaged input.
//! Only `tidy::Workspace::load`, the execution of steps and `main` touch the world.
//!
//! What must never happen here: a rule that passes because it found nothing to look at.
#![forbid(unsafe_code)]

pub mod bench;
pub mod chaos;
pub mod ci;
pub mod corpus;
pub mod dist;
pub mod fuzz;
pub mod jumps;
pub mod picture;
pub mod printer;
pub mod reference;
pub mod servers;
pub mod soak;
pub mod stopwatch;
pub mod tidy;
