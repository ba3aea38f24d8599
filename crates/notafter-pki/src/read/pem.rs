//! PEM (RFC 7468) inside any bytes.

use memchr::memmem;

/// How every PEM block begins.
pub const PEM_BEGIN: &[u8] = b"-----BEGIN ";

/// The longest block that counts, armour included, in bytes.
pub const MAX_PEM_LEN: usize = 256 * 1024;

const DASHES: &[u8] = b"-----";
const MAX_LABEL_LEN: usize = 64;

/// One PEM block, not decoded yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PemBlock<'a> {
    /// What stands after `BEGIN`, such as `CERTIFICATE`.
    pub label: &'a str,
    /// Where its first dash stands, in bytes.
    pub offset: usize,
    /// Length from its first to its last dash, in bytes.
    pub len: usize,
    body: &'a [u8],
}

/// Without the body: it may be a private key.
impl std::fmt::Debug for PemBlock<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PemBlock({}, {} bytes at {})", self.label, self.len, self.offset)
    }
}

impl PemBlock<'_> {
    /// The bytes that it encodes. Lines may have any length and ending; spaces, quotes, commas, the joints
    /// between string literals and the escapes `\n`,
    /// `\r` and `\t` between the digits are skipped, so that blocks inside JSON, YAML and string literals are read
    /// too. None where anything else stands in it, or where digits are missing.
    #[must_use]
    pub fn decode(&self) -> Option<Vec<u8>> {
        decode_base64(self.body)
    }
}

/// Every whole PEM block in `bytes`, in order.
pub fn pem_blocks(bytes: &[u8]) -> impl Iterator<Item = PemBlock<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let offset = from + memmem::find(&bytes[from..], PEM_BEGIN)?;
            if let Some(block) = pem_block_at(&bytes[offset..]) {
                from = offset + block.len;
                return Some(PemBlock { offset, ..block });
            }
            from = offset + PEM_BEGIN.len();
        }
    })
}

/// The PEM block that begins at the first byte; its offset is 0.
#[must_use]
pub fn pem_block_at(bytes: &[u8]) -> Option<PemBlock<'_>> {
    let bytes = &bytes[..bytes.len().min(MAX_PEM_LEN)];
    let rest = bytes.strip_prefix(PEM_BEGIN)?;
    let label_len = memmem::find(&rest[..rest.len().min(MAX_LABEL_LEN + DASHES.len())], DASHES)?;
    let label = std::str::from_utf8(&rest[..label_len]).ok()?;
    if label.is_empty() || !label.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return None;
    }
    let rest = &rest[label_len + DASHES.len()..];
    let body_len = memmem::find(rest, DASHES)?;
    let end = rest[body_len + DASHES.len()..]
        .strip_prefix(b"END ")?
        .strip_prefix(label.as_bytes())?
        .strip_prefix(DASHES)?;
    Some(PemBlock { label, offset: 0, len: bytes.len() - end.len(), body: &rest[..body_len] })
}

/// Digits of base64 as [`PemBlock::decode`] reads them.
pub(super) fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut digits, mut padding) = (0_u32, 0_usize, 0_usize);
    let mut rest = text;
    while let Some((&symbol, after)) = rest.split_first() {
        rest = after;
        let value = match symbol {
            b'"' | b'\'' | b'`' => {
                rest = after_joint(symbol, rest);
                continue;
            }
            b' ' | b'\t' | b'\r' | b'\n' | b',' => continue,
            b'\\' => match rest.split_first() {
                Some((b'n' | b'r' | b't' | b'\n' | b'\r', after)) => {
                    rest = after;
                    continue;
                }
                // Text in a string literal in another: JSON in JSON.
                Some((b'\\', [b'n' | b'r' | b't', after @ ..])) => {
                    rest = after;
                    continue;
                }
                _ => return None,
            },
            b'=' => {
                padding += 1;
                continue;
            }
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        if padding > 0 {
            return None; // digits after the end
        }
        bits = (bits << 6) | u32::from(value);
        digits += 1;
        if digits % 4 == 0 {
            decoded.extend_from_slice(&bits.to_be_bytes()[1..]);
            bits = 0;
        }
    }
    match (digits % 4, padding) {
        (0, 0) => {}
        (2, 0 | 2) => decoded.push((bits >> 4).to_be_bytes()[3]),
        (3, 0 | 1) => decoded.extend_from_slice(&(bits >> 2).to_be_bytes()[2..]),
        _ => return None,
    }
    Some(decoded)
}

/// What follows the joint between two string literals, `" +\n  "`, of which the first quote has been read; `rest`
/// itself where none follows. The plus sign of a joint is no digit.
fn after_joint(quote: u8, rest: &[u8]) -> &[u8] {
    let is_joint = |byte: &u8| b" \t\r\n+.,\\".contains(byte);
    let len = rest.iter().take_while(|byte| is_joint(byte)).count();
    match rest.get(len) {
        Some(next) if *next == quote => &rest[len + 1..],
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_whatever_stands_between_the_digits() {
        for (text, expected) in [
            ("", Some(&b""[..])),
            ("aGVs\r\nbG8=", Some(b"hello")),
            ("aG\nV s\tbG8", Some(b"hello")),
            ("aGVsbG8h", Some(b"hello!")),
            ("aA==", Some(b"h")),
            ("aGVs\\nbG8=\\n", Some(b"hello")),
            ("aGVs\\\\nbG8=\\\\n", Some(b"hello")),
            ("aGVs\\\\bG8=", None),
            ("\"aGVs\",\n  \"bG8=\"", Some(b"hello")),
            ("\"aGVs\" +\n  \"bG8=\"", Some(b"hello")),
            ("'aGV'.'sbG8+'", Some(b"hello>")),
            ("aGVsbG8==", None),
            ("aGVsbG8=a", None),
            ("aGVsb", None),
            ("a", None),
            ("aGV$", None),
            ("aGVs\\x", None),
        ] {
            assert_eq!(decode_base64(text.as_bytes()).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn blocks_are_found_between_other_text() {
        let text = "subject=CN = x\n-----BEGIN A-----\naGVs\n-----END A----- tail\n-----BEGIN B-----\n-----BEGIN C D-----\nbG8=\n-----END C D-----";
        let found: Vec<_> = pem_blocks(text.as_bytes())
            .map(|block| (block.label, &text[block.offset..][..block.len], block.decode().unwrap()))
            .collect();
        assert_eq!(
            found,
            [
                ("A", "-----BEGIN A-----\naGVs\n-----END A-----", b"hel".to_vec()),
                ("C D", "-----BEGIN C D-----\nbG8=\n-----END C D-----", b"lo".to_vec()),
            ]
        );
    }

    #[test]
    fn unfinished_blocks_are_none() {
        for text in [
            "-----BEGIN A-----\naGVs",
            "-----BEGIN A-----\naGVs\n-----END A----",
            "-----BEGIN A-----\naGVs\n-----END B-----",
            "-----BEGIN -----\naGVs\n-----END -----",
            "-----BEGIN A",
        ] {
            assert_eq!(pem_blocks(text.as_bytes()).count(), 0, "{text:?}");
        }
    }
}
