//! The files of a tree, seen from its root as a service sees them.

use crate::file::reason_of;
use crate::{Error, SourceFile};
use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// What a scan does where another file system is mounted below its root.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mounts {
    /// It goes on there.
    Cross,
    /// It does not enter; the mount point is opaque.
    #[default]
    Stay,
}

/// The root of a tree.
#[derive(Debug)]
pub(crate) struct Root {
    host: PathBuf,
    device: u64,
    mounts: Mounts,
}

/// Files to scan, and what could not be listed with the reason.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) files: BTreeSet<SourceFile>,
    pub(crate) opaque: BTreeSet<(String, String)>,
}

/// As many links in a row as Linux follows.
const MAX_LINKS: u32 = 40;

impl Root {
    pub(crate) fn open(host: &Path, mounts: Mounts) -> Result<Self, Error> {
        let failed = |source| Error::Root { root: host.to_owned(), source };
        let resolved = host.canonicalize().map_err(failed)?;
        std::fs::read_dir(&resolved).map_err(failed)?;
        let device = std::fs::metadata(&resolved).map_err(failed)?.dev();
        Ok(Self { host: resolved, device, mounts })
    }

    /// Where `inside`, an absolute path of the tree, lies on the host.
    pub(crate) fn host_path(&self, inside: &Path) -> PathBuf {
        self.host.join(inside.strip_prefix("/").unwrap_or(inside))
    }

    /// Follows every symbolic link of `inside` as a process with this root would: `..` and absolute targets end at
    /// the root. The result has no links left.
    pub(crate) fn resolve(&self, inside: &Path) -> io::Result<PathBuf> {
        let mut pending: VecDeque<OsString> = inside.components().map(own).collect();
        let mut resolved = PathBuf::from("/");
        let mut links = 0;
        while let Some(component) = pending.pop_front() {
            match Path::new(&component).components().next() {
                Some(Component::RootDir | Component::Prefix(_)) => resolved = PathBuf::from("/"),
                None | Some(Component::CurDir) => {}
                Some(Component::ParentDir) => {
                    resolved.pop();
                }
                Some(Component::Normal(name)) => {
                    let next = resolved.join(name);
                    let host = self.host_path(&next);
                    if !std::fs::symlink_metadata(&host)?.is_symlink() {
                        resolved = next;
                        continue;
                    }
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(rustix::io::Errno::LOOP.into());
                    }
                    let target = std::fs::read_link(&host)?;
                    for component in target.components().rev() {
                        pending.push_front(own(component));
                    }
                }
            }
        }
        Ok(resolved)
    }

    /// Whether the directory `inside`, without links, may be entered.
    pub(crate) fn may_enter(&self, inside: &Path) -> io::Result<bool> {
        // Of directories only: overlayfs gives files the device of the layer that holds them.
        let device = std::fs::symlink_metadata(self.host_path(inside))?.dev();
        Ok(self.mounts == Mounts::Cross || device == self.device)
    }

    /// The entries of the directory `inside`, or none where it may not be entered or read, which `listing` then says.
    pub(crate) fn entries(&self, inside: &Path, listing: &mut Listing) -> Vec<std::fs::DirEntry> {
        let refused = match self.may_enter(inside) {
            Ok(true) => match std::fs::read_dir(self.host_path(inside)).and_then(Iterator::collect) {
                Ok(entries) => return entries,
                Err(error) => reason_of(&error),
            },
            Ok(false) => "another file system is mounted there".to_owned(),
            Err(error) => reason_of(&error),
        };
        listing.opaque.insert((shown(inside), refused));
        vec![]
    }
}

impl Listing {
    /// Says that what lies at `inside` could not be looked into.
    pub(crate) fn add_opaque(&mut self, inside: &Path, error: &io::Error) {
        self.opaque.insert((shown(inside), reason_of(error)));
    }

    /// Adds the file `inside`, without links.
    pub(crate) fn add_file(&mut self, root: &Root, inside: &Path) {
        self.files.insert(SourceFile { source: root.host_path(inside), path: shown(inside) });
    }
}

/// Lists every regular file below the directory `inside`, following no links.
pub(crate) fn list_below(root: &Root, inside: &Path, listing: &mut Listing) {
    let mut pending = vec![inside.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in root.entries(&directory, listing) {
            let path = directory.join(entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => pending.push(path),
                Ok(kind) if kind.is_file() => listing.add_file(root, &path),
                Ok(_) => {}
                Err(error) => listing.add_opaque(&path, &error),
            }
        }
    }
}

/// A path for people; bytes that are no UTF-8 show as U+FFFD.
fn shown(inside: &Path) -> String {
    inside.to_string_lossy().into_owned()
}

fn own(component: Component<'_>) -> OsString {
    component.as_os_str().to_owned()
}
