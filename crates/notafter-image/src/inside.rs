//! Paths of a tree that is being unpacked, resolved as a process with this root would resolve them.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

/// As many symbolic links as the kernel follows in one path.
const MOST_LINKS: u32 = 40;

/// A root directory that nobody else changes meanwhile.
pub(crate) struct Inside<'a> {
    root: &'a Path,
    /// The directory that was resolved last: entries of archives come by directory.
    last: RefCell<Option<(PathBuf, PathBuf)>>,
}

/// What becomes of directories that do not exist.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Fails,
    IsMade,
}

impl<'a> Inside<'a> {
    pub(crate) fn new(root: &'a Path) -> Self {
        Self { root, last: RefCell::new(None) }
    }

    /// The host's path of the directory `inside`, with every link on the way followed and what is missing made.
    pub(crate) fn directory(&self, inside: &Path) -> io::Result<PathBuf> {
        if let Some((known, real)) = &*self.last.borrow()
            && known == inside
        {
            return Ok(real.clone());
        }
        let real = self.resolve(inside, Missing::IsMade)?;
        *self.last.borrow_mut() = Some((inside.to_owned(), real.clone()));
        Ok(real)
    }

    /// Where the entry `inside` belongs; its last part may be a link, and is not followed.
    pub(crate) fn place(&self, inside: &Path) -> io::Result<PathBuf> {
        match (inside.parent(), inside.file_name()) {
            (Some(parent), Some(name)) => Ok(self.directory(parent)?.join(name)),
            _ => Ok(self.root.to_owned()),
        }
    }

    /// The host's path of the directory `inside`, which must exist.
    pub(crate) fn find_directory(&self, inside: &Path) -> io::Result<PathBuf> {
        self.resolve(inside, Missing::Fails)
    }

    /// Where the entry `inside` belongs, in a directory that must exist.
    pub(crate) fn find(&self, inside: &Path) -> io::Result<PathBuf> {
        match (inside.parent(), inside.file_name()) {
            (Some(parent), Some(name)) => Ok(self.resolve(parent, Missing::Fails)?.join(name)),
            _ => Ok(self.root.to_owned()),
        }
    }

    fn resolve(&self, inside: &Path, missing: Missing) -> io::Result<PathBuf> {
        let mut todo: VecDeque<OsString> = parts(inside);
        let mut real = self.root.to_owned();
        let mut links = 0;
        while let Some(part) = todo.pop_front() {
            if part == ".." {
                // Above the root is the root.
                if real != self.root {
                    real.pop();
                }
                continue;
            }
            let next = real.join(&part);
            match fs::symlink_metadata(&next) {
                Ok(meta) if meta.is_symlink() => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(io::Error::other("too many symbolic links"));
                    }
                    let target = fs::read_link(&next)?;
                    if target.is_absolute() {
                        self.root.clone_into(&mut real);
                    }
                    let mut expanded = parts(&target);
                    expanded.append(&mut todo);
                    todo = expanded;
                }
                Ok(meta) if meta.is_dir() => real = next,
                Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
                Err(error) if error.kind() == io::ErrorKind::NotFound && missing == Missing::IsMade => {
                    fs::DirBuilder::new().mode(0o755).create(&next)?;
                    real = next;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(real)
    }

    /// Makes way for an entry that replaces an earlier one.
    pub(crate) fn clear(&self, path: &Path) -> io::Result<()> {
        match fs::symlink_metadata(path) {
            Ok(_) if path == self.root => Err(io::Error::other("it would replace the root")),
            Ok(meta) if meta.is_dir() => {
                self.forget();
                fs::remove_dir_all(path)
            }
            Ok(meta) => {
                if meta.is_symlink() {
                    self.forget();
                }
                fs::remove_file(path)
            }
            Err(_) => Ok(()),
        }
    }

    /// Removes what is at `path` and below it, except what `kept` holds.
    pub(crate) fn remove(&self, path: &Path, kept: &BTreeSet<PathBuf>) -> io::Result<()> {
        self.forget();
        match fs::symlink_metadata(path) {
            Err(_) => Ok(()),
            Ok(meta) if meta.is_dir() => {
                self.remove_content(path, kept)?;
                if kept.contains(path) || fs::read_dir(path)?.next().is_some() {
                    return Ok(());
                }
                fs::remove_dir(path)
            }
            Ok(_) if kept.contains(path) => Ok(()),
            Ok(_) => fs::remove_file(path),
        }
    }

    /// The same for what is in the directory `path`.
    pub(crate) fn remove_content(&self, path: &Path, kept: &BTreeSet<PathBuf>) -> io::Result<()> {
        self.forget();
        for entry in fs::read_dir(path)? {
            self.remove(&entry?.path(), kept)?;
        }
        Ok(())
    }

    /// A link or a directory is gone, and with it what was known of ways through it.
    fn forget(&self) {
        *self.last.borrow_mut() = None;
    }
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let part = |component: Component<'_>| match component {
        Component::Normal(part) => Some(part.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::CurDir | Component::Prefix(_) | Component::RootDir => None,
    };
    path.components().filter_map(part).collect()
}
