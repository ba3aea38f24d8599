//! Random scenarios in which something ends, or nothing does, and what the gate says of them.
//!
//! A case is drawn from a seed and written down as files; what must come of it follows from what was drawn and from how
//! TLS libraries are known to judge dates. Then the built tool runs, and its JSON report is compared.
//!
//! What must never happen here: code of the product. Whoever plants and whoever judges would make the same mistakes.

mod calendar;
mod case;
mod chore;
mod compare;
mod draw;
mod expected;
mod frame;
mod guests;
mod kinds;
mod pki;
mod place;
mod run;
mod service;

pub use chore::{Wanted, chore};
pub use run::{Soak, Told, run};
