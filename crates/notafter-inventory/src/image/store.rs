//! The files of an image, in a directory or in a tar.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

/// More entries are no archive of an image.
const MAX_ENTRIES: usize = 100_000;
/// Links that lead to links.
const MAX_LINKS: u32 = 8;

pub(super) enum Store {
    Archive { path: PathBuf, entries: BTreeMap<String, Entry> },
    Directory(PathBuf),
}

pub(super) enum Entry {
    /// Where the contents lie in the archive, in bytes.
    File {
        offset: u64,
        len: u64,
    },
    Link(String),
}

impl Store {
    /// Reads where everything lies in the uncompressed archive `path`.
    pub(super) fn archive(path: &Path) -> io::Result<Self> {
        let mut entries = BTreeMap::new();
        let mut archive = tar::Archive::new(File::open(path)?);
        for entry in archive.entries_with_seek()? {
            let entry = entry?;
            let Some(name) = clean(&String::from_utf8_lossy(&entry.path_bytes())) else { continue };
            let kind = entry.header().entry_type();
            let target = entry.link_name_bytes().map(|target| String::from_utf8_lossy(&target).into_owned());
            let found = match target {
                _ if kind.is_file() => Entry::File { offset: entry.raw_file_position(), len: entry.size() },
                Some(target) if kind.is_hard_link() => Entry::Link(target),
                // Older versions of `docker save` link layers that images share.
                Some(target) if kind.is_symlink() => {
                    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                    Entry::Link(format!("{folder}/{target}"))
                }
                _ => continue,
            };
            entries.insert(name, found);
            if entries.len() > MAX_ENTRIES {
                return Err(io::Error::other(format!("it holds more than {MAX_ENTRIES} files")));
            }
        }
        Ok(Self::Archive { path: path.to_owned(), entries })
    }

    /// Opens the file `name`. Nothing outside the image can be opened.
    pub(super) fn open(&self, name: &str) -> io::Result<Box<dyn Read>> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("there is no {name} in it"));
        let mut wanted = clean(name).ok_or_else(missing)?;
        match self {
            Self::Directory(root) => {
                let path = root.join(wanted);
                if !std::fs::symlink_metadata(&path).map_err(|_| missing())?.is_file() {
                    return Err(missing());
                }
                Ok(Box::new(File::open(path)?))
            }
            Self::Archive { path, entries } => {
                for _ in 0..MAX_LINKS {
                    match entries.get(&wanted).ok_or_else(missing)? {
                        Entry::File { offset, len } => {
                            let mut file = File::open(path)?;
                            file.seek(SeekFrom::Start(*offset))?;
                            return Ok(Box::new(file.take(*len)));
                        }
                        Entry::Link(target) => wanted = clean(target).ok_or_else(missing)?,
                    }
                }
                Err(missing())
            }
        }
    }

    /// The whole of a document of at most `max_len` bytes.
    pub(super) fn read(&self, name: &str, max_len: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(name)?.take(max_len + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max_len {
            return Err(io::Error::other(format!("{name} has more than {max_len} bytes")));
        }
        Ok(bytes)
    }
}

/// A relative path without dots; none where it would lead out.
fn clean(name: &str) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Some(parts.join("/"))
}
