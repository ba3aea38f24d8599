//! zip archives (APPNOTE 6.3): JAR, wheel, APK. Read by their directory, as their users do.

use super::look::{Input, Metered, ReadSeek, enter};
use crate::collect::Collector;
use std::io::{self, Read, SeekFrom};
use std::rc::Rc;

const END: &[u8] = b"PK\x05\x06";
const END_LEN: u64 = 22;
const MAX_COMMENT: u64 = 65_535;
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_LEN: usize = 46;
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_LEN: usize = 30;
const MAX_DIRECTORY: u64 = 64 * 1024 * 1024;

pub(super) fn look(
    file: &mut dyn ReadSeek,
    collector: &mut Collector<'_>,
    buffer: &mut Vec<u8>,
) -> io::Result<()> {
    let directory = directory(file)?;
    let mut rest = directory.as_slice();
    while let Some(entry) = rest.get(..ENTRY_LEN).filter(|entry| entry.starts_with(ENTRY)) {
        let lens = [u16_at(entry, 28), u16_at(entry, 30), u16_at(entry, 32)].map(usize::from);
        let name = rest.get(ENTRY_LEN..ENTRY_LEN + lens[0]).ok_or_else(damaged)?;
        let name = String::from_utf8_lossy(name).into_owned();
        if collector.entries_left == 0 || collector.is_full() {
            collector.opaque("holds more entries than are looked into".to_owned());
            return Ok(());
        }
        let (flags, method) = (u16_at(entry, 8), u16_at(entry, 10));
        let (packed, local) = (u32_at(entry, 20), u32_at(entry, 42));
        rest = rest.get(ENTRY_LEN + lens.iter().sum::<usize>()..).ok_or_else(damaged)?;
        if name.ends_with('/') {
            continue;
        }
        let budget = Rc::clone(&collector.budget);
        let told = match (flags & 1, method) {
            (0, _) if packed == u32::MAX || local == u32::MAX => Err("is of more than 4 GiB".to_owned()),
            (0, 0 | 8) => entry_data(file, u64::from(local)).map_err(|error| error.to_string()),
            (0, other) => Err(format!("packed by method {other}, which is not read")),
            _ => Err("encrypted".to_owned()),
        };
        match told {
            Ok(()) => {
                let packed = (&mut *file).take(u64::from(packed));
                let mut data: Box<dyn Read + '_> = match method {
                    0 => Box::new(packed),
                    _ => {
                        Box::new(Metered { reader: flate2::read::DeflateDecoder::new(packed), left: budget })
                    }
                };
                enter(&name, Input::Stream(&mut data), collector, buffer);
            }
            Err(reason) => collector.opaque(format!("its entry {name} is not read: {reason}")),
        }
    }
    Ok(())
}

/// Moves to the data of the entry whose local header begins at `local`.
fn entry_data(file: &mut dyn ReadSeek, local: u64) -> io::Result<()> {
    let mut header = [0; LOCAL_LEN];
    file.seek(SeekFrom::Start(local))?;
    file.read_exact(&mut header)?;
    if !header.starts_with(LOCAL) {
        return Err(damaged());
    }
    let skipped = i64::from(u16_at(&header, 26)) + i64::from(u16_at(&header, 28));
    file.seek(SeekFrom::Current(skipped)).map(|_| ())
}

/// The central directory.
fn directory(file: &mut dyn ReadSeek) -> io::Result<Vec<u8>> {
    let len = file.seek(SeekFrom::End(0))?;
    let from = len.saturating_sub(END_LEN + MAX_COMMENT);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    (&mut *file).take(END_LEN + MAX_COMMENT).read_to_end(&mut tail)?;
    let at = memchr::memmem::rfind(&tail, END).ok_or_else(damaged)?;
    let end = tail.get(at..at + 22).ok_or_else(damaged)?;
    let (size, offset) = (u64::from(u32_at(end, 12)), u64::from(u32_at(end, 16)));
    if offset == u64::from(u32::MAX) || u16_at(end, 10) == u16::MAX {
        return Err(io::Error::other("a zip64 archive, which is not read"));
    }
    if size > MAX_DIRECTORY || offset + size > len {
        return Err(damaged());
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut directory = Vec::new();
    (&mut *file).take(size).read_to_end(&mut directory)?;
    Ok(directory)
}

fn damaged() -> io::Error {
    io::Error::other("the zip archive is damaged")
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |pair| u16::from_le_bytes([pair[0], pair[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}
