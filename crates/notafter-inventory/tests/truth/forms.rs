//! Archives that other tools made.

use crate::{CA, made, made_with, of_kind, scan, scan_root};
use notafter_core::{Credential, CredentialKind};

/// What Python's own modules pack: `ca.pem` in each form, and firmware with a section under LZMA.
const PACK: &str = r##"
import bz2, lzma, struct, uuid, zipfile
pem = open("ca.pem", "rb").read()
open("plain.bz2", "wb").write(bz2.compress(pem))
alone = lzma.compress(pem, format=lzma.FORMAT_ALONE)
open("plain.lzma", "wb").write(alone)
for name, method in (("bzip2", zipfile.ZIP_BZIP2), ("lzma", zipfile.ZIP_LZMA)):
    with zipfile.ZipFile(f"{name}.zip", "w", method) as archive:
        archive.writestr("ca.pem", pem)
with zipfile.ZipFile("many.zip", "w") as archive:
    for number in range(66_000):
        archive.writestr(str(number), b"")
    archive.writestr("ca.pem", pem)
many = open("many.zip", "rb").read()
open("behind.zip", "wb").write(b"#!/bin/sh\nexit\n" + many)
mark = uuid.UUID("ee4e5898-3914-4259-9d6e-dc7bd79403cf").bytes_le
section = (24 + len(alone)).to_bytes(3, "little") + b"\2" + mark + struct.pack("<HH", 24, 1) + alone
open("code.fd", "wb").write(bytes(40) + b"_FVH" + bytes(20) + section)
"##;

#[test]
fn what_python_packs_is_looked_into() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("pack.py"), PACK).unwrap();
    let script = format!("{CA} python3 pack.py; rm ca.pem key.pem");
    if !made_with("openssl") || !made("python3", &script, directory.path()) {
        return;
    }
    let inventory = scan(&directory);
    let [certificate] = &of_kind(&inventory, CredentialKind::X509)[..] else {
        panic!("{inventory:?}");
    };
    let found: Vec<(&str, String)> =
        certificate.places.iter().map(|place| (place.path.as_str(), place.inside.join("!"))).collect();
    let expected = [
        ("/behind.zip", "ca.pem"),
        ("/bzip2.zip", "ca.pem"),
        ("/code.fd", "(section)!(lzma)"),
        ("/lzma.zip", "ca.pem"),
        ("/many.zip", "ca.pem"),
        ("/plain.bz2", "(bzip2)"),
        ("/plain.lzma", "(lzma)"),
    ];
    assert_eq!(found, expected.map(|(path, inside)| (path, inside.to_owned())));
    assert_eq!(inventory.opaque, []);
}

#[test]
fn keys_in_a_keybox_are_those_that_gpg_lists() {
    let directory = tempfile::tempdir().unwrap();
    let script = "
        export GNUPGHOME=$PWD/home; mkdir -m 700 home
        key() { gpg --batch --quiet --passphrase '' --faked-system-time 20300101T000000! \
            --quick-generate-key \"$1\" ed25519 sign \"$2\"; }
        key first 1y; key second 2y
        gpg --batch --with-colons --list-keys | grep -c ^pub > count
        gpgconf --kill all; cp home/pubring.kbx .; rm -r home";
    if !made("gpg", script, directory.path()) {
        return;
    }
    let count = std::fs::read_to_string(directory.path().join("count")).unwrap();
    let inventory = scan(&directory);
    let mut ends: Vec<String> =
        of_kind(&inventory, CredentialKind::OpenPgpKey).iter().map(|key| key.not_after.to_string()).collect();
    ends.sort();
    assert_eq!(ends, ["2030-12-31T23:59:59Z", "2031-12-31T23:59:59Z"]);
    assert_eq!(ends.len().to_string(), count.trim());
    assert_eq!(inventory.opaque, []);
}

/// Where it lies, and which packages brought it there.
fn owners(credential: &Credential) -> Vec<(&str, String)> {
    let places = credential.places.iter();
    places
        .map(|place| (place.path.as_str(), place.owners.iter().map(ToString::to_string).collect()))
        .collect()
}

#[test]
fn a_rust_program_is_owned_by_the_crate_that_its_section_names() {
    let directory = tempfile::tempdir().unwrap();
    let script = format!(
        "{CA} openssl x509 -in ca.pem -outform DER -out ca.der; rm ca.pem key.pem
        echo 'int main(void) {{ return 0; }}' | cc -x c -o plain -
        python3 -c 'import json, zlib
root = dict(name=\"agent\", version=\"2.1.0\", source=\"local\", root=True)
tree = dict(packages=[dict(name=\"ring\", version=\"0.17.8\", source=\"crates.io\"), root])
open(\"tree\", \"wb\").write(zlib.compress(json.dumps(tree).encode(), 9))'
        objcopy --add-section .data.ca=ca.der --add-section .dep-v0=tree plain agent
        tar cf agent.tar agent; rm plain ca.der tree"
    );
    if !made_with("openssl") || !made("objcopy", &script, directory.path()) {
        return;
    }
    let inventory = scan(&directory);
    let [certificate] = &of_kind(&inventory, CredentialKind::X509)[..] else {
        panic!("{inventory:?}");
    };
    let expected = [("/agent", "cargo package agent 2.1.0"), ("/agent.tar", "cargo package agent 2.1.0")];
    assert_eq!(owners(certificate), expected.map(|(path, owner)| (path, owner.to_owned())));
}

/// A package with `ca.pem`, in the database of a tree in which its file lies too.
const INSTALL: &str = r#"
printf '%s\n' 'Name: app' 'Version: 1.2' 'Release: 3.el9' 'Summary: x' 'License: MIT' 'BuildArch: noarch' \
    %description x %install "mkdir -p %{buildroot}/etc/app" "cp $PWD/ca.pem %{buildroot}/etc/app/" \
    %files /etc/app/ca.pem > app.spec
rpmbuild -bb --define "_topdir $PWD/build" app.spec
mkdir -p tree/etc/app tree/var/lib/rpm
rpm --dbpath "$PWD/tree/var/lib/rpm" --justdb --nodeps -i build/RPMS/noarch/*.rpm
cp ca.pem tree/etc/app/
cp ca.pem tree/etc/other.pem
rm -r build ca.pem key.pem app.spec
"#;

/// The same database as rpm had it before 4.16, which does not write it any more: the header of the package, without the
/// magic number that it has in a list, under the number of the package. `$PAGE` is the length of pages.
const AS_BERKELEY: &str = r#"
header=$(rpmdb --dbpath "$PWD/tree/var/lib/rpm" --exportdb | tail -c +9 | od -An -v -tx1 | tr -d ' \n')
rm -r tree/var/lib/rpm/*
printf '%s\n' VERSION=3 format=bytevalue type=hash "db_pagesize=$PAGE" HEADER=END \
    ' 00000000' ' 02000000' ' 01000000' " $header" DATA=END | db5.3_load tree/var/lib/rpm/Packages
"#;

#[test]
fn files_are_owned_by_the_packages_of_rpm_that_its_database_names() {
    if !["openssl", "rpmbuild", "db5.3_load"].map(made_with).iter().all(|there| *there) {
        return;
    }
    for (form, then) in [("", ""), ("PAGE=512", AS_BERKELEY), ("PAGE=65536", AS_BERKELEY)] {
        let directory = tempfile::tempdir().unwrap();
        assert!(made("rpmbuild", &format!("{form}\n{CA} {INSTALL} {then}"), directory.path()));
        let inventory = scan_root(&directory.path().join("tree"));
        let [certificate] = &of_kind(&inventory, CredentialKind::X509)[..] else {
            panic!("{form}: {inventory:?}");
        };
        let expected = [("/etc/app/ca.pem", "rpm package app 1.2-3.el9"), ("/etc/other.pem", "")];
        assert_eq!(owners(certificate), expected.map(|(path, owner)| (path, owner.to_owned())), "{form}");
    }
}
