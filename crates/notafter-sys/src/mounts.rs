//! Mounts, as steps of building a root tree. Every path may be given by descriptor (`/proc/self/fd/N`), which spares
//! escaping and survives what is mounted over it.
//!
//! # Safety
//! One raw operation, mount_setattr(2): its struct and its empty path live on the stack for the whole call.
#![expect(unsafe_code, reason = "mount_setattr(2) has no safe wrapper in rustix, nix or libc")]

use rustix::fs::CWD;
use rustix::mount::{MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether what is bound may be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It may not, at any depth.
    ReadOnly,
    /// As the source allows.
    ReadWrite,
}

/// Cuts the calling mount namespace off from the one it was copied from: nothing propagates either way.
///
/// # Errors
/// Those of mount(2).
pub fn make_all_private() -> io::Result<()> {
    let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    Ok(rustix::mount::mount_change("/", flags)?)
}

/// An empty file system in memory. `size` as tmpfs(5) writes it, such as `64m` or `50%`.
///
/// # Errors
/// Those of mount(2).
pub fn tmpfs(target: &Path, mode: u32, size: &str) -> io::Result<()> {
    mount("tmpfs", target, MountFlags::NOSUID | MountFlags::NODEV, &format!("mode={mode:o},size={size}"))
}

/// The processes of the calling pid namespace.
///
/// # Errors
/// Those of mount(2); `EPERM` in a user namespace whose every visible /proc is partly covered.
pub fn proc(target: &Path) -> io::Result<()> {
    mount("proc", target, MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, "")
}

/// A new instance of pseudo-terminals.
///
/// # Errors
/// Those of mount(2).
pub fn devpts(target: &Path) -> io::Result<()> {
    mount("devpts", target, MountFlags::NOSUID | MountFlags::NOEXEC, "newinstance,ptmxmode=0666,mode=0620")
}

/// `lowers` (topmost first) under `upper`, which takes every change; `work` is an empty directory beside `upper`.
///
/// # Errors
/// Those of mount(2): `EINVAL` where a lower tree has mounts below it that this user namespace may not uncover.
pub fn overlay(lowers: &[impl AsFd], upper: impl AsFd, work: impl AsFd, target: &Path) -> io::Result<()> {
    let lowers: Vec<String> = lowers.iter().map(path_of).collect();
    // `userxattr`: the trusted.* attributes are out of reach in a user namespace (kernel 5.11).
    let options = format!(
        "lowerdir={},upperdir={},workdir={},userxattr",
        lowers.join(":"),
        path_of(&upper),
        path_of(&work)
    );
    mount("overlay", target, MountFlags::NODEV, &options)
}

/// Makes `source`, with everything mounted below it, appear at `target`.
///
/// # Errors
/// Those of open_tree(2), mount_setattr(2), move_mount(2).
pub fn bind(source: &Path, target: &Path, access: Access) -> io::Result<()> {
    // linux/mount.h; the `AT_RECURSIVE` of the same call.
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let tree = rustix::mount::open_tree(CWD, source, flags)?;
    if access == Access::ReadOnly {
        change(&tree, access, libc::AT_RECURSIVE)?;
    }
    Ok(rustix::mount::move_mount(&tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// Lets the mount at `target` be written to, or not, and none of those below it.
///
/// # Errors
/// Those of mount_setattr(2): `EBUSY` for [`Access::ReadOnly`] while a file of it is open for writing, `EPERM` where
/// another user namespace made it read-only.
pub fn set_access(target: &Path, access: Access) -> io::Result<()> {
    use rustix::fs::{Mode, OFlags};
    let mount = rustix::fs::openat(CWD, target, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    change(&mount, access, 0)
}

/// Makes `root`, which must be a mount, the root directory of this process and lets go of the old one.
///
/// # Errors
/// Those of pivot_root(2), umount(2), chdir(2).
pub fn pivot_into(root: &Path) -> io::Result<()> {
    rustix::process::chdir(root)?;
    // The old root ends up on top of the new one (pivot_root(2), "pivot_root(".", ".")") and is taken off.
    rustix::process::pivot_root(".", ".")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir("/")?)
}

/// Takes the topmost mount off `target`, now or as soon as nobody uses it.
///
/// # Errors
/// Those of umount(2).
pub fn detach(target: &Path) -> io::Result<()> {
    Ok(rustix::mount::unmount(target, UnmountFlags::DETACH)?)
}

fn path_of(fd: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

fn mount(kind: &str, target: &Path, flags: MountFlags, options: &str) -> io::Result<()> {
    let target = CString::new(target.as_os_str().as_bytes())?;
    let options = CString::new(options)?;
    Ok(rustix::mount::mount(kind, target.as_c_str(), kind, flags, options.as_c_str())?)
}

fn change(mount: &impl AsFd, access: Access, depth: libc::c_int) -> io::Result<()> {
    let (attr_set, attr_clr) = match access {
        Access::ReadOnly => (libc::MOUNT_ATTR_RDONLY, 0),
        Access::ReadWrite => (0, libc::MOUNT_ATTR_RDONLY),
    };
    let attributes = libc::mount_attr { attr_set, attr_clr, propagation: 0, userns_fd: 0 };
    let fd = mount.as_fd().as_raw_fd();
    let empty = c"".as_ptr();
    let flags = libc::AT_EMPTY_PATH | depth;
    let size = size_of::<libc::mount_attr>();
    // SAFETY: `attributes` and the static empty string outlive the call; the kernel reads `size` bytes, its length.
    let code =
        unsafe { libc::syscall(libc::SYS_mount_setattr, fd, empty, flags, &raw const attributes, size) };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
