//! Root trees on their way to another machine, to lie there as they lie here.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tar::{Archive, Builder, EntryType};

/// Writes everything below `tree`, with owners, modes and times.
///
/// # Errors
/// Where something cannot be read, or `into` not be written.
pub fn pack(tree: &Path, into: impl Write) -> io::Result<()> {
    let mut builder = Builder::new(into);
    builder.follow_symlinks(false);
    builder.append_dir_all(".", tree)?;
    builder.into_inner()?.flush()
}

/// Fills the directory `tree`, which is made, with what [`pack`] wrote. Devices and pipes are left out: a container brings
/// its own. Whoever sends an archive is trusted with its content, and yet nothing is written outside the directory.
///
/// # Errors
/// Where `archive` ends early, or something cannot be written.
pub fn unpack(archive: impl Read, tree: &Path) -> io::Result<()> {
    fs::create_dir(tree)?;
    let mut archive = Archive::new(archive);
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(fs::metadata(tree)?.uid() == 0);
    // A directory that may not be written to is filled first.
    let mut directories = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        match entry.header().entry_type() {
            EntryType::Block | EntryType::Char | EntryType::Fifo => {}
            EntryType::Directory => directories.push(entry),
            _ => {
                entry.unpack_in(tree)?;
            }
        }
    }
    directories.sort_by(|one, other| other.path_bytes().cmp(&one.path_bytes()));
    directories.iter_mut().try_for_each(|directory| directory.unpack_in(tree).map(|_| ()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_tree_arrives_as_it_was() {
        let place = tempfile::tempdir().unwrap();
        let (tree, copy) = (place.path().join("tree"), place.path().join("copy"));
        fs::create_dir_all(tree.join("etc/locked")).unwrap();
        fs::write(tree.join("etc/locked/key"), "word").unwrap();
        symlink("locked/key", tree.join("etc/link")).unwrap();
        symlink("/nonexistent", tree.join("dangling")).unwrap();
        for (path, mode) in [("etc/locked/key", 0o4640), ("etc/locked", 0o555)] {
            fs::set_permissions(tree.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        let mut archive = Vec::new();
        pack(&tree, &mut archive).unwrap();
        unpack(archive.as_slice(), &copy).unwrap();
        for path in ["etc", "etc/locked", "etc/locked/key", "etc/link", "dangling"] {
            let [here, there] = [&tree, &copy].map(|tree| fs::symlink_metadata(tree.join(path)).unwrap());
            assert_eq!((here.mode(), here.uid()), (there.mode(), there.uid()), "{path}");
            assert!(!here.is_file() || here.mtime() == there.mtime(), "{path}");
        }
        assert_eq!(fs::read_to_string(copy.join("etc/link")).unwrap(), "word");
        assert!(unpack(&archive[..archive.len() / 2], &place.path().join("half")).is_err());
    }
}
