//! Archives, well made and hostile.

use crate::{ScanOptions, scan_bytes, scan_reader};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use notafter_core::{Container, Inventory, ServiceName};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ED25519};
use std::io::Write;
use std::sync::LazyLock;

pub(super) static PEM: LazyLock<String> = LazyLock::new(|| {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "packed");
    params.self_signed(&KeyPair::generate_for(&PKCS_ED25519).unwrap()).unwrap().pem()
});

fn service() -> ServiceName {
    ServiceName::new("node").unwrap()
}

pub(super) fn scan(bytes: &[u8]) -> Inventory {
    scan_bytes(bytes, "/file", &service())
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, contents) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(contents.len() as u64);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes()); // `..` too
        header.set_cksum();
        builder.append(&header, *contents).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(super) fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    let le32 = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
    let le16 = |value: usize| u16::try_from(value).unwrap().to_le_bytes();
    for (name, contents) in entries {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(contents).unwrap();
        let packed = encoder.finish().unwrap();
        let shared = [
            &[20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &le32(packed.len()),
            &le32(contents.len()),
            &le16(name.len()),
            &[0, 0],
        ]
        .concat();
        let at = le32(archive.len());
        directory.extend([&b"PK\x01\x02\x14\0"[..], &shared, &[0; 10], &at, name.as_bytes()].concat());
        archive.extend([&b"PK\x03\x04"[..], &shared, name.as_bytes(), &packed].concat());
    }
    let (count, at) = (le16(entries.len()), le32(archive.len()));
    let size = le32(directory.len());
    archive.extend(directory);
    archive.extend([&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &size, &at, &[0, 0]].concat());
    archive
}

/// The chains that lead to what was found.
pub(super) fn chains(inventory: &Inventory) -> Vec<Vec<String>> {
    let places = inventory.credentials.iter().flat_map(|credential| &credential.places);
    places.map(|place| place.inside.clone()).collect()
}

pub(super) fn reasons(inventory: &Inventory) -> Vec<String> {
    inventory.opaque.iter().map(|opaque| format!("{}: {}", opaque.path, opaque.reason)).collect()
}

#[test]
fn archives_in_archives_are_looked_into() {
    let pem = PEM.as_bytes();
    let inner = zip(&[("ca.pem", pem)]);
    let middle = gzip(&tar(&[("./lib/x.jar", &inner)]));
    let found = scan(&zip(&[("dir/", b""), ("data.tar.gz", &middle)]));
    assert_eq!(chains(&found), [vec!["data.tar.gz", "(gzip)", "lib/x.jar", "ca.pem"]]);
    assert_eq!(found.credentials[0].places[0].container, Container::Pem);
    assert_eq!(reasons(&found), Vec::<String>::new());
}

#[test]
fn ar_archives_are_looked_into() {
    let header = format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", "a.pem/", 0, 0, 0, 644, PEM.len());
    let found = scan(&[b"!<arch>\n", header.as_bytes(), PEM.as_bytes()].concat());
    assert_eq!(chains(&found), [vec!["a.pem"]]);
}

#[test]
fn a_stream_of_zip_is_looked_into_like_a_file() {
    let archive = zip(&[("ca.pem", PEM.as_bytes())]);
    let found = scan_reader(&mut archive.as_slice(), "-", &service(), &ScanOptions::default());
    assert_eq!(chains(&found), [vec!["ca.pem"]]);
}

#[test]
fn what_an_archive_yields_has_a_limit_and_the_rest_is_still_scanned() {
    let bomb = gzip(&vec![0; 4 << 20]);
    let options = ScanOptions { max_file_bytes: 1 << 20, ..ScanOptions::default() };
    let archive = tar(&[("a.pem", PEM.as_bytes()), ("bomb.gz", &bomb), ("b.pem", PEM.as_bytes())]);
    let found = scan_reader(&mut archive.as_slice(), "-", &service(), &options);
    assert_eq!(chains(&found), [vec!["a.pem"], vec!["b.pem"]]);
    assert_eq!(reasons(&found), ["-!/bomb.gz!/(gzip): unpacks to more bytes than one file may hold"]);
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Uncompressed)
}

#[test]
fn members_and_frames_in_a_row_are_one_stream() {
    let (first, second) = PEM.as_bytes().split_at(PEM.len() / 2);
    let skipped = b"\x5a\x2a\x4d\x18\x03\0\0\0abc";
    for (packed, name) in [
        ([gzip(first), gzip(second)].concat(), "(gzip)"),
        ([zstd(first), skipped.to_vec(), zstd(second)].concat(), "(zstd)"),
    ] {
        let found = scan(&packed);
        assert_eq!((chains(&found), reasons(&found)), (vec![vec![name.to_owned()]], Vec::new()));
    }
}

#[test]
fn what_follows_an_archive_is_looked_into() {
    let pem = PEM.as_bytes();
    let (empty, other) = (b"nothing".as_slice(), gzip(&tar(&[("b.pem", pem)])));
    let behind = "(behind the archive)";
    for archive in [tar(&[("a", empty)]), gzip(empty), zstd(empty)] {
        let padded = [&archive[..], &[0; 300]].concat();
        assert_eq!(reasons(&scan(&padded)), Vec::<String>::new());
        let found = scan(&[&padded, pem].concat());
        assert_eq!(chains(&found), [[behind]]);
        let found = scan(&[&padded, other.as_slice()].concat());
        assert_eq!(chains(&found), [[behind, "(gzip)", "b.pem"]]);
    }
}

#[test]
fn what_lies_between_and_behind_the_entries_of_a_zip_is_carved() {
    let pem = PEM.as_bytes();
    let one = zip(&[("a.txt", b"nothing of interest")]);
    let directory_at = memchr::memmem::find(&one, b"PK\x01\x02").unwrap();
    let end_at = memchr::memmem::find(&one, b"PK\x05\x06").unwrap();
    let (entries, rest) = one.split_at(directory_at);
    // As the signing block of an APK stands: between the entries and the directory.
    let mut between = [entries, pem, rest].concat();
    let offset = u32::try_from(directory_at + pem.len()).unwrap().to_le_bytes();
    between[end_at + pem.len() + 16..][..4].copy_from_slice(&offset);
    let mut comment = [&one[..], pem].concat();
    comment[end_at + 20..][..2].copy_from_slice(&u16::try_from(pem.len()).unwrap().to_le_bytes());
    for (archive, at) in [(between, directory_at), (comment, one.len())] {
        let found = scan(&archive);
        assert_eq!((chains(&found), reasons(&found)), (vec![Vec::<String>::new()], Vec::new()));
        assert_eq!(found.credentials[0].places[0].offset, at as u64);
    }
}

#[test]
fn an_entry_that_no_directory_names_is_told() {
    let hidden = zip(&[("hidden.pem", PEM.as_bytes())]);
    let hidden = &hidden[..memchr::memmem::find(&hidden, b"PK\x01\x02").unwrap()];
    let one = zip(&[("a.txt", b"nothing of interest")]);
    let directory_at = memchr::memmem::find(&one, b"PK\x01\x02").unwrap();
    let mut archive = [&one[..directory_at], hidden, &one[directory_at..]].concat();
    let end_at = memchr::memmem::rfind(&archive, b"PK\x05\x06").unwrap();
    let offset = u32::try_from(directory_at + hidden.len()).unwrap().to_le_bytes();
    archive[end_at + 16..][..4].copy_from_slice(&offset);
    assert_eq!(
        reasons(&scan(&archive)),
        ["/file: its directory does not name every entry; those are not read"]
    );
}

#[test]
fn archives_attached_to_programs_are_looked_into() {
    let pem = PEM.as_bytes();
    let archive = zip(&[("ca.pem", pem)]);
    let mut elf = vec![0; 4096];
    elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
    elf[32] = 64; // program headers begin at 64, one of 56 bytes, for all 4096
    (elf[54], elf[56]) = (56, 1);
    elf[64 + 32..][..8].copy_from_slice(&4096_u64.to_le_bytes());
    let script = b"#!/bin/sh\nexec unpack \"$0\"\nexit 0\n";
    let packed = gzip(&tar(&[("ca.pem", pem)]));
    for (bytes, chain) in [
        ([&elf[..], &archive].concat(), vec!["ca.pem"]),
        ([&script[..], &archive].concat(), vec!["ca.pem"]),
        ([&elf[..], &packed].concat(), vec!["(gzip)", "ca.pem"]),
        ([&script[..], &packed].concat(), vec!["(gzip)", "ca.pem"]),
    ] {
        let found = scan(&bytes);
        assert_eq!(chains(&found), [chain]);
        assert_eq!(reasons(&found), Vec::<String>::new());
    }
    let inner = tar(&[("installer", &[&elf[..], &archive].concat())]);
    let reason = "a zip archive is attached to it, which is not read inside another archive";
    assert_eq!(reasons(&scan(&inner)), [format!("/file!/installer: {reason}")]);
    let script = tar(&[("installer", &[&script[..], &packed].concat())]);
    assert_eq!(chains(&scan(&script)), [["installer", "(gzip)", "ca.pem"]]);
}

#[test]
fn what_only_begins_as_an_archive_is_carved_and_told() {
    let pem = PEM.as_bytes();
    let mut not_tar = vec![b'x'; 512];
    not_tar[257..262].copy_from_slice(b"ustar");
    for head in [&b"PK\x03\x04"[..], &not_tar, b"\x1f\x8b\x08", b"7z\xbc\xaf\x27\x1c", b"!<arch>\n"] {
        let found = scan(&[head, pem].concat());
        assert_eq!(found.credentials.len(), 1, "{head:?}");
        assert_eq!(found.opaque.len(), 1, "{head:?}");
    }
    let broken = [&tar(&[("a", b"nothing")])[..1024], pem, &[b'x'; 600]].concat();
    let found = scan(&broken);
    assert_eq!((chains(&found).len(), found.opaque.len()), (1, 1));
}

#[test]
fn nesting_has_a_limit() {
    let nested = (0..40).fold(PEM.as_bytes().to_vec(), |inner, _| gzip(&inner));
    let found = scan(&nested);
    assert_eq!(found.credentials.len(), 0);
    assert_eq!(found.opaque.len(), 1);
    assert_eq!(found.opaque[0].reason, "lies in more than 8 archives, one inside the other");
}

#[test]
fn truncated_archives_never_panic_and_never_pass_as_empty() {
    let pem = PEM.as_bytes();
    for whole in [gzip(&tar(&[("a.pem", pem)])), zip(&[("a.pem", pem)]), tar(&[("a.pem", pem)])] {
        assert_eq!(scan(&whole).credentials.len(), 1);
        for len in (100..whole.len()).step_by(7) {
            let found = scan(&whole[..len]);
            // A tar that ends inside its first header is nothing that could be recognised.
            let is_stump = len < 512 && whole[0] != 0x1f && whole[0] != b'P';
            let told = !found.opaque.is_empty() || !found.credentials.is_empty();
            assert!(told || is_stump, "{len} of {} bytes", whole.len());
        }
    }
}

#[test]
fn entries_that_point_out_of_the_archive_are_names_and_nothing_else() {
    let found = scan(&tar(&[("../../etc/passwd", PEM.as_bytes())]));
    assert_eq!(chains(&found), [vec!["../../etc/passwd"]]);
}

#[test]
fn what_is_not_read_is_told() {
    for (bytes, reason) in [
        (&b"7z\xbc\xaf\x27\x1c\0\0"[..], "a 7z archive, which is not read"),
        (b"hsqs\0\0", "a SquashFS file system, which is not read"),
        (b"\xed\xab\xee\xdb\x03\0", "failed to fill whole buffer"),
        (b"PK\x03\x04 and nothing more", "the zip archive is damaged"),
    ] {
        let found = scan(bytes);
        assert_eq!(found.opaque.iter().map(|opaque| &opaque.reason).collect::<Vec<_>>(), [reason]);
    }
}

#[test]
fn archives_say_which_package_they_are() {
    let pem = PEM.as_bytes();
    let jar = zip(&[
        (
            "META-INF/MANIFEST.MF",
            b"Manifest-Version: 1.0\nImplementation-Title: lib\nImplementation-Version: 2\n",
        ),
        ("ca.pem", pem),
    ]);
    let control = gzip(&tar(&[("./control", b"Package: app\nVersion: 1-1\n")]));
    let data = tar(&[("./usr/lib.jar", &jar), ("./etc/ca.pem", pem)]);
    let header = |name: &str, len: usize| {
        format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{len:<10}`\n", 0, 0, 0, 644).into_bytes()
    };
    let mut deb = b"!<arch>\n".to_vec();
    for (name, contents) in [("control.tar.gz", &control), ("data.tar", &data)] {
        deb.extend([&header(name, contents.len())[..], contents, &b"\n"[..contents.len() % 2]].concat());
    }
    let found = scan(&deb);
    let owners: Vec<(String, Vec<String>)> = found.credentials[0]
        .places
        .iter()
        .map(|place| (place.inside.join("!"), place.owners.iter().map(ToString::to_string).collect()))
        .collect();
    assert_eq!(
        owners,
        [
            ("data.tar!etc/ca.pem".to_owned(), vec!["dpkg package app 1-1".to_owned()]),
            (
                "data.tar!usr/lib.jar!ca.pem".to_owned(),
                vec!["java package lib 2".to_owned(), "dpkg package app 1-1".to_owned()]
            ),
        ]
    );
}
