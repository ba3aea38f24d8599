//! The crate that a Rust program was built from, as cargo-auditable writes it into a section of the program: JSON under
//! zlib (its PARSING.md).

use notafter_core::{Package, PackageSystem};
use serde::Deserialize;
use std::io::Read;

/// The section, in ELF and in PE.
pub(crate) const SECTION: &[u8] = b".dep-v0";
/// Longer ones are not read, in bytes: packed, and unpacked. A program of a thousand crates has 20 KB packed.
pub(crate) const MAX_PACKED: u64 = 1024 * 1024;
const MAX_UNPACKED: u64 = 8 * 1024 * 1024;

#[derive(Deserialize)]
struct Tree {
    packages: Vec<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    #[serde(default)]
    root: bool,
}

/// The package that is the root of the tree of crates in such a section.
pub(crate) fn crate_of(section: &[u8]) -> Option<Package> {
    let mut text = Vec::new();
    flate2::read::ZlibDecoder::new(section).take(MAX_UNPACKED).read_to_end(&mut text).ok()?;
    let tree: Tree = serde_json::from_slice(&text).ok()?;
    let root = tree.packages.into_iter().find(|package| package.root)?;
    let clean = |text: String| text.chars().filter(|character| !character.is_control()).take(200).collect();
    Some(Package { system: PackageSystem::Cargo, name: clean(root.name), version: clean(root.version) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_root_of_the_tree_is_the_program_and_what_is_broken_is_none() {
        let packed = |text: &str| {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        };
        let tree = r#"{"packages":[{"name":"ring","version":"0.17.8","source":"crates.io"},
            {"name":"agent","version":"2.1.0","source":"local","root":true,"dependencies":[0]}]}"#;
        assert_eq!(crate_of(&packed(tree)).unwrap().to_string(), "cargo package agent 2.1.0");
        assert_eq!(crate_of(&packed(&tree.replace("true", "false"))), None);
        assert_eq!(crate_of(&packed(&tree[..60])), None);
        assert_eq!(crate_of(tree.as_bytes()), None);
        assert_eq!(crate_of(&packed(&" ".repeat(9 << 20))), None);
    }
}
