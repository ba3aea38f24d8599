//! Forms other than zip, tar, ar, gzip and Zstandard.

use super::tests::{PEM, chains, gzip, reasons, scan, tar, zip};
use lzma_rust2::{LzipOptions, LzipWriter, XzOptions, XzWriter};
use notafter_core::PackageSystem;
use std::io::Write;

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(1)).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn lzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = LzipWriter::new(Vec::new(), LzipOptions::with_preset(1));
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// The portable form, as initial RAM disks have it.
fn cpio(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, contents) in entries.iter().chain(&[("TRAILER!!!", &b""[..])]) {
        let mut fields = [0; 13];
        (fields[6], fields[11]) = (contents.len(), name.len() + 1);
        let fields: String = fields.iter().map(|field| format!("{field:08X}")).collect();
        for part in [format!("070701{fields}{name}\0").as_bytes(), contents] {
            archive.extend_from_slice(part);
            archive.resize(archive.len().next_multiple_of(4), 0);
        }
    }
    archive
}

/// A header of RPM that holds these texts.
fn rpm_header(texts: &[(u32, &str)]) -> Vec<u8> {
    let (mut index, mut store) = (Vec::new(), Vec::new());
    for (name, text) in texts {
        for field in [*name, 6, u32::try_from(store.len()).unwrap(), 1] {
            index.extend(field.to_be_bytes());
        }
        store.extend([text.as_bytes(), b"\0"].concat());
    }
    let lens = [texts.len(), store.len()].map(|len| u32::try_from(len).unwrap().to_be_bytes());
    [&b"\x8e\xad\xe8\x01\0\0\0\0"[..], lens.as_flattened(), &index, &store].concat()
}

fn rpm(payload: &[u8]) -> Vec<u8> {
    let lead = [&b"\xed\xab\xee\xdb\x03\0"[..], &[0; 90]].concat();
    let mut signature = rpm_header(&[(1000, "odd")]);
    signature.resize(signature.len().next_multiple_of(8), 0);
    let header = rpm_header(&[(1000, "app"), (1001, "1.2"), (1002, "3.el9")]);
    [&lead[..], &signature, &header, payload].concat()
}

#[test]
fn streams_in_a_row_are_one_stream() {
    let (first, second) = PEM.as_bytes().split_at(200);
    type Pack = fn(&[u8]) -> Vec<u8>;
    for (pack, name) in [(bzip2 as Pack, "(bzip2)"), (lz4, "(lz4)"), (lzip, "(lzip)"), (xz, "(xz)")] {
        let found = scan(&[pack(first), pack(second)].concat());
        assert_eq!(chains(&found), [[name]]);
        assert_eq!(reasons(&found), [""; 0]);
        // What follows the last one is looked at too.
        let found = scan(&[pack(b"none"), PEM.as_bytes().to_vec()].concat());
        assert_eq!(chains(&found), [["(behind the archive)"]], "{name}");
        let packed = pack(PEM.as_bytes());
        let cut = scan(&packed[..packed.len() - 20]);
        assert_eq!(cut.opaque.len(), 1, "{name}");
    }
}

#[test]
fn streams_of_xz_may_have_padding_between_them() {
    let (first, second) = PEM.as_bytes().split_at(200);
    let found = scan(&[xz(first), vec![0; 8], xz(second), vec![0; 4]].concat());
    assert_eq!((chains(&found), reasons(&found)), (vec![vec!["(xz)".to_owned()]], vec![]));
}

#[test]
fn what_would_take_too_large_a_dictionary_is_told() {
    let mut stream = xz(PEM.as_bytes());
    stream[16] = 30;
    assert_eq!(
        reasons(&scan(&stream)),
        ["/file: its dictionary of 128 MiB is larger than the 64 MiB which are read"]
    );
    let mut member = lzip(PEM.as_bytes());
    member[5] = 0x1d;
    assert_eq!(reasons(&scan(&member)), ["/file: its dictionary is too large"]);
}

#[test]
fn initial_ram_disks_are_looked_into_archive_after_archive() {
    let disk = [
        cpio(&[("kernel/x86/microcode", b"none")]),
        vec![0; 512],
        gzip(&cpio(&[("ca.pem", PEM.as_bytes())])),
    ];
    let found = scan(&disk.concat());
    assert_eq!(chains(&found), [["(behind the archive)", "(gzip)", "ca.pem"]]);
    assert_eq!(reasons(&found), [""; 0]);
    let cut = scan(&cpio(&[("ca.pem", PEM.as_bytes())])[..300]);
    assert_eq!(cut.opaque.len(), 1);
    let posix = |name: &str, contents: &str| {
        let (name_len, len) = (name.len() + 1, contents.len());
        format!("070707{:042o}{:011o}{name_len:06o}{len:011o}{name}\0{contents}", 0, 0)
    };
    let archive = [posix("ca.pem", &PEM), posix("TRAILER!!!", "")].concat();
    let found = scan(archive.as_bytes());
    assert_eq!((chains(&found), reasons(&found)), (vec![vec!["ca.pem".to_owned()]], vec![]));
}

#[test]
fn packages_of_rpm_are_looked_into_and_own_what_is_in_them() {
    let found = scan(&rpm(&gzip(&cpio(&[("./etc/ca.pem", PEM.as_bytes())]))));
    assert_eq!(chains(&found), [["(payload)", "(gzip)", "etc/ca.pem"]]);
    let owner = &found.credentials[0].places[0].owners[0];
    assert_eq!(
        (owner.system, owner.name.as_str(), owner.version.as_str()),
        (PackageSystem::Rpm, "app", "1.2-3.el9")
    );
    assert_eq!(reasons(&found), [""; 0]);
    let mut lying = rpm(b"");
    lying[96 + 12] = 0x7f;
    assert_eq!(reasons(&scan(&lying)), ["/file: the RPM package is damaged"]);
}

#[test]
fn the_kernel_in_a_boot_image_is_looked_into() {
    let payload = [gzip(&[&b"\x7fELF"[..], PEM.as_bytes()].concat()), vec![1, 2, 3, 4]].concat();
    let mut image = vec![0; 1024];
    image[..2].copy_from_slice(b"MZ");
    image[0x1f1] = 1;
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x248..0x24c].copy_from_slice(&16_u32.to_le_bytes());
    image[0x24c..0x250].copy_from_slice(&u32::try_from(payload.len()).unwrap().to_le_bytes());
    image.extend([0; 16]);
    image.extend(payload);
    for bytes in [image.clone(), tar(&[("boot/vmlinuz", &image)])] {
        let found = scan(&bytes);
        assert!(chains(&found)[0].ends_with(&["(kernel)".to_owned(), "(gzip)".to_owned()]));
        assert_eq!(reasons(&found), [""; 0]);
    }
    image[1024 + 16] = b'x';
    assert_eq!(reasons(&scan(&image)), ["/file: a kernel packed in a form that is not read"]);
}

#[test]
fn a_unified_kernel_image_is_told() {
    let image = [&b"MZ"[..], &[0; 200], b".linux\0\0", &[0; 400]].concat();
    assert_eq!(reasons(&scan(&image)), ["/file: a unified kernel image, whose kernel is not unpacked"]);
}

#[test]
fn directories_in_a_zip_archive_are_entries_that_it_names() {
    let archive = zip(&[
        ("a-directory-with-a-name-of-its-own/", b""),
        ("and-another-one/", b""),
        ("ca.pem", PEM.as_bytes()),
    ]);
    let found = scan(&archive);
    assert_eq!((chains(&found).len(), reasons(&found)), (1, vec![]));
}
