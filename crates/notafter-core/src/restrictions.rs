//! What a service may use and do at most.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// A privilege of root that a container holds by default, capabilities(7). Others no service gets: with them it could
/// reach what shifts its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "capabilities(7) says what each is")]
pub enum Capability {
    AuditWrite,
    Chown,
    DacOverride,
    Fowner,
    Fsetid,
    Kill,
    Mknod,
    NetBindService,
    NetRaw,
    Setfcap,
    Setgid,
    Setpcap,
    Setuid,
    SysChroot,
}

impl Capability {
    /// Every one.
    pub const ALL: [Self; 14] = [
        Self::AuditWrite,
        Self::Chown,
        Self::DacOverride,
        Self::Fowner,
        Self::Fsetid,
        Self::Kill,
        Self::Mknod,
        Self::NetBindService,
        Self::NetRaw,
        Self::Setfcap,
        Self::Setgid,
        Self::Setpcap,
        Self::Setuid,
        Self::SysChroot,
    ];

    /// Its name in capabilities(7), without `CAP_`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuditWrite => "AUDIT_WRITE",
            Self::Chown => "CHOWN",
            Self::DacOverride => "DAC_OVERRIDE",
            Self::Fowner => "FOWNER",
            Self::Fsetid => "FSETID",
            Self::Kill => "KILL",
            Self::Mknod => "MKNOD",
            Self::NetBindService => "NET_BIND_SERVICE",
            Self::NetRaw => "NET_RAW",
            Self::Setfcap => "SETFCAP",
            Self::Setgid => "SETGID",
            Self::Setpcap => "SETPCAP",
            Self::Setuid => "SETUID",
            Self::SysChroot => "SYS_CHROOT",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Whether a service may change its root tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RootAccess {
    /// It may write to volumes alone.
    ReadOnly,
    /// It may, and what it changes is gone with it.
    #[default]
    ReadWrite,
}

/// What a service may use and do at most; nothing beyond what holds for every service where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Restrictions {
    /// Memory of all its processes.
    pub memory_bytes: Option<u64>,
    /// Processes and threads at one time.
    pub pids: Option<u32>,
    /// Thousandths of one processor.
    pub milli_cpus: Option<u32>,
    /// Its root tree; none is [`RootAccess::ReadWrite`].
    pub root: Option<RootAccess>,
    /// What its root holds; none is [`Capability::ALL`].
    pub capabilities: Option<BTreeSet<Capability>>,
}

impl Restrictions {
    /// These, and where they say nothing, those of `below`.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.or(below.memory_bytes),
            pids: self.pids.or(below.pids),
            milli_cpus: self.milli_cpus.or(below.milli_cpus),
            root: self.root.or(below.root),
            capabilities: self.capabilities.or(below.capabilities),
        }
    }

    /// Whether anything bounds what it uses.
    #[must_use]
    pub fn has_limits(&self) -> bool {
        self.memory_bytes.is_some() || self.pids.is_some() || self.milli_cpus.is_some()
    }

    /// Whether it may change its root tree.
    #[must_use]
    pub fn root(&self) -> RootAccess {
        self.root.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_record() {
        for capability in Capability::ALL {
            assert_eq!(serde_json::to_value(capability).unwrap(), capability.as_str());
        }
    }

    #[test]
    fn what_is_said_holds_over_what_was_said_below() {
        let below = Restrictions { memory_bytes: Some(1), pids: Some(2), ..Restrictions::default() };
        let over =
            Restrictions { pids: Some(3), root: Some(RootAccess::ReadWrite), ..Restrictions::default() };
        let both = over.over(Restrictions { root: Some(RootAccess::ReadOnly), ..below });
        assert_eq!((both.memory_bytes, both.pids, both.root()), (Some(1), Some(3), RootAccess::ReadWrite));
        assert!(both.has_limits() && !Restrictions::default().has_limits());
    }
}
