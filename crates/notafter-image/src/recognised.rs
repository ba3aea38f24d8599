//! What a file or directory that somebody points at is, told by its content.

use crate::elf::{self, Linkage};
use crate::stream::decoded;
use notafter_core::Transport;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Entries of an archive after which it is taken for a root tree.
const MOST_ENTRIES: usize = 500_000;

/// What a file or directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognised {
    /// A program that needs this machine: a script, or one that is linked dynamically.
    Program,
    /// A program that runs by itself.
    StaticProgram,
    /// An image with layers and a configuration.
    Stored(Transport),
    /// A directory, or a tar of one.
    Tree,
}

/// Tells what `path` is; none where it is nothing that could be run.
///
/// # Errors
/// Where it cannot be read.
pub fn recognise(path: &Path) -> io::Result<Option<Recognised>> {
    if fs::metadata(path)?.is_dir() {
        return Ok(Some(directory(path)));
    }
    let mut head = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut head)?;
    match head.as_slice() {
        b"\x7fELF" => Ok(Some(match elf::linkage(path)? {
            Linkage::Dynamic => Recognised::Program,
            Linkage::Static => Recognised::StaticProgram,
        })),
        [b'#', b'!', ..] => Ok(Some(Recognised::Program)),
        _ => Ok(archive(path)),
    }
}

fn directory(path: &Path) -> Recognised {
    let says_dir = || {
        let version = fs::read(path.join("version")).unwrap_or_default();
        version.starts_with(b"Directory Transport Version")
    };
    if path.join("oci-layout").is_file() {
        Recognised::Stored(Transport::Oci)
    } else if path.join("manifest.json").is_file() && says_dir() {
        Recognised::Stored(Transport::Dir)
    } else {
        Recognised::Tree
    }
}

/// What a tar holds, compressed or not; none where the file is no tar.
fn archive(path: &Path) -> Option<Recognised> {
    let mut archive = tar::Archive::new(decoded(File::open(path).ok()?).ok()?);
    let (mut is_layout, mut entries) = (false, 0);
    for entry in archive.entries().ok()?.take(MOST_ENTRIES) {
        let Ok(entry) = entry else { break };
        entries += 1;
        match entry.path_bytes().strip_prefix(b"./").unwrap_or(&entry.path_bytes()) {
            // What `docker save` writes may be a layout as well; its names of images are in this file.
            b"manifest.json" => return Some(Recognised::Stored(Transport::DockerArchive)),
            b"oci-layout" => is_layout = true,
            _ => {}
        }
    }
    match (is_layout, entries) {
        (true, _) => Some(Recognised::Stored(Transport::OciArchive)),
        (false, 0) => None,
        (false, _) => Some(Recognised::Tree),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Assembly, ImageConfig, Layer};

    #[test]
    fn each_is_told_by_its_content() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        let assembly = || Assembly::new(ImageConfig::default()).layer(Layer::new().unwrap());
        assembly().write_archive(None, File::create(at("saved")).unwrap()).unwrap();
        assembly().write_layout(None, &at("layout")).unwrap();
        fs::create_dir(at("tree")).unwrap();
        fs::create_dir(at("dir")).unwrap();
        fs::write(at("dir/manifest.json"), "{}").unwrap();
        fs::write(at("dir/version"), "Directory Transport Version: 1.1\n").unwrap();
        fs::write(at("script"), "#!/bin/sh\n").unwrap();
        fs::write(at("text"), "nothing to run\n").unwrap();
        let mut tree = tar::Builder::new(File::create(at("tree.tar")).unwrap());
        tree.append_dir("bin", at("tree")).unwrap();
        tree.into_inner().unwrap();
        for (name, expected) in [
            ("saved", Some(Recognised::Stored(Transport::DockerArchive))),
            ("layout", Some(Recognised::Stored(Transport::Oci))),
            ("dir", Some(Recognised::Stored(Transport::Dir))),
            ("tree", Some(Recognised::Tree)),
            ("tree.tar", Some(Recognised::Tree)),
            ("script", Some(Recognised::Program)),
            ("text", None),
        ] {
            assert_eq!(recognise(&at(name)).unwrap(), expected, "{name}");
        }
        assert_eq!(recognise(Path::new("/bin/sh")).unwrap(), Some(Recognised::Program));
        let own = std::env::current_exe().unwrap();
        assert_eq!(recognise(&own).unwrap(), Some(Recognised::StaticProgram));
        assert!(recognise(&at("absent")).is_err());
    }
}
