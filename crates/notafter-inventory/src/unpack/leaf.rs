//! What is not packed: carved window by window, and read as a whole where it may end as a whole.

use super::executable::ELF_MAGIC;
use crate::carve::{Carved, Encoding, MAX_ENCODING_LEN, carve};
use crate::collect::{Collector, Shape};
use notafter_pki::read;
use std::io::{self, Cursor, Read};

/// Bytes that are read at a time, beside those that an encoding may need to be whole.
const CHUNK: usize = 1024 * 1024;
/// Documents and key rings that end as a whole are no longer, in bytes.
const MAX_WHOLE: u64 = 16 * 1024 * 1024;

const JKS_MAGICS: [&[u8]; 2] = [b"\xfe\xed\xfe\xed\0\0\0", b"\xce\xce\xce\xce\0\0\0"];
/// `id-data`, the first content type in every PKCS #12 store.
const PKCS7_DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";

/// `head` is what `reader` begins with. Returns how many bytes of `buffer` are the end of the file; none where it was
/// read as a whole.
pub(super) fn look(
    head: &[u8],
    reader: &mut dyn Read,
    collector: &mut Collector<'_>,
    buffer: &mut Vec<u8>,
) -> io::Result<usize> {
    collector.shape = shape(head);
    if !may_be_whole(head) {
        return stream(reader, 0, collector, buffer);
    }
    let mut bytes = Vec::new();
    (&mut *reader).take(MAX_WHOLE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_WHOLE {
        return stream(&mut Cursor::new(bytes).chain(reader), 0, collector, buffer);
    }
    let total = Some(bytes.len() as u64);
    let mut add = |credential, offset, len, encoding| {
        collector.add(0, total, Carved { credential, offset, len, encoding });
    };
    let len = bytes.len();
    if let Some(found) = read::document(&bytes) {
        add(found, 0, len, Encoding::Text);
    } else if let Some(found) = read::crl(&bytes) {
        add(found, 0, len, Encoding::Der);
        return Ok(0);
    }
    let keys = read::openpgp_keys(&bytes);
    let is_ring = !keys.is_empty();
    for (key, offset, len) in keys {
        add(key, offset, len, Encoding::OpenPgp);
    }
    if is_ring {
        return Ok(0); // what resembles DER in the numbers of its keys is none
    }
    let before = collector.count();
    carve(&bytes, 0, bytes.len(), &mut |carved| collector.add(0, total, carved));
    if is_pkcs12(&bytes) && before == collector.count() {
        collector.opaque("a PKCS #12 store under a password, which is not opened".to_owned());
    }
    Ok(0)
}

/// What a file is as a whole, by what it begins with.
pub(super) fn shape(head: &[u8]) -> Shape {
    match head {
        _ if head.starts_with(ELF_MAGIC) => Shape::Elf,
        _ if JKS_MAGICS.iter().any(|magic| head.starts_with(magic)) => Shape::Jks,
        _ => Shape::Other,
    }
}

/// By the first byte: JSON, a list of leap seconds, DER, a packet of a key.
fn may_be_whole(head: &[u8]) -> bool {
    matches!(head.first(), Some(b'{' | b'#' | 0x30 | 0x94 | 0x95 | 0x98 | 0x99 | 0xc5 | 0xc6))
}

/// Version 3, then a ContentInfo (RFC 7292 §4).
fn is_pkcs12(bytes: &[u8]) -> bool {
    let whole = read::element_len(bytes) == Some(bytes.len());
    let head = &bytes[..bytes.len().min(64)];
    whole
        && memchr::memmem::find(head, b"\x02\x01\x03\x30").is_some_and(|at| at <= 6)
        && memchr::memmem::find(head, PKCS7_DATA).is_some()
}

/// Carves what `reader` yields, which begins `begin` bytes behind the beginning of its file. Returns how
/// many bytes of `buffer` are the end of it.
pub(super) fn stream(
    reader: &mut dyn Read,
    begin: u64,
    collector: &mut Collector<'_>,
    buffer: &mut Vec<u8>,
) -> io::Result<usize> {
    buffer.resize(CHUNK + MAX_ENCODING_LEN, 0);
    let (mut base, mut filled, mut from) = (begin, 0, 0);
    loop {
        filled += read_until_full(reader, &mut buffer[filled..])?;
        let window = &buffer[..filled];
        let at_end = filled < buffer.len();
        let until = if at_end { filled } else { filled - MAX_ENCODING_LEN };
        let total = at_end.then_some(base + filled as u64);
        let next = carve(window, from, until, &mut |carved| collector.add(base, total, carved));
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

fn read_until_full(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
