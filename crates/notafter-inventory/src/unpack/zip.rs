//! zip archives (APPNOTE 6.3): JAR, wheel, APK. Read by their directory, as their users do; what no entry covers is
//! carved like any other bytes.

use super::directory::{Directory, Entry, LOCAL, LOCAL_LEN, damaged, u16_at};
use super::gaps::{self, Covered};
use super::look::{Input, MAX_LZMA_KIB, Metered, ReadSeek, enter};
use crate::buffer::Buffer;
use crate::collect::Collector;
use crate::file::reason_of;
use std::io::{self, Read, SeekFrom};
use std::rc::Rc;

/// Methods of compression (APPNOTE §4.4.5).
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const BZIP2: u16 = 12;
const LZMA: u16 = 14;
const ZSTD: u16 = 93;
/// A whole file of xz, which says so itself.
const XZ: u16 = 95;

/// `head` is what the file begins with: the archive itself, or a program to which it is attached.
pub(super) fn look(
    directory: &Directory,
    head: &[u8],
    file: &mut dyn ReadSeek,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) -> io::Result<()> {
    let mut covered = Covered::default();
    for entry in directory.entries() {
        if collector.entries_left == 0 || collector.is_full() {
            collector.opaque("holds more entries than are looked into".to_owned());
            return Ok(());
        }
        match entry {
            Ok(entry) => look_at(&entry, file, &mut covered, collector, buffer),
            Err(error) => {
                collector.opaque(reason_of(&error));
                break;
            }
        }
    }
    gaps::look(&mut covered, head, file, collector, buffer)
}

fn look_at(
    entry: &Entry,
    file: &mut dyn ReadSeek,
    covered: &mut Covered,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) {
    let budget = Rc::clone(&collector.budget);
    let told = match (entry.flags & 1, entry.method) {
        (0, STORED | DEFLATED | BZIP2 | LZMA | ZSTD | XZ) => {
            entry_data(file, entry.local).map_err(|error| error.to_string())
        }
        (0, other) => Err(format!("packed by method {other}, which is not read")),
        _ => Err("encrypted".to_owned()),
    };
    let data = match told {
        Ok(data) => data,
        Err(reason) => {
            collector.opaque(format!("its entry {} is not read: {reason}", entry.name));
            return;
        }
    };
    covered.add(entry.local, data.name_end);
    covered.add(data.begin, data.begin.saturating_add(entry.packed));
    if entry.name.ends_with('/') && entry.packed == 0 {
        return; // a directory
    }
    let packed = (&mut *file).take(entry.packed);
    match unpacked(entry, packed) {
        Ok(reader) if matches!(entry.method, STORED | XZ) => {
            enter(&entry.name, Input::Stream(&mut { reader }), collector, buffer);
        }
        Ok(reader) => {
            let mut inner = Metered { reader, left: budget };
            enter(&entry.name, Input::Stream(&mut inner), collector, buffer);
        }
        Err(error) => {
            collector.opaque(format!("its entry {} is not read: {}", entry.name, reason_of(&error)));
        }
    }
}

/// Decodes the data of an entry of a method that is read.
fn unpacked<'a>(entry: &Entry, mut packed: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match entry.method {
        STORED | XZ => Box::new(packed),
        BZIP2 => Box::new(bzip2::read::BzDecoder::new(packed)),
        LZMA => {
            // APPNOTE §5.8.8: a version, the length of the properties, then those.
            let mut head = [0; 9];
            packed.read_exact(&mut head)?;
            let [_, _, 5, 0, properties, dictionary @ ..] = head else { return Err(damaged()) };
            let dictionary = u32::from_le_bytes(dictionary);
            if lzma_rust2::lzma_get_memory_usage_by_props(dictionary, properties)? > MAX_LZMA_KIB {
                return Err(io::Error::other("its dictionary is too large"));
            }
            let has_mark = entry.flags & 2 != 0;
            let len = if has_mark { u64::MAX } else { entry.unpacked };
            Box::new(lzma_rust2::LzmaReader::new_with_props(packed, len, properties, dictionary, None)?)
        }
        ZSTD => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(packed);
            Box::new(decoder.map_err(|error| io::Error::other(error.to_string()))?)
        }
        _ => Box::new(flate2::read::DeflateDecoder::new(packed)),
    })
}

/// Where the name in the local header ends, and where the data begins.
struct LocalHeader {
    name_end: u64,
    begin: u64,
}

/// Moves to the data of the entry whose local header begins at `local`.
fn entry_data(file: &mut dyn ReadSeek, local: u64) -> io::Result<LocalHeader> {
    let mut header = [0; LOCAL_LEN];
    file.seek(SeekFrom::Start(local))?;
    file.read_exact(&mut header)?;
    if !header.starts_with(LOCAL) {
        return Err(damaged());
    }
    let name_end = local + LOCAL_LEN as u64 + u64::from(u16_at(&header, 26));
    let begin = name_end + u64::from(u16_at(&header, 28));
    file.seek(SeekFrom::Start(begin))?;
    Ok(LocalHeader { name_end, begin })
}
