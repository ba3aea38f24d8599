//! One file to the credentials in it.

use crate::ScanOptions;
use crate::collect::{Collector, FileFindings};
use crate::unpack::{Input, look_into};
use notafter_core::ServiceName;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// A file of the host and how a service sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceFile {
    /// On the host; a symbolic link is followed.
    pub source: PathBuf,
    /// Absolute path as the service sees it; reports show this one.
    pub path: String,
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
    look_into(Input::Seekable(&mut cursor), &mut collector, &mut Vec::new());
    collector.finish()
}

/// Scans what comes through a pipe.
pub(crate) fn findings_of_stream(
    reader: &mut dyn io::Read,
    path: &str,
    service: &ServiceName,
    options: &ScanOptions,
) -> FileFindings {
    let mut collector = Collector::new(service, path, options);
    look_into(Input::Stream(reader), &mut collector, &mut Vec::new());
    collector.finish()
}

/// Scans a file through `buffer`, which is made as long as needed and may be used again. What is no regular file
/// holds nothing.
pub(crate) fn findings_of_file(
    file: &SourceFile,
    service: &ServiceName,
    options: &ScanOptions,
    buffer: &mut Vec<u8>,
) -> FileFindings {
    let mut collector = Collector::new(service, &file.path, options);
    match open(file) {
        Ok(Some((_, file_len))) if file_len > options.max_file_bytes => {
            collector
                .opaque(format!("has {file_len} bytes, more than the limit of {}", options.max_file_bytes));
        }
        Ok(Some((mut opened, _))) => look_into(Input::Seekable(&mut opened), &mut collector, buffer),
        Ok(None) => {}
        Err(error) => collector.opaque(reason_of(&error)),
    }
    collector.finish()
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
