//! Bytes to credentials.
//!
//! The reader is strict on purpose: it also decides what is a certificate among the arbitrary bytes of a file. What
//! must never happen here: a panic on any input, or a credential from bytes that merely resemble one.

mod certificate;
mod compact;
mod der;
mod document;
mod jks;
mod key;
mod name;
mod openpgp;
mod outline;
mod pbe;
mod pem;
mod pkcs12;
mod revocation;
mod ssh;
#[cfg(test)]
mod tests;
mod zone;

pub use certificate::{
    MAX_CERTIFICATE_LEN, ParsedCertificate, certificate, certificate_at, certificate_body_at, dns_names,
    fingerprint,
};
pub use compact::{
    BASE64_SIGNED_DATA, JWT_HEAD, base64_bytes, base64_der_at, base64_run, base64_text, base64_text_len,
    is_pkcs12, is_signed_data, jwt_at, mask_tokens,
};
pub use der::element_len;
pub(crate) use der::{Reader, tag};
pub use document::document;
pub use jks::{JKS_MAGICS, jks_certificates_with_keys};
pub use key::public_key_of;
pub use openpgp::{OpenPgpKey, openpgp_armoured, openpgp_keys};
pub use pem::{MAX_PEM_LEN, PEM_BEGIN, PemBlock, pem_block_at, pem_blocks};
pub use pkcs12::{Pkcs12Contents, open_pkcs12};
pub use revocation::{crl, crl_at, ocsp_at};
pub use ssh::{SSH_CERTIFICATE_MARK, ssh_certificate_after};
pub use zone::may_be_zone;
