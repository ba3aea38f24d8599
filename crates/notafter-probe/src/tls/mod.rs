//! The TLS side: a client that judges at the simulated time, and what its troubles mean.

mod alert;
mod client;
mod judge;
mod setup;
mod trouble;

pub(crate) use client::{TlsClient, VerifierClock, confirm, handshake};
pub(crate) use judge::{Anchor, Judge, Rejection, Rule, Shown};
pub use setup::{Identity, TlsMaterial};
pub(crate) use setup::{Sessions, TlsSetup};
pub(crate) use trouble::{Trouble, alert_refusal, trouble, verifier_refusal};
