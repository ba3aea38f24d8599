//! What goes stale: revocation lists (RFC 5280 §5) and OCSP responses (RFC 6960 §4.2).

use super::certificate::{fingerprint, instant};
use super::der::{Reader, element_len, is_filled_exactly, tag};
use super::name;
use notafter_core::{Credential, CredentialKind, UnixTime};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

/// The longest encoding that is read among other bytes.
const MAX_CARVED_LEN: usize = 128 * 1024;

/// Reads exactly one DER revocation list of any length; none where the bytes are something else.
#[must_use]
pub fn crl(der: &[u8]) -> Option<Credential> {
    if element_len(der)? != der.len() || !is_filled_exactly(der) {
        return None;
    }
    let (rest, list) = CertificateRevocationList::from_der(der).ok()?;
    let issuer = name::to_text(list.issuer());
    if !rest.is_empty() || list.signature_algorithm != list.tbs_cert_list.signature || issuer.is_empty() {
        return None;
    }
    Some(Credential {
        subject: format!("CRL of {issuer}"),
        issuer,
        serial: list.crl_number().map_or_else(String::new, |number| format!("{number:X}")),
        not_before: instant(list.last_update()),
        not_after: list.next_update().map_or(UnixTime::NO_EXPIRY, instant),
        ..Credential::found(CredentialKind::Crl, fingerprint(der))
    })
}

/// The revocation list that begins at the first byte, and its length in bytes.
#[must_use]
pub fn crl_at(bytes: &[u8]) -> Option<(Credential, usize)> {
    let len = element_len(bytes).filter(|len| *len <= MAX_CARVED_LEN)?;
    Some((crl(bytes.get(..len)?)?, len))
}

/// `id-pkix-ocsp-basic`.
const BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];
const ENUMERATED: u8 = 0x0a;

/// The successful OCSP response that begins at the first byte, and its length in bytes.
#[must_use]
pub fn ocsp_at(bytes: &[u8]) -> Option<(Credential, usize)> {
    let len = element_len(bytes).filter(|len| *len <= MAX_CARVED_LEN)?;
    let der = bytes.get(..len)?;
    let mut response = Reader::new(der).take(tag::SEQUENCE)?.reader();
    response.take(ENUMERATED).filter(|status| status.contents == [0])?;
    let mut typed = response.take(tag::CONTEXT_0)?.reader().take(tag::SEQUENCE)?.reader();
    typed.take(tag::OBJECT_IDENTIFIER).filter(|oid| oid.contents == BASIC)?;
    let octets = typed.take(tag::OCTET_STRING)?;
    let mut data = octets.reader().take(tag::SEQUENCE)?.reader().take(tag::SEQUENCE)?.reader();
    data.take(tag::CONTEXT_0); // version
    data.next()?; // who answers
    let produced = generalized(data.take(tag::GENERALIZED_TIME)?.contents)?;
    let mut answers = data.take(tag::SEQUENCE)?.reader();
    let (mut begins, mut ends, mut serial) = (UnixTime::MIN, UnixTime::NO_EXPIRY, String::new());
    while !answers.is_at_end() {
        let mut answer = answers.take(tag::SEQUENCE)?.reader();
        let mut id = answer.take(tag::SEQUENCE)?.reader();
        for _ in 0..3 {
            id.next()?; // hash algorithm, hashes of the issuer's name and key
        }
        let number = id.take(tag::INTEGER)?.contents;
        serial = number.iter().map(|byte| format!("{byte:02X}")).collect();
        answer.next()?; // good, revoked or unknown
        begins = begins.max(generalized(answer.take(tag::GENERALIZED_TIME)?.contents)?);
        if let Some(next) = answer.take(tag::CONTEXT_0) {
            ends = ends.min(generalized(next.reader().take(tag::GENERALIZED_TIME)?.contents)?);
        }
    }
    if begins == UnixTime::MIN {
        return None; // it answers nothing
    }
    let serial = serial.trim_start_matches('0').to_owned();
    let credential = Credential {
        subject: format!("OCSP response for serial {serial}, produced {produced}"),
        serial,
        not_before: begins,
        not_after: ends,
        ..Credential::found(CredentialKind::Ocsp, fingerprint(der))
    };
    Some((credential, len))
}

/// `YYYYMMDDHHMMSSZ`.
fn generalized(contents: &[u8]) -> Option<UnixTime> {
    let text = std::str::from_utf8(contents).ok()?.strip_suffix('Z')?;
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (date, time) = text.split_at(8);
    let rfc_3339 = format!(
        "{}-{}-{}T{}:{}:{}Z",
        &date[..4],
        &date[4..6],
        &date[6..],
        &time[..2],
        &time[2..4],
        &time[4..]
    );
    UnixTime::parse(&rfc_3339).ok()
}
