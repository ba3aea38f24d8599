//! What a scan finds in packages that other people made, beside what other tools find there.
//!
//! Packages come through their ordinary clients, by exact versions and checksums (`packages.txt`), and lie outside of the
//! repository. The truth never comes from code of this repository: `truth.py` asks other tools.

mod chore;
mod fetch;
mod package;
mod subject;

pub use chore::chore;
use fetch::{Fetched, fetch};
use package::{Client, Package, packages};
use subject::subject;
