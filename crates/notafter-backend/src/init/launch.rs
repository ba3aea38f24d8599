//! From a blueprint to a root tree that this process has entered.

use super::devices;
use super::host_tree;
use super::kernel_view;
use super::tree::RootTree;
use super::users::{self, User};
use crate::wire::{Attempt, Blueprint, Failure, FileHead, Tree};
use notafter_core::VolumeState;
use notafter_sys::fork::Identity;
use notafter_sys::mounts::{self, Access};
use rustix::thread::CapabilitySet;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

/// Longest passwd or group file that is read.
const MAX_USERS_BYTES: u64 = 1 << 20;

/// What Docker leaves to a container by default; never SYS_PTRACE, with which a candidate could reach its supervisor.
const CAPABILITIES: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::AUDIT_WRITE);

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where an instance is built, in the mount namespace of the keeper.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// In memory; for this instance alone.
    pub(crate) stage: PathBuf,
    /// Where overlays keep what is changed; for this instance alone.
    pub(crate) changes: PathBuf,
    /// One directory per volume.
    pub(crate) volumes: PathBuf,
    /// Mount points of the sandbox itself.
    pub(crate) hidden: Vec<PathBuf>,
    /// Whether the user namespace knows a single user id.
    pub(crate) single_user: bool,
}

/// What the processes of a service have in common.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) identity: Identity,
    pub(super) env: Vec<(String, String)>,
    pub(super) remarks: Vec<String>,
}

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
        Tree::Empty => {}
        Tree::Unpacked(lower) => tree.cover(Path::new("/"), lower)?,
        Tree::Host => host_tree::plan(&mut tree, &site.hidden, &mut remarks)?,
    }
    let (passwd, group) = (
        users_file(blueprint, contents, &tree, "/etc/passwd"),
        users_file(blueprint, contents, &tree, "/etc/group"),
    );
    let user = match users::find(blueprint.user.as_deref(), &passwd, &group) {
        Ok(user) => user,
        Err(reason) => return Ok(Err(reason)),
    };
    let owner = owner_inside(&user, site);
    lay_in(blueprint, contents, &tree, owner)?;
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
    Ok(Ok(Ground { identity: identity(&user, site), env: environment(blueprint, &user), remarks }))
}

/// The scenario's own files come before those of the image.
fn users_file(blueprint: &Blueprint, contents: &[u8], tree: &RootTree, path: &str) -> String {
    let mut files = files(&blueprint.files, contents);
    match files.find(|(head, _)| head.path == path) {
        Some((_, bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        None => tree.text_of(path, MAX_USERS_BYTES),
    }
}

/// Each file with its bytes; a length beyond the end yields no bytes.
fn files<'a>(heads: &'a [FileHead], contents: &'a [u8]) -> impl Iterator<Item = (&'a FileHead, &'a [u8])> {
    let mut rest = contents;
    heads.iter().map(move |head| {
        let (bytes, after) = rest.split_at_checked(head.len_bytes).unwrap_or((rest, &[]));
        rest = after;
        (head, bytes)
    })
}

fn owner_inside(user: &User, site: &Site) -> (u32, u32) {
    if site.single_user { (0, 0) } else { (user.uid, user.gid) }
}

fn identity(user: &User, site: &Site) -> Identity {
    Identity {
        uid: user.uid,
        gid: user.gid,
        groups: (!site.single_user).then(|| user.groups.clone()),
        capabilities: CAPABILITIES.bits(),
        shows_as: site.single_user && (user.uid, user.gid) != (0, 0),
    }
}

fn lay_in(blueprint: &Blueprint, contents: &[u8], tree: &RootTree, owner: (u32, u32)) -> Result<(), Failure> {
    tree.lay_directory("/tmp", 0o1777)?;
    for directory in ["/run", "/proc", "/sys", "/dev", "/etc"] {
        tree.need_directory(directory)?;
    }
    let mut hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_owned();
    for host in &blueprint.hosts {
        hosts.push_str(&format!("{}\t{}\n", host.address, host.name));
    }
    let own = [
        ("/etc/hosts", hosts),
        ("/etc/hostname", format!("{}\n", blueprint.service)),
        ("/etc/resolv.conf", String::new()),
    ];
    for (path, text) in own {
        tree.lay_file(path, text.as_bytes(), 0o644, (0, 0))?;
    }
    if !tree.has("/etc/nsswitch.conf") {
        tree.lay_file("/etc/nsswitch.conf", b"hosts: files\n", 0o644, (0, 0))?;
    }
    for (head, bytes) in files(&blueprint.files, contents) {
        tree.lay_file(&head.path, bytes, head.mode, owner)?;
    }
    Ok(())
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
        let source = site.volumes.join(volume.name.as_str());
        let action = || format!("make the volume {}", volume.name);
        if !source.exists() {
            fs::create_dir(&source).doing(action)?;
            chown(&source, Some(owner.0), Some(owner.1)).doing(action)?;
            devices::set_mode(&source, 0o755).doing(action)?;
        } else if volume.state == VolumeState::Fresh {
            empty(&source).doing(|| format!("empty the volume {}", volume.name))?;
        }
        points.push((source, tree.need_directory(&volume.path)?));
    }
    Ok(points)
}

/// Removes what is in a directory but not the directory, which may be mounted elsewhere.
fn empty(directory: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The scenario's variables, and those without which few programs run, as runc sets them.
fn environment(blueprint: &Blueprint, user: &User) -> Vec<(String, String)> {
    let mut env = blueprint.env.clone();
    for (name, value) in
        [("HOME", user.home.as_str()), ("HOSTNAME", blueprint.service.as_str()), ("PATH", PATH)]
    {
        env.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    env.into_iter().collect()
}
