//! The root tree of a service while it is built: which parts lie under overlays, what is laid in, where things are.
//!
//! Files are laid in *below* the overlays, as their topmost lower tree, before those are mounted: that tree is in
//! memory, so that keys never reach a disk, and directories in it belong to the service, where a plain user could not
//! change what belongs to the machine's root.

use super::devices::set_mode;
use super::mount_table;
use crate::wire::{Attempt, Failure};
use notafter_sys::mounts::{self, Access};
use std::collections::VecDeque;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::{Component, Path, PathBuf};

/// As many symbolic links as the kernel follows in one path.
const MOST_LINKS: u32 = 40;

/// The tree.
#[derive(Debug)]
pub(super) struct RootTree {
    /// Where it is built; becomes `/`.
    root: PathBuf,
    /// The topmost lower tree of every overlay, by the same paths as in `root`. In memory.
    laid: PathBuf,
    /// Where overlays keep what is changed.
    changes: PathBuf,
    /// What lies under an overlay: path inside, absolute, and the tree of the host.
    covered: Vec<(PathBuf, PathBuf)>,
}

impl RootTree {
    /// An empty tree below `stage`, a directory in memory; overlays keep what is changed below `changes`.
    pub(super) fn new(stage: &Path, changes: &Path) -> Result<Self, Failure> {
        let tree = Self {
            root: stage.join("root"),
            laid: stage.join("laid"),
            changes: changes.to_owned(),
            covered: Vec::new(),
        };
        for directory in [&tree.root, &tree.laid] {
            fs::create_dir(directory).doing(|| "make the root directory".to_owned())?;
            set_mode(directory, 0o755).doing(|| "make the root directory".to_owned())?;
        }
        Ok(tree)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Plans an overlay over `lower` at `inside`; a skeleton directory is made for it.
    pub(super) fn cover(&mut self, inside: &Path, lower: &Path) -> Result<(), Failure> {
        if inside != Path::new("/") {
            self.skeleton_directory(inside, lower)?;
        }
        self.covered.push((inside.to_owned(), lower.to_owned()));
        Ok(())
    }

    /// A plain directory of the skeleton that looks like `model`.
    pub(super) fn skeleton_directory(&self, inside: &Path, model: &Path) -> Result<(), Failure> {
        let path = within(&self.root, inside);
        let make = || -> io::Result<()> {
            fs::create_dir(&path)?;
            resemble(&path, &fs::metadata(model)?)
        };
        make().doing(|| format!("make the directory {}", inside.display()))
    }

    /// A symbolic link of the skeleton.
    pub(super) fn skeleton_link(&self, inside: &Path, points_to: &Path) -> Result<(), Failure> {
        symlink(points_to, within(&self.root, inside)).doing(|| format!("make the link {}", inside.display()))
    }

    /// A small file of the skeleton, copied.
    pub(super) fn skeleton_copy(&self, inside: &Path, source: &Path) -> io::Result<()> {
        let path = within(&self.root, inside);
        fs::copy(source, &path)?;
        resemble(&path, &fs::metadata(source)?)
    }

    fn overlay_of(&self, inside: &Path) -> Option<&(PathBuf, PathBuf)> {
        self.covered.iter().find(|(covered, _)| inside.starts_with(covered))
    }

    /// Where to write what shall appear at the canonical path `inside`.
    fn place_of(&self, inside: &Path) -> PathBuf {
        let base = if self.overlay_of(inside).is_some() { &self.laid } else { &self.root };
        within(base, inside)
    }

    /// Where what appears at the canonical path `inside` lies now.
    fn source_of(&self, inside: &Path) -> Option<(PathBuf, Metadata)> {
        let mut places = vec![self.place_of(inside)];
        if let Some((covered, lower)) = self.overlay_of(inside) {
            places.extend(inside.strip_prefix(covered).ok().map(|rest| lower.join(rest)));
        }
        places.into_iter().find_map(|place| fs::symlink_metadata(&place).ok().map(|meta| (place, meta)))
    }

    /// Resolves every symbolic link in `inside` as a process inside would; parts that do not exist stay as they are.
    pub(super) fn canonical(&self, inside: &str) -> Result<PathBuf, Failure> {
        canonical(inside, &|path| self.source_of(path))
    }

    /// Makes the canonical directory `inside` and what is missing above it writable ground: present in memory, with
    /// the looks of what it covers.
    fn make_ground(&self, inside: &Path) -> io::Result<()> {
        for ancestor in inside.ancestors().collect::<Vec<_>>().into_iter().rev() {
            let place = self.place_of(ancestor);
            if fs::symlink_metadata(&place).is_ok() {
                continue;
            }
            let model = self.source_of(ancestor);
            fs::create_dir(&place)?;
            match model {
                Some((_, meta)) => resemble(&place, &meta)?,
                None => set_mode(&place, 0o755)?,
            }
        }
        Ok(())
    }

    /// Lays a directory in; one that exists keeps its content.
    pub(super) fn lay_directory(&self, inside: &str, mode: u32) -> Result<PathBuf, Failure> {
        let canonical = self.canonical(inside)?;
        let place = self.place_of(&canonical);
        self.make_ground(&canonical)
            .and_then(|()| set_mode(&place, mode))
            .doing(|| format!("lay in the directory {inside}"))?;
        Ok(within(&self.root, &canonical))
    }

    /// Lays a directory in where there is none.
    pub(super) fn need_directory(&self, inside: &str) -> Result<PathBuf, Failure> {
        let canonical = self.canonical(inside)?;
        if !self.source_of(&canonical).is_some_and(|(_, meta)| meta.is_dir()) {
            self.lay_directory(inside, 0o755)?;
        }
        Ok(within(&self.root, &canonical))
    }

    /// Lays a file in; it covers one that exists.
    pub(super) fn lay_file(
        &self,
        inside: &str,
        contents: &[u8],
        mode: u32,
        owner: (u32, u32),
    ) -> Result<PathBuf, Failure> {
        let canonical = self.canonical(inside)?;
        let write = || -> io::Result<()> {
            self.make_ground(canonical.parent().ok_or(io::ErrorKind::IsADirectory)?)?;
            let place = self.place_of(&canonical);
            if fs::symlink_metadata(&place).is_ok_and(|meta| !meta.is_dir()) {
                fs::remove_file(&place)?;
            }
            // Nobody but this init can read it before its mode and owner are set.
            let mut file = {
                use std::os::unix::fs::OpenOptionsExt;
                File::options().write(true).create_new(true).mode(0o600).open(&place)?
            };
            io::Write::write_all(&mut file, contents)?;
            chown(&place, Some(owner.0), Some(owner.1))?;
            set_mode(&place, mode & 0o7777)
        };
        write().doing(|| format!("lay in {inside}"))?;
        Ok(within(&self.root, &canonical))
    }

    /// Lays a symbolic link in; one that leads there already stays.
    pub(super) fn lay_link(&self, inside: &str, points_to: &str) -> Result<(), Failure> {
        let make = |parent: PathBuf, name: &std::ffi::OsStr| -> io::Result<()> {
            self.make_ground(&parent)?;
            let place = self.place_of(&parent.join(name));
            match fs::read_link(&place) {
                Ok(known) if known == Path::new(points_to) => Ok(()),
                Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
                Err(_) => symlink(points_to, &place),
            }
        };
        let path = Path::new(inside);
        let (Some(parent), Some(name)) = (path.parent().and_then(Path::to_str), path.file_name()) else {
            return Err(Failure::new(format!("lay in {inside}"), "the path names no file"));
        };
        make(self.canonical(parent)?, name).doing(|| format!("lay in the link {inside}"))
    }

    /// Whether something is at `inside`.
    pub(super) fn has(&self, inside: &str) -> bool {
        self.canonical(inside).is_ok_and(|path| self.source_of(&path).is_some())
    }

    /// The text of a file of the tree, at most `limit_bytes` of it; empty where there is none.
    pub(super) fn text_of(&self, inside: &str, limit_bytes: u64) -> String {
        let found = self.canonical(inside).ok().and_then(|path| self.source_of(&path));
        let mut bytes = Vec::new();
        if let Some((place, _)) = found.filter(|(_, meta)| meta.is_file())
            && let Ok(file) = File::open(place)
        {
            let _ = io::Read::read_to_end(&mut io::Read::take(file, limit_bytes), &mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The host's directory that shows at `inside` before anything is mounted.
    pub(super) fn host_directory(&self, inside: &str) -> Option<PathBuf> {
        let (place, meta) = self.source_of(&self.canonical(inside).ok()?)?;
        meta.is_dir().then_some(place)
    }

    /// Makes a place to mount something of the kind of `source` on; returns it as it will be once mounted.
    pub(super) fn mount_point(&self, inside: &str, source: &Path) -> Result<PathBuf, Failure> {
        let meta = fs::metadata(source).doing(|| format!("look at {}", source.display()))?;
        if meta.is_dir() {
            return self.need_directory(inside);
        }
        let canonical = self.canonical(inside)?;
        if self.source_of(&canonical).is_some_and(|(_, meta)| meta.is_file()) {
            return Ok(within(&self.root, &canonical));
        }
        self.lay_file(inside, b"", 0o755, (0, 0))
    }

    /// Mounts every planned overlay. What the kernel will not put under one appears read-only, and what is gone by now as
    /// an empty directory, each with a remark.
    pub(super) fn mount_overlays(&self, remarks: &mut Vec<String>) -> Result<(), Failure> {
        for (index, (inside, lower)) in self.covered.iter().enumerate() {
            let target = within(&self.root, inside);
            match self.mount_overlay(index, inside, lower, &target) {
                Ok(()) => {}
                Err(error) if inside == Path::new("/") => {
                    let mounts = mount_table::named_below(lower);
                    let hint = if mounts.is_empty() {
                        String::new()
                    } else {
                        format!("; unmount what is mounted in it first ({mounts})")
                    };
                    return Err(error).doing(|| format!("put {} under an overlay{hint}", lower.display()));
                }
                // A mount of the machine, as containers have them, may end at any time.
                Err(_) if !lower.exists() => {
                    remarks.push(format!("{} is empty inside: it went away meanwhile", inside.display()));
                }
                Err(error) => {
                    remarks.push(format!("{} is read-only inside: {error}", inside.display()));
                    mounts::bind(lower, &target, Access::ReadOnly)
                        .doing(|| format!("bind {}", lower.display()))?;
                }
            }
        }
        Ok(())
    }

    /// Where its mounts are for whoever has it as root, the root itself included.
    pub(super) fn mounts(&self) -> Vec<PathBuf> {
        let covered = self.covered.iter().map(|(inside, _)| inside.clone());
        let mut mounts: Vec<PathBuf> = std::iter::once(PathBuf::from("/")).chain(covered).collect();
        mounts.dedup();
        mounts
    }

    fn mount_overlay(&self, index: usize, inside: &Path, lower: &Path, target: &Path) -> io::Result<()> {
        let own = self.changes.join(index.to_string());
        let (upper, work) = (own.join("upper"), own.join("work"));
        fs::create_dir_all(&upper)?;
        fs::create_dir(&work)?;
        // The root of the merged tree looks like the root of the topmost one.
        let laid = within(&self.laid, inside);
        let looks = fs::metadata(if laid.exists() { &laid } else { lower })?;
        resemble(&upper, &looks)?;
        let mut lowers = Vec::with_capacity(2);
        if laid.exists() {
            lowers.push(File::open(&laid)?);
        }
        lowers.push(open_path(lower)?);
        mounts::overlay(&lowers, open_path(&upper)?, open_path(&work)?, target)
    }
}

/// Resolves every symbolic link in `inside` as a process inside would; parts that do not exist stay as they are.
/// `source_of` finds what appears at a path without links in it.
pub(crate) fn canonical(
    inside: &str,
    source_of: &dyn Fn(&Path) -> Option<(PathBuf, Metadata)>,
) -> Result<PathBuf, Failure> {
    let refuse = |why: &str| Failure::new(format!("lay in {inside}"), why);
    if !inside.starts_with('/') || inside.contains('\0') {
        return Err(refuse("the path is not absolute"));
    }
    let mut todo: VecDeque<PathBuf> = parts(Path::new(inside));
    let mut done = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = todo.pop_front() {
        if part == Path::new("..") {
            done.pop();
            continue;
        }
        let next = done.join(&part);
        match source_of(&next) {
            Some((place, meta)) if meta.is_symlink() => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(refuse("too many symbolic links"));
                }
                let target = fs::read_link(&place).doing(|| format!("lay in {inside}"))?;
                if target.is_absolute() {
                    done = PathBuf::from("/");
                }
                let mut expanded = parts(&target);
                expanded.append(&mut todo);
                todo = expanded;
            }
            Some((_, meta)) if !meta.is_dir() && !todo.is_empty() => {
                return Err(refuse(&format!("{} is no directory", next.display())));
            }
            _ => done = next,
        }
    }
    Ok(done)
}

/// Opens a directory as a mere place: needs no right to read it.
fn open_path(path: &Path) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags};
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?.into())
}

/// `inside`, which is absolute and has no links or `..`, below `base`.
fn within(base: &Path, inside: &Path) -> PathBuf {
    base.join(inside.strip_prefix("/").unwrap_or(inside))
}

fn parts(path: &Path) -> VecDeque<PathBuf> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(PathBuf::from(name)),
            Component::ParentDir => Some(PathBuf::from("..")),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        })
        .collect()
}

/// Gives `path` the owner and mode of `model`. Owners that this user namespace does not know stay the service's root.
fn resemble(path: &Path, model: &Metadata) -> io::Result<()> {
    match chown(path, Some(model.uid()), Some(model.gid())) {
        Ok(()) => {}
        Err(error)
            if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied) => {}
        Err(error) => return Err(error),
    }
    set_mode(path, model.mode() & 0o7777)
}
