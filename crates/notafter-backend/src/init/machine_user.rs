//! As whom services run where there is no user namespace: as users of the machine, if the gate may become them.

use super::launch::{Site, capabilities};
use super::users::{self, User};
use crate::wire::Blueprint;
use notafter_sys::fork::Identity;
use notafter_sys::notify::NewPrivileges;
use rustix::process::{getegid, geteuid};
use rustix::thread::CapabilitySet;

/// The user that the scenario names, or the one that runs the gate; or why that cannot be.
pub(super) fn find(wanted: Option<&str>, passwd: &str, group: &str, site: &Site) -> Result<User, String> {
    let (own_uid, own_gid) = (geteuid().as_raw(), getegid().as_raw());
    if !site.single_user {
        let user = users::find(wanted, passwd, group)?;
        return match user.uid == own_uid || may_look_at_others() {
            true => Ok(user),
            false => Err(format!(
                "without namespaces the clock of another user's processes (uid {}) needs CAP_SYS_PTRACE: start the job \
                 container with `--cap-add SYS_PTRACE`",
                user.uid
            )),
        };
    }
    let own = format!("{own_uid}:{own_gid}");
    let user = users::find(Some(wanted.unwrap_or(&own)), passwd, group)?;
    if user.uid == own_uid {
        return Ok(User { gid: own_gid, ..user });
    }
    Err(format!(
        "without namespaces a plain user's gate runs services as itself (uid {own_uid}), not as {}",
        user.uid
    ))
}

/// Whether processes of other users can be attached to and looked at (ptrace(2), access mode checking).
pub(crate) fn may_look_at_others() -> bool {
    rustix::thread::capabilities(None).is_ok_and(|own| own.effective.contains(CapabilitySet::SYS_PTRACE))
}

/// No more than Docker leaves to a container, and no more than the gate has.
pub(super) fn identity(blueprint: &Blueprint, user: &User, site: &Site) -> Identity {
    let own = rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.permitted);
    Identity {
        uid: user.uid,
        gid: user.gid,
        groups: (!site.single_user).then(|| user.groups.clone()),
        capabilities: (capabilities(blueprint) & own).bits(),
        // They are those of the machine.
        new_privileges: NewPrivileges::Denied,
        shows_as: false,
    }
}
