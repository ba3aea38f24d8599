//! From a blueprint to a tree in which a service can be started: what all kinds of trees have in common.

use super::tree::RootTree;
use super::users::User;
use super::{container_tree, copied_tree, copy, devices, machine_tree, own_tree, replace};
use crate::wire::{Attempt, Blueprint, Failure, FileHead, Host, Tree, VolumeHead};
use crate::{FileLayout, VolumeContent};
use notafter_core::{Capability, RootAccess, VolumeState};
use notafter_sys::bpf::Instruction;
use notafter_sys::fork::Identity;
use rustix::thread::CapabilitySet;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

/// Longest passwd or group file that is read.
pub(super) const MAX_USERS_BYTES: u64 = 1 << 20;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where an instance is built, as the keeper sees it.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// For this instance alone; in memory where there are namespaces.
    pub(crate) stage: PathBuf,
    /// Where overlays keep what is changed, where there are any; for this instance alone.
    pub(crate) changes: PathBuf,
    /// One directory per volume.
    pub(crate) volumes: PathBuf,
    /// Mount points of the sandbox itself.
    pub(crate) hidden: Vec<PathBuf>,
    /// Whether there is a single user id: the user namespace knows no other, or no other can be taken.
    pub(crate) single_user: bool,
    /// The half in memory of the sandbox's house; none where services have namespaces of their own.
    pub(crate) house: Option<PathBuf>,
}

/// What the processes of a service have in common.
#[derive(Debug)]
pub(super) struct Ground {
    /// The root directory that each process has yet to enter by chroot(2); none where that of the init is theirs.
    pub(super) root: Option<PathBuf>,
    pub(super) identity: Identity,
    /// A seccomp filter for all of them; without instructions there is none.
    pub(super) filter: Vec<Instruction>,
    pub(super) env: Vec<(String, String)>,
    /// Mounts of its root tree that the service may not write to; none where it may.
    pub(super) sealed: Vec<PathBuf>,
    pub(super) remarks: Vec<String>,
}

/// Builds the tree of the service. An unknown user is no failure of the sandbox: it comes back as the reason why
/// nothing can be started.
pub(super) fn enter(
    blueprint: &Blueprint,
    site: &Site,
    contents: &[u8],
) -> Result<Result<Ground, String>, Failure> {
    if site.house.is_some() && blueprint.restrictions.root() == RootAccess::ReadOnly {
        return Err(Failure::new(
            "make the root tree read-only",
            "this takes namespaces or containers: leave out `--isolation none`, or take `--backend docker`",
        ));
    }
    match (&site.house, &blueprint.tree) {
        (_, Tree::Image { .. }) => container_tree::lay(blueprint, contents),
        (None, _) => own_tree::enter(blueprint, site, contents),
        (Some(house), Tree::Host) => machine_tree::lay(blueprint, site, house, contents),
        (Some(_), Tree::Empty | Tree::Unpacked(_)) => copied_tree::build(blueprint, site, contents),
    }
}

/// What root of the service holds: what Docker leaves to a container by default, or less; never SYS_PTRACE, with which
/// a candidate could reach its supervisor.
pub(super) fn capabilities(blueprint: &Blueprint) -> CapabilitySet {
    let bit = |capability: Capability| match capability {
        Capability::AuditWrite => CapabilitySet::AUDIT_WRITE,
        Capability::Chown => CapabilitySet::CHOWN,
        Capability::DacOverride => CapabilitySet::DAC_OVERRIDE,
        Capability::Fowner => CapabilitySet::FOWNER,
        Capability::Fsetid => CapabilitySet::FSETID,
        Capability::Kill => CapabilitySet::KILL,
        Capability::Mknod => CapabilitySet::MKNOD,
        Capability::NetBindService => CapabilitySet::NET_BIND_SERVICE,
        Capability::NetRaw => CapabilitySet::NET_RAW,
        Capability::Setfcap => CapabilitySet::SETFCAP,
        Capability::Setgid => CapabilitySet::SETGID,
        Capability::Setpcap => CapabilitySet::SETPCAP,
        Capability::Setuid => CapabilitySet::SETUID,
        Capability::SysChroot => CapabilitySet::SYS_CHROOT,
    };
    match &blueprint.restrictions.capabilities {
        Some(kept) => kept.iter().copied().map(bit).collect(),
        None => Capability::ALL.into_iter().map(bit).collect(),
    }
}

/// The scenario's own files come before those of the image.
pub(super) fn users_file(blueprint: &Blueprint, contents: &[u8], tree: &RootTree, path: &str) -> String {
    own_text(blueprint, contents, path).unwrap_or_else(|| tree.text_of(path, MAX_USERS_BYTES))
}

/// The text of one of the scenario's own files.
pub(super) fn own_text(blueprint: &Blueprint, contents: &[u8], path: &str) -> Option<String> {
    let mut files = files(&blueprint.files, contents);
    files.find(|(head, _)| head.path == path).map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
}

/// The names of all services, as hosts(5).
pub(crate) fn hosts_file(known: &[Host]) -> String {
    let mut hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_owned();
    for host in known {
        hosts.push_str(&format!("{}\t{}\n", host.address, host.name));
    }
    hosts
}

/// Each file with its bytes; a length beyond the end yields no bytes.
pub(super) fn files<'a>(
    heads: &'a [FileHead],
    contents: &'a [u8],
) -> impl Iterator<Item = (&'a FileHead, &'a [u8])> {
    let mut rest = contents;
    heads.iter().map(move |head| {
        let (bytes, after) = rest.split_at_checked(head.len_bytes).unwrap_or((rest, &[]));
        rest = after;
        (head, bytes)
    })
}

pub(super) fn lay_in(
    blueprint: &Blueprint,
    contents: &[u8],
    tree: &RootTree,
    owner: (u32, u32),
) -> Result<(), Failure> {
    tree.lay_directory("/tmp", 0o1777)?;
    for directory in ["/run", "/proc", "/sys", "/dev", "/etc"] {
        tree.need_directory(directory)?;
    }
    let own = [
        ("/etc/hosts", hosts_file(&blueprint.hosts)),
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
        match head.layout {
            FileLayout::Linked => replace::lay_linked(tree, head, bytes, owner)?,
            FileLayout::Exchanged | FileLayout::Plain => {
                drop(tree.lay_file(&head.path, bytes, head.mode, owner)?)
            }
        }
    }
    Ok(())
}

/// The directory of a volume, made where there is none and emptied where the launch asks for that. What the image has
/// there is `of_image`.
pub(super) fn volume(
    site: &Site,
    volume: &VolumeHead,
    owner: (u32, u32),
    of_image: Option<&Path>,
) -> Result<PathBuf, Failure> {
    let source = site.volumes.join(volume.name.as_str());
    let action = || format!("make the volume {}", volume.name);
    let is_new = !source.exists();
    if is_new {
        fs::create_dir(&source).doing(action)?;
        chown(&source, Some(owner.0), Some(owner.1)).doing(action)?;
        devices::set_mode(&source, 0o755).doing(action)?;
    } else if volume.state == VolumeState::Fresh {
        empty(&source).doing(|| format!("empty the volume {}", volume.name))?;
    }
    if let Some(model) = of_image
        && volume.content == VolumeContent::OfImage
        && (is_new || volume.state == VolumeState::Fresh)
    {
        copy::tree(model, &source).map_err(|(_, error)| error).doing(action)?;
    }
    Ok(source)
}

/// The volumes of a service that will live in a container: directories of the machine, with what the image has there,
/// whose copy is `tree`. They are root's as yet. Each with where it is to appear.
pub(crate) fn prepare_volumes(
    blueprint: &Blueprint,
    site: &Site,
    tree: Option<&Path>,
) -> Result<Vec<(PathBuf, String)>, Failure> {
    let mut model = RootTree::new(&site.stage, &site.changes)?;
    if let Some(tree) = tree {
        model.cover(Path::new("/"), tree)?;
    }
    let mut volumes = Vec::new();
    for head in &blueprint.volumes {
        let of_image = model.host_directory(&head.path).filter(|_| tree.is_some());
        let source = volume(site, head, (0, 0), of_image.as_deref())?;
        volumes.push((source, head.path.clone()));
    }
    Ok(volumes)
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
pub(super) fn environment(blueprint: &Blueprint, user: &User) -> Vec<(String, String)> {
    let mut env = blueprint.env.clone();
    for (name, value) in
        [("HOME", user.home.as_str()), ("HOSTNAME", blueprint.service.as_str()), ("PATH", PATH)]
    {
        env.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    env.into_iter().collect()
}
