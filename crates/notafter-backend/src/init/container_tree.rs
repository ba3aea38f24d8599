//! The root tree that an engine made for this container, with what the scenario lays in. No right to mount is needed:
//! files lie in the container's own memory, and links lead to them; those that are exchanged lie where they appear.

use super::devices::set_mode;
use super::engine_profile;
use super::launch::{self, Ground};
use super::machine_tree::text_of;
use super::replace::{self, Linked};
use super::users::{self, User};
use crate::FileLayout;
use crate::wire::{Attempt, Blueprint, Failure, FileHead, Tree};
use notafter_core::RootAccess;
use notafter_sys::fork::Identity;
use notafter_sys::notify::NewPrivileges;
use rustix::thread::CapabilitySet;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::{Path, PathBuf};

/// A tmpfs; the keeper has the engine mount it.
pub(crate) const MEMORY: &str = "/.notafter";

/// Where the file of this number among those of the launch lies. Where nothing can be laid in later, the image brings
/// the link to it.
pub(crate) fn place_of_file(index: usize) -> String {
    format!("{MEMORY}/file-{index}")
}

/// Lays everything in. As for [`launch::enter`], the inner error is why nothing can be started.
pub(super) fn lay(blueprint: &Blueprint, contents: &[u8]) -> Result<Result<Ground, String>, Failure> {
    let text = |path| launch::own_text(blueprint, contents, path).unwrap_or_else(|| text_of(path));
    let user = match users::find(blueprint.user.as_deref(), &text("/etc/passwd"), &text("/etc/group")) {
        Ok(user) => user,
        Err(reason) => return Ok(Err(reason)),
    };
    for directory in ["/tmp", "/run", "/etc"] {
        fs::create_dir_all(directory).doing(|| format!("make {directory}"))?;
    }
    let tmp = Path::new("/tmp");
    if tmp.metadata().is_ok_and(|meta| meta.mode() & 0o7777 != 0o1777) {
        set_mode(tmp, 0o1777).doing(|| "open /tmp to everybody".to_owned())?;
    }
    if !Path::new("/etc/nsswitch.conf").exists() {
        fs::write("/etc/nsswitch.conf", "hosts: files\n").doing(|| "write /etc/nsswitch.conf".to_owned())?;
    }
    let owner = (user.uid, user.gid);
    for (index, (head, bytes)) in launch::files(&blueprint.files, contents).enumerate() {
        match head.layout {
            FileLayout::Exchanged => lay_file(Path::new(&head.path), bytes, head.mode, owner),
            FileLayout::Linked => lay_linked(head, bytes, owner),
            FileLayout::Plain => {
                let place = PathBuf::from(place_of_file(index));
                lay_file(&place, bytes, head.mode, owner).and_then(|()| link(&place, Path::new(&head.path)))
            }
        }
        .doing(|| format!("lay in {}", head.path))?;
    }
    for volume in &blueprint.volumes {
        take_over(Path::new(&volume.path), &user)
            .doing(|| format!("hand over the volume {}", volume.name))?;
    }
    let env = launch::environment(blueprint, &user);
    let User { uid, gid, groups, home: _ } = user;
    let capabilities = launch::capabilities(blueprint).bits();
    let mut remarks = remarks(blueprint);
    let new_privileges = new_privileges().doing(|| "look at its own capabilities".to_owned())?;
    if new_privileges == NewPrivileges::Denied {
        let service = &blueprint.service;
        remarks.push(format!(
            "{service}: the engine gives no CAP_SYS_ADMIN to the init: set-id bits and file capabilities have no effect"
        ));
    }
    let filter = engine_profile::withheld(new_privileges).doing(|| "build a seccomp filter".to_owned())?;
    let identity = Identity { uid, gid, groups: Some(groups), capabilities, new_privileges, shows_as: false };
    Ok(Ok(Ground { root: None, identity, filter, env, sealed: Vec::new(), remarks }))
}

/// Set-id bits and file capabilities have their effect, as in any container: the filter of the clock would rule that
/// out, were it not put on with CAP_SYS_ADMIN, which the service does not keep.
fn new_privileges() -> io::Result<NewPrivileges> {
    let own = rustix::thread::capabilities(None)?;
    Ok(if own.effective.contains(CapabilitySet::SYS_ADMIN) {
        NewPrivileges::Allowed
    } else {
        NewPrivileges::Denied
    })
}

/// Where a read-only container lets its service write all the same.
fn remarks(blueprint: &Blueprint) -> Vec<String> {
    match (&blueprint.tree, blueprint.restrictions.root()) {
        (Tree::Image { in_memory, .. }, RootAccess::ReadOnly) => in_memory
            .iter()
            .map(|folder| {
                let service = &blueprint.service;
                format!("{service}: the container is read-only but for {folder}, where files are exchanged")
            })
            .collect(),
        (Tree::Empty | Tree::Host | Tree::Image { .. } | Tree::Unpacked(_), _) => Vec::new(),
    }
}

/// Makes `place` appear at `inside`, whatever file the image has there, unless the image has that very link.
fn link(place: &Path, inside: &Path) -> io::Result<()> {
    if fs::read_link(inside).is_ok_and(|target| target == place) {
        return Ok(());
    }
    make_way(inside)?;
    symlink(place, inside)
}

/// Takes away what is at `inside`, and makes the directories above it.
fn make_way(inside: &Path) -> io::Result<()> {
    if let Some(parent) = inside.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::remove_file(inside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file of a folder that is swapped.
fn lay_linked(head: &FileHead, bytes: &[u8], owner: (u32, u32)) -> io::Result<()> {
    let Linked { file, data, name } = Linked::at(&head.path)?;
    lay_file(&file, bytes, head.mode, owner)?;
    [data, name].into_iter().try_for_each(|(path, target)| link(&target, &path))
}

fn lay_file(path: &Path, bytes: &[u8], mode: u32, owner: (u32, u32)) -> io::Result<()> {
    make_way(path)?;
    replace::create(path, bytes, mode, owner)
}

/// A volume in which nothing is yet belongs to the service.
fn take_over(volume: &Path, user: &User) -> io::Result<()> {
    if fs::read_dir(volume)?.next().is_none() {
        chown(PathBuf::from(volume), Some(user.uid), Some(user.gid))?;
    }
    Ok(())
}
