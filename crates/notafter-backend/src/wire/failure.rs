//! Failures that cross a process boundary.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::io;

/// A step that failed on the other side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// What was being done, as a lower-case fragment.
    pub(crate) action: String,
    /// The kernel's error, where it was one.
    pub(crate) errno: Option<i32>,
    /// The error in words.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(action: impl Into<String>, message: impl Into<String>) -> Self {
        Self { action: action.into(), errno: None, message: message.into() }
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        match failure.errno {
            Some(errno) => Self::from_raw_os_error(errno),
            None => Self::other(failure.message),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let action = failure.action.clone();
        Self::Sandbox { action, source: failure.into() }
    }
}

/// Says what was being done when a step fails.
pub(crate) trait Attempt<T> {
    fn doing(self, action: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> Attempt<T> for Result<T, E> {
    fn doing(self, action: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| {
            let error = error.into();
            Failure { action: action(), errno: error.raw_os_error(), message: error.to_string() }
        })
    }
}
