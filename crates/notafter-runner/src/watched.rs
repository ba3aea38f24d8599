//! Files that somebody works on: which a scenario rests on, and whether one of them has changed.
//!
//! They are looked at again and again, since what tells of changes by itself does not reach across all mounts and networks.

use crate::Interrupt;
use crate::host_clock::Patience;
use notafter_core::{ImageRef, MountedSource, Scenario};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Between two looks, on the host's clock.
const PAUSE: Duration = Duration::from_millis(200);
/// Directories deeper than this are not looked into.
const DEEPEST: usize = 24;
/// More files than this are not looked at.
const MOST: usize = 50_000;

/// The state of a file: when and where it was written. A file that is not there has none.
type State = (i64, i64, u64, u64);

/// What files looked like at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamps(BTreeMap<PathBuf, Option<State>>);

impl Stamps {
    /// Takes over what `earlier` says of files that both know.
    #[must_use]
    pub fn or_earlier(mut self, earlier: Self) -> Self {
        self.0.extend(earlier.0);
        self
    }

    /// Files that look otherwise in `later`, or are in one of both alone.
    #[must_use]
    pub fn changed(&self, later: &Self) -> Vec<PathBuf> {
        let names: BTreeSet<&PathBuf> = self.0.keys().chain(later.0.keys()).collect();
        let differs = |name: &&PathBuf| self.0.get(*name) != later.0.get(*name);
        names.into_iter().filter(differs).cloned().collect()
    }
}

/// The files and directories that a scenario rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched(BTreeSet<PathBuf>);

impl Watched {
    /// The scenario at `path` itself and, where it could be read, what it names: files that its services come from, files
    /// that are mounted, binaries, root trees and stored images, and the Cargo workspace around it where it builds from one.
    #[must_use]
    pub fn of(path: &Path, scenario: Option<&Scenario>) -> Self {
        let file = if path.is_dir() { path.join("scenario.yaml") } else { path.to_owned() };
        let mut watched = BTreeSet::from([file]);
        let Some(scenario) = scenario else { return Self(watched) };
        for service in &scenario.services {
            watched.insert(PathBuf::from(&service.location.file));
            for mounted in &service.files {
                if let MountedSource::Source(path) = &mounted.source {
                    watched.insert(scenario.directory.join(path));
                }
            }
            match scenario.image_of(service) {
                Some(ImageRef::Binary(path) | ImageRef::Rootfs(path) | ImageRef::Stored { path, .. }) => {
                    watched.insert(scenario.directory.join(path));
                }
                Some(ImageRef::Cargo { .. }) => watched.extend(workspace(&scenario.directory)),
                // What an engine or a registry holds is looked for anew with every gate, and shows no change here.
                Some(
                    ImageRef::Docker(_) | ImageRef::DockerDaemon(_) | ImageRef::Host | ImageRef::Reference(_),
                )
                | None => {}
            }
        }
        Self(watched)
    }

    /// The same with the file at `path`, if any.
    #[must_use]
    pub fn and(mut self, path: Option<PathBuf>) -> Self {
        self.0.extend(path);
        self
    }

    /// What they look like now.
    #[must_use]
    pub fn stamps(&self) -> Stamps {
        let mut stamps = BTreeMap::new();
        for path in &self.0 {
            look(path, DEEPEST, &mut stamps);
        }
        Stamps(stamps)
    }

    /// Waits until one of them looks otherwise than in `last` and none changes any more; which those are, or none where the
    /// caller was told to stop.
    #[must_use]
    pub fn wait(&self, last: &Stamps, interrupt: &Interrupt) -> Option<Vec<PathBuf>> {
        let mut patience = Patience::new(Duration::MAX, PAUSE, PAUSE);
        let mut before = last.clone();
        while !interrupt.is_raised() {
            let now = self.stamps();
            // A file that is being written is looked at again.
            if now != *last && now == before {
                return Some(last.changed(&now));
            }
            before = now;
            patience.wait();
        }
        None
    }
}

/// The outermost directory around `directory` that holds a Cargo.toml.
fn workspace(directory: &Path) -> Option<PathBuf> {
    let directory = directory.canonicalize().ok()?;
    let around = directory.ancestors().filter(|around| around.join("Cargo.toml").is_file());
    around.last().map(Path::to_owned)
}

/// Notes the state of `path` and of what lies in it. What cargo writes and what is hidden is passed over.
fn look(path: &Path, deepest: usize, stamps: &mut BTreeMap<PathBuf, Option<State>>) {
    let found = fs::metadata(path).ok();
    let is_directory = found.as_ref().is_some_and(Metadata::is_dir);
    if !is_directory {
        let state = |it: &Metadata| (it.mtime(), it.mtime_nsec(), it.len(), it.ino());
        stamps.insert(path.to_owned(), found.as_ref().map(state));
        return;
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        if deepest == 0 || stamps.len() >= MOST || is_hidden || name == "target" || is_link {
            continue;
        }
        look(&entry.path(), deepest - 1, stamps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(paths: &[&Path]) -> Watched {
        Watched(paths.iter().map(|path| path.to_path_buf()).collect())
    }

    #[test]
    fn a_file_that_is_written_made_replaced_or_removed_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("src/deep")).unwrap();
        fs::create_dir_all(path("target")).unwrap();
        for name in ["src/a", "src/deep/b", "gone"] {
            fs::write(path(name), "1").unwrap();
        }
        let watched = watched(&[folder.path(), &path("absent")]);
        let before = watched.stamps();
        assert_eq!(before.changed(&watched.stamps()), Vec::<PathBuf>::new());

        fs::write(path("src/a"), "22").unwrap();
        fs::write(path("new"), "1").unwrap();
        fs::write(path("swap"), "1").unwrap();
        fs::rename(path("swap"), path("src/deep/b")).unwrap();
        fs::remove_file(path("gone")).unwrap();
        fs::write(path("absent"), "").unwrap();
        fs::write(path("target/built"), "").unwrap();
        fs::write(path(".a.swp"), "").unwrap();
        let mut expected = ["absent", "gone", "new", "src/a", "src/deep/b"].map(path).to_vec();
        expected.sort();
        assert_eq!(before.changed(&watched.stamps()), expected);
    }

    #[test]
    fn a_change_while_a_gate_ran_is_not_missed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scenario.yaml");
        fs::write(&file, "1").unwrap();
        let watched = Watched::of(folder.path(), None);
        let before = watched.stamps();
        fs::write(&file, "changed while it was read").unwrap();
        let last = watched.stamps().or_earlier(before);
        assert_eq!(watched.wait(&last, &Interrupt::new()), Some(vec![file]));
    }

    #[test]
    fn whoever_is_told_to_stop_waits_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let watched = watched(&[folder.path()]);
        let interrupt = Interrupt::new();
        interrupt.raise();
        assert_eq!(watched.wait(&watched.stamps(), &interrupt), None);
    }
}
