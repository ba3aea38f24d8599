//! Unpacking the tar of a root tree. The archive is hostile input: nothing is written outside the tree, through no
//! link of the archive either.

use crate::Error;
use flate2::read::MultiGzDecoder;
use notafter_core::ImageRef;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use tar::{Archive, Entry, EntryType};

/// The most that an image may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

impl Limits {
    pub(crate) const USUAL: Self = Self { entries: 500_000, bytes: 16 << 30 };
}

/// Whether the owners that the archive names are given to the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owners {
    /// As only root can.
    Kept,
    /// Everything belongs to who unpacks.
    Unpacker,
}

/// Unpacks the archive `source` into the empty directory `root`; returns remarks about what is left out.
pub(crate) fn unpack(
    image: &ImageRef,
    source: &Path,
    root: &Path,
    limits: Limits,
    owners: Owners,
) -> Result<Vec<String>, Error> {
    let not_an_archive =
        |error| Error::NotAnArchive { image: image.clone(), path: source.to_owned(), source: error };
    let reader = open(source).map_err(|error| Error::Io {
        image: image.clone(),
        action: format!("open {}", source.display()),
        source: error,
    })?;
    // Gzip turns a kilobyte into a megabyte, so the stream itself ends where no archive within the limits goes on:
    // each entry takes a header, its padding and perhaps a long name beside its bytes.
    let stream_bytes =
        limits.bytes.saturating_add(limits.entries.saturating_mul(8 << 10)).saturating_add(64 << 10);
    let mut archive = Archive::new(reader.take(stream_bytes));
    let mut unpacking = Unpacking {
        image,
        root,
        owners,
        limits,
        entries: 0,
        bytes: 0,
        skipped: 0,
        directories: BTreeMap::new(),
    };
    for entry in archive.entries().map_err(not_an_archive)? {
        unpacking.take(entry.map_err(not_an_archive)?)?;
    }
    if unpacking.entries == 0 {
        return Err(not_an_archive(io::Error::new(io::ErrorKind::InvalidData, "it has no entries")));
    }
    unpacking.finish()
}

fn open(source: &Path) -> io::Result<Box<dyn Read>> {
    let mut file = File::open(source)?;
    let mut magic = [0; 2];
    let is_gzip = file.read(&mut magic)? == 2 && magic == [0x1f, 0x8b];
    file.rewind()?;
    let reader = BufReader::with_capacity(1 << 17, file);
    Ok(if is_gzip { Box::new(MultiGzDecoder::new(reader)) } else { Box::new(reader) })
}

struct Unpacking<'a> {
    image: &'a ImageRef,
    root: &'a Path,
    owners: Owners,
    limits: Limits,
    entries: u64,
    bytes: u64,
    skipped: u64,
    /// Modes of directories, set at the end: a read-only one could not be filled.
    directories: BTreeMap<PathBuf, u32>,
}

impl Unpacking<'_> {
    fn take(&mut self, mut entry: Entry<'_, impl Read>) -> Result<(), Error> {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(entry.size());
        if self.entries > self.limits.entries {
            return Err(self.too_large(format!("{} entries", self.limits.entries)));
        }
        if self.bytes > self.limits.bytes {
            return Err(self.too_large(format!("{} bytes", self.limits.bytes)));
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let inside = self.inside(&entry.path().map_err(|error| self.io(&name, error))?, &name)?;
        let path = self.root.join(&inside);
        match entry.header().entry_type() {
            EntryType::Directory => self.directory(&inside, &entry, &name),
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.make_parents(&inside, &name)?;
                self.clear(&path)
                    .and_then(|()| write_file(&mut entry, &path))
                    .map_err(|error| self.io(&name, error))?;
                self.dress(&entry, &path, &name)
            }
            EntryType::Symlink => {
                let target = self.link_name(&entry, &name)?;
                self.make_parents(&inside, &name)?;
                self.clear(&path)
                    .and_then(|()| symlink(target, &path))
                    .map_err(|error| self.io(&name, error))?;
                self.own(&entry, &path, &name)
            }
            EntryType::Link => {
                let target = self.link_name(&entry, &name)?;
                let target = self.inside(&target, &name)?;
                self.refuse_links(&target, &name)?;
                self.make_parents(&inside, &name)?;
                let source = self.root.join(target);
                self.clear(&path)
                    .and_then(|()| fs::hard_link(source, &path))
                    .map_err(|error| self.io(&name, error))
            }
            // Devices and pipes cannot be made by a plain user, and a sandbox brings its own.
            EntryType::Block | EntryType::Char | EntryType::Fifo => {
                self.skipped += 1;
                Ok(())
            }
            EntryType::XGlobalHeader => Ok(()),
            _ => Err(self.unsafe_entry(&name, "is of an unknown kind")),
        }
    }

    fn directory(&mut self, inside: &Path, entry: &Entry<'_, impl Read>, name: &str) -> Result<(), Error> {
        self.make_parents(inside, name)?;
        let path = self.root.join(inside);
        let present = fs::symlink_metadata(&path);
        if !present.as_ref().is_ok_and(fs::Metadata::is_dir) {
            self.clear(&path).and_then(|()| fs::create_dir(&path)).map_err(|error| self.io(name, error))?;
        }
        let mode = entry.header().mode().map_err(|error| self.io(name, error))?;
        self.directories.insert(path.clone(), mode & 0o1777);
        self.own(entry, &path, name)
    }

    /// A path of the archive as one below the root: `./usr/bin` and `usr/bin`, never `/usr/bin` or `../usr`.
    fn inside(&self, path: &Path, name: &str) -> Result<PathBuf, Error> {
        let mut inside = PathBuf::new();
        for part in path.components() {
            match part {
                Component::Normal(part) => inside.push(part),
                Component::CurDir => {}
                Component::RootDir | Component::Prefix(_) => {
                    return Err(self.unsafe_entry(name, "has an absolute path"));
                }
                Component::ParentDir => return Err(self.unsafe_entry(name, "has `..` in its path")),
            }
        }
        Ok(inside)
    }

    /// Makes the directories above `inside`, none of which may be a link.
    fn make_parents(&self, inside: &Path, name: &str) -> Result<(), Error> {
        let Some(parent) = inside.parent() else { return Ok(()) };
        self.refuse_links(parent, name)?;
        fs::create_dir_all(self.root.join(parent)).map_err(|error| self.io(name, error))
    }

    /// Refuses `inside` where any part of it is a link that the archive made.
    fn refuse_links(&self, inside: &Path, name: &str) -> Result<(), Error> {
        let mut path = self.root.to_owned();
        for part in inside.components() {
            path.push(part);
            match fs::symlink_metadata(&path) {
                Ok(meta) if meta.is_symlink() => {
                    return Err(self.unsafe_entry(name, "leads through a symbolic link"));
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Makes way for an entry that replaces an earlier one, as tar does. A directory stays: only an empty one could
    /// be replaced.
    fn clear(&self, path: &Path) -> io::Result<()> {
        match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_dir() => fs::remove_dir(path),
            Ok(_) => fs::remove_file(path),
            Err(_) => Ok(()),
        }
    }

    fn link_name(&self, entry: &Entry<'_, impl Read>, name: &str) -> Result<PathBuf, Error> {
        let target = entry.link_name().map_err(|error| self.io(name, error))?;
        target.map(|target| target.into_owned()).ok_or_else(|| self.unsafe_entry(name, "links to nothing"))
    }

    /// Owner, mode, time. No setuid or setgid bit: in a sandbox they do nothing, in the cache they would do harm.
    fn dress(&self, entry: &Entry<'_, impl Read>, path: &Path, name: &str) -> Result<(), Error> {
        self.own(entry, path, name)?;
        let mode = entry.header().mode().map_err(|error| self.io(name, error))?;
        let time =
            std::time::UNIX_EPOCH + std::time::Duration::from_secs(entry.header().mtime().unwrap_or(0));
        fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o1777 | 0o400))
            .and_then(|()| File::open(path))
            .and_then(|file| file.set_modified(time))
            .map_err(|error| self.io(name, error))
    }

    fn own(&self, entry: &Entry<'_, impl Read>, path: &Path, name: &str) -> Result<(), Error> {
        if self.owners == Owners::Unpacker {
            return Ok(());
        }
        let id = |id: io::Result<u64>| id.ok().and_then(|id| u32::try_from(id).ok());
        let (uid, gid) = (id(entry.header().uid()), id(entry.header().gid()));
        std::os::unix::fs::lchown(path, uid, gid).map_err(|error| self.io(name, error))
    }

    fn finish(self) -> Result<Vec<String>, Error> {
        // Who unpacks must be able to read and remove it all.
        for (path, mode) in self.directories.iter().rev() {
            // A later entry may have replaced it.
            if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir()) {
                fs::set_permissions(path, fs::Permissions::from_mode(mode | 0o700))
                    .map_err(|error| self.io(&path.to_string_lossy(), error))?;
            }
        }
        Ok(match self.skipped {
            0 => Vec::new(),
            count => vec![format!("{}: device files and pipes are left out ({count})", self.image)],
        })
    }

    fn too_large(&self, limit: String) -> Error {
        Error::TooLarge { image: self.image.clone(), limit }
    }

    fn unsafe_entry(&self, entry: &str, reason: &'static str) -> Error {
        Error::UnsafeEntry { image: self.image.clone(), entry: entry.to_owned(), reason }
    }

    fn io(&self, entry: &str, source: io::Error) -> Error {
        Error::Io { image: self.image.clone(), action: format!("unpack `{entry}`"), source }
    }
}

fn write_file(entry: &mut impl Read, path: &Path) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    io::copy(entry, &mut file).map(|_| ())
}
