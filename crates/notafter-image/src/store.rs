//! Where the files of a stored image lie: in a directory, or in a tar that is read by offsets.

use crate::stream::{Packing, decoded};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tar::{Archive, EntryType};

/// Most files of a stored image: a few documents, and one blob for each layer of each image.
const MAX_FILES: usize = 100_000;
/// Longest name of a file of a stored image, a link's target included.
const MAX_NAME_BYTES: usize = 4096;
/// Links in a row: `docker save` linked equal layers once.
const MOST_LINKS: u32 = 8;
/// Most bytes that a compressed archive may hold.
const MAX_UNPACKED_BYTES: u64 = 32 << 30;

/// The files of a stored image.
#[derive(Debug)]
pub(crate) enum Store {
    Archive { file: Rc<File>, files: BTreeMap<String, Slot> },
    Directory(PathBuf),
}

/// Where a file of an archive is.
#[derive(Debug)]
pub(crate) enum Slot {
    Bytes { at: u64, len: u64 },
    Link(String),
}

impl Store {
    /// The archive at `path`. A compressed one is unpacked into a nameless file in `room`.
    pub(crate) fn archive(path: &Path, room: Option<&Path>) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut head = Vec::new();
        file.by_ref().take(4).read_to_end(&mut head)?;
        file.rewind()?;
        if Packing::of(&head) != Packing::Plain {
            let room = room.ok_or_else(|| {
                io::Error::other("it is compressed, and no cache directory is known to unpack it in")
            })?;
            file = unpacked(file, room)?;
        }
        let files = index(BufReader::with_capacity(1 << 16, &file))?;
        Ok(Self::Archive { file: Rc::new(file), files })
    }

    /// A reader of the file `name`; the error is of kind `NotFound` where there is none.
    pub(crate) fn open(&self, name: &str) -> io::Result<Box<dyn Read>> {
        match self {
            Self::Directory(directory) => {
                let path = directory.join(name);
                // A pipe would keep us waiting.
                match std::fs::metadata(&path)?.is_file() {
                    true => Ok(Box::new(File::open(path)?)),
                    false => Err(io::Error::other(format!("{name} is no regular file"))),
                }
            }
            Self::Archive { file, files } => {
                let mut name = plain(name);
                for _ in 0..=MOST_LINKS {
                    match files.get(&name) {
                        None => {
                            return Err(io::Error::new(
                                io::ErrorKind::NotFound,
                                format!("there is no {name}"),
                            ));
                        }
                        Some(Slot::Bytes { at, len }) => {
                            let section =
                                Section { file: Rc::clone(file), at: *at, end: at.saturating_add(*len) };
                            return Ok(Box::new(section));
                        }
                        Some(Slot::Link(target)) => name.clone_from(target),
                    }
                }
                Err(io::Error::other(format!("too many links on the way to {name}")))
            }
        }
    }

    /// The whole file `name`, of `limit` bytes at most.
    pub(crate) fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(name)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        match bytes.len() as u64 > limit {
            true => Err(io::Error::other(format!("{name} is longer than {limit} bytes"))),
            false => Ok(bytes),
        }
    }
}

/// A part of a file.
struct Section {
    file: Rc<File>,
    at: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX).min(buffer.len());
        let len = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += len as u64;
        Ok(len)
    }
}

/// What the compressed `file` holds, in a file of `room` that has no name any more.
fn unpacked(file: File, room: &Path) -> io::Result<File> {
    let mut plain = tempfile::tempfile_in(room)?;
    let copied = io::copy(&mut decoded(file)?.take(MAX_UNPACKED_BYTES + 1), &mut plain)?;
    if copied > MAX_UNPACKED_BYTES {
        return Err(io::Error::other(format!("it holds more than {MAX_UNPACKED_BYTES} bytes")));
    }
    plain.seek(SeekFrom::Start(0))?;
    Ok(plain)
}

fn index(reader: impl Read + Seek) -> io::Result<BTreeMap<String, Slot>> {
    let mut files = BTreeMap::new();
    let mut archive = Archive::new(reader);
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        let (path, kind) = (entry.path_bytes(), entry.header().entry_type());
        if path.len() > MAX_NAME_BYTES || files.len() >= MAX_FILES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no archive of an image"));
        }
        let Ok(name) = std::str::from_utf8(&path) else { continue };
        let name = plain(name);
        let slot = match kind {
            EntryType::Regular | EntryType::Continuous => {
                Slot::Bytes { at: entry.raw_file_position(), len: entry.size() }
            }
            EntryType::Symlink | EntryType::Link => {
                let Some(target) = entry.link_name_bytes() else { continue };
                let Ok(target) = std::str::from_utf8(&target) else { continue };
                let beside = match (kind, name.rsplit_once('/')) {
                    (EntryType::Symlink, Some((directory, _))) => format!("{directory}/{target}"),
                    _ => target.to_owned(),
                };
                Slot::Link(plain(&beside))
            }
            _ => continue,
        };
        files.insert(name, slot);
    }
    if files.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it has no entries"));
    }
    Ok(files)
}

/// `./a/../b` as `b`. It only ever names an entry of the archive itself.
fn plain(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
