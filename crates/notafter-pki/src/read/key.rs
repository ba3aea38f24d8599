//! Public keys: what a certificate is about, and which private key belongs to it.

use super::certificate::fingerprint;
use super::der::{Element, Reader, tag};
use aws_lc_rs::agreement;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use notafter_core::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[0x2b, 0x81, 4, 0, 0x22];
const P521: &[u8] = &[0x2b, 0x81, 4, 0, 0x23];

/// Names of algorithms whose keys have one length, and of curves.
const NAMES: &[(&[u8], &str)] = &[
    (&[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1], "dsa"),
    (&[0x2b, 0x65, 0x6e], "x25519"),
    (&[0x2b, 0x65, 0x6f], "x448"),
    (&[0x2b, 0x65, 0x71], "ed448"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 0x11], "ml-dsa-44"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 0x12], "ml-dsa-65"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 0x13], "ml-dsa-87"),
    (&[0x2b, 0x81, 4, 0, 0x0a], "secp256k1"),
    (ED25519, "ed25519"),
    (P256, "p256"),
    (P384, "p384"),
    (P521, "p521"),
];

/// The key of a certificate.
pub(super) fn of_certificate(key: &SubjectPublicKeyInfo<'_>) -> PublicKey {
    let parameters = key.algorithm.parameters.as_ref().map(|parameters| parameters.data);
    let bits = &key.subject_public_key.data;
    public_key(key.algorithm.algorithm.as_bytes(), parameters, bits, || key.algorithm.algorithm.to_string())
}

fn public_key(
    algorithm: &[u8],
    curve: Option<&[u8]>,
    bits: &[u8],
    otherwise: impl FnOnce() -> String,
) -> PublicKey {
    let named =
        |oid: &[u8]| NAMES.iter().find(|(known, _)| *known == oid).map(|(_, name)| (*name).to_owned());
    let name = match algorithm {
        RSA | RSA_PSS => modulus_bits(bits).map(|len| format!("rsa-{len}")),
        EC => Some(curve.and_then(named).unwrap_or_else(|| "ec".to_owned())),
        other => named(other),
    };
    PublicKey { algorithm: name.unwrap_or_else(otherwise), fingerprint: fingerprint(bits) }
}

/// Bits of the modulus of an RSAPublicKey (RFC 8017 §A.1.1).
fn modulus_bits(bits: &[u8]) -> Option<u32> {
    let modulus = Reader::new(bits).take(tag::SEQUENCE)?.reader().take(tag::INTEGER)?.contents;
    let significant = &modulus[modulus.iter().position(|byte| *byte != 0)?..];
    u32::try_from(significant.len() * 8).ok().map(|len| len - significant[0].leading_zeros())
}

/// The public key that belongs to a private one: PKCS #8, PKCS #1 or SEC 1. None where `der` is no such key, and where
/// it does not let the public part be known. Nothing of the private part is kept.
#[must_use]
pub fn public_key_of(der: &[u8]) -> Option<PublicKey> {
    let mut whole = Reader::new(der);
    let mut fields = whole.take(tag::SEQUENCE)?.reader();
    let version = fields.take(tag::INTEGER)?;
    if !whole.is_at_end() {
        return None;
    }
    if let Some(first) = fields.take(tag::INTEGER) {
        return rsa(&first, &fields.take(tag::INTEGER)?);
    }
    if let Some(scalar) = fields.take(tag::OCTET_STRING) {
        return (version.contents == [1]).then(|| ec(&scalar, fields, None))?;
    }
    let mut algorithm = fields.take(tag::SEQUENCE)?.reader();
    let oid = algorithm.take(tag::OBJECT_IDENTIFIER)?.contents;
    let mut inner = Reader::new(fields.take(tag::OCTET_STRING)?.contents);
    match oid {
        RSA | RSA_PSS => {
            let mut key = inner.take(tag::SEQUENCE)?.reader();
            key.take(tag::INTEGER)?;
            rsa(&key.take(tag::INTEGER)?, &key.take(tag::INTEGER)?)
        }
        EC => {
            let curve = algorithm.take(tag::OBJECT_IDENTIFIER);
            let mut key = inner.take(tag::SEQUENCE)?.reader();
            key.take(tag::INTEGER)?;
            let scalar = key.take(tag::OCTET_STRING)?;
            ec(&scalar, key, curve)
        }
        ED25519 => {
            let pair = Ed25519KeyPair::from_seed_unchecked(inner.take(tag::OCTET_STRING)?.contents).ok()?;
            Some(public_key(ED25519, None, pair.public_key().as_ref(), String::new))
        }
        _ => None,
    }
}

fn rsa(modulus: &Element<'_>, exponent: &Element<'_>) -> Option<PublicKey> {
    let numbers = [integer(modulus.contents)?, integer(exponent.contents)?].concat();
    let bits = [header(tag::SEQUENCE, numbers.len())?, numbers].concat();
    Some(public_key(RSA, None, &bits, String::new))
}

fn integer(contents: &[u8]) -> Option<Vec<u8>> {
    Some([header(tag::INTEGER, contents.len())?.as_slice(), contents].concat())
}

/// Identifier and length, definite and minimal.
fn header(tag: u8, len: usize) -> Option<Vec<u8>> {
    let len = u16::try_from(len).ok()?;
    Some(match len.to_be_bytes() {
        [0, short @ ..0x80] => vec![tag, short],
        [0, long] => vec![tag, 0x81, long],
        [high, low] => vec![tag, 0x82, high, low],
    })
}

/// `rest`: what follows the scalar in an ECPrivateKey (RFC 5915 §3).
fn ec(scalar: &Element<'_>, mut rest: Reader<'_>, curve: Option<Element<'_>>) -> Option<PublicKey> {
    const PUBLIC: u8 = 0xa1;
    let named = rest.take(tag::CONTEXT_0).and_then(|named| named.reader().take(tag::OBJECT_IDENTIFIER));
    let curve = curve.or(named)?.contents;
    let written = rest.take(PUBLIC).and_then(|public| public.reader().take(tag::BIT_STRING));
    if let Some(bits) = written.and_then(|bits| bits.contents.strip_prefix(&[0])) {
        return Some(public_key(EC, Some(curve), bits, String::new));
    }
    let algorithm = match curve {
        P256 => &agreement::ECDH_P256,
        P384 => &agreement::ECDH_P384,
        P521 => &agreement::ECDH_P521,
        _ => return None,
    };
    let private = agreement::PrivateKey::from_private_key(algorithm, scalar.contents).ok()?;
    let public = private.compute_public_key().ok()?;
    Some(public_key(EC, Some(curve), public.as_ref(), String::new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    #[test]
    fn a_private_key_is_recognised_as_that_of_its_certificate() {
        for (algorithm, name) in
            [(&PKCS_ECDSA_P256_SHA256, "p256"), (&PKCS_ECDSA_P384_SHA384, "p384"), (&PKCS_ED25519, "ed25519")]
        {
            let pair = KeyPair::generate_for(algorithm).unwrap();
            let certificate = CertificateParams::new(vec![]).unwrap().self_signed(&pair).unwrap();
            let certificate = read::certificate(certificate.der()).unwrap();
            assert_eq!(certificate.key.algorithm, name);
            assert_eq!(public_key_of(&pair.serialize_der()), Some(certificate.key), "{name}");
        }
        assert_eq!(public_key_of(&[0x30, 0x03, 0x02, 0x01, 0x00]), None);
        assert_eq!(public_key_of(b""), None);
    }
}
