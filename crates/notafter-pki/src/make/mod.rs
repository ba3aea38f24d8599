//! Scenario specs to keys and certificates.

mod crl;
mod key;
mod order;
mod params;
mod pki;
mod subject;
#[cfg(test)]
mod tests;
mod token;

pub use crl::RevocationList;
pub use key::PrivateKey;
pub use pki::{Issued, Pki};
pub use token::Token;
