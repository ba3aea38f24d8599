//! Shipments of a program that only says what it must.

use super::debian::place;
use super::{Shipment, pack};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = "#!/bin/sh\n\
    case $1 in\n\
    --version) echo notafter 1.2.3 ;;\n\
    completions) echo \"# for $2\" ;;\n\
    man) for page in notafter notafter-gate; do echo \".TH $page\" >\"$2/$page.1\"; done ;;\n\
    esac\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Packs the program into `out` below `home`; every file there by its name.
fn packed(home: &Path, out: &str, epoch: u32) -> BTreeMap<String, Vec<u8>> {
    let binary = home.join("program");
    fs::write(&binary, PROGRAM).unwrap();
    fs::set_permissions(&binary, Permissions::from_mode(0o755)).unwrap();
    let paths = pack(&Shipment { binary, root: root(), epoch }, &home.join(out)).unwrap();
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

/// Where dpkg-deb is missing, there is no package to look at.
fn can_pack() -> bool {
    let there = Command::new("dpkg-deb").arg("--version").output().is_ok();
    let required = std::env::var("NOTAFTER_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(there || !required, "required here, and missing: dpkg-deb");
    if !there {
        eprintln!("SKIPPED: this machine lacks dpkg-deb");
    }
    there
}

fn lines(program: &str, arguments: &[&str], directory: &Path) -> Vec<String> {
    let output = Command::new(program).args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_same_tree_makes_the_same_bytes_and_another_time_others() {
    if !can_pack() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let first = packed(home.path(), "first", 1_700_000_000);
    let names: Vec<&str> = first.keys().map(String::as_str).collect();
    assert_eq!(names, ["SHA256SUMS", "notafter-1.2.3-x86_64-linux.tar.gz", "notafter_1.2.3_amd64.deb"]);
    assert!(first == packed(home.path(), "second", 1_700_000_000), "the same tree made other bytes");
    assert!(
        first != packed(home.path(), "third", 1_700_000_001),
        "the time of the tree is in none of the bytes"
    );
}

#[test]
fn sums_are_those_of_what_lies_there() {
    if !can_pack() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    packed(home.path(), "out", 1);
    let out = home.path().join("out");
    assert_eq!(lines("sha256sum", &["--check", "--strict", "SHA256SUMS"], &out).len(), 2);
    lines("tar", &["xzf", "notafter-1.2.3-x86_64-linux.tar.gz"], &out);
    let below = out.join("notafter-1.2.3-x86_64-linux");
    let held = lines("sha256sum", &["--check", "--strict", "SHA256SUMS"], &below);
    let files = lines("find", &[".", "-type", "f"], &below);
    assert_eq!(held.len() + 1, files.len(), "{held:?} {files:?}");
}

#[test]
fn the_archive_holds_program_pages_completions_and_licences() {
    if !can_pack() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    packed(home.path(), "out", 86_400);
    let listed = lines("tar", &["--utc", "-tvzf", "out/notafter-1.2.3-x86_64-linux.tar.gz"], home.path());
    let shown: Vec<String> = listed
        .iter()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            format!("{} {} {} {}", words[0], words[1], words[3], words[5])
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn the_package_has_everything_in_the_places_of_debian() {
    if !can_pack() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    packed(home.path(), "out", 86_400);
    let package = "out/notafter_1.2.3_amd64.deb";
    lines("dpkg-deb", &["--extract", package, "tree"], home.path());
    let tree = home.path().join("tree");
    let mut files = lines("find", &[".", "-type", "f", "-printf", "%m %P\n"], &tree);
    files.sort();
    insta::assert_snapshot!(files.join("\n"));
    let owners = lines("dpkg-deb", &["--contents", package], home.path());
    assert!(
        owners.iter().all(|line| line.contains(" root/root ") && line.contains(" 1970-01-02 ")),
        "{owners:?}"
    );
    let control = lines("dpkg-deb", &["--field", package, "Package", "Version", "Architecture"], home.path());
    assert_eq!(control, ["Package: notafter", "Version: 1.2.3", "Architecture: amd64"]);

    let copyright = fs::read_to_string(tree.join("usr/share/doc/notafter/copyright")).unwrap();
    assert!(copyright.contains("THIRD-PARTY.gz"), "{copyright}");
    let licences =
        lines("gzip", &["-dc", "tree/usr/share/doc/notafter/THIRD-PARTY.gz"], home.path()).join("\n");
    for words in
        ["\nrustls 0.", "\naws-lc-sys 0.", "GNU C library", "Permission is hereby granted, free of charge"]
    {
        assert!(licences.contains(words), "{words}");
    }
    // Of tests and chores alone.
    for words in ["\ninsta ", "\ncargo_metadata ", "\nproptest "] {
        assert!(!licences.contains(words), "{words}");
    }
}

/// What is shipped and has no place there is a file of the archive that the package loses.
#[test]
fn only_completions_of_shells_without_a_place_are_left_out() {
    if !can_pack() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    packed(home.path(), "out", 1);
    let listed = lines("tar", &["-tzf", "out/notafter-1.2.3-x86_64-linux.tar.gz"], home.path());
    let inside = listed.iter().filter_map(|path| path.split_once('/')).map(|(_, path)| path);
    let without: Vec<&str> =
        inside.filter(|path| !path.is_empty() && !path.ends_with('/') && place(path).is_none()).collect();
    assert_eq!(without, ["SHA256SUMS", "completions/_notafter.ps1", "completions/notafter.elv"]);
}

#[test]
fn a_program_that_needs_a_loader_is_not_shipped() {
    let shell = fs::canonicalize("/bin/sh").unwrap();
    let home = tempfile::tempdir().unwrap();
    let error = pack(&Shipment { binary: shell, root: root(), epoch: 1 }, home.path()).unwrap_err();
    assert!(error.to_string().contains("not linked statically"), "{error:#}");
}
