//! A scenario in the making: what was concluded from a program alone, for who has no scenario yet.

use crate::{Check, ScenarioName, Service};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A check, and why it was drafted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DraftedCheck {
    /// What is asked. Its place in a file means nothing yet.
    pub check: Check,
    /// Why, as a lower-case fragment.
    pub why: String,
}

/// A scenario of one service, before it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Draft {
    /// Its name.
    pub name: ScenarioName,
    /// Where simulated time begins, as scenario files write it; none is now.
    pub start: Option<String>,
    /// How long the release must live, as scenario files write it.
    pub support: String,
    /// Compose files that the services come from, beside the scenario; where there are none the one service is written.
    pub compose: Vec<PathBuf>,
    /// The service under release.
    pub service: Service,
    /// What is asked of it.
    pub checks: Vec<DraftedCheck>,
    /// What was seen and is not asked for, as lower-case fragments.
    pub remarks: Vec<String>,
}
