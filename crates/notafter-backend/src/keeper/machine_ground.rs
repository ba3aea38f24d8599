//! What every service of a sandbox without namespaces stands on: the machine, and a house on it.

use crate::init::{Site, may_look_at_others};
use crate::traces::{self, House};
use crate::wire::{Attempt, Failure};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The file system side of a sandbox without namespaces.
#[derive(Debug)]
pub(super) struct MachineGround {
    house: House,
}

impl MachineGround {
    /// Builds the house, its disk half below `disk`.
    pub(super) fn lay(disk: &Path, remarks: &mut Vec<String>) -> Result<Self, Failure> {
        // A service whose init was killed comes here, to be ended.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .doing(|| "adopt what services leave".to_owned())?;
        let house = House::build(disk)
            .doing(|| format!("make room for the services' files in {}", disk.display()))?;
        let ground = Self { house };
        if let Err(error) = fs::create_dir(ground.volumes()) {
            let _ = ground.house.raze(); // empty
            return Err(error).doing(|| "make room for volumes".to_owned());
        }
        remarks.push(
            "services were not isolated: they shared the machine's network, processes and users; nothing kept them \
             from reaching the world, or the world from reaching them"
                .to_owned(),
        );
        if !may_look_at_others() {
            remarks.push(
                "without CAP_SYS_PTRACE no process of another user can be looked at, and a service that changes its \
                 user is not cleared: start the job container with `--cap-add SYS_PTRACE`"
                    .to_owned(),
            );
        }
        Ok(ground)
    }

    fn volumes(&self) -> PathBuf {
        self.house.disk().join("volumes")
    }

    pub(super) fn site(&self, instance: u32) -> Result<Site, Failure> {
        let stage = self.house.disk().join(format!("stage-{instance}"));
        fs::create_dir(&stage).doing(|| "make room for a service".to_owned())?;
        Ok(Site {
            changes: stage.join("changes"),
            stage,
            volumes: self.volumes(),
            hidden: Vec::new(),
            single_user: !rustix::process::geteuid().is_root(),
            house: Some(self.house.memory().to_owned()),
        })
    }

    /// Removes the house, once every instance is ended.
    pub(super) fn clear(&self, remarks: &mut Vec<String>) {
        if let Err(error) = self.house.raze() {
            remarks.push(format!("something is left behind on the machine: {error}"));
        }
    }

    /// Takes the volumes out of the tree of an ended instance, and the tree away.
    pub(super) fn clear_site(&self, site: &Site, remarks: &mut Vec<String>) {
        for (name, inside) in traces::lent(&site.stage) {
            if let Err(error) = take_back(&site.stage.join("root"), &inside, &self.volumes().join(&name)) {
                remarks.push(format!("the volume {name} is lost: its service moved it away ({error})"));
            }
        }
        if let Err(error) = fs::remove_dir_all(&site.stage) {
            remarks.push(format!("{} could not be removed: {error}", site.stage.display()));
        }
    }
}

/// Moves the directory `inside`, which is absolute below `root`, to `place`. What lies in the tree is the service's:
/// no symbolic link of it is followed.
fn take_back(root: &Path, inside: &Path, place: &Path) -> io::Result<()> {
    let relative = inside.strip_prefix("/").unwrap_or(inside);
    let (Some(parent), Some(name)) = (relative.parent(), relative.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, root, directory, Mode::empty())?;
    let parent: OwnedFd = match parent.as_os_str().is_empty() {
        true => root,
        false => {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            rustix::fs::openat2(&root, parent, directory, Mode::empty(), resolve)?
        }
    };
    let meta = rustix::fs::statat(&parent, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
    if !rustix::fs::FileType::from_raw_mode(meta.st_mode).is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(rustix::fs::renameat(&parent, name, CWD, place)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_taken_back_and_no_link_is_followed() {
        let base = tempfile::tempdir().unwrap();
        let (root, place) = (base.path().join("root"), base.path().join("volume"));
        fs::create_dir_all(root.join("var/data")).unwrap();
        take_back(&root, Path::new("/var/data"), &place).unwrap();
        assert!(place.is_dir() && !root.join("var/data").exists());
        fs::create_dir(base.path().join("secret")).unwrap();
        fs::remove_dir(root.join("var")).unwrap();
        std::os::unix::fs::symlink(base.path(), root.join("var")).unwrap();
        let error = take_back(&root, Path::new("/var/secret"), &base.path().join("stolen")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::LOOP.raw_os_error()));
        std::os::unix::fs::symlink(base.path(), root.join("data")).unwrap();
        assert!(take_back(&root, Path::new("/data"), &base.path().join("stolen")).is_err());
    }
}
