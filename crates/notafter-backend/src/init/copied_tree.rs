//! A root tree without any mount: a throw-away copy that every process of the service enters by chroot(2).

use super::launch::{self, Ground, Site};
use super::tree::RootTree;
use super::{copy, devices, machine_user};
use crate::traces;
use crate::wire::{Attempt, Blueprint, Failure, Tree};
use rustix::thread::CapabilitySet;
use std::fs;
use std::path::Path;

/// Builds it. As for [`launch::enter`], the inner error is why nothing can be started.
pub(super) fn build(
    blueprint: &Blueprint,
    site: &Site,
    contents: &[u8],
) -> Result<Result<Ground, String>, Failure> {
    let own = rustix::thread::capabilities(None).doing(|| "look at the gate's capabilities".to_owned())?;
    if !own.effective.contains(CapabilitySet::SYS_CHROOT) {
        return Err(Failure::new(
            "enter a root tree without namespaces",
            "chroot(2) needs CAP_SYS_CHROOT: run the gate as root of the job container, or use `image: host`",
        ));
    }
    let mut remarks = vec![format!(
        "{}: its root tree was a copy without /proc, on disk until its end; its files, keys too, lay there",
        blueprint.service
    )];
    let tree = RootTree::new(&site.stage, &site.changes)?;
    if let Tree::Unpacked(lower) = &blueprint.tree {
        copy_tree(lower, tree.root())?;
    }
    let text_of = |path| launch::users_file(blueprint, contents, &tree, path);
    let (passwd, group) = (text_of("/etc/passwd"), text_of("/etc/group"));
    let user = match machine_user::find(blueprint.user.as_deref(), &passwd, &group, site) {
        Ok(user) => user,
        Err(reason) => return Ok(Err(reason)),
    };
    let owner = (user.uid, user.gid);
    launch::lay_in(blueprint, contents, &tree, owner)?;
    for (source, inside) in &blueprint.binds {
        let target = tree.mount_point(inside, source)?;
        let action = || format!("copy {} to {inside}", source.display());
        if source.is_dir() {
            copy_tree(source, &target)?;
        } else {
            copy::file(source, &target).doing(action)?;
        }
    }
    devices::make(&tree.root().join("dev"), &mut remarks)?;
    lend_volumes(blueprint, site, &tree, owner)?;
    let identity = machine_user::identity(blueprint, &user, site);
    let env = launch::environment(blueprint, &user);
    Ok(Ok(Ground {
        root: Some(tree.root().to_owned()),
        identity,
        filter: Vec::new(),
        env,
        sealed: Vec::new(),
        remarks,
    }))
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), Failure> {
    copy::tree(from, to).map_err(|(path, error)| Failure {
        action: format!("copy {}", path.display()),
        errno: error.raw_os_error(),
        message: error.to_string(),
    })
}

/// Moves the volumes into the tree; the keeper takes them back when the service has ended.
fn lend_volumes(
    blueprint: &Blueprint,
    site: &Site,
    tree: &RootTree,
    owner: (u32, u32),
) -> Result<(), Failure> {
    for head in &blueprint.volumes {
        let action = || format!("move the volume {} to {}", head.name, head.path);
        let inside = tree.canonical(&head.path)?;
        let target = tree.need_directory(&head.path)?;
        let mark = site.volumes.join(format!(".{}", head.name));
        if mark.exists() && !site.volumes.join(head.name.as_str()).exists() {
            return Err(Failure::new(
                action(),
                "it lies in the tree of another service: without namespaces, trees of their own cannot share one",
            ));
        }
        let source = launch::volume(site, head, owner, tree.host_directory(&head.path).as_deref())?;
        fs::write(&mark, "").doing(action)?;
        fs::remove_dir_all(&target).doing(action)?;
        traces::lend(&site.stage, head.name.as_str(), &inside).doing(action)?;
        fs::rename(&source, &target).doing(action)?;
    }
    Ok(())
}
