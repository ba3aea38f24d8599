//! cpio archives (cpio(5)): the portable form of System V with or without checksums, in which initial RAM disks and the
//! payload of RPM packages come, and that of POSIX.1.

use super::look::{Input, enter, look_behind};
use crate::buffer::Buffer;
use crate::collect::Collector;
use std::io::{self, Read};

/// Beginnings of the two forms that count in hexadecimal digits, and of the one in octal digits.
pub(super) const MAGICS: [&[u8]; 3] = [b"070701", b"070702", b"070707"];

/// Names are no longer, in bytes: as long as a path may be.
const MAX_NAME_LEN: u64 = 4096;
const LAST: &str = "TRAILER!!!";

/// What precedes the data of an entry.
struct Header {
    name: String,
    len: u64,
    /// Data, and what precedes it, are filled up to a multiple of this.
    alignment: u64,
}

pub(super) fn look(
    reader: &mut dyn Read,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) -> io::Result<()> {
    loop {
        if collector.entries_left == 0 || collector.is_full() {
            collector.opaque("holds more entries than are looked into".to_owned());
            return Ok(());
        }
        let header = header(reader)?;
        if header.name == LAST {
            return look_behind(reader, collector, buffer);
        }
        let mut entry = (&mut *reader).take(header.len);
        if header.len > 0 {
            enter(&header.name, Input::Stream(&mut entry), collector, buffer);
            io::copy(&mut entry, &mut io::sink())?;
        }
        if entry.limit() > 0 {
            return Err(damaged());
        }
        skip(reader, header.len, header.alignment)?;
    }
}

fn header(reader: &mut dyn Read) -> io::Result<Header> {
    let mut magic = [0; 6];
    reader.read_exact(&mut magic)?;
    let (name_len, len, alignment, header_len) = if magic == *MAGICS[2] {
        let mut fields = [0; 70];
        reader.read_exact(&mut fields)?;
        (number(&fields[53..59], 8)?, number(&fields[59..70], 8)?, 1, 76)
    } else if MAGICS.contains(&magic.as_slice()) {
        let mut fields = [0; 104];
        reader.read_exact(&mut fields)?;
        (number(&fields[88..96], 16)?, number(&fields[48..56], 16)?, 4, 110)
    } else {
        return Err(damaged());
    };
    if name_len == 0 || name_len > MAX_NAME_LEN {
        return Err(damaged());
    }
    let mut name = Vec::new();
    (&mut *reader).take(name_len).read_to_end(&mut name)?;
    skip(reader, header_len + name_len, alignment)?;
    let name = String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned();
    Ok(Header { name, len, alignment })
}

/// Digits of a field; spaces before them, as some writers leave them, are none.
fn number(digits: &[u8], radix: u32) -> io::Result<u64> {
    let text = std::str::from_utf8(digits).ok().map(str::trim);
    text.and_then(|text| u64::from_str_radix(text, radix).ok()).ok_or_else(damaged)
}

/// Skips what fills `len` bytes up to `alignment`.
fn skip(reader: &mut dyn Read, len: u64, alignment: u64) -> io::Result<()> {
    let filling = len.next_multiple_of(alignment) - len;
    io::copy(&mut (&mut *reader).take(filling), &mut io::sink()).map(|_| ())
}

fn damaged() -> io::Error {
    io::Error::other("the cpio archive is damaged")
}
