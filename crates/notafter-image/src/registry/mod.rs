//! Images of registries, by the OCI distribution specification 1.1: found and taken over HTTP without any engine.
//!
//! What must never happen here: a secret in a message; a credential sent in the clear, or to another server than the one
//! that it is for; a byte kept that its digest does not cover; a body read without a bound.

mod challenge;
mod credentials;
mod failure;
mod helper;
mod place;
mod proxy;
mod pull;
mod response;
mod roots;
mod secret;
mod session;
mod settings;
#[cfg(test)]
mod tests;
mod url;
mod wire;

pub use failure::Failure;

pub(crate) use place::Place;
pub(crate) use pull::{Wanted, of_registry, write_layout};
pub use settings::Registries;
