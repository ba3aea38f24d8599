//! What every service of a sandbox with namespaces stands on: those, the loopback device, room for throw-away data.

use super::datagrams;
use crate::init::Site;
use crate::wire::{Attempt, Failure, Host};
use notafter_sys::mounts;
use notafter_sys::namespaces::{self, Namespaces};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Where the sandbox's own tmpfs may go: directories that every machine has and that no image is taken from. It
/// covers what is there in the mount namespace of the sandbox alone.
const PLACES: [&str; 3] = ["/sys", "/mnt", "/media"];

/// Leaves every namespace of the runner but the one of process ids, which each init leaves for itself.
pub(super) fn unshare() -> Result<(), Failure> {
    let all = Namespaces::USER
        .and(Namespaces::NETWORK)
        .and(Namespaces::MOUNT)
        .and(Namespaces::IPC)
        .and(Namespaces::UTS);
    namespaces::unshare(all).doing(|| "make the sandbox's namespaces".to_owned())
}

/// The file system side of a sandbox.
#[derive(Debug)]
pub(super) struct OwnGround {
    /// A tmpfs of this sandbox alone.
    memory: PathBuf,
    /// A directory of the host for this sandbox alone.
    disk: Option<PathBuf>,
    single_user: bool,
}

impl OwnGround {
    /// Sets up, once the id maps are written.
    pub(super) fn lay(
        scratch: Option<&Path>,
        hosts: &[Host],
        remarks: &mut Vec<String>,
    ) -> Result<Self, Failure> {
        namespaces::bring_loopback_up().doing(|| "bring up the loopback device".to_owned())?;
        if let Err(error) = datagrams::route(&hosts.iter().map(|host| host.address).collect()) {
            remarks
                .push(format!("servers of UDP that listen on all addresses answer from 127.0.0.1: {error}"));
        }
        // As in Docker: inside its own network a service may listen on any port.
        if let Err(error) = fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0") {
            remarks.push(format!("ports below 1024 are for root alone inside: {error}"));
        }
        mounts::make_all_private().doing(|| "cut off the sandbox's mounts".to_owned())?;
        let disk = match scratch {
            None => None,
            Some(directory) => {
                let own = directory.join(format!("sandbox-{}", std::process::id()));
                // Nobody else of the machine may reach set-user-ID programs of an image.
                DirBuilder::new().mode(0o700).create(&own).doing(|| format!("make {}", own.display()))?;
                Some(own)
            }
        };
        let place = PLACES
            .into_iter()
            .map(PathBuf::from)
            .find(|place| place.is_dir() && !disk.as_ref().is_some_and(|disk| disk.starts_with(place)))
            .ok_or_else(|| Failure::new("find room for the sandbox", "no /sys, /mnt or /media"))?;
        mounts::tmpfs(&place, 0o755, "50%").doing(|| format!("mount a tmpfs on {}", place.display()))?;
        let map = fs::read_to_string("/proc/self/uid_map").doing(|| "read the id map".to_owned())?;
        let ids: u64 =
            map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()).sum();
        let ground = Self { memory: place, disk, single_user: ids == 1 };
        fs::create_dir(ground.volumes()).doing(|| "make room for volumes".to_owned())?;
        if ground.single_user {
            remarks.push(
                "run by a plain user: services see one user id, their own; what belongs to others shows as nobody"
                    .to_owned(),
            );
        }
        Ok(ground)
    }

    fn bulk(&self) -> &Path {
        self.disk.as_ref().unwrap_or(&self.memory)
    }

    fn volumes(&self) -> PathBuf {
        self.bulk().join("volumes")
    }

    /// Room for one instance.
    pub(super) fn site(&self, instance: u32) -> Result<Site, Failure> {
        let stage = self.memory.join(format!("stage-{instance}"));
        let changes = self.bulk().join(format!("changes-{instance}"));
        for directory in [&stage, &changes] {
            fs::create_dir(directory).doing(|| "make room for a service".to_owned())?;
        }
        Ok(Site {
            stage,
            changes,
            volumes: self.volumes(),
            hidden: vec![self.memory.clone()],
            single_user: self.single_user,
            house: None,
        })
    }

    /// Gives the room of an ended instance back.
    pub(super) fn clear_site(site: &Site, remarks: &mut Vec<String>) {
        for directory in [&site.stage, &site.changes] {
            if let Err(error) = fs::remove_dir_all(directory) {
                remarks.push(format!("{} could not be removed: {error}", directory.display()));
            }
        }
    }

    /// Removes what lies on the disk of the host; memory goes with the sandbox.
    pub(super) fn clear(&self, remarks: &mut Vec<String>) {
        if let Some(disk) = &self.disk
            && let Err(error) = fs::remove_dir_all(disk)
        {
            remarks.push(format!("{} is left behind: {error}", disk.display()));
        }
    }
}
