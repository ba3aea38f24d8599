//! Documents that end as a whole: metadata of The Update Framework, lists of leap seconds, signed zones.

use super::certificate::fingerprint;
use super::zone::zone;
use notafter_core::{Credential, CredentialKind, UnixTime};
use serde::Deserialize;

/// Seconds from 1900, where NTP counts from, to 1970.
const NTP_TO_UNIX_SECS: i64 = 2_208_988_800;

/// What the file as a whole is, where it has an end.
#[must_use]
pub fn document(bytes: &[u8]) -> Option<Credential> {
    match bytes.first()? {
        b'{' => tuf(bytes),
        b'#' => leap_seconds(bytes),
        _ => zone(bytes),
    }
}

#[derive(Deserialize)]
struct Tuf {
    signed: Signed,
    signatures: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Signed {
    #[serde(rename = "_type")]
    role: String,
    expires: String,
    version: u64,
}

/// The Update Framework, specification 1.0 §4.3: not to be trusted from `expires` on.
fn tuf(bytes: &[u8]) -> Option<Credential> {
    memchr::memmem::find(bytes, b"\"expires\"")?;
    let Tuf { signed, signatures } = serde_json::from_slice(bytes).ok()?;
    let role: String = signed.role.chars().filter(|character| character.is_ascii_alphabetic()).collect();
    if signatures.is_empty() || role.is_empty() {
        return None;
    }
    let end = UnixTime::parse(&signed.expires).ok()?;
    Some(whole(
        bytes,
        CredentialKind::TufMetadata,
        format!("TUF {role} metadata, version {}", signed.version),
        end.plus_secs(-1),
    ))
}

/// `#@` and seconds since 1900 in the list of the IERS; `#expires` and seconds since 1970 in that of tzdata.
fn leap_seconds(bytes: &[u8]) -> Option<Credential> {
    let text = std::str::from_utf8(bytes).ok()?;
    let value = |mark: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(mark));
        lines.find_map(|rest| rest.split_whitespace().next()?.parse::<i64>().ok())
    };
    let end = match (value("#@"), value("#$")) {
        (Some(end), Some(_)) => end - NTP_TO_UNIX_SECS,
        _ => value("#expires").filter(|_| text.lines().any(|line| line.starts_with("Leap\t")))?,
    };
    let end = UnixTime::from_secs(end).ok()?;
    Some(whole(bytes, CredentialKind::LeapSeconds, "leap-second list".to_owned(), end))
}

fn whole(bytes: &[u8], kind: CredentialKind, subject: String, not_after: UnixTime) -> Credential {
    Credential { subject, not_after, ..Credential::found(kind, fingerprint(bytes)) }
}
