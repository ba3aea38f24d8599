//! Names that scenario files give to things: checked once, then trusted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A text that cannot serve as a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a name: use 1 to 63 letters, digits, `.`, `_` or `-`, starting with a letter or digit"
)]
pub struct NameError {
    /// The text as it was given.
    pub text: String,
}

fn check(text: &str) -> Result<(), NameError> {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if first && rest && text.len() <= 63 { Ok(()) } else { Err(NameError { text: text.to_owned() }) }
}

macro_rules! name {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(extend("pattern" = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"))]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and keeps it: 1 to 63 ASCII letters, digits, `.`, `_` or `-`, the first of them a
            /// letter or digit.
            ///
            /// # Errors
            /// [`NameError`] for anything else.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// The name as it stands in the scenario.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

name!(/// One build of the candidate, such as `1.15.1`.
    BuildName);
name!(/// One case of a run; unique in its record, the same in every run of the same plan (`walk`, `cold-2018-12-06T043000Z`).
    CaseId);
name!(/// A check of a scenario.
    CheckName);
name!(/// A credential that a scenario declares.
    CredentialName);
name!(/// A rotation of a scenario.
    RotationName);
name!(/// A scenario.
    ScenarioName);
name!(/// A service of a scenario; also its host name inside the scenario's network.
    ServiceName);
name!(/// A volume of a service.
    VolumeName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for text in ["a", "sgsn-mme", "1.15.1", "A_b"] {
            assert_eq!(ServiceName::new(text).unwrap().as_str(), text);
        }
        for text in ["", "-a", ".a", "a b", "ä", "a/b", &"x".repeat(64)] {
            assert!(ServiceName::new(text).is_err(), "{text:?}");
        }
    }
}
