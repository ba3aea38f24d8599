//! Keys that sign and keys that verify: Ed25519 and ECDSA on P-256, in PEM.

use crate::Error;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    UnparsedPublicKey,
};
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::{Document, SecretDocument};
use sha2::{Digest, Sha256};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

/// Longer files are no keys, in bytes.
const MAX_LEN: usize = 64 << 10;
/// `id-Ed25519` (RFC 8410 §3).
const ID_ED25519: &str = "1.3.101.112";
/// `id-ecPublicKey` (RFC 5480 §2.1.1), and the curve that is taken.
const ID_EC: &str = "1.2.840.10045.2.1";
const ID_P256: &str = "1.2.840.10045.3.1.7";
/// What stands before the 32 bytes of an Ed25519 key, and before the uncompressed point of a P-256 key, in a
/// SubjectPublicKeyInfo (RFC 8410 §4, RFC 5480 §2).
pub(crate) const SPKI_ED25519: &[u8] =
    &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
pub(crate) const SPKI_P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

enum Pair {
    EcdsaP256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A private key.
pub struct SigningKey {
    pair: Pair,
    id: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SigningKey({})", self.id)
    }
}

impl SigningKey {
    /// Reads PKCS#8 in PEM (RFC 5958, RFC 7468), encrypted with PBES2 or not. `password` opens an encrypted one.
    ///
    /// # Errors
    /// [`Error::NotAKey`], [`Error::NoPassword`], [`Error::WrongPassword`].
    pub fn from_pem(pem: &str, password: Option<&str>) -> Result<Self, Error> {
        let wanted = "a private key in PKCS#8, Ed25519 or ECDSA on P-256";
        let not = |found: &str| Error::NotAKey { wanted, found: found.to_owned() };
        let text = block(pem).ok_or_else(|| not("it holds no PEM block"))?;
        let (label, document) = SecretDocument::from_pem(text).map_err(|_| not("its PEM is damaged"))?;
        let document = match (label, password) {
            ("PRIVATE KEY", _) => document,
            ("ENCRYPTED PRIVATE KEY", None) => return Err(Error::NoPassword),
            ("ENCRYPTED PRIVATE KEY", Some(password)) => {
                let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
                    .map_err(|_| not("its encryption is not described"))?;
                encrypted.decrypt(password).map_err(|_| Error::WrongPassword)?
            }
            (other, _) => return Err(not(&format!("it holds a {other}"))),
        };
        let der = document.as_bytes();
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            let id = id_of(&[SPKI_ED25519, pair.public_key().as_ref()].concat());
            return Ok(Self { pair: Pair::Ed25519(pair), id });
        }
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der)
            .map_err(|_| not("its key is of another kind"))?;
        let id = id_of(&[SPKI_P256, pair.public_key().as_ref()].concat());
        Ok(Self { pair: Pair::EcdsaP256(pair), id })
    }

    /// SHA-256 over the public key's SubjectPublicKeyInfo, in hex.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match &self.pair {
            Pair::EcdsaP256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).map_err(|_| Error::Sign)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    EcdsaP256,
    Ed25519,
}

/// A public key.
#[derive(Debug, Clone)]
pub struct VerifyingKey {
    kind: Kind,
    point: Vec<u8>,
    id: String,
}

impl VerifyingKey {
    /// Reads a SubjectPublicKeyInfo in PEM, as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    /// [`Error::NotAKey`].
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        let wanted = "a public key, Ed25519 or ECDSA on P-256";
        let not = |found: &str| Error::NotAKey { wanted, found: found.to_owned() };
        let text = block(pem).ok_or_else(|| not("it holds no PEM block"))?;
        let (label, document) = Document::from_pem(text).map_err(|_| not("its PEM is damaged"))?;
        if label != "PUBLIC KEY" {
            return Err(not(&format!("it holds a {label}")));
        }
        let der = document.as_bytes();
        let (rest, info) = SubjectPublicKeyInfo::from_der(der).map_err(|_| not("it is damaged"))?;
        let curve = info.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
        let curve = curve.map(|curve| curve.to_id_string());
        let kind = match (info.algorithm.algorithm.to_id_string().as_str(), curve.as_deref()) {
            (ID_ED25519, _) => Kind::Ed25519,
            (ID_EC, Some(ID_P256)) => Kind::EcdsaP256,
            _ => return Err(not("its key is of another kind")),
        };
        if !rest.is_empty() {
            return Err(not("something follows the key"));
        }
        Ok(Self { kind, point: info.subject_public_key.data.to_vec(), id: id_of(der) })
    }

    /// SHA-256 over the SubjectPublicKeyInfo, in hex.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self.kind {
            Kind::EcdsaP256 => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point).verify(message, signature)
            }
            Kind::Ed25519 => UnparsedPublicKey::new(&ED25519, &self.point).verify(message, signature),
        };
        verified.is_ok()
    }
}

/// The first PEM block of a text; `openssl` writes attributes before some.
fn block(pem: &str) -> Option<&str> {
    let pem = (pem.len() <= MAX_LEN).then_some(pem)?;
    let begin = pem.find("-----BEGIN ")?;
    let end = begin + pem[begin..].find("-----END ")?;
    let after = end + 9 + pem[end + 9..].find("-----")? + 5;
    Some(&pem[begin..after])
}

fn id_of(spki: &[u8]) -> String {
    Sha256::digest(spki).iter().map(|byte| format!("{byte:02x}")).collect()
}
