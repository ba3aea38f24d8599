//! What keeps the services of a run apart from the machine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What keeps services apart from the machine and from other runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Those of containers that an engine makes: the docker back end. The services of a case share one network, which
    /// has no way out.
    Containers,
    /// Namespaces of their own (namespaces(7)): user, mount, process, network, ipc and host name. Records written
    /// before there was a choice mean this.
    #[default]
    Namespaces,
    /// Nothing. Services share the machine's network, processes and users; those on the machine's own file system
    /// share that too.
    None,
}

impl fmt::Display for Isolation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Containers => "containers",
            Self::Namespaces => "namespaces",
            Self::None => "none",
        })
    }
}
