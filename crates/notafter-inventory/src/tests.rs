//! What a scan finds and what it does not, with certificates that are made here.

use super::*;
use notafter_core::{Container, Inventory, Place, ServiceName};
use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ED25519};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate_for(&PKCS_ED25519).unwrap());

fn made(common_name: &str) -> rcgen::Certificate {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.self_signed(&*KEY).unwrap()
}

fn der(common_name: &str) -> Vec<u8> {
    made(common_name).der().to_vec()
}

fn service() -> ServiceName {
    ServiceName::new("sgsn-mme").unwrap()
}

fn scan(bytes: &[u8]) -> Inventory {
    scan_bytes(bytes, "/file", &service())
}

/// Subject, offset, length and container of everything found, by offset.
fn found(inventory: &Inventory) -> Vec<(String, usize, usize, Container)> {
    let mut found: Vec<_> = inventory
        .credentials
        .iter()
        .flat_map(|credential| credential.places.iter().map(|place| (credential.subject.clone(), place)))
        .map(|(subject, place)| {
            let [offset, len] = [place.offset, place.len].map(|value| usize::try_from(value).unwrap());
            (subject, offset, len, place.container)
        })
        .collect();
    found.sort_by_key(|entry| entry.1);
    found
}

fn one(
    subject: &str,
    offset: usize,
    len: usize,
    container: Container,
) -> Vec<(String, usize, usize, Container)> {
    vec![(format!("CN={subject}"), offset, len, container)]
}

/// A static executable with the parts in its read-only data: header, some code, the parts, section names.
fn elf(parts: &[&[u8]]) -> Vec<u8> {
    let header = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0";
    let code: Vec<u8> = (0..4096_u32).map(|index| u8::try_from(index * 31 % 251).unwrap()).collect();
    [&header[..], &code, &parts.concat(), b".shstrtab\0.rodata\0"].concat()
}

const ELF_PARTS_AT: usize = 24 + 4096;

fn with_ending(pem: &str, ending: &str) -> String {
    pem.lines().flat_map(|line| [line, ending]).collect()
}

fn digits_of(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

#[test]
fn a_constant_of_an_executable_is_found() {
    let der = der("embedded");
    let image = elf(&[b"some text\0", &der, b"\0\0more"]);
    assert_eq!(found(&scan(&image)), one("embedded", ELF_PARTS_AT + 10, der.len(), Container::DerInElf));
}

#[test]
fn pem_inside_an_executable_is_found() {
    let pem = made("text").pem();
    let image = elf(&[pem.as_bytes()]);
    assert_eq!(found(&scan(&image)), one("text", ELF_PARTS_AT, pem.trim_end().len(), Container::Pem));
}

fn root(common_name: &str) -> rcgen::Certificate {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.self_signed(&*KEY).unwrap()
}

/// A library of .NET, by its headers.
fn pe(parts: &[&[u8]]) -> Vec<u8> {
    let mut header = [0; 0x80];
    (header[0], header[1], header[0x3c]) = (b'M', b'Z', 0x80);
    [&header[..], b"PE\0\0", &parts.concat()].concat()
}

#[test]
fn roots_in_a_program_are_anchors_where_it_carries_a_whole_store() {
    let roots: Vec<rcgen::Certificate> = (0..10).map(|number| root(&format!("root {number}"))).collect();
    let pem: Vec<Vec<u8>> = roots.iter().map(|root| root.pem().into_bytes()).collect();
    let der: Vec<Vec<u8>> = roots.iter().map(|root| root.der().to_vec()).collect();
    for encoded in [pem, der] {
        for (count, are_anchors) in [(1, false), (9, false), (10, true)] {
            // A leaf beside them is none, nor does it make nine roots a store.
            let leaf = made("leaf").pem();
            let parts: Vec<&[u8]> =
                encoded[..count].iter().map(Vec::as_slice).chain([leaf.as_bytes()]).collect();
            for program in [elf(&parts), pe(&parts)] {
                let inventory = scan(&program);
                assert_eq!(inventory.credentials.len(), count + 1);
                for found in &inventory.credentials {
                    let expected = are_anchors && found.ca;
                    assert_eq!(notafter_core::is_anchor(found), expected, "{} of {count}", found.subject);
                }
            }
        }
        // One that lies far from the others is none of theirs.
        let far = vec![0; 5_000];
        let parts: Vec<&[u8]> = encoded[1..].iter().map(Vec::as_slice).collect();
        let [store, own] = [&parts.concat()[..], &encoded[0]];
        let anchors = |program: &[u8]| {
            scan(program).credentials.iter().filter(|found| notafter_core::is_anchor(found)).count()
        };
        let parts = |gap: &[u8]| elf(&[store, root("one more").der(), gap, own]);
        assert_eq!((anchors(&parts(&far)), anchors(&parts(&far[..4_000]))), (10, 11));
        let alone = scan(&encoded[0]);
        assert!(notafter_core::is_anchor(&alone.credentials[0]), "a file of its own is a store");
    }
}

#[test]
fn der_is_told_apart_by_what_is_around_it() {
    let der = der("der");
    let len = der.len();
    assert_eq!(found(&scan(&der)), one("der", 0, len, Container::Der));
    assert_eq!(found(&scan(&[&der[..], b"\n"].concat())), one("der", 0, len, Container::DerInFile));
    assert_eq!(found(&scan(&[b"\0\0\x30", &der[..]].concat())), one("der", 3, len, Container::DerInFile));
}

#[test]
fn a_bundle_yields_each_certificate_once_and_every_place() {
    let [first, second] = ["first", "second"].map(|name| made(name).pem());
    let bundle = format!("# roots\n{first}subject=second\n{second}\n{first}");
    let inventory = scan(bundle.as_bytes());
    let subjects: Vec<_> = found(&inventory).into_iter().map(|entry| entry.0).collect();
    assert_eq!(subjects, ["CN=first", "CN=second", "CN=first"]);
    assert_eq!(inventory.credentials.len(), 2);
    assert!(inventory.credentials.is_sorted_by_key(|credential| credential.fingerprint));
    for (_, offset, len, _) in found(&inventory) {
        assert!(bundle[offset..].starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(bundle[..offset + len].ends_with("-----END CERTIFICATE-----"));
    }
}

#[test]
fn pem_is_read_in_every_layout() {
    let pem = made("layout").pem();
    let digits = digits_of(&pem);
    let odd_lines: Vec<&str> = [&digits[..7], &digits[7..90], &digits[90..]].into();
    let armoured = |body: &str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----");
    for text in [
        with_ending(&pem, "\r\n"),
        with_ending(&pem, "\r"),
        with_ending(&pem, "\n      "),
        with_ending(&pem, "\\n"),
        with_ending(&pem, "\\n\" \\\n    \""),
        armoured(&digits),
        armoured(&odd_lines.join("\n")),
        armoured(&format!("\n{}\n\n", odd_lines.join(" \n\t"))),
        pem.replace("CERTIFICATE", "X509 CERTIFICATE"),
        format!("Bag Attributes\n    friendlyName: x -----\n{pem}"),
        pem.trim_end().to_owned(),
    ] {
        let inventory = scan(text.as_bytes());
        assert_eq!(inventory.credentials.len(), 1, "{text}");
        assert_eq!(inventory.credentials[0].subject, "CN=layout");
    }
}

#[test]
fn broken_pem_is_nothing() {
    let pem = made("broken").pem();
    let digits = digits_of(&pem);
    for text in [
        pem.replacen(&digits[20..24], "", 1),
        pem.replacen(&digits[20..24], "####", 1),
        pem.replace("END CERTIFICATE", "END CERT"),
        pem.replace("-----END CERTIFICATE-----", ""),
        pem.replace("CERTIFICATE", "CERTIFICATE REQUEST"),
        pem.replace("CERTIFICATE", "PRIVATE KEY"),
        pem.replacen("-----BEGIN", "----BEGIN", 1),
        pem.replacen("CERTIFICATE-----", "CERTIFICATE----", 1),
    ] {
        assert_eq!(scan(text.as_bytes()), Inventory::default(), "{text}");
    }
}

#[test]
fn a_broken_block_does_not_hide_the_next_one() {
    let pem = made("next").pem();
    let text = format!("-----BEGIN CERTIFICATE-----\nMIIB\n{pem}");
    assert_eq!(scan(text.as_bytes()).credentials.len(), 1);
}

#[test]
fn certificates_at_both_ends_and_back_to_back_are_found() {
    let [first, last] = ["first", "last"].map(der);
    let inventory = scan(&[&first[..], &first, &last].concat());
    let offsets: Vec<_> = found(&inventory).into_iter().map(|entry| entry.1).collect();
    assert_eq!(offsets, [0, first.len(), 2 * first.len()]);
}

#[test]
fn a_truncated_certificate_is_nothing() {
    let der = der("cut");
    for len in 0..der.len() {
        assert_eq!(scan(&der[..len]), Inventory::default(), "{len} bytes");
    }
    assert_eq!(scan(&der[1..]), Inventory::default());
}

#[test]
fn certificates_inside_other_structures_are_carved() {
    let inner = der("signer");
    // ContentInfo { signedData, [0] { SignedData { …, certificates [0] … } } }, with lengths in two octets.
    let wrap = |tag: u8, contents: &[u8]| {
        [&[tag, 0x82][..], &u16::try_from(contents.len()).unwrap().to_be_bytes(), contents].concat()
    };
    let signed_data = wrap(0x30, &[&b"\x02\x01\x01\x31\x00"[..], &wrap(0xa0, &inner)].concat());
    let oid = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
    let pkcs7 = wrap(0x30, &[&oid[..], &wrap(0xa0, &signed_data)].concat());
    let offset = pkcs7.len() - inner.len();
    assert_eq!(found(&scan(&pkcs7)), one("signer", offset, inner.len(), Container::DerInFile));
}

/// As Knot writes one: the signatures stand behind all records, far from the SOA record.
#[test]
fn a_signed_zone_is_a_credential_as_a_whole() {
    let addresses: String = (0..200).map(|host| format!("h{host}.demo. 300 A 192.0.2.{host}\n")).collect();
    let zone = format!(
        "demo. 300 SOA ns.demo. h.demo. 1 300 300 300 300\n{addresses};; DNSSEC signatures\n\
         demo. 300 RRSIG SOA 13 1 300 20300101000000 20260101000000 32153 demo. w9aIBS==\n"
    );
    let inventory = scan(zone.as_bytes());
    assert_eq!(found(&inventory), [("zone demo.".to_owned(), 0, zone.len(), Container::Text)]);
    assert_eq!(inventory.credentials[0].not_after.to_string(), "2030-01-01T00:00:00Z");
    let unsigned = zone.replace("RRSIG", "TXT");
    assert_eq!(found(&scan(unsigned.as_bytes())), []);
    // What is too long to be read as a whole is told.
    let long = |zone: &str| scan(format!("{zone}{}", ";\n".repeat(8 * 1024 * 1024)).as_bytes()).opaque;
    let [opaque] = &long(&zone)[..] else { panic!("nothing is told") };
    assert_eq!(opaque.reason, "a signed zone of more than 16 MiB");
    assert_eq!(long(&unsigned), []);
}

fn write(root: &TempDir, path: &str, contents: impl AsRef<[u8]>) {
    let path = root.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, contents).unwrap();
}

fn paths(inventory: &Inventory) -> Vec<&str> {
    let mut paths: Vec<&str> = inventory
        .credentials
        .iter()
        .flat_map(|credential| credential.places.iter().map(|place| place.path.as_str()))
        .collect();
    paths.sort_unstable();
    paths
}

fn globbed(root: &TempDir, patterns: &[&str]) -> Result<Inventory, Error> {
    let patterns: Vec<String> = patterns.iter().map(|text| (*text).to_owned()).collect();
    scan_paths(root.path(), &patterns, &service(), &ScanOptions::default())
}

/// A tree with a certificate in every file that a service can read.
fn tree() -> TempDir {
    let root = TempDir::new().unwrap();
    for path in
        ["app", "etc/ssl/ca.pem", "etc/ssl/private/tls.crt", "etc/ssl/.hidden.pem", "usr/share/ca/x.crt"]
    {
        write(&root, path, made(path).pem());
    }
    write(&root, "etc/empty", "");
    symlink("/usr/share/ca/x.crt", root.path().join("etc/ssl/x.pem")).unwrap();
    symlink("../../usr/share", root.path().join("etc/ssl/share")).unwrap();
    symlink("..", root.path().join("etc/ssl/up")).unwrap();
    symlink("loop", root.path().join("etc/loop")).unwrap();
    root
}

#[test]
fn a_tree_is_scanned_without_following_links() {
    let root = tree();
    let inventory = scan_tree(root.path(), &service(), &ScanOptions::default()).unwrap();
    assert_eq!(
        paths(&inventory),
        [
            "/app",
            "/etc/ssl/.hidden.pem",
            "/etc/ssl/ca.pem",
            "/etc/ssl/private/tls.crt",
            "/usr/share/ca/x.crt"
        ]
    );
    assert_eq!(inventory.opaque, []);
}

#[test]
fn patterns_follow_links_inside_the_root() {
    let root = tree();
    for (patterns, expected) in [
        (&["/app"][..], &["/app"][..]),
        (&["/etc/ssl/x.pem", "/etc/ssl/x.pem"], &["/usr/share/ca/x.crt"]),
        (&["/etc/ssl/up/ssl/ca.pem"], &["/etc/ssl/ca.pem"]),
        (&["/etc/ssl/*.pem"], &["/etc/ssl/.hidden.pem", "/etc/ssl/ca.pem", "/usr/share/ca/x.crt"]),
        (&["/etc/ssl/share/ca/x.???"], &["/usr/share/ca/x.crt"]),
        (&["/etc/**/*.crt"], &["/etc/ssl/private/tls.crt"]),
        (&["/**/*.crt"], &["/etc/ssl/private/tls.crt", "/usr/share/ca/x.crt"]),
        (
            &["/etc/**"],
            &["/etc/ssl/.hidden.pem", "/etc/ssl/ca.pem", "/etc/ssl/private/tls.crt", "/usr/share/ca/x.crt"],
        ),
        (&["/usr", "/a[o-q]p"], &["/app", "/usr/share/ca/x.crt"]),
    ] {
        assert_eq!(paths(&globbed(&root, patterns).unwrap()), expected, "{patterns:?}");
    }
}

#[test]
fn a_pattern_that_matches_nothing_is_an_error() {
    let root = tree();
    for pattern in ["/etc/*.nothing", "/missing", "/app/below", "/etc/nothing/**"] {
        let error = globbed(&root, &["/app", pattern]).unwrap_err();
        assert_eq!(error.to_string(), format!("`{pattern}` matches no file"));
    }
    assert!(matches!(globbed(&root, &["app"]), Err(Error::Pattern { .. })));
}

#[test]
fn links_never_lead_out_of_the_root() {
    let outside = TempDir::new().unwrap();
    write(&outside, "secret.pem", made("outside").pem());
    let root = tree();
    let target = outside.path().join("secret.pem");
    symlink(&target, root.path().join("etc/outside.pem")).unwrap();
    let up = Path::new("../../../../../../../..").join(target.strip_prefix("/").unwrap());
    symlink(up, root.path().join("etc/up.pem")).unwrap();
    assert!(matches!(globbed(&root, &["/etc/outside.pem"]), Err(Error::NoMatch { .. })));
    assert!(matches!(globbed(&root, &["/etc/up.pem"]), Err(Error::NoMatch { .. })));
    assert!(!paths(&globbed(&root, &["/**"]).unwrap()).iter().any(|path| path.contains("outside")));
}

#[test]
fn what_cannot_be_read_is_opaque() {
    let root = tree();
    let options = ScanOptions { max_file_bytes: 100_000, ..ScanOptions::default() };
    fs::File::create(root.path().join("huge")).unwrap().set_len(100_001).unwrap();
    let inventory = scan_tree(root.path(), &service(), &options).unwrap();
    let told = |inventory: &Inventory| {
        inventory.opaque.iter().map(|file| format!("{}: {}", file.path, file.reason)).collect::<Vec<_>>()
    };
    assert_eq!(told(&inventory), ["/huge: has 100001 bytes, more than the limit of 100000"]);
    let missing = scan_file(&root.path().join("none"), "/none", &service(), &options);
    assert_eq!(told(&missing), ["/none: no such file or directory"]);
    assert!(matches!(scan_tree(&root.path().join("none"), &service(), &options), Err(Error::Root { .. })));
}

#[test]
fn a_forbidden_file_is_opaque_or_read_with_privilege() {
    let root = tree();
    fs::set_permissions(root.path().join("app"), fs::Permissions::from_mode(0o0)).unwrap();
    let inventory = scan_tree(root.path(), &service(), &ScanOptions::default()).unwrap();
    let read = paths(&inventory).contains(&"/app");
    let opaque =
        inventory.opaque.iter().any(|file| file.path == "/app" && file.reason == "permission denied");
    assert!(read != opaque);
}

#[test]
fn another_file_system_is_entered_only_when_told() {
    // Every Linux has /proc mounted on a file system of its own below /.
    let patterns = ["/proc/self/**".to_owned()];
    let inventory = scan_paths(Path::new("/"), &patterns, &service(), &ScanOptions::default()).unwrap();
    assert_eq!(inventory.credentials, []);
    assert!(inventory.opaque.iter().any(|file| file.reason == "another file system is mounted there"));
}

#[test]
fn a_file_without_an_end_holds_nothing() {
    let root = tree();
    let fifo = root.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    for source in [fifo.as_path(), Path::new("/dev/zero"), root.path()] {
        let inventory = scan_file(source, "/x", &service(), &ScanOptions::default());
        assert_eq!(inventory, Inventory::default(), "{}", source.display());
    }
}

/// Certificates at every kind of place around the ends of the windows in which a large file is read.
#[test]
fn a_large_file_is_found_to_hold_the_same_as_its_bytes() {
    let der = der("large");
    let pem = made("text").pem();
    let mut bytes = vec![0x30; 5 * 1024 * 1024];
    let mut expected = vec![];
    let window = 1024 * 1024;
    for end in (1..5).map(|index| index * window) {
        for (part, offset) in [(&der[..], end - 3), (pem.as_bytes(), end - 20_000), (&der, end + 200_000)] {
            bytes[offset..offset + part.len()].copy_from_slice(part);
            expected.push(offset);
        }
    }
    let last = bytes.len();
    bytes.extend_from_slice(&der);
    expected.push(last);
    expected.sort_unstable();
    let root = TempDir::new().unwrap();
    write(&root, "large", &bytes);
    let scanned = scan_file(&root.path().join("large"), "/file", &service(), &ScanOptions::default());
    assert_eq!(found(&scanned).iter().map(|entry| entry.1).collect::<Vec<_>>(), expected);
    assert_eq!(scanned, scan(&bytes));
}

#[test]
fn places_name_service_path_and_extent() {
    let der = der("placed");
    let root = TempDir::new().unwrap();
    write(&root, "bin", elf(&[&der]));
    let inventory =
        scan_file(&root.path().join("bin"), "/sgsn-mme-1-14", &service(), &ScanOptions::default());
    let place = Place {
        offset: ELF_PARTS_AT as u64,
        compiled_in: Some(notafter_core::CompiledIn::Alone),
        ..Place::in_file(service(), "/sgsn-mme-1-14".to_owned(), der.len() as u64, Container::DerInElf)
    };
    assert_eq!(inventory.credentials[0].places, [place]);
}

proptest! {
    #[test]
    fn arbitrary_bytes_hold_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..4000)) {
        prop_assert_eq!(scan(&bytes), Inventory::default());
    }

    #[test]
    fn a_changed_file_holds_at_most_what_was_put_in(
        before in proptest::collection::vec(any::<u8>(), 0..64),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let der = DER.clone();
        let mut bytes = [&before[..], &der, PEM.as_bytes()].concat();
        for (index, byte) in &changes {
            let at = index.index(bytes.len());
            bytes[at] = *byte;
        }
        for (_, offset, len, container) in found(&scan(&bytes)) {
            let expected = match container {
                Container::Pem => (before.len() + der.len(), PEM.trim_end().len()),
                Container::Der | Container::DerInElf | Container::DerInFile => (before.len(), der.len()),
                // Where nothing is left of the line of armour above it.
                Container::Base64 => {
                    let (above, below) = ("-----BEGIN CERTIFICATE-----\n", "\n-----END CERTIFICATE-----\n");
                    let len = PEM.len() - above.len() - below.len();
                    (before.len() + der.len() + above.len(), len)
                }
                other => panic!("{other}"),
            };
            prop_assert_eq!((offset, len), expected);
        }
    }
}

static DER: LazyLock<Vec<u8>> = LazyLock::new(|| der("mutated"));
static PEM: LazyLock<String> = LazyLock::new(|| made("mutated text").pem());
