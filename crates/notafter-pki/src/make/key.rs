//! Private keys that nobody prints by accident.

use crate::read::{Reader, tag};
use notafter_core::KeyAlgorithm;
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize,
};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// A private key. `Debug` hides it; its PKCS#8 encoding is overwritten on drop. What [`Self::to_pem`] and
/// [`Self::to_der`] hand out is the caller's to protect.
pub struct PrivateKey {
    pair: KeyPair,
}

impl PrivateKey {
    pub(super) fn generate(algorithm: KeyAlgorithm) -> Result<Self, rcgen::Error> {
        let pair = match algorithm {
            KeyAlgorithm::Ed25519 => ed25519()?,
            KeyAlgorithm::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
            KeyAlgorithm::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?,
            KeyAlgorithm::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?,
            KeyAlgorithm::Rsa4096 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096)?,
        };
        Ok(Self { pair })
    }

    /// The same key once more.
    pub(super) fn copy(&self) -> Result<Self, rcgen::Error> {
        let der = Zeroizing::new(self.pair.serialize_der());
        let pkcs8 = PrivatePkcs8KeyDer::from(der.as_slice());
        KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, self.pair.algorithm()).map(|pair| Self { pair })
    }

    pub(super) fn pair(&self) -> &KeyPair {
        &self.pair
    }

    /// PKCS#8 version 1 (RFC 5208) as PEM, without a password.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.pair.serialize_pem())
    }

    /// The same as DER, the way rustls takes it.
    #[must_use]
    pub fn to_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.pair.serialize_der()))
    }
}

impl Drop for PrivateKey {
    fn drop(&mut self) {
        self.pair.zeroize();
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PrivateKey(hidden)")
    }
}

/// aws-lc generates Ed25519 keys as PKCS#8 version 2 (RFC 5958), with the public key behind the private one. OpenSSL
/// 3.0, and so most services, refuses that; hence it is written anew as version 1 (RFC 8410 §7).
fn ed25519() -> Result<KeyPair, rcgen::Error> {
    const BEFORE_SEED: [u8; 16] =
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    let mut generated = KeyPair::generate_for(&PKCS_ED25519)?;
    let seed = ed25519_seed(generated.serialized_der()).ok_or(rcgen::Error::CouldNotParseKeyPair)?;
    let version_1 = Zeroizing::new([&BEFORE_SEED[..], seed].concat());
    let pair =
        KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(version_1.as_slice()), &PKCS_ED25519);
    generated.zeroize();
    pair
}

fn ed25519_seed(pkcs8: &[u8]) -> Option<&[u8]> {
    let mut fields = Reader::new(pkcs8).take(tag::SEQUENCE)?.reader();
    fields.take(tag::INTEGER)?;
    fields.take(tag::SEQUENCE)?;
    let seed = fields.take(tag::OCTET_STRING)?.reader().take(tag::OCTET_STRING)?.contents;
    (seed.len() == 32).then_some(seed)
}
