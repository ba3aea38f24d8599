//! A verdict as signed statements about the image that was gated, and their verification before it is deployed.
//!
//! A file of attestations is a bundle in the sense of in-toto: JSON lines, each a DSSE envelope around an in-toto
//! statement (v1). The first says which checks passed (predicate test-result v0.1), the second sums it up (SLSA
//! verification summary v1). Both name the image by its SHA-256. Any tool that knows Ed25519 or ECDSA on P-256 can check
//! the signatures: they stand over `DSSEv1 LEN TYPE LEN PAYLOAD`.
//!
//! Time is an argument. What must never happen here: a key in a message or a file; a verification that passes over
//! something that it does not understand.
#![forbid(unsafe_code)]

mod bundle;
mod envelope;
mod error;
mod key;
mod statement;
#[cfg(test)]
mod tests;
mod verify;

pub use bundle::attest;
pub use error::{Error, Refusal};
pub use key::{SigningKey, VerifyingKey};
pub use statement::Subject;
pub use verify::{Accepted, Demands, verify};
