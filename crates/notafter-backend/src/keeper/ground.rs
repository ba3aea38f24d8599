//! What the services of a sandbox stand on.

use super::machine_ground::MachineGround;
use super::own_ground::{self, OwnGround};
use crate::init::Site;
use crate::wire::{Failure, Premises};

/// The file system side of a sandbox.
#[derive(Debug)]
pub(super) enum Ground {
    /// The machine itself.
    Machine(MachineGround),
    /// Namespaces.
    Own(OwnGround),
}

impl Ground {
    /// Leaves the machine, where that was asked for.
    pub(super) fn unshare(premises: &Premises) -> Result<(), Failure> {
        match premises {
            Premises::Apart { .. } => own_ground::unshare(),
            Premises::Containers(_)
            | Premises::Deputy(_)
            | Premises::Evidence { .. }
            | Premises::Machine { .. } => Ok(()),
        }
    }

    /// Sets up, once the id maps of namespaces are written.
    pub(super) fn lay(premises: Premises, remarks: &mut Vec<String>) -> Result<Self, Failure> {
        match premises {
            Premises::Apart { scratch, hosts } => {
                OwnGround::lay(scratch.as_deref(), &hosts, remarks).map(Self::Own)
            }
            Premises::Containers(_) | Premises::Deputy(_) | Premises::Evidence { .. } => {
                Err(Failure::new("open the sandbox", "its keeper has a ground of its own"))
            }
            Premises::Machine { disk } => MachineGround::lay(&disk, remarks).map(Self::Machine),
        }
    }

    /// Whether services have namespaces of their own.
    pub(super) fn is_apart(&self) -> bool {
        matches!(self, Self::Own(_))
    }

    /// Room for one instance.
    pub(super) fn site(&self, instance: u32) -> Result<Site, Failure> {
        match self {
            Self::Machine(ground) => ground.site(instance),
            Self::Own(ground) => ground.site(instance),
        }
    }

    /// Gives the room of an ended instance back.
    pub(super) fn clear_site(&self, site: &Site, remarks: &mut Vec<String>) {
        match self {
            Self::Machine(ground) => ground.clear_site(site, remarks),
            Self::Own(_) => OwnGround::clear_site(site, remarks),
        }
    }

    /// Removes what lies on the machine; memory of namespaces goes with them.
    pub(super) fn clear(&self, remarks: &mut Vec<String>) {
        match self {
            Self::Machine(ground) => ground.clear(remarks),
            Self::Own(ground) => ground.clear(remarks),
        }
    }
}
