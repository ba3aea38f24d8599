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

/// Character devices by their numbers in the kernel's list (Documentation/admin-guide/devices.txt).
const NUMBERS: [(&str, u32, u32); 6] =
    [("full", 1, 7), ("null", 1, 3), ("random", 1, 8), ("tty", 5, 0), ("urandom", 1, 9), ("zero", 1, 5)];

/// Fills `dev`, a directory of a tree that is entered by chroot(2), with device files of its own.
pub(super) fn make(dev: &Path, remarks: &mut Vec<String>) -> Result<(), Failure> {
    for (name, major, minor) in NUMBERS {
        let path = dev.join(name);
        if path.exists() {
            continue; // the image brings it
        }
        let mode = rustix::fs::Mode::from_raw_mode(0o666);
        let kind = rustix::fs::FileType::CharacterDevice;
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, rustix::fs::makedev(major, minor))
            .map_err(std::io::Error::from)
            .and_then(|()| set_mode(&path, 0o666))
            .doing(|| format!("make /dev/{name} in the copied tree (mknod(2) needs CAP_MKNOD)"))?;
        // The controlling terminal can be opened by a process that has one, no other.
        if name != "tty" {
            File::open(&path).doing(|| {
                format!(
                    "open /dev/{name} in the copied tree (a file system mounted `nodev` holds no devices)"
                )
            })?;
        }
    }
    let shm = dev.join("shm");
    if !shm.exists() {
        fs::create_dir(&shm).and_then(|()| set_mode(&shm, 0o1777)).doing(|| "make /dev/shm".to_owned())?;
    }
    remarks.push("no pseudo-terminals in copied trees".to_owned());
    Ok(())
}

/// The mode as given, whatever the umask.
pub(super) fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}
