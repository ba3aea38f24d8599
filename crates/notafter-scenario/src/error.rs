//! Why there is no scenario.

use crate::{Diagnostics, MAX_BYTES};
use std::path::PathBuf;

/// Why there is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A choice of the candidate that does not read `NAME=BUILD_OR_IMAGE`.
    #[error("`{text}` does not read NAME=BUILD_OR_IMAGE, as in sgsn-mme=1.14")]
    CandidateChoice {
        /// The text as it was given.
        text: String,
    },
    /// The file can be read and says something wrong.
    #[error(transparent)]
    Invalid(#[from] Diagnostics),
    /// A text that is no instant which can be counted from now.
    #[error(
        "`{text}` is no instant: write one as 2018-12-06T04:30:00Z, a day as 2018-12-06 (midnight UTC), or count from now as in +90d, -1h or +3mo"
    )]
    NotAnInstant {
        /// The text as it was given.
        text: String,
    },
    /// The file is no UTF-8 text.
    #[error("{} is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The file is larger than any scenario needs to be.
    #[error("{} is larger than {MAX_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
