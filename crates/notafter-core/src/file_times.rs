//! Whose clock the times of files are on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What services see when they ask when a file was written, read or changed (stat(2)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileTimes {
    /// The machine's time. What a service writes while its clock stands a year from now looks a year old to it.
    #[default]
    Real,
    /// What the service's own clock showed then, for what was written since its sandbox was made; what is older, and
    /// times that a program has set itself (utimensat(2)), as they are.
    Shifted,
}

impl FileTimes {
    /// Whether nobody has asked for anything else.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
