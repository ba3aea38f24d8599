//! One file to the credentials in it.

use crate::carve::{Carved, Encoding, MAX_ENCODING_LEN, carve};
use notafter_core::{Container, Credential, Fingerprint, Origin, Place, ServiceName};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

/// A file of the host and how a service sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceFile {
    /// On the host; a symbolic link is followed.
    pub source: PathBuf,
    /// Absolute path as the service sees it; reports show this one.
    pub path: String,
}

/// Bytes that are read at a time, beside those that an encoding may need to be whole.
const CHUNK: usize = 1024 * 1024;

/// A file with more certificates than this is told to be opaque from there on. The largest trust bundles hold 300.
const MAX_CERTIFICATES: usize = 20_000;

const ELF_MAGIC: &[u8] = b"\x7fELF";

/// What one file holds.
#[derive(Debug, Default)]
pub(crate) struct FileFindings {
    pub(crate) credentials: BTreeMap<Fingerprint, Credential>,
    /// Why it was not looked into, or not to its end.
    pub(crate) opaque: Option<String>,
}

/// Collects what is carved from one file.
struct Collector<'a> {
    service: &'a ServiceName,
    path: &'a str,
    /// Length of the whole file, where it is known before the end is reached.
    file_len: u64,
    is_elf: bool,
    count: usize,
    credentials: BTreeMap<Fingerprint, Credential>,
}

impl<'a> Collector<'a> {
    fn new(service: &'a ServiceName, path: &'a str, file_len: u64) -> Self {
        Self { service, path, file_len, is_elf: false, count: 0, credentials: BTreeMap::new() }
    }

    /// `base`: where in the file the window begins.
    fn add(&mut self, base: u64, carved: Carved) {
        self.count += 1;
        if self.count > MAX_CERTIFICATES {
            return;
        }
        let (offset, len) = (base + carved.offset as u64, carved.len as u64);
        let container = match carved.encoding {
            Encoding::Pem => Container::Pem,
            Encoding::Der if offset == 0 && len == self.file_len => Container::Der,
            Encoding::Der if self.is_elf => Container::DerInElf,
            Encoding::Der => Container::DerInFile,
        };
        let place =
            Place { service: self.service.clone(), path: self.path.to_owned(), offset, len, container };
        self.credentials
            .entry(carved.certificate.fingerprint)
            .or_insert_with(|| carved.certificate.into_credential(Origin::Embedded, vec![]))
            .places
            .push(place);
    }

    fn is_full(&self) -> bool {
        self.count > MAX_CERTIFICATES
    }

    fn finish(self, opaque: Option<String>) -> FileFindings {
        let too_many = self.is_full().then(|| format!("holds more than {MAX_CERTIFICATES} certificates"));
        FileFindings { credentials: self.credentials, opaque: opaque.or(too_many) }
    }
}

/// Scans bytes that lie in memory.
pub(crate) fn findings_of_bytes(bytes: &[u8], path: &str, service: &ServiceName) -> FileFindings {
    let mut collector = Collector::new(service, path, bytes.len() as u64);
    collector.is_elf = bytes.starts_with(ELF_MAGIC);
    carve(bytes, 0, bytes.len(), &mut |carved| collector.add(0, carved));
    collector.finish(None)
}

/// Scans a file through `buffer`, which is made as long as needed and may be used again. What is no regular file
/// holds nothing.
pub(crate) fn findings_of_file(
    file: &SourceFile,
    service: &ServiceName,
    max_file_bytes: u64,
    buffer: &mut Vec<u8>,
) -> FileFindings {
    let opaque = |reason| FileFindings { opaque: Some(reason), ..FileFindings::default() };
    let (mut opened, file_len) = match open(file) {
        Ok(Some(opened)) => opened,
        Ok(None) => return FileFindings::default(),
        Err(error) => return opaque(reason_of(&error)),
    };
    if file_len > max_file_bytes {
        return opaque(format!("has {file_len} bytes, more than the limit of {max_file_bytes}"));
    }
    let mut collector = Collector::new(service, &file.path, file_len);
    let ended = stream(&mut opened, max_file_bytes, buffer, &mut collector);
    let opaque = match ended {
        Ok(true) => None,
        Ok(false) => Some(format!("grew beyond the limit of {max_file_bytes} bytes")),
        Err(error) => Some(reason_of(&error)),
    };
    collector.finish(opaque)
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

/// Reads to the end; false where `max_bytes` come first.
fn stream(
    reader: &mut impl Read,
    max_bytes: u64,
    buffer: &mut Vec<u8>,
    collector: &mut Collector<'_>,
) -> io::Result<bool> {
    buffer.resize(CHUNK + MAX_ENCODING_LEN, 0);
    let (mut base, mut filled, mut from) = (0_u64, 0, 0);
    loop {
        let read = read_until_full(reader, &mut buffer[filled..])?;
        filled += read;
        let window = &buffer[..filled];
        if base == 0 {
            collector.is_elf = window.starts_with(ELF_MAGIC);
        }
        let at_end = filled < buffer.len();
        let until = if at_end { filled } else { filled - MAX_ENCODING_LEN };
        let next = carve(window, from, until, &mut |carved| collector.add(base, carved));
        if at_end || collector.is_full() {
            return Ok(true);
        }
        buffer.copy_within(until..filled, 0);
        base += until as u64;
        filled -= until;
        from = next - until;
        if base > max_bytes {
            return Ok(false);
        }
    }
}

fn read_until_full(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
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

/// `permission denied`: what the system says, without its number.
pub(crate) fn reason_of(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}
