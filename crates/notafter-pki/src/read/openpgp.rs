//! OpenPGP keys and subkeys (RFC 9580), version 4: when they end, by their newest self-signature.
//!
//! Signatures are not verified, only told apart by the key that they name: a key that others signed ends when its own
//! signature says.

use super::certificate::fingerprint;
use super::pem::decode_base64;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use notafter_core::{Credential, CredentialKind, UnixTime};

const SIGNATURE: u8 = 2;
const SECRET_KEY: u8 = 5;
const PUBLIC_KEY: u8 = 6;
const SECRET_SUBKEY: u8 = 7;
const USER_ID: u8 = 13;
/// Kinds of signature: what binds a subkey, and what is over a key alone.
const BINDING: u8 = 0x18;
const DIRECT: u8 = 0x1f;
const PUBLIC_SUBKEY: u8 = 14;

/// Characters of a user id that a report shows.
const MAX_USER_ID_CHARS: usize = 120;

/// A key or a subkey, and where its packet lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPgpKey {
    /// What it is and when it ends.
    pub credential: Credential,
    /// Where the packet begins, in bytes.
    pub offset: usize,
    /// Length of its body in bytes.
    pub len: usize,
    /// Whether the packet holds the private part too, encrypted or not.
    pub is_secret: bool,
}

/// A key with the newest of its own signatures.
struct Key<'a> {
    packet: &'a [u8],
    offset: usize,
    id: [u8; 8],
    created: u32,
    user_id: Option<String>,
    /// When that signature was made, and how long the key lives by it in seconds.
    bound: Option<(u32, Option<u32>)>,
    /// The same of signatures over the key alone, which outrank those over a user id where they name a lifetime.
    direct: Option<(u32, Option<u32>)>,
    is_subkey: bool,
    is_secret: bool,
}

/// The keys in the binary packets that `bytes` begins with. Empty
/// where the first packet is no version 4 key. Keys without a signature of their own are left out: nothing says when
/// they end.
#[must_use]
pub fn openpgp_keys(bytes: &[u8]) -> Vec<OpenPgpKey> {
    let mut keys: Vec<Key<'_>> = Vec::new();
    let (mut primary, mut at) = (0, 0);
    while let Some((tag, body, header_len)) = packet_at(&bytes[at..]) {
        match tag {
            PUBLIC_KEY | SECRET_KEY | PUBLIC_SUBKEY | SECRET_SUBKEY => {
                let is_subkey = matches!(tag, PUBLIC_SUBKEY | SECRET_SUBKEY);
                let secret = matches!(tag, SECRET_KEY | SECRET_SUBKEY);
                match key(body, secret) {
                    Some((id, created)) if !(is_subkey && keys.is_empty()) => {
                        if !is_subkey {
                            primary = keys.len();
                        }
                        keys.push(Key {
                            packet: body,
                            offset: at,
                            id,
                            created,
                            user_id: None,
                            bound: None,
                            direct: None,
                            is_subkey,
                            is_secret: secret,
                        });
                    }
                    _ => break,
                }
            }
            _ if keys.is_empty() => break,
            SIGNATURE => {
                let issuer = keys[primary].id;
                if let (Some(made), Some(last)) = (signature(body, issuer), keys.last_mut()) {
                    let fits = last.is_subkey == (made.kind == BINDING);
                    let slot = if made.kind == DIRECT { &mut last.direct } else { &mut last.bound };
                    if fits && slot.is_none_or(|(newest, _)| made.created >= newest) {
                        *slot = Some((made.created, made.lifetime));
                    }
                }
            }
            USER_ID => {
                let text = String::from_utf8_lossy(body);
                let shown = text.chars().filter(|c| !c.is_control()).take(MAX_USER_ID_CHARS).collect();
                keys[primary].user_id.get_or_insert(shown);
            }
            _ => {}
        }
        at += header_len + body.len();
    }
    let mut owner = String::new();
    let mut found = Vec::new();
    for key in keys {
        let id: String = key.id.iter().map(|byte| format!("{byte:02X}")).collect();
        if !key.is_subkey {
            owner = key.user_id.clone().unwrap_or_else(|| id.clone());
        }
        let direct = key.direct.and_then(|(_, lifetime)| lifetime);
        let Some((_, lifetime)) = key.bound.or(key.direct) else { continue };
        let lifetime = direct.or(lifetime);
        let written =
            lifetime.filter(|secs| *secs > 0).map(|secs| i64::from(key.created) + i64::from(secs) - 1);
        let not_after = written.map_or(UnixTime::NO_EXPIRY, UnixTime::clamped);
        let credential = Credential {
            subject: if key.is_subkey { format!("subkey of {owner}") } else { owner.clone() },
            serial: id,
            not_before: UnixTime::clamped(i64::from(key.created)),
            not_after,
            ..Credential::found(CredentialKind::OpenPgpKey, fingerprint(key.packet))
        };
        let (offset, len, is_secret) = (key.offset, key.packet.len(), key.is_secret);
        found.push(OpenPgpKey { credential, offset, len, is_secret });
    }
    found
}

/// The keys in the body of an armoured block (RFC 9580 §6.2), between its first and its last line. Offsets are those
/// of the binary packets.
#[must_use]
pub fn openpgp_armoured(block: &[u8]) -> Vec<OpenPgpKey> {
    let text = String::from_utf8_lossy(block);
    let lines = text.lines().map(str::trim).skip(1).skip_while(|line| line.contains(": "));
    let digits: Vec<&str> =
        lines.take_while(|line| !line.starts_with('=') && !line.starts_with('-')).collect();
    decode_base64(digits.concat().as_bytes()).map_or_else(Vec::new, |packets| openpgp_keys(&packets))
}

/// Tag, body and length of the header of the first packet. Partial lengths, which keys do not use, are not read.
fn packet_at(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let first = *bytes.first()?;
    let octet = |index: usize| bytes.get(index).map(|byte| usize::from(*byte));
    let (tag, header_len, len): (u8, usize, usize) = match first {
        0xc0.. => match octet(1)? {
            len @ 0..=191 => (first & 0x3f, 2, len),
            high @ 192..=223 => (first & 0x3f, 3, ((high - 192) << 8) + octet(2)? + 192),
            255 => (first & 0x3f, 6, be32(bytes.get(2..6)?)?),
            _ => return None,
        },
        0x80..=0xbf => {
            let tag = (first >> 2) & 0x0f;
            match first & 3 {
                0 => (tag, 2, octet(1)?),
                1 => (tag, 3, (octet(1)? << 8) + octet(2)?),
                2 => (tag, 5, be32(bytes.get(1..5)?)?),
                _ => return None,
            }
        }
        _ => return None,
    };
    let body = bytes.get(header_len..header_len.checked_add(len)?)?;
    Some((tag, body, header_len))
}

fn be32(bytes: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()
}

/// Key id and creation of a version 4 key packet. The id of a secret one is not computed: where its public part ends
/// depends on the algorithm.
fn key(body: &[u8], secret: bool) -> Option<([u8; 8], u32)> {
    let (4, created, algorithm) = (*body.first()?, be32(body.get(1..5)?)?, *body.get(5)?) else {
        return None;
    };
    let known = matches!(algorithm, 1..=3 | 16..=19 | 22 | 25..=28);
    if !known || body.len() < 10 {
        return None;
    }
    let public = if secret { public_part(body)? } else { body };
    let len = u16::try_from(public.len()).ok()?;
    let hashed = [&[0x99][..], &len.to_be_bytes(), public].concat();
    let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, &hashed);
    Some((sha1.as_ref().get(12..20)?.try_into().ok()?, u32::try_from(created).ok()?))
}

/// The public beginning of a secret key packet of an algorithm whose public part is a row of integers or a curve.
fn public_part(body: &[u8]) -> Option<&[u8]> {
    let mpi = |at: usize| -> Option<usize> {
        let bits = u16::from_be_bytes(body.get(at..at + 2)?.try_into().ok()?);
        Some(at + 2 + usize::from(bits).div_ceil(8))
    };
    let curve = |at: usize| Some(at + 1 + usize::from(*body.get(at)?));
    let end = match body.get(5)? {
        1..=3 => mpi(mpi(6)?)?,
        17 => mpi(mpi(mpi(mpi(6)?)?)?)?,
        16 => mpi(mpi(mpi(6)?)?)?,
        19 | 22 => mpi(curve(6)?)?,
        18 => curve(mpi(curve(6)?)?)?,
        25 | 27 => 6 + 32,
        26 => 6 + 56,
        28 => 6 + 57,
        _ => return None,
    };
    body.get(..end)
}

/// What a signature of the key `issuer` says about the key before it.
struct Signature {
    kind: u8,
    created: u32,
    lifetime: Option<u32>,
}

fn signature(body: &[u8], issuer: [u8; 8]) -> Option<Signature> {
    let (4, kind) = (*body.first()?, *body.get(1)?) else { return None };
    if !matches!(kind, 0x10..=0x13 | BINDING | DIRECT) {
        return None;
    }
    let area = |at: usize| -> Option<(&[u8], usize)> {
        let len = usize::from(u16::from_be_bytes(body.get(at..at + 2)?.try_into().ok()?));
        Some((body.get(at + 2..at + 2 + len)?, at + 2 + len))
    };
    let (hashed, next) = area(4)?;
    let (unhashed, _) = area(next)?;
    let (mut created, mut lifetime, mut own) = (None, None, false);
    for (area, is_hashed) in [(hashed, true), (unhashed, false)] {
        let mut rest = area;
        while let Some((id, value, after)) = subpacket(rest) {
            match id & 0x7f {
                2 if is_hashed => created = u32::try_from(be32(value)?).ok(),
                9 if is_hashed => lifetime = u32::try_from(be32(value)?).ok(),
                16 => own |= value == issuer,
                33 => own |= value.ends_with(&issuer),
                _ => {}
            }
            rest = after;
        }
    }
    own.then_some(Signature { kind, created: created?, lifetime })
}

/// Type, value and what follows.
fn subpacket(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let first = usize::from(*bytes.first()?);
    let (header_len, len): (usize, usize) = match first {
        0..=191 => (1, first),
        192..=254 => (2, ((first - 192) << 8) + usize::from(*bytes.get(1)?) + 192),
        _ => (5, be32(bytes.get(1..5)?)?),
    };
    let contents = bytes.get(header_len..header_len.checked_add(len)?)?;
    let (id, value) = contents.split_first()?;
    Some((*id, value, &bytes[header_len + len..]))
}
