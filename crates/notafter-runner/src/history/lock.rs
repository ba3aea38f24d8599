//! One night at a time: a lock that the kernel gives back whatever becomes of its holder.

use super::HistoryError;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The right to write to a history; given back when dropped, or when the process ends in whichever way.
///
/// It lies on a file beside the history: SQLite's own locks on the history are the process's, and closing any other
/// descriptor of that file would give them back.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes it for the history at `history`, without waiting.
    ///
    /// # Errors
    /// [`HistoryError::Busy`] where somebody holds it, [`HistoryError::Lock`] where the file beside the history cannot be made.
    pub fn take(history: &Path) -> Result<Self, HistoryError> {
        let mut name = history.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|source| HistoryError::Lock { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(HistoryError::Busy { path: history.to_owned() }),
            Err(TryLockError::Error(source)) => Err(HistoryError::Lock { path, source }),
        }
    }
}
