//! Paths to packages.

use super::files::Files;
use super::{managed, unmanaged};
use notafter_core::Package;
use std::collections::{BTreeMap, BTreeSet};

/// The packages that brought each of `paths`, the innermost first: that of a language, then that of the system. Paths
/// that nobody brought are left out.
pub(crate) fn owners_of(files: &dyn Files, paths: &BTreeSet<String>) -> BTreeMap<String, Vec<Package>> {
    let mut owners: BTreeMap<String, Vec<Package>> = BTreeMap::new();
    if paths.is_empty() {
        return owners;
    }
    let wanted = Wanted::new(paths);
    let claims = unmanaged::claims(files, paths).into_iter().chain(managed::claims(files, &wanted));
    for (path, package) in claims {
        let known = owners.entry(path).or_default();
        if !known.contains(&package) {
            known.push(package);
        }
    }
    owners
}

/// Whether the file at an absolute path tells of packages: worth keeping where it cannot be read later.
pub(crate) fn is_document(path: &str) -> bool {
    let in_folder = |folder: &str| path.rsplit_once('/').is_some_and(|(above, _)| above == folder);
    managed::is_document(path)
        || (in_folder(managed::DPKG_INFO) && path.ends_with(".list"))
        || in_folder(managed::STATUS_FOLDER)
        || path.ends_with(".dist-info/METADATA")
        || path.ends_with(".dist-info/RECORD")
        || path.ends_with("/package.json")
}

/// Paths that are asked for, as package managers may write them.
pub(super) struct Wanted<'a>(BTreeMap<&'a str, Vec<&'a str>>);

impl<'a> Wanted<'a> {
    fn new(paths: &'a BTreeSet<String>) -> Self {
        let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for path in paths {
            wanted.entry(merged(path)).or_default().push(path);
        }
        Self(wanted)
    }

    /// The paths that are asked for and that `written`, which is absolute, names.
    pub(super) fn named(&self, written: &str) -> &[&'a str] {
        self.0.get(merged(written)).map_or(&[], Vec::as_slice)
    }
}

/// Without the `/usr` that merged systems put before what packages still call `/lib`.
fn merged(path: &str) -> &str {
    let moved = ["/usr/bin/", "/usr/sbin/", "/usr/lib/", "/usr/lib32/", "/usr/lib64/"];
    if moved.iter().any(|prefix| path.starts_with(prefix)) { &path["/usr".len()..] } else { path }
}
