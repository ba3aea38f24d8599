//! Why a history cannot be used.

use std::path::PathBuf;

/// Why a history cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// Another night writes to it.
    #[error("another night writes to {}", path.display())]
    Busy {
        /// The history.
        path: PathBuf,
    },
    /// A row holds what no notafter writes.
    #[error("{} holds {found:?} as {what}, which no notafter writes", path.display())]
    Damaged {
        /// The history.
        path: PathBuf,
        /// Which value.
        what: &'static str,
        /// As it stands there.
        found: String,
    },
    /// The file that keeps two nights apart cannot be used.
    #[error("{} cannot be locked", path.display())]
    Lock {
        /// The file beside the history.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is none.
    #[error("there is no history at {}", path.display())]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// A newer notafter wrote it.
    #[error("{} is a history of form {found}, and this notafter knows up to {known}: use a newer notafter", path.display())]
    Newer {
        /// The history.
        path: PathBuf,
        /// Its form.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// It is no history: a database of another program, or no database at all.
    #[error("{} is no history of nights, and is left alone", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// SQLite cannot do it.
    #[error("the history {} cannot be used", path.display())]
    Sqlite {
        /// The history.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}
