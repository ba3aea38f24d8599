//! Exchanging files under a running service, the way operators and orchestrators do it.
//!
//! What must never happen here: a file that stays as it was without anybody knowing; leaving the service's own tree.

use super::devices::set_mode;
use super::tree::RootTree;
use crate::FileLayout;
use crate::wire::{Attempt, Failure, FileHead};
use notafter_core::Replacement;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown, symlink};
use std::path::{Component, Path, PathBuf};

/// The link that names the directory in which a linked folder's files lie, as the kubelet calls it.
const DATA: &str = "..data";
/// How the directories are called to which it leads, up to a number.
const GENERATION: &str = "..generation-";
/// More than this nobody swaps in one launch.
const MOST_GENERATIONS: u32 = 10_000;

/// How a file of a linked folder lies: it itself, and the two links that lead to it, each with its target.
pub(super) struct Linked {
    pub(super) file: PathBuf,
    pub(super) data: (PathBuf, PathBuf),
    pub(super) name: (PathBuf, PathBuf),
}

impl Linked {
    /// For the file that is to appear at `path`.
    pub(super) fn at(path: &str) -> Result<Self, Failure> {
        let (folder, name) = parts(path)?;
        let first = PathBuf::from(format!("{GENERATION}1"));
        Ok(Self {
            file: folder.join(&first).join(name),
            data: (folder.join(DATA), first),
            name: (path.into(), Path::new(DATA).join(name)),
        })
    }
}

/// Lays a file of a linked folder in.
pub(super) fn lay_linked(
    tree: &RootTree,
    head: &FileHead,
    bytes: &[u8],
    owner: (u32, u32),
) -> Result<(), Failure> {
    let Linked { file, data, name } = Linked::at(&head.path)?;
    tree.lay_file(&file.to_string_lossy(), bytes, head.mode, owner)?;
    [data, name]
        .into_iter()
        .try_for_each(|(path, target)| tree.lay_link(&path.to_string_lossy(), &target.to_string_lossy()))
}

/// Says that the machine's own files stay what they are.
pub(super) fn refuse_exchanged(head: &FileHead) -> Result<(), Failure> {
    match head.layout {
        FileLayout::Plain => Ok(()),
        FileLayout::Exchanged | FileLayout::Linked => Err(Failure::new(
            format!("lay in {} so that it can be exchanged", head.path),
            "on the machine's own files this takes namespaces: leave out `--isolation none`, or give the service an image",
        )),
    }
}

/// Exchanges `files` in the root tree at `root`, which only a process of the service need have entered; none is this
/// process's own. Those of a linked folder must be all that are in it.
pub(super) fn replace(
    root: Option<&Path>,
    replacement: Replacement,
    files: &[(&FileHead, &[u8])],
    owner: (u32, u32),
) -> Result<(), Failure> {
    let one_by_one = |exchange: &dyn Fn(&FileHead, &[u8]) -> io::Result<()>| {
        files.iter().try_for_each(|(head, bytes)| exchange(head, bytes).doing(|| action(&head.path)))
    };
    match replacement {
        Replacement::Rename => rename(root, files, owner),
        Replacement::SymlinkSwap => swap(root, files, owner),
        Replacement::TruncateWrite => one_by_one(&|head, bytes| overwrite(root, &head.path, bytes)),
        Replacement::UnlinkCreate => one_by_one(&|head, bytes| {
            let (folder, name) = parts(&head.path)?;
            let folder = Folder::open(root, folder)?;
            let path = folder.path().join(name);
            fs::remove_file(&path)?;
            create(&path, bytes, head.mode, owner)
        }),
    }
}

fn action(path: &str) -> String {
    format!("replace {path}")
}

/// A folder of the service's tree, held so that no link that the service puts in its place leads elsewhere.
enum Folder {
    Held(OwnedFd),
    /// Links lead nowhere but into the same tree.
    Named(PathBuf),
}

impl Folder {
    fn open(root: Option<&Path>, folder: &Path) -> io::Result<Self> {
        let Some(root) = root else { return Ok(Self::Named(folder.to_owned())) };
        open_inside(root, folder, OFlags::PATH | OFlags::DIRECTORY).map(Self::Held)
    }

    /// Good for as long as this is.
    fn path(&self) -> PathBuf {
        match self {
            Self::Held(fd) => PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd())),
            Self::Named(path) => path.clone(),
        }
    }
}

/// Opens what a process whose root is `root` finds at `path`.
fn open_inside(root: &Path, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let none = Mode::empty();
    let root = rustix::fs::openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, none)?;
    Ok(openat2(
        root,
        path,
        flags | OFlags::CLOEXEC,
        none,
        ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
    )?)
}

fn rename(root: Option<&Path>, files: &[(&FileHead, &[u8])], owner: (u32, u32)) -> Result<(), Failure> {
    let mut beside = Vec::new();
    for (head, bytes) in files {
        let (folder, name) = parts(&head.path)?;
        let folder = Folder::open(root, folder).doing(|| action(&head.path))?;
        let new = folder.path().join(format!(".{name}.new"));
        create(&new, bytes, head.mode, owner).doing(|| action(&head.path))?;
        beside.push((folder, new, name, &head.path));
    }
    beside.into_iter().try_for_each(|(folder, new, name, path)| {
        fs::rename(&new, folder.path().join(name)).doing(|| action(path))
    })
}

fn swap(root: Option<&Path>, files: &[(&FileHead, &[u8])], owner: (u32, u32)) -> Result<(), Failure> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for (head, _) in files {
        let folder = parts(&head.path)?.0.to_owned();
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    for folder in folders {
        let of_folder = files.iter().filter(|(head, _)| Path::new(&head.path).parent() == Some(&folder));
        Folder::open(root, &folder)
            .and_then(|held| swap_folder(&held.path(), of_folder, owner))
            .doing(|| action(&folder.to_string_lossy()))?;
    }
    Ok(())
}

fn swap_folder<'a>(
    folder: &Path,
    files: impl Iterator<Item = &'a (&'a FileHead, &'a [u8])>,
    owner: (u32, u32),
) -> io::Result<()> {
    let data = folder.join(DATA);
    let target = fs::read_link(&data)?;
    // The service may have put another link there.
    let [Component::Normal(_)] = target.components().collect::<Vec<_>>()[..] else {
        return Err(io::Error::other(format!("{DATA} leads to {}", target.display())));
    };
    let old = folder.join(target);
    let mut free = (2..MOST_GENERATIONS).map(|number| format!("{GENERATION}{number}"));
    let name = free.find(|name| fs::symlink_metadata(folder.join(name)).is_err() && folder.join(name) != old);
    let name = name.ok_or_else(|| io::Error::other("too many generations"))?;
    let new = folder.join(&name);
    fs::create_dir(&new)?;
    set_mode(&new, 0o755)?;
    for (head, bytes) in files {
        let file = Path::new(&head.path).file_name().ok_or(io::ErrorKind::InvalidInput)?;
        create(&new.join(file), bytes, head.mode, owner)?;
    }
    let exchange = folder.join(format!("{DATA}_tmp"));
    symlink(&name, &exchange)?;
    fs::rename(&exchange, &data)?;
    fs::remove_dir_all(&old)
}

/// Makes a file where nothing is.
pub(super) fn create(path: &Path, bytes: &[u8], mode: u32, owner: (u32, u32)) -> io::Result<()> {
    // Nobody but this init can read it before its mode and owner are set.
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    fchown(&file, Some(owner.0), Some(owner.1))?;
    file.set_permissions(fs::Permissions::from_mode(mode & 0o7777))
}

fn overwrite(root: Option<&Path>, path: &str, bytes: &[u8]) -> io::Result<()> {
    // A pipe that the service put there must not keep the init waiting.
    let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::NONBLOCK;
    let mut file = match root {
        Some(root) => File::from(open_inside(root, Path::new(path), flags)?),
        None => File::from(rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())?),
    };
    file.write_all(bytes)
}

fn parts(path: &str) -> Result<(&Path, &str), Failure> {
    let whole = Path::new(path);
    let name = whole.file_name().and_then(|name| name.to_str());
    whole.parent().zip(name).ok_or_else(|| Failure::new(action(path), "the path names no file"))
}
