//! One file to the credentials in it.

use crate::ScanOptions;
use crate::buffer::Buffer;
use crate::collect::{Collector, FileFindings};
use crate::unpack::{Input, look_into};
use notafter_core::ServiceName;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::PathBuf;

/// A file of the host and how a service sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceFile {
    /// Absolute path as the service sees it; reports show this one. Files are in its order, byte by byte.
    pub path: String,
    /// On the host; a symbolic link is followed.
    pub source: PathBuf,
}

/// Scans bytes that lie in memory.
pub(crate) fn findings_of_bytes(
    bytes: &[u8],
    path: &str,
    service: &ServiceName,
    options: &ScanOptions,
) -> FileFindings {
    let mut collector = Collector::new(service, path, options);
    let mut cursor = io::Cursor::new(bytes);
    look_into(Input::Seekable(&mut cursor), &mut collector, &mut Buffer::default());
    collector.finish()
}

/// Scans what comes through a pipe.
pub(crate) fn findings_of_stream(
    reader: &mut dyn Read,
    path: &str,
    service: &ServiceName,
    options: &ScanOptions,
) -> FileFindings {
    let mut collector = Collector::new(service, path, options);
    look_into(Input::Stream(reader), &mut collector, &mut Buffer::default());
    collector.finish()
}

/// Memory of one thread for one file after the other.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// A file as a whole, where it is short.
    whole: Buffer,
    /// What is carved of it, or of what it unpacks to.
    carved: Buffer,
}

/// Files up to this length are read in one go, in bytes: most files are short, and each call of the kernel costs.
const MAX_SHORT: u64 = 128 * 1024;

/// Scans a file. What is no regular file holds nothing.
pub(crate) fn findings_of_file(
    file: &SourceFile,
    service: &ServiceName,
    options: &ScanOptions,
    room: &mut Room,
) -> FileFindings {
    let mut collector = Collector::new(service, &file.path, options);
    match open(file) {
        Ok(Some((_, file_len))) if file_len > options.max_file_bytes => {
            collector
                .opaque(format!("has {file_len} bytes, more than the limit of {}", options.max_file_bytes));
        }
        Ok(Some((mut opened, file_len))) => match short(&mut opened, file_len, &mut room.whole) {
            Ok(Some(bytes)) => {
                look_into(Input::Seekable(&mut io::Cursor::new(bytes)), &mut collector, &mut room.carved);
            }
            Ok(None) => look_into(Input::Seekable(&mut opened), &mut collector, &mut room.carved),
            Err(error) => collector.opaque(reason_of(&error)),
        },
        Ok(None) => {}
        Err(error) => collector.opaque(reason_of(&error)),
    }
    collector.finish()
}

/// All bytes of a file of `file_len` bytes, where that is short and it has not grown meanwhile. Else nothing, and the
/// file stands at its beginning.
fn short<'a>(file: &mut File, file_len: u64, whole: &'a mut Buffer) -> io::Result<Option<&'a [u8]>> {
    if file_len > MAX_SHORT {
        return Ok(None);
    }
    let expected = usize::try_from(file_len).unwrap_or_default();
    let room = whole.first(expected + 1);
    let read = read_until_full(file, room)?;
    if read > expected {
        file.rewind()?;
        return Ok(None);
    }
    Ok(Some(&room[..read]))
}

/// Reads until `buffer` is full or `reader` ends, and tells how much that was.
pub(crate) fn read_until_full(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
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

/// Opens a regular file without waiting for anybody (a FIFO would), and tells its length.
fn open(file: &SourceFile) -> io::Result<Option<(File, u64)>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    if !std::fs::metadata(&file.source)?.is_file() {
        return Ok(None); // opening a device may already do something
    }
    let opened = rustix::fs::openat(CWD, &file.source, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&opened)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    Ok(Some((File::from(opened), u64::try_from(stat.st_size).unwrap_or(u64::MAX))))
}

/// `permission denied`: what the system says, without its number.
pub(crate) fn reason_of(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}
