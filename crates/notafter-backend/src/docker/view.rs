//! What of our files an engine sees, and as what.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Paths as the engine has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum View {
    /// It has the files of this machine.
    Same,
    /// It has one directory of ours, elsewhere.
    Room {
        /// Where it lies here.
        inside: PathBuf,
        /// Where the engine has it.
        outside: PathBuf,
    },
}

impl View {
    /// What the engine calls `path`; none where it does not see it.
    pub(crate) fn of(&self, path: &Path) -> Option<PathBuf> {
        match self {
            Self::Same => Some(path.to_owned()),
            Self::Room { inside, outside } => path.strip_prefix(inside).ok().map(|rest| outside.join(rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_in_the_room_can_be_shown_to_an_engine_elsewhere() {
        let (inside, outside) = (PathBuf::from("/room"), PathBuf::from("/var/lib/volumes/1"));
        let room = View::Room { inside, outside };
        for (path, expected) in
            [("/room/a/b", Some("/var/lib/volumes/1/a/b")), ("/roommate", None), ("/etc/passwd", None)]
        {
            assert_eq!(room.of(Path::new(path)), expected.map(PathBuf::from), "{path}");
        }
        assert_eq!(View::Same.of(Path::new("/etc")), Some("/etc".into()));
    }
}
