//! Root trees on their way to another machine or into an engine, to lie there as they lie here.

use rustix::fs::{XattrFlags, lgetxattr, setxattr};
use rustix::io::Errno;
use std::fs::{self, FileType};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use tar::{Archive, Builder, Entry, EntryType};

/// How the keywords of extended attributes begin in PAX headers.
pub(crate) const XATTR: &str = "SCHILY.xattr.";
/// The extended attribute that holds the capabilities of a file (capabilities(7)).
pub(crate) const CAPABILITY: &str = "security.capability";
/// The longest of them (`XATTR_CAPS_SZ` in linux/capability.h).
const CAPABILITY_BYTES: usize = 24;

/// Writes everything below `tree`, with owners, modes, file capabilities and times.
///
/// # Errors
/// Where something cannot be read, or `into` not be written.
pub fn pack(tree: &Path, into: impl Write) -> io::Result<()> {
    let mut builder = Builder::new(into);
    append(&mut builder, tree)?;
    builder.into_inner()?.flush()
}

/// Adds what [`pack`] writes to an archive; the order of what a directory holds is that of its names.
pub(crate) fn append(builder: &mut Builder<impl Write>, tree: &Path) -> io::Result<()> {
    builder.follow_symlinks(false);
    append_directory(builder, tree, Path::new("."))
}

fn append_directory(builder: &mut Builder<impl Write>, directory: &Path, name: &Path) -> io::Result<()> {
    builder.append_dir(name, directory)?;
    let mut entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name, kind) = (entry.path(), name.join(entry.file_name()), entry.file_type()?);
        if kind.is_dir() {
            append_directory(builder, &path, &name)?;
            continue;
        }
        if is_left_out(kind) {
            continue;
        }
        if kind.is_file()
            && let Some(capability) = capability_of(&path)?
        {
            let keyword = format!("{XATTR}{CAPABILITY}");
            builder.append_pax_extensions([(keyword.as_str(), capability.as_slice())])?;
        }
        builder.append_path_with_name(&path, &name)?;
    }
    Ok(())
}

/// Sockets belong to processes, devices and pipes to machines and containers, which bring their own.
fn is_left_out(kind: FileType) -> bool {
    kind.is_socket() || kind.is_fifo() || kind.is_block_device() || kind.is_char_device()
}

fn capability_of(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut value = [0; CAPABILITY_BYTES];
    match lgetxattr(path, CAPABILITY, &mut value) {
        Ok(len) => Ok(Some(value[..len].to_vec())),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
        Err(error) => Err(error.into()),
    }
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
            _ => unpack_file(&mut entry, tree)?,
        }
    }
    directories.sort_by(|one, other| other.path_bytes().cmp(&one.path_bytes()));
    directories.iter_mut().try_for_each(|directory| directory.unpack_in(tree).map(|_| ()))
}

/// File capabilities too, as far as this process may give any.
fn unpack_file(entry: &mut Entry<'_, impl Read>, tree: &Path) -> io::Result<()> {
    let keyword = format!("{XATTR}{CAPABILITY}");
    let extensions = entry.pax_extensions()?.into_iter().flatten();
    let capability = extensions
        .filter_map(Result::ok)
        .find(|extension| extension.key_bytes() == keyword.as_bytes())
        .map(|extension| extension.value_bytes().to_vec());
    let path = tree.join(entry.path()?);
    if entry.unpack_in(tree)?
        && entry.header().entry_type().is_file()
        && let Some(capability) = capability
    {
        match setxattr(&path, CAPABILITY, &capability, XattrFlags::empty()) {
            Ok(()) | Err(Errno::PERM | Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

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
        drop(UnixListener::bind(tree.join("etc/socket")).unwrap());
        let long = tree.join("x".repeat(120));
        fs::write(&long, "").unwrap();
        // CAP_NET_RAW, permitted and effective, as setcap(8) writes it.
        let mut capability = [0_u8; 20];
        capability[0] = 1;
        capability[3] = 2;
        capability[5] = 1 << 5;
        let is_root = fs::metadata(&tree).unwrap().uid() == 0;
        if is_root {
            for file in [&tree.join("etc/locked/key"), &long] {
                setxattr(file, CAPABILITY, &capability, XattrFlags::empty()).unwrap();
            }
        }
        let mut archive = Vec::new();
        pack(&tree, &mut archive).unwrap();
        unpack(archive.as_slice(), &copy).unwrap();
        for path in ["etc", "etc/locked", "etc/locked/key", "etc/link", "dangling"] {
            let [here, there] = [&tree, &copy].map(|tree| fs::symlink_metadata(tree.join(path)).unwrap());
            assert_eq!((here.mode(), here.uid()), (there.mode(), there.uid()), "{path}");
            assert!(!here.is_file() || here.mtime() == there.mtime(), "{path}");
        }
        for file in ["etc/locked/key", &"x".repeat(120)] {
            let found = capability_of(&copy.join(file)).unwrap();
            assert_eq!(found, is_root.then(|| capability.to_vec()), "{file}");
        }
        assert_eq!(fs::read_to_string(copy.join("etc/link")).unwrap(), "word");
        assert!(!copy.join("etc/socket").exists());
        assert!(unpack(&archive[..archive.len() / 2], &place.path().join("half")).is_err());
    }
}
