//! What hides in runs of base64: JSON Web Tokens, and DER and PEM without armour.

use super::certificate::fingerprint;
use super::der::element_len;
use super::pem::decode_base64;
use notafter_core::{Credential, CredentialKind, UnixTime};
use serde_json::{Map, Value};

/// How every JSON object begins in base64: `{"`.
pub const JWT_HEAD: &[u8] = b"eyJ";

/// base64 of the beginning of signed data (RFC 5652) under an indefinite length, as streaming encoders write it.
pub const BASE64_SIGNED_DATA: &[u8] = b"MIAGCSqGSIb3DQEHA";
/// Its object identifier, as an element.
const SIGNED_DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";

/// Longer tokens do not count, in bytes.
const MAX_TOKEN_LEN: usize = 64 * 1024;
/// DER without armour that counts is no longer, in bytes.
const MAX_DER_LEN: usize = 128 * 1024;
/// A token that is masked may stand behind other digits, if what it begins with is no longer, in bytes.
const MAX_GLUED_LEN: usize = 1024;
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

/// The DER element whose base64 begins at the first byte, in either alphabet (RFC 4648 §4 and §5), and the length of that
/// base64 in bytes, padding included. Line ends and the joints between string literals may stand between the digits.
#[must_use]
pub fn base64_der_at(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let len = element_len(&decode_base64(&plain(bytes.get(..8)?))?).filter(|len| *len <= MAX_DER_LEN)?;
    let wanted = (len * 4).div_ceil(3);
    let (mut digits, mut at, mut broken) = (0, 0, false);
    while digits < wanted {
        let byte = *bytes.get(at)?;
        if byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte) {
            if byte == b'-' && bytes[at..].starts_with(b"-----") {
                return None; // armour: digits are missing before it
            }
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
    let decoded = decode_base64(&plain(&bytes[..at]))?;
    let padding = bytes[at..].iter().take(2).take_while(|byte| **byte == b'=').count();
    (decoded.len() == len).then_some((decoded, at + padding))
}

/// What the base64 that begins at the first byte stands for, as far as it goes, whatever follows, and its length in bytes.
/// Lines may end anywhere in it, as base64(1) writes them and as they stand in JSON.
#[must_use]
pub fn base64_text(bytes: &[u8]) -> (Vec<u8>, usize) {
    let mut digits = Vec::new();
    let (mut at, mut end) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'=' => {
                end = at + bytes[at..].iter().take(2).take_while(|byte| **byte == b'=').count();
                break;
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'\\' if matches!(bytes.get(at + 1), Some(b'n' | b'r')) => at += 1,
            digit if digit.is_ascii_alphanumeric() || b"+/".contains(digit) => {
                digits.push(*digit);
                end = at + 1;
            }
            _ => break,
        }
        at += 1;
    }
    let odd = usize::from(digits.len() % 4 == 1);
    digits.truncate(digits.len() - odd);
    (decode_base64(&digits).unwrap_or_default(), end)
}

/// How many bytes of `text`, of which [`base64_text`] has made more than `len` bytes, stand for the first `len` of them.
#[must_use]
pub fn base64_text_len(text: &[u8], len: usize) -> usize {
    let mut left = (len * 4).div_ceil(3);
    let mut before = 0_u8;
    let is_last = |byte: &u8| {
        let escape = before == b'\\';
        before = *byte;
        let is_digit = !escape && (byte.is_ascii_alphanumeric() || b"+/".contains(byte));
        left = left.saturating_sub(usize::from(is_digit));
        left == 0
    };
    text.iter().position(is_last).map_or(text.len(), |last| last + 1)
}

/// Whether `der` is signed data of CMS (RFC 5652 §5), formerly PKCS #7; its length may be indefinite.
#[must_use]
pub fn is_signed_data(der: &[u8]) -> bool {
    inside_sequence(der).is_some_and(|inside| inside.starts_with(SIGNED_DATA))
}

/// Whether `der` begins as a PKCS #12 store does (RFC 7292 §4): with its version, then a sequence.
#[must_use]
pub fn is_pkcs12(der: &[u8]) -> bool {
    inside_sequence(der).is_some_and(|inside| inside.starts_with(b"\x02\x01\x03\x30"))
}

/// What stands behind the header of the SEQUENCE that `der` begins with.
fn inside_sequence(der: &[u8]) -> Option<&[u8]> {
    let header = match der {
        [0x30, len @ 0x81..=0x84, ..] => 2 + usize::from(len & 0x7f),
        [0x30, ..] => 2,
        _ => return None,
    };
    der.get(header..)
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

/// `text` with `[token]` in place of each signed token: whoever reads one that is still in force can show it.
#[must_use]
pub fn mask_tokens(text: &str) -> String {
    let head: String = JWT_HEAD.iter().copied().map(char::from).collect();
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(&head) {
        let (before, from_begin) = rest.split_at(begin);
        masked.push_str(before);
        rest = match jwt_at(from_begin.as_bytes()) {
            Some((_, len)) => {
                masked.push_str("[token]");
                &from_begin[len..]
            }
            None => {
                // Every third byte of a long run may begin so, and none of those is one either.
                let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
                let run = from_begin.bytes().take_while(|byte| is_digit(byte)).count();
                let passed = if run > MAX_GLUED_LEN { run } else { head.len() };
                masked.push_str(&from_begin[..passed]);
                &from_begin[passed..]
            }
        };
    }
    masked.push_str(rest);
    masked
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masking_takes_no_time_that_grows_with_the_square() {
        // {"alg":"HS256"}, {"iss":"a"}, and what has the length of a signature.
        let token = format!("eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhIn0.{}", "a".repeat(43));
        assert_eq!(mask_tokens(&format!("TeyJ{token} {token}")), "TeyJ[token] [token]");
        let long = format!("{}. ", "eyJ".repeat(20_000)).repeat(40);
        assert_eq!(mask_tokens(&format!("{long}{token}")), format!("{long}[token]"));
    }

    #[test]
    fn stores_and_signed_data_are_told_by_their_first_bytes() {
        let signed = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
        for header in [&b"\x30\x20"[..], b"\x30\x80", b"\x30\x81\x90", b"\x30\x82\x01\x00"] {
            assert!(is_signed_data(&[header, signed].concat()));
            assert!(is_pkcs12(&[header, b"\x02\x01\x03\x30"].concat()));
            assert!(!is_signed_data(header) && !is_pkcs12(&[header, signed].concat()));
        }
        assert!(!is_signed_data(signed) && !is_pkcs12(b""));
    }
}
