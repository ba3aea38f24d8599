//! What an archive says of itself in one of its entries.

use super::managed::name_and_version;
use notafter_core::{Package, PackageSystem};

/// Longer ones are not read, in bytes.
pub(crate) const MAX_LABEL_LEN: u64 = 256 * 1024;

const MANIFEST: &str = "META-INF/MANIFEST.MF";
/// Titles in a manifest, the most telling first, each with the version that belongs to it.
const TITLES: [(&str, &str); 4] = [
    ("Bundle-SymbolicName:", "Bundle-Version:"),
    ("Implementation-Title:", "Implementation-Version:"),
    ("Automatic-Module-Name:", "Implementation-Version:"),
    ("Specification-Title:", "Specification-Version:"),
];

/// Whether an entry of this name tells which package the archive is.
pub(crate) fn is_label(name: &str) -> bool {
    name == MANIFEST || name == "package/package.json" || name == "control" || is_metadata(name)
}

/// `NAME-VERSION.dist-info/METADATA` at the top of a wheel.
fn is_metadata(name: &str) -> bool {
    name.strip_suffix(".dist-info/METADATA").is_some_and(|folder| !folder.contains('/'))
}

/// The package that an entry `name` with the contents `text` tells of.
pub(crate) fn label(name: &str, text: &[u8]) -> Option<Package> {
    let text = String::from_utf8_lossy(text);
    let (system, (name, version)) = match name {
        MANIFEST => (PackageSystem::Java, manifest(&text)?),
        "control" => (PackageSystem::Dpkg, name_and_version(&text)?),
        metadata if is_metadata(metadata) => {
            let head = text.split("\n\n").next()?;
            let field =
                |name: &str| head.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()));
            (PackageSystem::Python, (field("Name:")?, field("Version:")?))
        }
        _ => {
            let manifest: serde_json::Value = serde_json::from_str(&text).ok()?;
            let field = |name: &str| Some(manifest.get(name)?.as_str()?.to_owned());
            (PackageSystem::Npm, (field("name")?, field("version")?))
        }
    };
    Some(Package { system, name: clean(&name), version: clean(&version) })
}

/// The main section of a JAR manifest, in which a line that begins with a space goes on with the one before.
fn manifest(text: &str) -> Option<(String, String)> {
    let text = text.replace("\r\n", "\n");
    let main = text.split("\n\n").next()?.replace("\n ", "");
    let field = |name: &str| main.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()));
    TITLES.iter().find_map(|(title, version)| {
        // A bundle's name may be followed by directives.
        let name = field(title)?.split(';').next()?.trim().to_owned();
        Some((name, field(version).unwrap_or_default()))
    })
}

fn clean(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_tell_what_they_are() {
        for (name, text, expected) in [
            (
                "META-INF/MANIFEST.MF",
                "Manifest-Version: 1.0\r\nBundle-SymbolicName: org.exam\r\n ple;singleton:=true\r\nBundle-Version: 1.2\r\n\r\nName: x\r\n",
                Some("java package org.example 1.2"),
            ),
            ("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n", None),
            (
                "a-1.dist-info/METADATA",
                "Metadata-Version: 2.1\nName: a\nVersion: 1\n\nName: b\n",
                Some("python package a 1"),
            ),
            ("package/package.json", r#"{"version":"3.0.0","name":"@a/b"}"#, Some("npm package @a/b 3.0.0")),
            ("control", "Package: x\nVersion: 1:2-3\n", Some("dpkg package x 1:2-3")),
        ] {
            assert!(is_label(name), "{name}");
            assert_eq!(
                label(name, text.as_bytes()).map(|found| found.to_string()).as_deref(),
                expected,
                "{text}"
            );
        }
        assert!(!is_label("lib/a-1.dist-info/METADATA"));
    }
}
