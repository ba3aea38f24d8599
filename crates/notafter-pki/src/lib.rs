//! Reads and makes credentials: DER, PEM, X.509.
//!
//! [`read`] turns bytes into credentials with their edges; it serves the inventory, which carves arbitrary files, and
//! the probes, which look at what a service shows. [`Pki`] makes what a scenario declares.
//!
//! What must never happen here: choosing a date (every instant comes with the scenario), or showing a private key.
#![forbid(unsafe_code)]

mod attribute;
mod error;
mod make;
pub mod read;

pub use error::Error;
pub use make::{Issued, Pki, PrivateKey, RevocationList, Token};
