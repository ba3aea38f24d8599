//! Bytes to credentials.
//!
//! The reader is strict on purpose: it also decides what is a certificate among the arbitrary bytes of a file. What
//! must never happen here: a panic on any input, or a credential from bytes that merely resemble one.

mod certificate;
mod der;
mod name;
mod outline;
mod pem;
#[cfg(test)]
mod tests;

pub use certificate::{MAX_CERTIFICATE_LEN, ParsedCertificate, certificate, certificate_at, fingerprint};
pub use der::element_len;
pub(crate) use der::{Reader, tag};
pub use pem::{MAX_PEM_LEN, PEM_BEGIN, PemBlock, pem_block_at, pem_blocks};
