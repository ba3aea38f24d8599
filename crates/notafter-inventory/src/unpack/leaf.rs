//! What is not packed: carved window by window, and read as a whole where it may end as a whole.

use super::executable::{ELF_MAGIC, is_pe};
use super::store;
use crate::buffer::Buffer;
use crate::carve::{Bodies, Carved, Encoding, Found, MAX_ENCODING_LEN, carve, carve_with};
use crate::collect::{Collector, Shape};
use crate::file::read_until_full;
use notafter_pki::read;
use std::io::{self, Cursor, Read};

/// Bytes that are read at a time, beside those that an encoding may need to be whole.
const CHUNK: usize = 1024 * 1024;
/// Documents and key rings that end as a whole are no longer, in bytes.
const MAX_WHOLE: u64 = 16 * 1024 * 1024;

/// `head` is what `reader` begins with. Returns how many bytes of `buffer` are the end of the file; none where it was
/// read as a whole.
pub(super) fn look(
    head: &[u8],
    reader: &mut dyn Read,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) -> io::Result<usize> {
    collector.shape = shape(head);
    if !may_be_whole(head) {
        return stream(reader, 0, collector, buffer);
    }
    let mut bytes = Vec::new();
    (&mut *reader).take(MAX_WHOLE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_WHOLE {
        if read::may_be_zone(head) && memchr::memmem::find(&bytes, b"RRSIG").is_some() {
            collector.opaque(format!("a signed zone of more than {} MiB", MAX_WHOLE / 1024 / 1024));
        }
        return stream(&mut Cursor::new(bytes).chain(reader), 0, collector, buffer);
    }
    let total = Some(bytes.len() as u64);
    let mut add = |credential, offset, len, encoding, with_key| {
        collector.add(0, total, Found::Credential(Carved { credential, offset, len, encoding, with_key }));
    };
    let len = bytes.len();
    if let Some(found) = read::document(&bytes) {
        add(found, 0, len, Encoding::Text, false);
    } else if let Some(found) = read::crl(&bytes) {
        add(found, 0, len, Encoding::Der, false);
        return Ok(0);
    }
    let keys = read::openpgp_keys(&bytes);
    let is_ring = !keys.is_empty();
    for key in keys {
        add(key.credential, key.offset, key.len, Encoding::OpenPgp, key.is_secret);
    }
    if is_ring {
        return Ok(0); // what resembles DER in the numbers of its keys is none
    }
    if let Some(key) = read::public_key_of(&bytes) {
        collector.add_key(key.fingerprint);
        return Ok(0);
    }
    carve(&bytes, 0, bytes.len(), &mut |found| collector.add(0, total, found));
    store::look(&bytes, collector);
    Ok(0)
}

/// What a file is as a whole, by what it begins with.
pub(super) fn shape(head: &[u8]) -> Shape {
    match head {
        _ if head.starts_with(ELF_MAGIC) => Shape::Elf,
        _ if read::JKS_MAGICS.iter().any(|magic| head.starts_with(magic)) => Shape::Jks,
        _ if is_pe(head) => Shape::Pe,
        _ => Shape::Other,
    }
}

/// By the first bytes: JSON, a list of leap seconds, DER, a packet of a key, a Java key store, a zone of the DNS.
fn may_be_whole(head: &[u8]) -> bool {
    matches!(head.first(), Some(b'{' | b'#' | 0x30 | 0x94 | 0x95 | 0x98 | 0x99 | 0xc5 | 0xc6))
        || read::JKS_MAGICS.iter().any(|magic| head.starts_with(magic))
        || read::may_be_zone(head)
}

/// Carves what `reader` yields, which begins `begin` bytes behind the beginning of its file. Returns how
/// many bytes of `buffer` are the end of it.
pub(crate) fn stream(
    reader: &mut dyn Read,
    begin: u64,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) -> io::Result<usize> {
    let buffer = buffer.first(CHUNK + MAX_ENCODING_LEN);
    let bodies = if collector.shape == Shape::Memory { Bodies::Count } else { Bodies::Ignored };
    let (mut base, mut filled, mut from) = (begin, 0, 0);
    loop {
        filled += read_until_full(reader, &mut buffer[filled..])?;
        let window = &buffer[..filled];
        let at_end = filled < buffer.len();
        let until = if at_end { filled } else { filled - MAX_ENCODING_LEN };
        let total = at_end.then_some(base + filled as u64);
        let next = carve_with(bodies, window, from, until, &mut |found| collector.add(base, total, found));
        if at_end || collector.is_full() {
            return Ok(filled);
        }
        buffer.copy_within(until..filled, 0);
        base += until as u64;
        filled -= until;
        from = next - until;
        if base - begin > collector.budget.get() {
            return Err(io::Error::other("grew beyond the limit while it was read"));
        }
    }
}
