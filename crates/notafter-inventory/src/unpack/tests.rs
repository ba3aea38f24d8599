//! Archives, well made and hostile.

use crate::{ScanOptions, scan_bytes, scan_reader};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use notafter_core::{Container, Inventory, ServiceName};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ED25519};
use std::io::Write;
use std::sync::LazyLock;

static PEM: LazyLock<String> = LazyLock::new(|| {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "packed");
    params.self_signed(&KeyPair::generate_for(&PKCS_ED25519).unwrap()).unwrap().pem()
});

fn service() -> ServiceName {
    ServiceName::new("node").unwrap()
}

fn scan(bytes: &[u8]) -> Inventory {
    scan_bytes(bytes, "/file", &service())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
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

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
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
fn chains(inventory: &Inventory) -> Vec<Vec<String>> {
    let places = inventory.credentials.iter().flat_map(|credential| &credential.places);
    places.map(|place| place.inside.clone()).collect()
}

fn reasons(inventory: &Inventory) -> Vec<String> {
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

#[test]
fn what_follows_a_zstandard_frame_is_told() {
    let frame =
        ruzstd::encoding::compress_to_vec(PEM.as_bytes(), ruzstd::encoding::CompressionLevel::Uncompressed);
    let one = scan(&frame);
    assert_eq!((chains(&one), reasons(&one)), (vec![vec!["(zstd)".to_owned()]], Vec::new()));
    let two = scan(&[&frame[..], &frame].concat());
    assert_eq!(reasons(&two), ["/file: more follows the first Zstandard frame, which is not read"]);
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
        (b"BZh91AY&SY\0\0", "compressed with bzip2, which is not read"),
        (b"\xed\xab\xee\xdb\x03\0", "an RPM package, which is not read"),
        (b"PK\x03\x04 and nothing more", "the zip archive is damaged"),
    ] {
        let found = scan(bytes);
        assert_eq!(found.opaque.iter().map(|opaque| &opaque.reason).collect::<Vec<_>>(), [reason]);
    }
}
