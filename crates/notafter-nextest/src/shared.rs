//! What the tests of one run share: a private directory in which each thing is made once.

use crate::Error;
use crate::owner::Owner;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Set by nextest: the same for all tests of one run.
const RUN_ID: &str = "NEXTEST_RUN_ID";

const OWNER: &str = "owner";
const LOCK: &str = "lock";

/// The directory of this run of tests.
#[derive(Debug)]
pub(crate) struct RunDirectory {
    path: PathBuf,
    /// Held as long as somebody may read what lies there; a sweep takes it alone.
    _reader: File,
}

impl RunDirectory {
    /// The directory of this run below the private directory of this user; what runs left behind whose owner is gone
    /// is swept.
    pub(crate) fn of_this_run() -> Result<Self, Error> {
        let place = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
        let place = place.filter(|path| path.is_dir()).unwrap_or_else(std::env::temp_dir);
        let id = std::env::var(RUN_ID).ok().filter(|id| is_plain(id));
        // nextest starts each test itself; `cargo test` runs them all in one process.
        let owner = match id {
            Some(_) => rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get()),
            None => i32::try_from(std::process::id()).ok(),
        };
        let owner = owner.and_then(|pid| u32::try_from(pid).ok()).and_then(Owner::of);
        Self::below(&place, id, owner)
    }

    fn below(place: &Path, id: Option<String>, owner: Option<Owner>) -> Result<Self, Error> {
        let user = rustix::process::getuid().as_raw();
        let home = place.join(format!("notafter-nextest-{user}"));
        private(&home, user)?;
        let id = id.or_else(|| owner.as_ref().map(Owner::name)).unwrap_or_else(|| "unknown".to_owned());
        // One sweeps or makes a directory at a time.
        let gate = lock(&home.join(LOCK))?;
        sweep(&home, &id);
        let path = home.join(&id);
        private(&path, user)?;
        let reader = open(&path.join(LOCK))?;
        reader.lock_shared().map_err(failed("lock", &path))?;
        if let Some(owner) = owner {
            let file = path.join(OWNER);
            fs::write(&file, owner.written()).map_err(failed("write", &file))?;
        }
        drop(gate);
        Ok(Self { path, _reader: reader })
    }

    /// The directory `key`, in which `make` leaves something once in this run; whoever comes meanwhile waits.
    pub(crate) fn once(
        &self,
        key: &str,
        make: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<PathBuf, Error> {
        let path = self.path.join(key);
        // Released with the file, whichever way this process ends.
        let _maker = lock(&self.path.join(format!("{key}.lock")))?;
        let done = self.path.join(format!("{key}.done"));
        if !done.exists() {
            // What a maker that was killed left half made.
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed("remove", &path)(error));
                }
                Ok(()) | Err(_) => {}
            }
            fs::create_dir(&path).map_err(failed("make", &path))?;
            make(&path)?;
            fs::write(&done, "").map_err(failed("write", &done))?;
        }
        Ok(path)
    }
}

/// Removes what this run left, where it is one process and so over now; a run of nextest goes with a later sweep.
pub(crate) fn leave() {
    if std::env::var_os(RUN_ID).is_none()
        && let Ok(own) = RunDirectory::of_this_run()
    {
        // What cannot be removed now goes with a sweep too.
        _ = fs::remove_dir_all(&own.path);
    }
}

/// Whether a text may be the name of a directory.
fn is_plain(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// Makes a directory that is this user's alone, or makes sure that it is.
fn private(path: &Path, user: u32) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(failed("make", path)(error));
        }
        Ok(()) | Err(_) => {}
    }
    let meta = fs::symlink_metadata(path).map_err(failed("look at", path))?;
    if meta.is_dir() && meta.uid() == user && meta.mode().trailing_zeros() >= 6 {
        Ok(())
    } else {
        Err(Error::Trap { path: path.to_owned() })
    }
}

/// Removes what other runs left behind: their owner is gone, and nobody reads there any more.
fn sweep(home: &Path, own: &str) {
    for entry in fs::read_dir(home).into_iter().flatten().flatten() {
        let path = entry.path();
        if !path.is_dir() || entry.file_name() == own {
            continue;
        }
        let owned = Owner::read(&path.join(OWNER)).is_some_and(|owner| owner.is_alive());
        let unread = || open(&path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if !owned && unread() {
            // What cannot be removed now is tried again by the next run.
            _ = fs::remove_dir_all(&path);
        }
    }
}

fn open(path: &Path) -> Result<File, Error> {
    File::options().create(true).append(true).open(path).map_err(failed("open", path))
}

fn lock(path: &Path) -> Result<File, Error> {
    let file = open(path)?;
    file.lock().map_err(failed("lock", path))?;
    Ok(file)
}

/// An error about `path`.
pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn own() -> Option<Owner> {
        Owner::of(std::process::id())
    }

    fn run(place: &Path, id: &str, owner: Option<Owner>) -> RunDirectory {
        RunDirectory::below(place, Some(id.to_owned()), owner).unwrap()
    }

    #[test]
    fn what_one_made_the_others_find() {
        let place = tempfile::tempdir().unwrap();
        let first = run(place.path(), "a", own());
        let made = first
            .once("key", |path| {
                fs::write(path.join("x"), "1").unwrap();
                Ok(())
            })
            .unwrap();
        let second = run(place.path(), "a", own());
        let found = second.once("key", |_| panic!("made twice")).unwrap();
        assert_eq!(made, found);
        assert_eq!(fs::read_to_string(found.join("x")).unwrap(), "1");
    }

    #[test]
    fn what_was_half_made_is_made_anew() {
        let place = tempfile::tempdir().unwrap();
        let run = run(place.path(), "a", own());
        let failing = run.once("key", |path| {
            fs::write(path.join("half"), "").unwrap();
            Err(Error::Trap { path: path.to_owned() })
        });
        assert!(failing.is_err());
        let made = run.once("key", |_| Ok(())).unwrap();
        assert_eq!(fs::read_dir(made).unwrap().count(), 0);
    }

    #[test]
    fn runs_are_swept_when_their_owner_is_gone_and_nobody_reads() {
        let place = tempfile::tempdir().unwrap();
        let left = run(place.path(), "left", None);
        let alive = run(place.path(), "alive", own());
        let (left_path, alive_path) = (left.path.clone(), alive.path.clone());
        drop(alive);
        run(place.path(), "next", own());
        assert!(left_path.exists(), "it is still read");
        drop(left);
        run(place.path(), "next", own());
        assert!(!left_path.exists());
        assert!(alive_path.exists(), "its owner lives");
    }

    #[test]
    fn a_directory_that_others_can_reach_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let user = rustix::process::getuid().as_raw();
        let home = place.path().join(format!("notafter-nextest-{user}"));
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o770)).unwrap();
        let refused = RunDirectory::below(place.path(), None, own());
        assert!(matches!(refused, Err(Error::Trap { .. })), "{refused:?}");
    }

    #[test]
    fn ids_from_outside_are_no_paths() {
        for (id, plain) in [("5b0e-4f", true), ("", false), ("../x", false), ("a/b", false), ("a b", false)] {
            assert_eq!(is_plain(id), plain, "{id:?}");
        }
    }
}
