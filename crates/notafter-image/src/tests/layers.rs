//! Layers over layers.

use super::{FILE, LINK, Planned, tar_of};
use crate::Error;
use crate::unpacking::{Limits, Owners, Unpacking};
use notafter_core::{ImageRef, Transport};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tar::EntryType;

const DIRECTORY: EntryType = EntryType::Directory;

fn image() -> ImageRef {
    ImageRef::Stored { transport: Transport::Oci, path: PathBuf::from("image"), selector: None }
}

fn stack(layers: &[&[Planned<'_>]]) -> (tempfile::TempDir, Result<Vec<String>, Error>) {
    let directory = tempfile::tempdir().unwrap();
    let image = image();
    let mut unpacking = Unpacking::new(&image, directory.path(), Limits::USUAL, Owners::Unpacker);
    let mut outcome = Ok(());
    for layer in layers {
        let bytes = tar_of(layer);
        outcome = outcome.and_then(|()| unpacking.layer(Path::new("layer"), &bytes[..]));
    }
    let remarks = outcome.and_then(|()| unpacking.finish());
    (directory, remarks)
}

/// Every path below `root`, sorted, directories with a final `/`.
fn listing(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let shown = path.strip_prefix(root).unwrap().display().to_string();
            let is_directory = fs::symlink_metadata(&path).unwrap().is_dir();
            found.push(if is_directory { format!("{shown}/") } else { shown });
            if is_directory {
                pending.push(path);
            }
        }
    }
    found.sort();
    found
}

const BASE: &[Planned<'_>] = &[
    (DIRECTORY, "etc/", "", 0o755),
    (FILE, "etc/a", "one", 0o644),
    (FILE, "etc/b", "one", 0o644),
    (DIRECTORY, "etc/deep/", "", 0o555),
    (FILE, "etc/deep/c", "one", 0o644),
    (LINK, "link", "etc", 0o777),
];

#[test]
fn a_whiteout_removes_what_lies_below_it() {
    let (root, outcome) =
        stack(&[BASE, &[(FILE, "etc/.wh.a", "", 0o644), (FILE, "etc/.wh.deep", "", 0o644)]]);
    assert_eq!(outcome.unwrap(), [""; 0]);
    assert_eq!(listing(root.path()), ["etc/", "etc/b", "link"]);
}

#[test]
fn an_opaque_directory_shows_what_its_own_layer_brings_before_or_after() {
    let upper = &[
        (FILE, "etc/new", "two", 0o644),
        (FILE, "etc/.wh..wh..opq", "", 0o644),
        (FILE, "etc/b", "two", 0o644),
    ];
    let (root, outcome) = stack(&[BASE, upper]);
    outcome.unwrap();
    assert_eq!(listing(root.path()), ["etc/", "etc/b", "etc/new", "link"]);
    assert_eq!(fs::read_to_string(root.path().join("etc/b")).unwrap(), "two");
}

#[test]
fn an_upper_layer_replaces_whatever_is_there() {
    let upper = &[
        // A directory becomes a file, a file a directory, a link a directory.
        (FILE, "etc/deep", "two", 0o600),
        (DIRECTORY, "etc/a/", "", 0o700),
        (FILE, "etc/a/x", "two", 0o644),
        (DIRECTORY, "link/", "", 0o755),
        (DIRECTORY, "etc/", "", 0o711),
    ];
    let (root, outcome) = stack(&[BASE, upper]);
    outcome.unwrap();
    assert_eq!(listing(root.path()), ["etc/", "etc/a/", "etc/a/x", "etc/b", "etc/deep", "link/"]);
    assert_eq!(fs::metadata(root.path().join("etc")).unwrap().mode() & 0o7777, 0o711);
}

#[test]
fn a_layer_writes_through_links_of_layers_below_and_stays_inside() {
    let upper = &[(FILE, "link/through", "two", 0o644), (FILE, "link/.wh.a", "", 0o644)];
    let (root, outcome) = stack(&[BASE, upper]);
    outcome.unwrap();
    assert_eq!(listing(root.path()), ["etc/", "etc/b", "etc/deep/", "etc/deep/c", "etc/through", "link"]);
    let hostile = &[(LINK, "up", "../../../..", 0o777), (FILE, "up/.wh.victim", "", 0o644)];
    let outer = tempfile::tempdir().unwrap();
    fs::write(outer.path().join("victim"), "").unwrap();
    let (_root, outcome) = stack(&[BASE, hostile]);
    outcome.unwrap();
    assert!(outer.path().join("victim").exists());
}

#[test]
fn a_hard_link_joins_a_file_of_a_layer_below_and_changes_part_it() {
    let link = &[(EntryType::Link, "again", "etc/a", 0o644)];
    let change = &[(FILE, "again", "two", 0o644)];
    let (root, outcome) = stack(&[BASE, link]);
    outcome.unwrap();
    let inode = |path: &str| fs::metadata(root.path().join(path)).unwrap().ino();
    assert_eq!(inode("again"), inode("etc/a"));
    let (root, outcome) = stack(&[BASE, link, change]);
    outcome.unwrap();
    let text = |path: &str| fs::read_to_string(root.path().join(path)).unwrap();
    assert_eq!((text("again"), text("etc/a")), ("two".to_owned(), "one".to_owned()));
}

#[test]
fn whiteouts_of_nothing_are_harmless_or_refused() {
    let (root, outcome) =
        stack(&[BASE, &[(FILE, "none/.wh.x", "", 0o644), (FILE, ".wh..wh.plnk", "", 0o644)]]);
    outcome.unwrap();
    assert_eq!(listing(root.path()).len(), 6);
    for name in [".wh.", ".wh..", ".wh..."] {
        let (root, outcome) = stack(&[BASE, &[(FILE, name, "", 0o644)]]);
        assert!(matches!(outcome, Err(Error::Io { .. })), "{name}: {outcome:?}");
        assert_eq!(listing(root.path()).len(), 6);
    }
}
