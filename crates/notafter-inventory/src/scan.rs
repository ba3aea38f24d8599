//! Trees, files and bytes to an inventory.

use crate::collect::FileFindings;
use crate::file::{Room, findings_of_bytes, findings_of_file, findings_of_stream};
use crate::owners::{Files, owners_of};
use crate::tree::{self, Listing, Mounts, Root};
use crate::{Error, SourceFile, pattern};
use notafter_core::{Credential, Fingerprint, Inventory, OpaqueFile, ServiceName};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;
use std::path::Path;
use zeroize::Zeroizing;

/// How far a scan goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanOptions {
    /// Files with more bytes are opaque.
    pub max_file_bytes: u64,
    /// What to do where another file system is mounted below the root.
    pub mounts: Mounts,
    /// Passwords to try on locked stores, before the usual ones.
    pub passwords: Passwords,
}

/// Passwords, which no output shows; they leave memory when they are dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Passwords(Vec<Zeroizing<String>>);

impl Passwords {
    /// Adds one.
    pub fn add(&mut self, password: String) {
        self.0.push(Zeroizing::new(password));
    }

    pub(crate) fn as_slice(&self) -> &[Zeroizing<String>] {
        &self.0
    }
}

/// How many there are.
impl fmt::Debug for Passwords {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Passwords({})", self.0.len())
    }
}

impl Default for ScanOptions {
    /// 2 GiB; stays on the file system of the root; no passwords.
    fn default() -> Self {
        Self { max_file_bytes: 2 * 1024 * 1024 * 1024, mounts: Mounts::Stay, passwords: Passwords::default() }
    }
}

/// Scans every regular file below `root`, the root tree of `service`. Symbolic links are not followed: what they lead
/// to lies in the tree itself, or is none of its business. Directories and files that cannot be read are opaque.
///
/// # Errors
/// [`Error::Root`].
pub fn scan_tree(root: &Path, service: &ServiceName, options: &ScanOptions) -> Result<Inventory, Error> {
    let root = Root::open(root, options.mounts)?;
    let mut listing = Listing::default();
    tree::list_below(&root, Path::new("/"), &mut listing);
    Ok(scan_listing(listing, service, options).owned_by(&root))
}

/// Scans the files below `root` that `patterns` name: absolute paths as the service sees them, in which `*`, `?`,
/// `[a-z]` stand for part of a name (a leading dot too) and `**` for any number of directories. A directory stands for
/// everything below it. Symbolic links are followed as the service would, never out of `root`; places name the file
/// that they lead to.
///
/// # Errors
/// [`Error::Root`], [`Error::Pattern`], and [`Error::NoMatch`] for a pattern that finds no file.
pub fn scan_paths(
    root: &Path,
    patterns: &[String],
    service: &ServiceName,
    options: &ScanOptions,
) -> Result<Inventory, Error> {
    let root = Root::open(root, options.mounts)?;
    let mut listing = Listing::default();
    for text in patterns {
        let matched = pattern::expand(&root, text)?;
        listing.files.extend(matched.files);
        listing.opaque.extend(matched.opaque);
    }
    Ok(scan_listing(listing, service, options).owned_by(&root))
}

/// Scans single files. One that is missing is opaque; one that is a directory or a device holds nothing.
#[must_use]
pub fn scan_files(files: &[SourceFile], service: &ServiceName, options: &ScanOptions) -> Inventory {
    let listing = Listing { files: files.iter().cloned().collect(), ..Listing::default() };
    scan_listing(listing, service, options).finish()
}

/// Scans one file of the host that `service` sees at `path`.
#[must_use]
pub fn scan_file(source: &Path, path: &str, service: &ServiceName, options: &ScanOptions) -> Inventory {
    let file = SourceFile { source: source.to_owned(), path: path.to_owned() };
    scan_files(&[file], service, options)
}

/// Scans bytes as if they were the file that `service` sees at `path`.
#[must_use]
pub fn scan_bytes(bytes: &[u8], path: &str, service: &ServiceName) -> Inventory {
    let mut merged = Merged::default();
    merged.add(findings_of_bytes(bytes, path, service, &ScanOptions::default()), service);
    merged.finish()
}

/// Scans what `reader` yields as if it were the file that `service` sees at `path`.
pub fn scan_reader(
    reader: &mut dyn Read,
    path: &str,
    service: &ServiceName,
    options: &ScanOptions,
) -> Inventory {
    let mut merged = Merged::default();
    merged.add(findings_of_stream(reader, path, service, options), service);
    merged.finish()
}

fn scan_listing(listing: Listing, service: &ServiceName, options: &ScanOptions) -> Merged {
    let mut merged = Merged::default();
    for (path, reason) in listing.opaque {
        merged.opaque.push(OpaqueFile { service: service.clone(), path, reason });
    }
    let files: Vec<SourceFile> = listing.files.into_iter().collect();
    let findings: Vec<FileFindings> = files
        .par_iter()
        .map_init(Room::default, |room, file| findings_of_file(file, service, options, room))
        .collect();
    for findings in findings {
        merged.add(findings, service);
    }
    merged
}

/// The same certificate in many places is one credential. Sorting once at the end keeps many places cheap.
#[derive(Default)]
pub(crate) struct Merged {
    credentials: BTreeMap<Fingerprint, Credential>,
    opaque: Vec<OpaqueFile>,
    /// Private keys, by the public ones that belong to them, and where they lie.
    keys: BTreeMap<Fingerprint, BTreeSet<String>>,
}

impl Merged {
    pub(crate) fn add(&mut self, findings: FileFindings, service: &ServiceName) {
        for (fingerprint, credential) in findings.credentials {
            match self.credentials.get_mut(&fingerprint) {
                Some(known) => known.places.extend(credential.places),
                None => {
                    self.credentials.insert(fingerprint, credential);
                }
            }
        }
        for (key, places) in findings.keys {
            self.keys.entry(key).or_default().extend(places);
        }
        let opaque = findings.opaque.into_iter();
        self.opaque.extend(opaque.map(|(path, reason)| OpaqueFile {
            service: service.clone(),
            path,
            reason,
        }));
    }

    /// Asks the tree which packages brought what was found.
    pub(crate) fn owned_by(mut self, files: &dyn Files) -> Inventory {
        let places = || self.credentials.values().flat_map(|credential| &credential.places);
        let paths = places().map(|place| place.path.clone()).collect();
        let owners = owners_of(files, &paths);
        for place in self.credentials.values_mut().flat_map(|credential| &mut credential.places) {
            place.owners.extend(owners.get(&place.path).into_iter().flatten().cloned());
        }
        self.finish()
    }

    pub(crate) fn finish(mut self) -> Inventory {
        for credential in self.credentials.values_mut() {
            let keys = credential.key.as_ref().and_then(|key| self.keys.get(&key.fingerprint));
            for place in &mut credential.places {
                if place.private_key.is_none() {
                    place.private_key = keys.and_then(|keys| nearest(keys, &place.path)).cloned();
                }
            }
        }
        for credential in self.credentials.values_mut() {
            credential.places.sort();
            credential.places.dedup();
        }
        self.opaque.sort();
        self.opaque.dedup();
        Inventory { credentials: self.credentials.into_values().collect(), opaque: self.opaque }
    }
}

/// The key in the same file, else the one in the same folder, else any.
fn nearest<'a>(keys: &'a BTreeSet<String>, path: &str) -> Option<&'a String> {
    let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    let nearness = |key: &&String| {
        let file = key.split("!/").next().unwrap_or_default();
        (file != path, folder(file) != folder(path))
    };
    keys.iter().min_by_key(nearness)
}
