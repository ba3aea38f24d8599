//! The environment that scenarios take secrets from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

/// Variables by their names. Values are never printed.
#[derive(Clone, Default)]
pub struct Variables(Option<BTreeMap<String, String>>);

impl Variables {
    /// Those of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self(None)
    }

    /// These, and no others.
    pub(crate) fn given(variables: BTreeMap<String, String>) -> Self {
        Self(Some(variables))
    }

    /// The value of a variable, where it is set.
    pub(crate) fn value(&self, name: &str) -> Option<OsString> {
        match &self.0 {
            None => std::env::var_os(name),
            Some(variables) => variables.get(name).map(OsString::from),
        }
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Variables")
    }
}
