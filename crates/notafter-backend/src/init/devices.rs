//! A minimal /dev: what Docker gives a container, no more.

use crate::wire::{Attempt, Failure};
use notafter_sys::mounts::{self, Access};
use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::Path;

const NODES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("ptmx", "pts/ptmx"),
    ("stderr", "/proc/self/fd/2"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
];

/// Fills `dev`, an empty directory of the new root tree.
pub(super) fn populate(dev: &Path, remarks: &mut Vec<String>) -> Result<(), Failure> {
    mounts::tmpfs(dev, 0o755, "64m").doing(|| "mount /dev".to_owned())?;
    for name in NODES {
        let source = Path::new("/dev").join(name);
        let target = dev.join(name);
        // Device files cannot be made in a user namespace; the host's appear instead.
        File::create(&target)
            .and_then(|_| mounts::bind(&source, &target, Access::ReadWrite))
            .doing(|| format!("bind /dev/{name}"))?;
    }
    for (name, points_to) in LINKS {
        symlink(points_to, dev.join(name)).doing(|| format!("make /dev/{name}"))?;
    }
    fs::DirBuilder::new()
        .mode(0o1777)
        .create(dev.join("shm"))
        .and_then(|()| set_mode(&dev.join("shm"), 0o1777))
        .doing(|| "make /dev/shm".to_owned())?;
    let pts = dev.join("pts");
    fs::create_dir(&pts).doing(|| "make /dev/pts".to_owned())?;
    if let Err(error) = mounts::devpts(&pts) {
        remarks.push(format!("no pseudo-terminals inside: {error}"));
    }
    Ok(())
}

/// The mode as given, whatever the umask.
pub(super) fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}
