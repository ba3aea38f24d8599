//! Packages of the system: dpkg(1), images without dpkg, apk(8), rpm(8).

use super::files::Files;
use super::lookup::Wanted;
use super::rpm;
use notafter_core::{Package, PackageSystem};
use std::collections::BTreeMap;

pub(super) const DPKG_INFO: &str = "/var/lib/dpkg/info";
const DPKG_STATUS: &str = "/var/lib/dpkg/status";
/// Where images that carry packages without dpkg keep one record each.
pub(super) const STATUS_FOLDER: &str = "/var/lib/dpkg/status.d";
const APK: [&str; 2] = ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];

/// Whether `path` is a file of its own that tells of packages.
pub(super) fn is_document(path: &str) -> bool {
    path == DPKG_STATUS || APK.contains(&path) || rpm::is_database(path)
}

/// Paths that are asked for, each with a package that claims it.
pub(super) fn claims(files: &dyn Files, wanted: &Wanted<'_>) -> Vec<(String, Package)> {
    let mut claims = Vec::new();
    dpkg(files, wanted, &mut claims);
    status_folder(files, wanted, &mut claims);
    rpm::claims(files, wanted, &mut claims);
    for path in APK {
        if let Some(installed) = files.read(path) {
            apk(&String::from_utf8_lossy(&installed), wanted, &mut claims);
        }
    }
    claims
}

fn dpkg(files: &dyn Files, wanted: &Wanted<'_>, claims: &mut Vec<(String, Package)>) {
    let Some(status) = files.read(DPKG_STATUS) else { return };
    let status = String::from_utf8_lossy(&status);
    let versions: BTreeMap<String, String> = status.split("\n\n").filter_map(name_and_version).collect();
    for list in files.list(DPKG_INFO) {
        let Some(stem) = list.strip_suffix(".list") else { continue };
        let name = stem.split(':').next().unwrap_or(stem);
        let Some(paths) = files.read(&format!("{DPKG_INFO}/{list}")) else { continue };
        for line in String::from_utf8_lossy(&paths).lines() {
            for path in wanted.named(line) {
                let version = versions.get(name).cloned().unwrap_or_default();
                let package = Package { system: PackageSystem::Dpkg, name: name.to_owned(), version };
                claims.push(((*path).to_owned(), package));
            }
        }
    }
}

fn status_folder(files: &dyn Files, wanted: &Wanted<'_>, claims: &mut Vec<(String, Package)>) {
    for sums in files.list(STATUS_FOLDER) {
        let Some(stem) = sums.strip_suffix(".md5sums") else { continue };
        let read = |name: &str| files.read(&format!("{STATUS_FOLDER}/{name}"));
        let (Some(record), Some(sums)) = (read(stem), read(&sums)) else { continue };
        let Some((name, version)) = name_and_version(&String::from_utf8_lossy(&record)) else { continue };
        let package = Package { system: PackageSystem::Dpkg, name, version };
        for line in String::from_utf8_lossy(&sums).lines() {
            let Some((_, path)) = line.split_once("  ") else { continue };
            let absolute = format!("/{}", path.trim_start_matches('/'));
            claims.extend(wanted.named(&absolute).iter().map(|path| ((*path).to_owned(), package.clone())));
        }
    }
}

/// `Package` and `Version` of a paragraph (deb822(5)).
pub(super) fn name_and_version(paragraph: &str) -> Option<(String, String)> {
    let field =
        |name: &str| paragraph.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()));
    Some((field("Package:")?, field("Version:").unwrap_or_default()))
}

/// Records of lines with a letter each: P and V name the package, F a directory, R a file in it.
fn apk(installed: &str, wanted: &Wanted<'_>, claims: &mut Vec<(String, Package)>) {
    for record in installed.split("\n\n") {
        let field =
            |letter: &str| record.lines().find_map(|line| line.strip_prefix(letter)).unwrap_or_default();
        let (name, version) = (field("P:"), field("V:"));
        let mut directory = "";
        for line in record.lines() {
            if let Some(next) = line.strip_prefix("F:") {
                directory = next;
            } else if let Some(file) = line.strip_prefix("R:") {
                let path =
                    if directory.is_empty() { format!("/{file}") } else { format!("/{directory}/{file}") };
                for path in wanted.named(&path) {
                    let (name, version) = (name.to_owned(), version.to_owned());
                    claims.push(((*path).to_owned(), Package { system: PackageSystem::Apk, name, version }));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::owners::owners_of;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn packages_of_the_system_claim_their_files() {
        let files: BTreeMap<String, Vec<u8>> = [
            ("/var/lib/dpkg/status", "Package: ca\nVersion: 1.2-3\n\nPackage: libx\nStatus: x\nVersion: 4\n"),
            ("/var/lib/dpkg/info/ca.list", "/.\n/etc/ssl/ca.pem\n"),
            ("/var/lib/dpkg/info/libx:amd64.list", "/lib/libx.so\n"),
            ("/var/lib/dpkg/status.d/tz", "Package: tz\nVersion: 5\n"),
            ("/var/lib/dpkg/status.d/tz.md5sums", "0123  usr/share/zones\n"),
            (
                "/lib/apk/db/installed",
                "P:openssl\nV:3-r0\nF:etc/ssl\nR:cert.pem\nF:\nR:top\n\nP:b\nV:1\nF:b\nR:c\n",
            ),
        ]
        .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
        .into();
        let asked =
            ["/etc/ssl/ca.pem", "/usr/lib/libx.so", "/usr/share/zones", "/etc/ssl/cert.pem", "/top", "/no"];
        let paths: BTreeSet<String> = asked.map(str::to_owned).into();
        let found: Vec<String> = owners_of(&files, &paths)
            .into_iter()
            .map(|(path, owners)| format!("{path}: {}", owners[0]))
            .collect();
        assert_eq!(
            found,
            [
                "/etc/ssl/ca.pem: dpkg package ca 1.2-3",
                "/etc/ssl/cert.pem: apk package openssl 3-r0",
                "/top: apk package openssl 3-r0",
                "/usr/lib/libx.so: dpkg package libx 4",
                "/usr/share/zones: dpkg package tz 5",
            ]
        );
    }
}
