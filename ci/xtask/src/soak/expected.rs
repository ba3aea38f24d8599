//! What a case must come to, known before anything runs.

use super::calendar::rfc3339;
use std::fmt;

/// The verdict, and what it must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    Allow,
    Block {
        /// The first second that may be named.
        from: i64,
        /// The last one: the same, unless the guest itself looks only now and then.
        through: i64,
        cause: Cause,
    },
}

/// What must be named as the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// The credential that the scenario declares under this name.
    Declared(&'static str),
    /// The one that a file holds, by its SHA-256 as openssl tells it.
    File(String),
    /// This, or none: the break comes long after the end, and fresh starts show it as well.
    Late(Box<Cause>),
    /// One that the service made for itself: it was served, and its last second is the one before the break.
    Own,
    /// None: there is no credential behind it.
    Unexplained,
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => formatter.write_str("allow"),
            Self::Block { from, through, cause } if from == through => {
                write!(formatter, "block at {}, {cause}", rfc3339(*from))
            }
            Self::Block { from, through, cause } => {
                write!(formatter, "block from {} through {}, {cause}", rfc3339(*from), rfc3339(*through))
            }
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared(name) => write!(formatter, "because of `{name}`"),
            Self::File(sha256) => write!(formatter, "because of {}", sha256.get(..8).unwrap_or(sha256)),
            Self::Late(cause) => write!(formatter, "{cause} or unexplained"),
            Self::Own => formatter.write_str("because of its own certificate"),
            Self::Unexplained => formatter.write_str("unexplained"),
        }
    }
}
