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
    /// Where its local header begins in the file.
    pub(super) local: u64,
    /// Whether its true sizes stand elsewhere.
    pub(super) is_of_zip64: bool,
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
        let (size, offset) = (u64::from(u32_at(end, 12)), u64::from(u32_at(end, 16)));
        if offset == u64::from(u32::MAX) || u16_at(end, 10) == u16::MAX {
            return Err(io::Error::other("a zip64 archive, which is not read"));
        }
        let end_at = from + at as u64;
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
            let (packed, local) = (u32_at(entry, 20), u32_at(entry, 42));
            rest = after;
            Some(Ok(Entry {
                name: String::from_utf8_lossy(name).into_owned(),
                flags: u16_at(entry, 8),
                method: u16_at(entry, 10),
                packed: u64::from(packed),
                local: self.base + u64::from(local),
                is_of_zip64: packed == u32::MAX || local == u32::MAX,
            }))
        })
    }
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
