//! X.509 certificates (RFC 5280 §4.1).
//!
//! x509-parser understands the contents, but ignores bytes left over inside a SEQUENCE and takes dates without
//! seconds. So the outline is checked here first, which also turns away nearly everything that carving tries.

use super::der::element_len;
use super::{key, name, outline};
use crate::Error;
use notafter_core::{Credential, CredentialKind, Fingerprint, Origin, Place, PublicKey, UnixTime};
use sha2::{Digest, Sha256};
use x509_parser::certificate::{TbsCertificate, X509Certificate};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

/// The longest encoding that counts as a certificate, in bytes. The longest in public use stay below 64 KiB.
pub const MAX_CERTIFICATE_LEN: usize = 128 * 1024;

/// What a certificate says of itself. Its signature is not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedCertificate {
    /// SHA-256 over its DER.
    pub fingerprint: Fingerprint,
    /// Subject, with the attributes in the order of the certificate and escaped as in RFC 4514: `CN=hss,O=Example`.
    pub subject: String,
    /// Issuer, likewise.
    pub issuer: String,
    /// Serial number as upper-case hex, without leading zeros.
    pub serial: String,
    /// First second of validity.
    pub not_before: UnixTime,
    /// Last second of validity; [`UnixTime::NO_EXPIRY`] where it never ends. May lie before `not_before`: nobody can
    /// rely on such a certificate, but a program that looks at one end only may still fall with it.
    pub not_after: UnixTime,
    /// Whether basicConstraints say CA.
    pub ca: bool,
    /// Whether subject and issuer are equal, byte by byte.
    pub self_issued: bool,
    /// The public key.
    pub key: PublicKey,
}

impl ParsedCertificate {
    /// The same as a credential of an inventory.
    #[must_use]
    pub fn into_credential(self, origin: Origin, places: Vec<Place>) -> Credential {
        Credential {
            fingerprint: self.fingerprint,
            kind: CredentialKind::X509,
            subject: self.subject,
            issuer: self.issuer,
            serial: self.serial,
            not_before: self.not_before,
            not_after: self.not_after,
            ca: self.ca,
            self_issued: self.self_issued,
            key: Some(self.key),
            origin,
            places,
        }
    }
}

/// Reads exactly one DER certificate; bytes after it are an error.
///
/// # Errors
/// [`Error::Shape`] or [`Error::Content`].
pub fn certificate(der: &[u8]) -> Result<ParsedCertificate, Error> {
    if element_len(der) != Some(der.len()) {
        return Err(shape("its length is not that of one DER element"));
    }
    outline::check(der).map_err(shape)?;
    let (rest, parsed) = X509Certificate::from_der(der).map_err(|error| match error {
        x509_parser::nom::Err::Error(inner) | x509_parser::nom::Err::Failure(inner) => Error::Content(inner),
        x509_parser::nom::Err::Incomplete(_) => shape("it ends early"),
    })?;
    if !rest.is_empty() {
        return Err(shape("bytes follow it"));
    }
    // Two signature algorithms, which RFC 5280 §4.1.1.2 forbids, make it no other credential: OpenSSL takes such a
    // certificate as a trust anchor, and what it is used for ends with it.
    Ok(of_body(&parsed.tbs_certificate, der))
}

/// The DNS names of a certificate's subjectAltName, in its order; none where it cannot be read.
#[must_use]
pub fn dns_names(der: &[u8]) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(der) else { return Vec::new() };
    let Ok(Some(names)) = parsed.subject_alternative_name() else { return Vec::new() };
    let dns = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    dns.collect()
}

/// `encoding`: the bytes that identify it.
fn of_body(body: &TbsCertificate<'_>, encoding: &[u8]) -> ParsedCertificate {
    ParsedCertificate {
        fingerprint: fingerprint(encoding),
        subject: name::to_text(body.subject()),
        issuer: name::to_text(body.issuer()),
        serial: serial_text(body.raw_serial()),
        not_before: instant(body.validity().not_before),
        not_after: instant(body.validity().not_after),
        ca: body.is_ca(),
        self_issued: body.subject().as_raw() == body.issuer().as_raw(),
        key: key::of_certificate(body.public_key()),
    }
}

/// The body of a certificate, what is signed of it, that begins at the first byte, and its length in bytes. Its
/// fingerprint is that of the body: that of the certificate is not known without the signature.
#[must_use]
pub fn certificate_body_at(bytes: &[u8]) -> Option<(ParsedCertificate, usize)> {
    let len = element_len(bytes).filter(|len| *len <= MAX_CERTIFICATE_LEN)?;
    let encoding = bytes.get(..len)?;
    outline::check_body_alone(encoding).ok()?;
    let (rest, body) = TbsCertificate::from_der(encoding).ok()?;
    rest.is_empty().then(|| (of_body(&body, encoding), len))
}

/// The certificate that begins at the first byte, whatever follows it, and the length of its encoding in bytes. None
/// where there is none, or not all of it. Cheap where the first bytes already tell.
#[must_use]
pub fn certificate_at(bytes: &[u8]) -> Option<(ParsedCertificate, usize)> {
    let len = element_len(bytes).filter(|len| *len <= MAX_CERTIFICATE_LEN)?;
    let encoding = bytes.get(..len)?;
    Some((certificate(encoding).ok()?, len))
}

/// SHA-256 over a DER encoding.
#[must_use]
pub fn fingerprint(der: &[u8]) -> Fingerprint {
    Fingerprint::from_bytes(Sha256::digest(der).into())
}

fn shape(reason: &'static str) -> Error {
    Error::Shape { reason }
}

pub(super) fn instant(date: ASN1Time) -> UnixTime {
    UnixTime::clamped(date.timestamp())
}

/// The contents of the INTEGER as they stand: a negative number, which RFC 5280 forbids, keeps its two's complement,
/// as other tools show it.
fn serial_text(contents: &[u8]) -> String {
    let digits: String = contents.iter().map(|byte| format!("{byte:02X}")).collect();
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() { "0".to_owned() } else { significant.to_owned() }
}
