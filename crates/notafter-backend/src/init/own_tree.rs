//! A root tree in a mount namespace of its own, which this process has entered.

use super::devices;
use super::host_tree;
use super::kernel_view;
use super::launch::{self, Ground, Site};
use super::tree::RootTree;
use super::users::{self, User};
use crate::wire::{Attempt, Blueprint, Failure, Tree};
use notafter_core::RootAccess;
use notafter_sys::fork::Identity;
use notafter_sys::mounts::{self, Access};
use notafter_sys::notify::NewPrivileges;
use std::path::{Path, PathBuf};

/// Builds the tree and makes it this process's root. An unknown user is no failure of the sandbox: it comes back as
/// the reason why nothing can be started.
pub(super) fn enter(
    blueprint: &Blueprint,
    site: &Site,
    contents: &[u8],
) -> Result<Result<Ground, String>, Failure> {
    let mut remarks = Vec::new();
    let mut tree = RootTree::new(&site.stage, &site.changes)?;
    match &blueprint.tree {
        Tree::Empty | Tree::Image { .. } => {}
        Tree::Unpacked(lower) => tree.cover(Path::new("/"), lower)?,
        Tree::Host => host_tree::plan(&mut tree, &site.hidden, &mut remarks)?,
    }
    let (passwd, group) = (
        launch::users_file(blueprint, contents, &tree, "/etc/passwd"),
        launch::users_file(blueprint, contents, &tree, "/etc/group"),
    );
    let user = match users::find(blueprint.user.as_deref(), &passwd, &group) {
        Ok(user) => user,
        Err(reason) => return Ok(Err(reason)),
    };
    let owner = owner_inside(&user, site);
    launch::lay_in(blueprint, contents, &tree, owner)?;
    let points = mount_points(blueprint, &tree)?;
    let volumes = volume_points(blueprint, site, &tree, owner)?;

    if !matches!(blueprint.tree, Tree::Unpacked(_)) {
        // pivot_root(2) wants a mount.
        mounts::bind(tree.root(), tree.root(), Access::ReadWrite)
            .doing(|| "mount the root tree".to_owned())?;
    }
    tree.mount_overlays(&mut remarks)?;
    for (source, target) in points {
        mounts::bind(&source, &target, Access::ReadOnly).doing(|| format!("bind {}", source.display()))?;
    }
    for (source, target) in volumes {
        mounts::bind(&source, &target, Access::ReadWrite)
            .doing(|| format!("mount a volume at {}", target.display()))?;
    }
    devices::populate(&tree.root().join("dev"), &mut remarks)?;
    kernel_view::mount(&tree.root().join("proc"))?;
    mounts::pivot_into(tree.root()).doing(|| "enter the root tree".to_owned())?;
    let sealed = match blueprint.restrictions.root() {
        // What the kernel would not put under an overlay is read-only already.
        RootAccess::ReadOnly => tree.mounts().into_iter().filter(|path| is_writable(path)).collect(),
        RootAccess::ReadWrite => Vec::new(),
    };
    set_access(&sealed, Access::ReadOnly)?;
    let env = launch::environment(blueprint, &user);
    Ok(Ok(Ground {
        root: None,
        identity: identity(blueprint, &user, site),
        filter: Vec::new(),
        env,
        sealed,
        remarks,
    }))
}

fn owner_inside(user: &User, site: &Site) -> (u32, u32) {
    if site.single_user { (0, 0) } else { (user.uid, user.gid) }
}

fn is_writable(path: &Path) -> bool {
    use rustix::fs::{StatVfsMountFlags, statvfs};
    statvfs(path).is_ok_and(|fs| !fs.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// Lets the service write to mounts of its own tree, or keeps it from that.
pub(super) fn set_access(mounts: &[PathBuf], access: Access) -> Result<(), Failure> {
    mounts.iter().try_for_each(|path| {
        mounts::set_access(path, access).doing(|| format!("make {} {}", path.display(), words(access)))
    })
}

fn words(access: Access) -> &'static str {
    match access {
        Access::ReadOnly => "read-only",
        Access::ReadWrite => "writable",
    }
}

fn identity(blueprint: &Blueprint, user: &User, site: &Site) -> Identity {
    let shows_as = site.single_user && (user.uid, user.gid) != (0, 0);
    Identity {
        uid: user.uid,
        gid: user.gid,
        groups: (!site.single_user).then(|| user.groups.clone()),
        capabilities: launch::capabilities(blueprint).bits(),
        // As in Docker. What is gained ends at the user namespace, and at the capabilities above.
        new_privileges: if shows_as { NewPrivileges::Denied } else { NewPrivileges::Allowed },
        shows_as,
    }
}

fn mount_points(blueprint: &Blueprint, tree: &RootTree) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
    let mut points = Vec::new();
    for (source, inside) in &blueprint.binds {
        points.push((source.clone(), tree.mount_point(inside, source)?));
    }
    Ok(points)
}

fn volume_points(
    blueprint: &Blueprint,
    site: &Site,
    tree: &RootTree,
    owner: (u32, u32),
) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
    let mut points = Vec::new();
    for volume in &blueprint.volumes {
        let source = launch::volume(site, volume, owner, tree.host_directory(&volume.path).as_deref())?;
        points.push((source, tree.need_directory(&volume.path)?));
    }
    Ok(points)
}
