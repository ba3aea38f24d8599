//! The directory at the end of a zip archive (APPNOTE 6.3, §4.3.12 and §4.3.16).

use super::look::ReadSeek;
use std::io::{self, Read, SeekFrom};

const END: &[u8] = b"PK\x05\x06";
const END_LEN: u64 = 22;
const MAX_COMMENT: u64 = 65_535;
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_LEN: usize = 46;
pub(super) const LOCAL: &[u8] = b"PK\x03\x04";
pub(super) const LOCAL_LEN: usize = 30;
const MAX_DIRECTORY: u64 = 64 * 1024 * 1024;

/// What the directory says of one entry.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) flags: u16,
    pub(super) method: u16,
    /// Bytes of its data as they are packed.
    pub(super) packed: u64,
    /// And as they are not.
    pub(super) unpacked: u64,
    /// Where its local header begins in the file.
    pub(super) local: u64,
}

/// The directory of an archive.
pub(super) struct Directory {
    bytes: Vec<u8>,
    /// Bytes before the archive: offsets count from its beginning, not from that of the file.
    base: u64,
}

impl Directory {
    /// Reads the directory of the archive that `file` ends with, comment or not.
    pub(super) fn read(file: &mut dyn ReadSeek) -> io::Result<Self> {
        Self::find(file, END_LEN + MAX_COMMENT)?.ok_or_else(damaged)
    }

    /// Reads the directory of an archive without a comment that `file` ends with, if it does.
    pub(super) fn at_end(file: &mut dyn ReadSeek) -> io::Result<Option<Self>> {
        Self::find(file, END_LEN)
    }

    /// None where no end of a directory stands in the last `tail_len` bytes.
    fn find(file: &mut dyn ReadSeek, tail_len: u64) -> io::Result<Option<Self>> {
        let len = file.seek(SeekFrom::End(0))?;
        let from = len.saturating_sub(tail_len);
        file.seek(SeekFrom::Start(from))?;
        let mut tail = Vec::new();
        (&mut *file).take(tail_len).read_to_end(&mut tail)?;
        let Some(at) = memchr::memmem::rfind(&tail, END) else { return Ok(None) };
        let Some(end) = tail.get(at..at + 22) else { return Ok(None) };
        let (mut size, mut offset) = (u64::from(u32_at(end, 12)), u64::from(u32_at(end, 16)));
        let mut end_at = from + at as u64;
        let large = u64::from(u32::MAX);
        if (offset == large || size == large || u16_at(end, 10) == u16::MAX)
            && let Some(end_64) = End64::before(file, end_at)?
        {
            (size, offset, end_at) = (end_64.size, end_64.offset, end_64.at);
        }
        let begin = end_at.checked_sub(size).ok_or_else(damaged)?;
        let base = begin.checked_sub(offset).ok_or_else(damaged)?;
        if size > MAX_DIRECTORY {
            return Err(damaged());
        }
        file.seek(SeekFrom::Start(begin))?;
        let mut bytes = Vec::new();
        (&mut *file).take(size).read_to_end(&mut bytes)?;
        let begins_well = bytes.starts_with(ENTRY) || bytes.is_empty();
        begins_well.then_some(Some(Self { bytes, base })).ok_or_else(damaged)
    }

    /// The entries in their order; an error where the directory is damaged, and then nothing more.
    pub(super) fn entries(&self) -> impl Iterator<Item = io::Result<Entry>> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let entry = rest.get(..ENTRY_LEN).filter(|entry| entry.starts_with(ENTRY));
            let Some(entry) = entry else {
                let left_over = !std::mem::take(&mut rest).is_empty();
                return left_over.then(|| Err(damaged()));
            };
            let lens = [u16_at(entry, 28), u16_at(entry, 30), u16_at(entry, 32)].map(usize::from);
            let name = rest.get(ENTRY_LEN..ENTRY_LEN + lens[0]);
            let after = rest.get(ENTRY_LEN + lens.iter().sum::<usize>()..);
            let (Some(name), Some(after)) = (name, after) else {
                rest = &[];
                return Some(Err(damaged()));
            };
            let extra = rest.get(ENTRY_LEN + lens[0]..).and_then(|rest| rest.get(..lens[1]));
            let short = [u32_at(entry, 24), u32_at(entry, 20), u32_at(entry, 42)];
            let Some([unpacked, packed, local]) = long_fields(short, extra.unwrap_or_default()) else {
                rest = &[];
                return Some(Err(damaged()));
            };
            rest = after;
            Some(Ok(Entry {
                name: String::from_utf8_lossy(name).into_owned(),
                flags: u16_at(entry, 8),
                method: u16_at(entry, 10),
                packed,
                unpacked,
                local: self.base.saturating_add(local),
            }))
        })
    }
}

/// The end of a directory in zip64 (APPNOTE §4.3.14).
struct End64 {
    at: u64,
    size: u64,
    offset: u64,
}

impl End64 {
    const MAGIC: &[u8] = b"PK\x06\x06";
    const LEN: u64 = 56;
    const LOCATOR: &[u8] = b"PK\x06\x07";
    const LOCATOR_LEN: u64 = 20;

    /// The one whose locator stands right before `end_at`; none where no locator does.
    fn before(file: &mut dyn ReadSeek, end_at: u64) -> io::Result<Option<Self>> {
        let Some(locator_at) = end_at.checked_sub(Self::LOCATOR_LEN) else { return Ok(None) };
        let mut locator = [0; Self::LOCATOR_LEN as usize];
        read_at(file, locator_at, &mut locator)?;
        if !locator.starts_with(Self::LOCATOR) {
            return Ok(None);
        }
        // Bytes before the archive move it: then it stands right before its locator, as it does without an extension.
        let named = u64_at(&locator, 8);
        let beside = locator_at.checked_sub(Self::LEN).ok_or_else(damaged)?;
        for at in [named, beside] {
            let mut end = [0; Self::LEN as usize];
            if at <= beside && read_at(file, at, &mut end).is_ok() && end.starts_with(Self::MAGIC) {
                return Ok(Some(Self { at, size: u64_at(&end, 40), offset: u64_at(&end, 48) }));
            }
        }
        Err(damaged())
    }
}

fn read_at(file: &mut dyn ReadSeek, at: u64, bytes: &mut [u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes)
}

/// Sizes and offset of an entry: those that do not fit stand in its extra field, in their order (APPNOTE §4.5.3).
fn long_fields(short: [u32; 3], mut extra: &[u8]) -> Option<[u64; 3]> {
    const ZIP64: u16 = 1;
    let mut fields = short.map(u64::from);
    if !short.contains(&u32::MAX) {
        return Some(fields);
    }
    let mut long = loop {
        let len = 4 + usize::from(u16_at(extra, 2));
        let field = extra.get(..len)?;
        if u16_at(field, 0) == ZIP64 {
            break &field[4..];
        }
        extra = &extra[len..];
    };
    for field in fields.iter_mut().filter(|field| **field == u64::from(u32::MAX)) {
        *field = u64_at(long.get(..8)?, 0);
        long = &long[8..];
    }
    Some(fields)
}

pub(super) fn damaged() -> io::Error {
    io::Error::other("the zip archive is damaged")
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |pair| u16::from_le_bytes([pair[0], pair[1]]))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
