//! Exchanging files under a running service, the way operators and orchestrators do it.
//!
//! What must never happen here: a file that stays as it was without anybody knowing; leaving the service's own tree.

use super::devices::set_mode;
use super::tree::RootTree;
use crate::FileLayout;
use crate::wire::{Attempt, Failure, FileHead};
use notafter_core::Replacement;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, chown, symlink};
use std::path::{Path, PathBuf};

/// The link that names the directory in which a linked folder's files lie, as the kubelet calls it.
const DATA: &str = "..data";
/// How the directories are called to which it leads, up to a number.
const GENERATION: &str = "..generation-";
/// More than this nobody swaps in one launch.
const MOST_GENERATIONS: u32 = 10_000;

/// Lays a file of a linked folder in: into a directory of its own, reached by two links.
pub(super) fn lay_linked(
    tree: &RootTree,
    head: &FileHead,
    bytes: &[u8],
    owner: (u32, u32),
) -> Result<(), Failure> {
    let (folder, name) = parts(&head.path)?;
    let folder = folder.to_string_lossy();
    let first = format!("{GENERATION}1");
    tree.lay_file(&format!("{folder}/{first}/{name}"), bytes, head.mode, owner)?;
    tree.lay_link(&format!("{folder}/{DATA}"), &first)?;
    tree.lay_link(&head.path, &format!("{DATA}/{name}"))
}

/// Says that a tree made of links cannot hold folders of links.
pub(super) fn refuse_linked(head: &FileHead) -> Result<(), Failure> {
    match head.layout {
        FileLayout::Plain => Ok(()),
        FileLayout::Linked => Err(Failure::new(
            format!("lay in {} as part of a folder that is swapped", head.path),
            "this works only in namespaces of the gate's own: use the embedded back end",
        )),
    }
}

/// Exchanges `files` in this process's own root tree. Those of a linked folder must be all that are in it.
pub(super) fn replace(
    replacement: Replacement,
    files: &[(&FileHead, &[u8])],
    owner: (u32, u32),
) -> Result<(), Failure> {
    match replacement {
        Replacement::Rename => rename(files, owner),
        Replacement::SymlinkSwap => swap(files, owner),
        Replacement::TruncateWrite => {
            files.iter().try_for_each(|(head, bytes)| overwrite(head, bytes).doing(|| action(&head.path)))
        }
        Replacement::UnlinkCreate => files.iter().try_for_each(|(head, bytes)| {
            fs::remove_file(&head.path)
                .and_then(|()| create(Path::new(&head.path), bytes, head.mode, owner))
                .doing(|| action(&head.path))
        }),
    }
}

fn action(path: &str) -> String {
    format!("replace {path}")
}

fn rename(files: &[(&FileHead, &[u8])], owner: (u32, u32)) -> Result<(), Failure> {
    let mut beside = Vec::new();
    for (head, bytes) in files {
        let (folder, name) = parts(&head.path)?;
        let new = folder.join(format!(".{name}.new"));
        create(&new, bytes, head.mode, owner).doing(|| action(&head.path))?;
        beside.push((new, &head.path));
    }
    beside.into_iter().try_for_each(|(new, path)| fs::rename(&new, path).doing(|| action(path)))
}

fn swap(files: &[(&FileHead, &[u8])], owner: (u32, u32)) -> Result<(), Failure> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for (head, _) in files {
        let folder = parts(&head.path)?.0.to_owned();
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    for folder in folders {
        let of_folder = files.iter().filter(|(head, _)| Path::new(&head.path).parent() == Some(&folder));
        swap_folder(&folder, of_folder, owner).doing(|| action(&folder.to_string_lossy()))?;
    }
    Ok(())
}

fn swap_folder<'a>(
    folder: &Path,
    files: impl Iterator<Item = &'a (&'a FileHead, &'a [u8])>,
    owner: (u32, u32),
) -> io::Result<()> {
    let data = folder.join(DATA);
    let old = folder.join(fs::read_link(&data)?);
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

fn create(path: &Path, bytes: &[u8], mode: u32, owner: (u32, u32)) -> io::Result<()> {
    // Nobody but this init can read it before its mode and owner are set.
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    chown(path, Some(owner.0), Some(owner.1))?;
    set_mode(path, mode & 0o7777)
}

fn overwrite(head: &FileHead, bytes: &[u8]) -> io::Result<()> {
    // A pipe that the service put there must not keep the init waiting.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let mut file = File::options().write(true).truncate(true).custom_flags(nonblocking).open(&head.path)?;
    file.write_all(bytes)
}

fn parts(path: &str) -> Result<(&Path, &str), Failure> {
    let whole = Path::new(path);
    let name = whole.file_name().and_then(|name| name.to_str());
    whole.parent().zip(name).ok_or_else(|| Failure::new(action(path), "the path names no file"))
}
