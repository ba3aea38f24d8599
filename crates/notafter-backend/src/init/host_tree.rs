//! The machine's own file system as a root tree.
//!
//! One overlay over `/` is refused in a user namespace, and so is one over any directory with mounts below it: it
//! would uncover what those mounts hide. So every directory gets an overlay of its own, and those with mounts below
//! are made plain and filled child by child.

use super::mount_table;
use super::tree::RootTree;
use crate::wire::{Attempt, Failure};
use std::fs::{self, FileType};
use std::path::{Path, PathBuf};

/// Made anew in every tree, or none of a service's business: kernel views, sockets of the machine, throw-away data.
const OWN: [&str; 8] = ["/boot", "/dev", "/lost+found", "/old_root", "/proc", "/run", "/sys", "/tmp"];
/// How deep directories are filled child by child.
const DEEPEST: usize = 5;
/// Longest single file that is copied; longer ones are left out with a remark.
const LONGEST_COPY_BYTES: u64 = 1 << 20;

/// Plans the tree. `hidden` are mount points of the sandbox itself that are no part of the machine.
pub(super) fn plan(
    tree: &mut RootTree,
    hidden: &[PathBuf],
    remarks: &mut Vec<String>,
) -> Result<(), Failure> {
    let mounted = mount_table::mount_points().doing(|| "read the mount table".to_owned())?;
    fill(tree, Path::new("/"), &mounted, hidden, remarks)
}

fn fill(
    tree: &mut RootTree,
    directory: &Path,
    mounted: &[PathBuf],
    hidden: &[PathBuf],
    remarks: &mut Vec<String>,
) -> Result<(), Failure> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            remarks.push(format!("{} is empty inside: {error}", directory.display()));
            return Ok(());
        }
    };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if OWN.iter().any(|own| path == Path::new(own)) || hidden.contains(&path) {
            continue;
        }
        if let Ok(kind) = entry.file_type() {
            place(tree, &path, kind, mounted, hidden, remarks)?;
        }
    }
    Ok(())
}

fn place(
    tree: &mut RootTree,
    path: &Path,
    kind: FileType,
    mounted: &[PathBuf],
    hidden: &[PathBuf],
    remarks: &mut Vec<String>,
) -> Result<(), Failure> {
    if kind.is_symlink() {
        return match fs::read_link(path) {
            Ok(points_to) => tree.skeleton_link(path, &points_to),
            Err(_) => Ok(()),
        };
    }
    if kind.is_file() {
        let short = fs::metadata(path).is_ok_and(|meta| meta.len() <= LONGEST_COPY_BYTES);
        if !short {
            remarks.push(format!("{} is missing inside: it is too long to copy", path.display()));
        } else if let Err(error) = tree.skeleton_copy(path, path) {
            remarks.push(format!("{} is missing inside: {error}", path.display()));
        }
        return Ok(());
    }
    if !kind.is_dir() {
        return Ok(()); // sockets, pipes and devices belong to processes outside
    }
    let has_mounts = mounted.iter().any(|point| point != path && point.starts_with(path));
    let placed = if has_mounts { tree.skeleton_directory(path, path) } else { tree.cover(path, path) };
    match placed {
        // What containers of the machine have may go away at any time.
        Err(_) if !path.exists() => return Ok(()),
        Err(error) => return Err(error),
        Ok(()) if has_mounts => {}
        Ok(()) => return Ok(()),
    }
    if path.components().count() > DEEPEST {
        remarks.push(format!("{} is empty inside: its mounts lie too deep", path.display()));
        return Ok(());
    }
    fill(tree, path, mounted, hidden, remarks)
}
