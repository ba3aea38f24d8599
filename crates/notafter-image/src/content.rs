//! SHA-256 of what an image is made from, so that a verdict can name it.

use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// SHA-256 of a file's bytes, or of a directory's tree, as 64 lower-case hex digits.
///
/// Of a tree it covers, in the order of their paths, each entry's path, kind, permission bits and content: the digest of
/// a file, the target of a symbolic link. Owners and times are no part of it.
///
/// # Errors
/// Where something cannot be read.
pub fn sha256(path: &Path) -> io::Result<String> {
    match fs::metadata(path)?.is_dir() {
        false => Ok(hex(&of_file(path)?)),
        true => {
            let mut hasher = Sha256::new();
            of_directory(path, path, &mut hasher)?;
            Ok(hex(&hasher.finalize()))
        }
    }
}

/// Adds a directory's entries, sorted by name, each with its length before it so that none can pass for two.
fn of_directory(root: &Path, directory: &Path, hasher: &mut Sha256) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(directory)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let meta = fs::symlink_metadata(&path)?;
        let name = path.strip_prefix(root).unwrap_or(&path).as_os_str().as_bytes();
        let kind = meta.file_type();
        let (word, content) = if kind.is_symlink() {
            (b'l', fs::read_link(&path)?.as_os_str().as_bytes().to_vec())
        } else if kind.is_dir() {
            (b'd', Vec::new())
        } else if kind.is_file() {
            (b'f', of_file(&path)?)
        } else {
            // A socket, pipe or device: there is nothing to read.
            (b'o', Vec::new())
        };
        let mode = if kind.is_symlink() { 0 } else { meta.permissions().mode() & 0o7777 };
        hasher.update((name.len() as u64).to_be_bytes());
        hasher.update(name);
        hasher.update([word]);
        hasher.update(mode.to_be_bytes());
        hasher.update((content.len() as u64).to_be_bytes());
        hasher.update(&content);
        if kind.is_dir() {
            of_directory(root, &path, hasher)?;
        }
    }
    Ok(())
}

fn of_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 17];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().to_vec()),
            len => hasher.update(&buffer[..len]),
        }
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_tree_is_told_from_every_tree_that_differs() {
        let directory = tempfile::tempdir().unwrap();
        let tree = directory.path();
        let mut seen = std::collections::BTreeSet::new();
        let mut is_new = || seen.insert(sha256(tree).unwrap());
        assert!(is_new());
        fs::write(tree.join("a"), "1").unwrap();
        assert!(is_new());
        fs::write(tree.join("a"), "2").unwrap();
        assert!(is_new());
        fs::set_permissions(tree.join("a"), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(is_new());
        symlink("a", tree.join("b")).unwrap();
        assert!(is_new());
        fs::create_dir(tree.join("c")).unwrap();
        assert!(is_new());
        fs::rename(tree.join("b"), tree.join("c/b")).unwrap();
        assert!(is_new());
        assert!(!is_new(), "the same tree has the same digest");
    }

    #[test]
    fn a_file_has_the_digest_that_sha256sum_prints() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a"), "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&directory.path().join("a")).unwrap(), expected);
    }
}
