//! Unpacking root trees: one archive, or the layers of an image one over the other. Archives are hostile input:
//! nothing is written outside the tree, through no link of an archive either.

use crate::Error;
use crate::inside::Inside;
use crate::packed::{CAPABILITY, XATTR};
use crate::stream::{Metered, decoded};
use notafter_core::ImageRef;
use rustix::fs::{XattrFlags, setxattr};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};
use tar::{Archive, Entry, EntryType};

/// Longest headers of one entry: long names, extended attributes.
const MAX_HEADERS_BYTES: u64 = 1 << 20;
/// What a layer calls a file that it removes (OCI image specification, layer.md).
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// The most that an image may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

impl Limits {
    pub(crate) const USUAL: Self = Self { entries: 500_000, bytes: 16 << 30 };

    /// Where a stream within the limits has ended for certain: each entry takes a header, its padding and perhaps a
    /// long name beside its bytes.
    pub(crate) fn stream_bytes(self) -> u64 {
        self.bytes.saturating_add(self.entries.saturating_mul(8 << 10)).saturating_add(64 << 10)
    }
}

/// Whether the owners that the archive names are given to the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owners {
    /// As only root can.
    Kept,
    /// Everything belongs to who unpacks.
    Unpacker,
}

/// A tree while it is unpacked.
pub(crate) struct Unpacking<'a> {
    image: &'a ImageRef,
    root: Inside<'a>,
    owners: Owners,
    limits: Limits,
    entries: u64,
    bytes: u64,
    left_out: LeftOut,
    /// Modes of directories, set at the end: a read-only one could not be filled.
    directories: BTreeMap<PathBuf, u32>,
    /// What the layer that is unpacked now has brought; none where whiteouts mean nothing.
    layer: Option<BTreeSet<PathBuf>>,
}

/// What a tree lacks.
#[derive(Default)]
struct LeftOut {
    attributes: u64,
    devices: u64,
    privileges: u64,
}

impl<'a> Unpacking<'a> {
    /// Begins to fill the empty directory `root`.
    pub(crate) fn new(image: &'a ImageRef, root: &'a Path, limits: Limits, owners: Owners) -> Self {
        Self {
            image,
            root: Inside::new(root),
            owners,
            limits,
            entries: 0,
            bytes: 0,
            left_out: LeftOut::default(),
            directories: BTreeMap::new(),
            layer: None,
        }
    }

    /// Unpacks a whole tree; `name` says which archive it is.
    pub(crate) fn archive(&mut self, name: &Path, reader: impl Read) -> Result<(), Error> {
        let decoded = decoded(reader).map_err(|error| self.not_an_archive(name, error))?;
        // Gzip turns a kilobyte into a megabyte.
        self.entries_of(name, decoded.take(self.limits.stream_bytes()))?;
        if self.entries == 0 {
            let error = io::Error::new(io::ErrorKind::InvalidData, "it has no entries");
            return Err(self.not_an_archive(name, error));
        }
        Ok(())
    }

    /// Unpacks a layer over what is there; `reader` is decoded already.
    pub(crate) fn layer(&mut self, name: &Path, reader: impl Read) -> Result<(), Error> {
        self.layer = Some(BTreeSet::new());
        self.entries_of(name, reader)
    }

    fn entries_of(&mut self, name: &Path, reader: impl Read) -> Result<(), Error> {
        let left = Rc::new(Cell::new(MAX_HEADERS_BYTES));
        let mut archive = Archive::new(Metered::new(reader, Rc::clone(&left)));
        let mut entries = archive.entries().map_err(|error| self.not_an_archive(name, error))?;
        loop {
            left.set(MAX_HEADERS_BYTES);
            let Some(entry) = entries.next() else { return Ok(()) };
            let mut entry = entry.map_err(|error| self.not_an_archive(name, error))?;
            left.set(u64::MAX);
            self.take(&mut entry)?;
            // What an entry of no use holds must not count as headers of the next.
            io::copy(&mut entry, &mut io::sink()).map_err(|error| self.not_an_archive(name, error))?;
        }
    }

    fn take(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<(), Error> {
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
        if let Some(file_name) = inside.file_name().map(OsStr::as_bytes)
            && self.layer.is_some()
            && file_name.starts_with(WHITEOUT)
        {
            return self.whiteout(&inside, file_name).map_err(|error| self.io(&name, error));
        }
        let capability = self.note_attributes(entry, &name)?;
        let path = self.root.place(&inside).map_err(|error| self.io(&name, error))?;
        match entry.header().entry_type() {
            EntryType::Directory => self.directory(&path, entry, &name)?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.root
                    .clear(&path)
                    .and_then(|()| write_file(entry, &path))
                    .map_err(|error| self.io(&name, error))?;
                self.dress(entry, capability.as_deref(), &path, &name)?;
            }
            EntryType::Symlink => {
                let target = self.link_name(entry, &name)?;
                self.root
                    .clear(&path)
                    .and_then(|()| symlink(target, &path))
                    .map_err(|error| self.io(&name, error))?;
                self.own(entry, &path, &name)?;
            }
            EntryType::Link => {
                let target = self.inside(&self.link_name(entry, &name)?, &name)?;
                let source = self.root.find(&target).map_err(|error| self.io(&name, error))?;
                if source != path {
                    self.root
                        .clear(&path)
                        .and_then(|()| fs::hard_link(source, &path))
                        .map_err(|error| self.io(&name, error))?;
                }
            }
            // Devices and pipes cannot be made by a plain user, and a sandbox brings its own.
            EntryType::Block | EntryType::Char | EntryType::Fifo => {
                self.left_out.devices += 1;
                return Ok(());
            }
            EntryType::XGlobalHeader => return Ok(()),
            _ => return Err(self.unsafe_entry(&name, "is of an unknown kind")),
        }
        if let Some(layer) = &mut self.layer {
            layer.insert(path);
        }
        Ok(())
    }

    /// Removes what layers below have brought: one name, or everything in the directory.
    fn whiteout(&mut self, inside: &Path, file_name: &[u8]) -> io::Result<()> {
        let brought = self.layer.take().unwrap_or_default();
        let removed = match file_name {
            OPAQUE => self
                .root
                .find_directory(inside.parent().unwrap_or(Path::new("")))
                .and_then(|directory| self.root.remove_content(&directory, &brought)),
            // Other names with two dots are bookkeeping of AUFS.
            _ if file_name.starts_with(b".wh..wh.") => Ok(()),
            _ => {
                let hidden = OsStr::from_bytes(&file_name[WHITEOUT.len()..]);
                match hidden.as_bytes() {
                    b"" | b"." | b".." => Err(io::Error::other("a whiteout of nothing")),
                    _ => self
                        .root
                        .find(&inside.with_file_name(hidden))
                        .and_then(|path| self.root.remove(&path, &brought)),
                }
            }
        };
        // What was not there is gone already.
        let removed = removed.or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        });
        self.layer = Some(brought);
        removed
    }

    /// Counts what will be left out; returns the file's capabilities, as xattr(7) has them.
    fn note_attributes(
        &mut self,
        entry: &mut Entry<'_, impl Read>,
        name: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        let extensions = entry.pax_extensions().map_err(|error| self.io(name, error))?;
        let (mut capability, mut other) = (None, false);
        for extension in extensions.into_iter().flatten().filter_map(Result::ok) {
            match extension.key().ok().and_then(|key| key.strip_prefix(XATTR)) {
                Some(CAPABILITY) => capability = Some(extension.value_bytes().to_owned()),
                Some(_) => other = true,
                None => {}
            }
        }
        let mode = entry.header().mode().unwrap_or(0);
        let is_file = entry.header().entry_type().is_file();
        let has_privileges = capability.is_some() || (is_file && mode & 0o6000 != 0);
        self.left_out.privileges += u64::from(has_privileges && self.owners == Owners::Unpacker);
        self.left_out.attributes += u64::from(other);
        Ok(capability)
    }

    fn directory(&mut self, path: &Path, entry: &Entry<'_, impl Read>, name: &str) -> Result<(), Error> {
        if !fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir()) {
            self.root
                .clear(path)
                .and_then(|()| fs::create_dir(path))
                .map_err(|error| self.io(name, error))?;
        }
        let mode = entry.header().mode().map_err(|error| self.io(name, error))?;
        self.directories.insert(path.to_owned(), mode & 0o3777);
        self.own(entry, path, name)
    }

    /// A path of the archive as one below the root. As every tool that reads layers does, a leading `/` is dropped.
    fn inside(&self, path: &Path, name: &str) -> Result<PathBuf, Error> {
        let mut inside = PathBuf::new();
        for part in path.components() {
            match part {
                Component::Normal(part) => inside.push(part),
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
                Component::ParentDir => return Err(self.unsafe_entry(name, "has `..` in its path")),
            }
        }
        Ok(inside)
    }

    fn link_name(&self, entry: &Entry<'_, impl Read>, name: &str) -> Result<PathBuf, Error> {
        let target = entry.link_name().map_err(|error| self.io(name, error))?;
        target.map(|target| target.into_owned()).ok_or_else(|| self.unsafe_entry(name, "links to nothing"))
    }

    /// Owner, mode, capabilities, time. Set-id bits with owners alone: of a plain user they would give away the user's own
    /// rights, and in a sandbox they would do nothing. Nobody else reaches the cache ([`crate::cache`]).
    fn dress(
        &mut self,
        entry: &Entry<'_, impl Read>,
        capability: Option<&[u8]>,
        path: &Path,
        name: &str,
    ) -> Result<(), Error> {
        self.own(entry, path, name)?;
        let kept = match self.owners {
            Owners::Kept => 0o7777,
            Owners::Unpacker => 0o1777,
        };
        let mode = entry.header().mode().map_err(|error| self.io(name, error))?;
        let since = Duration::from_secs(entry.header().mtime().unwrap_or(0));
        fs::set_permissions(path, fs::Permissions::from_mode(mode & kept | 0o400))
            .and_then(|()| File::open(path))
            .and_then(|file| match UNIX_EPOCH.checked_add(since) {
                Some(time) => file.set_modified(time),
                None => Err(io::Error::new(io::ErrorKind::InvalidData, "its time is no time")),
            })
            .map_err(|error| self.io(name, error))?;
        if let Some(capability) = capability
            && self.owners == Owners::Kept
            && setxattr(path, CAPABILITY, capability, XattrFlags::empty()).is_err()
        {
            // Not of every file system, and not within a user namespace; what is no capability is refused too.
            self.left_out.privileges += 1;
        }
        Ok(())
    }

    fn own(&self, entry: &Entry<'_, impl Read>, path: &Path, name: &str) -> Result<(), Error> {
        if self.owners == Owners::Unpacker {
            return Ok(());
        }
        let id = |id: io::Result<u64>| id.ok().and_then(|id| u32::try_from(id).ok());
        let (uid, gid) = (id(entry.header().uid()), id(entry.header().gid()));
        lchown(path, uid, gid).map_err(|error| self.io(name, error))
    }

    /// Makes the directory `inside` where the tree lacks it, as an engine does for a working directory.
    pub(crate) fn need_directory(&mut self, inside: &str) -> Result<(), Error> {
        let path = self.inside(Path::new(inside), inside)?;
        self.root.directory(&path).map(|_| ()).map_err(|error| self.io(inside, error))
    }

    /// Ends the work; returns remarks about what is left out.
    pub(crate) fn finish(self) -> Result<Vec<String>, Error> {
        // Who unpacks must be able to read and remove it all.
        for (path, mode) in self.directories.iter().rev() {
            // A later entry may have replaced it.
            if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir()) {
                fs::set_permissions(path, fs::Permissions::from_mode(mode | 0o700))
                    .map_err(|error| self.io(&path.to_string_lossy(), error))?;
            }
        }
        let LeftOut { attributes, devices, privileges } = self.left_out;
        let mut remarks = Vec::new();
        for (count, what) in [
            (devices, "device files and pipes are left out"),
            (privileges, "set-id bits and file capabilities are left out"),
            (attributes, "extended attributes are left out"),
        ] {
            if count > 0 {
                remarks.push(format!("{}: {what} ({count})", self.image));
            }
        }
        Ok(remarks)
    }

    fn not_an_archive(&self, path: &Path, source: io::Error) -> Error {
        Error::NotAnArchive { image: self.image.clone(), path: path.to_owned(), source }
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
