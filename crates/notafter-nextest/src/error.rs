//! Why a test has no verdict.

use std::io;
use std::path::PathBuf;

/// Why a test has no verdict.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What the tests of one run share cannot be kept.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What failed, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Signals cannot be held back until the gate has cleaned up.
    #[error("cannot take signals")]
    Signals(#[source] io::Error),
    /// Somebody else owns the directory that is to be private.
    #[error("{} is not a private directory of this user", path.display())]
    Trap {
        /// The directory.
        path: PathBuf,
    },
    /// The tool cannot be started.
    #[error(
        "cannot start `{}`, which gates the scenarios; `cargo install --locked notafter` puts it on the PATH, and the \
         variable NOTAFTER names another place",
        tool.display()
    )]
    Tool {
        /// The program.
        tool: PathBuf,
        /// Why.
        source: io::Error,
    },
}
