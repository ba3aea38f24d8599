mod layers;
mod transports;

use crate::unpacking::{Limits, Owners, Unpacking};
use crate::{Error, Resolver, RootTree};
use notafter_core::ImageRef;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// One entry: kind, path, link target or contents, mode.
type Planned<'a> = (EntryType, &'a str, &'a str, u32);

/// Paths go in as they are, which the builder of `tar` would refuse.
fn tar_of(entries: &[Planned<'_>]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for &(kind, path, text, mode) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(1_000_000_000);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        let body = if kind == EntryType::Regular { text } else { "" };
        if body.is_empty() && !text.is_empty() {
            header.set_link_name_literal(text).unwrap();
        }
        header.set_size(body.len() as u64);
        header.set_cksum();
        builder.append(&header, body.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn unpack(bytes: &[u8], limits: Limits) -> (tempfile::TempDir, Result<Vec<String>, Error>) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root");
    fs::create_dir(&root).unwrap();
    let image = ImageRef::Rootfs(PathBuf::from("image.tar"));
    let mut unpacking = Unpacking::new(&image, &root, limits, Owners::Unpacker);
    let unpacked = unpacking.archive(Path::new("image.tar"), bytes);
    let outcome = unpacked.and_then(|()| unpacking.finish());
    (directory, outcome)
}

const FILE: EntryType = EntryType::Regular;
const LINK: EntryType = EntryType::Symlink;

#[test]
fn a_tree_comes_out_as_it_went_in() {
    let bytes = tar_of(&[
        (EntryType::Directory, "./usr/", "", 0o555),
        (FILE, "./usr/tool", "#!/bin/sh\n", 0o4755),
        (LINK, "./bin", "usr", 0o777),
        (LINK, "./outside", "/etc/passwd", 0o777),
        (EntryType::Link, "./copy", "usr/tool", 0o755),
        (EntryType::Char, "./dev/console", "", 0o600),
        (FILE, "./again", "one", 0o644),
        (FILE, "./again", "two", 0o600),
    ]);
    let (directory, outcome) = unpack(&bytes, Limits::USUAL);
    let remarks = outcome.unwrap();
    assert_eq!(remarks[0], "rootfs:image.tar: device files and pipes are left out (1)");
    assert!(remarks[1].contains("set-id bits") && remarks.len() == 2, "{remarks:?}");
    let root = directory.path().join("root");
    let mode = |path: &str| std::os::unix::fs::MetadataExt::mode(&fs::metadata(root.join(path)).unwrap());
    assert_eq!(fs::read_to_string(root.join("copy")).unwrap(), "#!/bin/sh\n");
    // No setuid bit, and the owner can always look in and clean up.
    assert_eq!((mode("usr/tool") & 0o7777, mode("usr") & 0o7777), (0o755, 0o755));
    assert_eq!(fs::read_link(root.join("bin")).unwrap(), Path::new("usr"));
    assert_eq!(fs::read_link(root.join("outside")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(fs::read_to_string(root.join("again")).unwrap(), "two");
    assert!(!root.join("dev/console").exists());
}

#[test]
fn nothing_is_written_outside_the_tree() {
    for entries in
        [&[(FILE, "a/../../evil", "x", 0o644)][..], &[(EntryType::Link, "evil", "../secret", 0o644)]]
    {
        let (_directory, outcome) = unpack(&tar_of(entries), Limits::USUAL);
        match outcome {
            Err(Error::UnsafeEntry { reason, .. }) => assert_eq!(reason, "has `..` in its path"),
            other => panic!("{entries:?}: {other:?}"),
        }
    }
    // Links are followed as a process with this root follows them.
    for (entries, place) in [
        (&[(FILE, "/evil", "x", 0o644)][..], "evil"),
        (&[(LINK, "out", "..", 0o777), (FILE, "out/evil", "x", 0o644)], "evil"),
        (&[(LINK, "out", "/etc", 0o777), (FILE, "out/evil", "x", 0o644)], "etc/evil"),
        (
            &[(LINK, "a", "../../..", 0o777), (LINK, "b", "a/c", 0o777), (FILE, "b/evil", "x", 0o644)],
            "c/evil",
        ),
        // A file that replaces a link is written in its place, not through it.
        (&[(LINK, "evil", "../evil", 0o777), (FILE, "evil", "x", 0o644)], "evil"),
    ] {
        let (directory, outcome) = unpack(&tar_of(entries), Limits::USUAL);
        outcome.unwrap();
        assert!(!directory.path().join("evil").exists());
        assert_eq!(
            fs::read_to_string(directory.path().join("root").join(place)).unwrap(),
            "x",
            "{entries:?}"
        );
    }
    // What is not in the tree cannot be had by another name.
    for target in ["/etc/passwd", "etc/passwd"] {
        let entries = [(LINK, "etc", "/etc", 0o777), (EntryType::Link, "copy", target, 0o644)];
        let (_directory, outcome) = unpack(&tar_of(&entries), Limits::USUAL);
        assert!(matches!(outcome, Err(Error::Io { .. })), "{outcome:?}");
    }
    let (_directory, outcome) =
        unpack(&tar_of(&[(LINK, "a", "a", 0o777), (FILE, "a/evil", "x", 0o644)]), Limits::USUAL);
    assert!(matches!(outcome, Err(Error::Io { .. })), "{outcome:?}");
}

#[test]
fn what_could_take_memory_or_panic_is_refused() {
    // A long name of two mebibytes, as GNU tar writes it.
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(2 << 20);
    header.set_cksum();
    builder.append(&header, std::io::repeat(b'a').take(2 << 20)).unwrap();
    let (_directory, outcome) = unpack(&builder.into_inner().unwrap(), Limits::USUAL);
    assert!(matches!(&outcome, Err(Error::NotAnArchive { .. })), "{outcome:?}");
    // A time beyond all times.
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_path("file").unwrap();
    header.set_mtime(u64::MAX);
    header.set_mode(0o644);
    header.set_size(0);
    header.set_cksum();
    builder.append(&header, std::io::empty()).unwrap();
    let (_directory, outcome) = unpack(&builder.into_inner().unwrap(), Limits::USUAL);
    assert!(matches!(&outcome, Err(Error::Io { .. })), "{outcome:?}");
}

#[test]
fn what_is_too_large_or_no_archive_is_refused() {
    let entries = [(FILE, "a", "12345", 0o644), (FILE, "b", "12345", 0o644)];
    let bytes = tar_of(&entries);
    let (_directory, outcome) = unpack(&bytes, Limits { entries: 1, bytes: 100 });
    assert_eq!(outcome.unwrap_err().to_string(), "rootfs:image.tar: the archive holds more than 1 entries");
    let (_directory, outcome) = unpack(&bytes, Limits { entries: 9, bytes: 9 });
    assert_eq!(outcome.unwrap_err().to_string(), "rootfs:image.tar: the archive holds more than 9 bytes");
    let (_directory, outcome) = unpack(&bytes, Limits { entries: 2, bytes: 10 });
    outcome.unwrap();
    for bytes in [&b""[..], b"not a tar", &[0x1f, 0x8b, 0, 0], &[7; 4096], &bytes[..700]] {
        let (_directory, outcome) = unpack(bytes, Limits::USUAL);
        assert!(matches!(outcome, Err(Error::NotAnArchive { .. } | Error::Io { .. })), "{outcome:?}");
    }
}

#[test]
fn an_archive_is_unpacked_once_gzipped_or_not() {
    let directory = tempfile::tempdir().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar_of(&[(FILE, "file", "x", 0o644)])).unwrap();
    fs::write(directory.path().join("image.tgz"), gzip.finish().unwrap()).unwrap();
    let resolver = Resolver::with_cache(directory.path().join("cache"));
    let references = [ImageRef::Rootfs("image.tgz".into()), ImageRef::Host];
    let resolve = || resolver.resolve(directory.path(), &references, &mut |_| ()).unwrap();
    let images = resolve();
    let RootTree::Tree(tree) = &images[0].root else { panic!("{images:?}") };
    assert_eq!(fs::read_to_string(tree.join("file")).unwrap(), "x");
    assert_eq!(images[1].root, RootTree::Host);
    fs::write(tree.join("mark"), "").unwrap();
    assert_eq!(resolve(), images);
    assert!(tree.join("mark").exists(), "unpacked again");
}

#[test]
fn what_is_missing_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let resolver = Resolver::with_cache(directory.path().join("cache"));
    let reference = ImageRef::Rootfs("absent".into());
    let error =
        resolver.resolve(directory.path(), std::slice::from_ref(&reference), &mut |_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("rootfs:absent: there is no {}", directory.path().join("absent").display())
    );
    assert_eq!(error.images(), [reference]);
}

/// A workspace with a good and a broken package. Building them needs a compiler, which whoever runs tests has.
fn workspace() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let package = |name: &str, source: &str| {
        let path = directory.path().join(name);
        fs::create_dir_all(path.join("src")).unwrap();
        let manifest = format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n");
        fs::write(path.join("Cargo.toml"), manifest).unwrap();
        fs::write(path.join("src/main.rs"), source).unwrap();
    };
    package("good", "fn main() {}\n");
    package("other", "fn main() {}\n");
    package("broken", "fn main() { let x: u8 = \"text\"; }\n");
    fs::write(
        directory.path().join("Cargo.toml"),
        "[workspace]\nresolver = \"3\"\nmembers = [\"good\", \"other\", \"broken\"]\n",
    )
    .unwrap();
    fs::create_dir(directory.path().join("scenarios")).unwrap();
    directory
}

fn cargo(package: &str, bin: &str) -> ImageRef {
    ImageRef::Cargo { package: package.to_owned(), bin: bin.to_owned() }
}

#[test]
fn cargo_images_are_built_at_once_and_errors_are_shown_whole() {
    let workspace = workspace();
    let resolver = Resolver::with_cache(workspace.path().join("cache"));
    let scenarios = workspace.path().join("scenarios");
    let mut lines = Vec::new();
    let references = [cargo("other", "other"), cargo("good", "good")];
    let images = resolver.resolve(&scenarios, &references, &mut |line| lines.push(line.to_owned())).unwrap();
    assert_eq!(images[0].config.command, ["/other"]);
    assert_eq!((images[1].binds[0].target.as_str(), images[1].binds.len()), ("/good", 1));
    assert!(images[1].binds[0].source.is_file());
    // The host's own linkage decides; outside this workspace it is dynamic.
    assert!(matches!(images[1].root, RootTree::Host | RootTree::Empty));
    assert_eq!(lines.iter().filter(|line| line.contains("Finished")).count(), 1, "{lines:?}");

    let error = resolver.resolve(&scenarios, &[cargo("broken", "broken")], &mut |_| ()).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("build cargo:broken/broken:\n") && text.contains("mismatched types"), "{text}");
    let error = resolver.resolve(&scenarios, &[cargo("good", "absent")], &mut |_| ()).unwrap_err();
    assert!(matches!(error, Error::BuildFailed { .. } | Error::NoSuchBinary { .. }), "{error}");
}
