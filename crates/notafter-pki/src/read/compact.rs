//! What hides in runs of base64: JSON Web Tokens, and DER without armour.

use super::certificate::fingerprint;
use super::der::element_len;
use super::pem::decode_base64;
use notafter_core::{Credential, CredentialKind, UnixTime};
use serde_json::{Map, Value};

/// How every JSON object begins in base64: `{"`.
pub const JWT_HEAD: &[u8] = b"eyJ";

/// Longer tokens do not count, in bytes.
const MAX_TOKEN_LEN: usize = 64 * 1024;
/// DER without armour that counts is no longer, in bytes.
const MAX_DER_LEN: usize = 128 * 1024;
/// Characters of a claim that a report shows.
const MAX_CLAIM_CHARS: usize = 80;

/// The base64 digits and padding that `bytes` begins with.
#[must_use]
pub fn base64_run(bytes: &[u8]) -> &[u8] {
    let is_digit = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    &bytes[..bytes.iter().take_while(is_digit).count()]
}

/// What base64 digits stand for; none where anything else stands among them or digits are missing.
#[must_use]
pub fn base64_bytes(digits: &[u8]) -> Option<Vec<u8>> {
    decode_base64(digits)
}

/// The DER element whose base64 begins at the first byte, and the length of that base64 in bytes. Line ends and the
/// joints between string literals may stand between the digits.
#[must_use]
pub fn base64_der_at(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let len = element_len(&decode_base64(bytes.get(..8)?)?).filter(|len| *len <= MAX_DER_LEN)?;
    let wanted = len.div_ceil(3) * 4;
    let (mut digits, mut at, mut broken) = (0, 0, false);
    while digits < wanted {
        let byte = *bytes.get(at)?;
        if byte.is_ascii_alphanumeric() || b"+/=".contains(&byte) {
            // A plus sign between two literals is no digit.
            digits += usize::from(!(broken && byte == b'+'));
        } else if b"\"'`".contains(&byte) {
            broken = !broken;
        } else if !b" \t\r\n,.\\".contains(&byte) {
            return None;
        } else if byte == b'\\' && matches!(bytes.get(at + 1), Some(b'n' | b'r' | b't')) {
            at += 1;
        }
        at += 1;
        if at > wanted.saturating_mul(2) + 64 {
            return None;
        }
    }
    let decoded = decode_base64(&bytes[..at])?;
    (decoded.len() == len).then_some((decoded, at))
}

/// The signed token (RFC 7519, compact form) that begins at the first byte, and its length in bytes. One without an
/// `exp` never ends. The token itself is a secret: only its claims `iss`, `sub` and `jti` are kept.
#[must_use]
pub fn jwt_at(bytes: &[u8]) -> Option<(Credential, usize)> {
    let is_token = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let limited = &bytes[..bytes.len().min(MAX_TOKEN_LEN)];
    let run = &limited[..limited.iter().take_while(is_token).count()];
    let dots = run.iter().rev().take_while(|byte| **byte == b'.').count(); // ends of a sentence
    let token = &run[..run.len() - dots];
    let mut parts = token.split(|byte| *byte == b'.');
    let (header, claims, signature) = (object(parts.next()?)?, object(parts.next()?)?, parts.next()?);
    header.get("alg")?.as_str()?;
    let signed = decode_base64(&plain(signature))?;
    if parts.next().is_some() || signed.is_empty() {
        return None;
    }
    let second = |name: &str| claims.get(name)?.as_f64().map(|secs| UnixTime::clamped(secs as i64));
    if !["exp", "iat", "nbf", "iss", "sub", "aud"].iter().any(|claim| claims.contains_key(*claim)) {
        return None; // some other signed object
    }
    let claim = |name: &str| claims.get(name).and_then(Value::as_str).map(clean);
    let named: Vec<String> =
        ["iss", "sub", "jti"].iter().filter_map(|name| Some(format!("{name}={}", claim(name)?))).collect();
    let credential = Credential {
        subject: format!("JWT {}", named.join(" ")).trim_end().to_owned(),
        issuer: claim("iss").unwrap_or_default(),
        not_before: second("nbf").or_else(|| second("iat")).unwrap_or(UnixTime::MIN),
        not_after: second("exp").map_or(UnixTime::NO_EXPIRY, |exp| exp.plus_secs(-1)),
        ..Credential::found(CredentialKind::Jwt, fingerprint(token))
    };
    Some((credential, token.len()))
}

fn object(part: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(&decode_base64(&plain(part))?).ok()
}

/// base64url (RFC 4648 §5) as base64.
fn plain(part: &[u8]) -> Vec<u8> {
    let symbol = |byte: &u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => *other,
    };
    part.iter().map(symbol).collect()
}

fn clean(claim: &str) -> String {
    claim.chars().filter(|character| !character.is_control()).take(MAX_CLAIM_CHARS).collect()
}
