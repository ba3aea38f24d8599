//! Copies of trees: contents, modes, owners, times, symbolic links. Hard links become files of their own; sockets,
//! pipes and devices belong to processes and machines, not to trees, and are left out, and so are set-id bits of files: a
//! copy may lie where other users of the machine reach it, and would give them the owner's rights.

use super::devices::set_mode;
use std::fs::{self, File, FileTimes, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

/// Copies what is in the directory `from` into the directory `to`, and its looks.
///
/// # Errors
/// The first that happens, with the path of the original that it concerns.
pub(super) fn tree(from: &Path, to: &Path) -> Result<(), (PathBuf, io::Error)> {
    let mut open = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = open.pop() {
        let at = |error| (from.clone(), error);
        for entry in fs::read_dir(&from).map_err(at)? {
            let entry = entry.map_err(at)?;
            let (source, target) = (entry.path(), to.join(entry.file_name()));
            if copy_entry(&source, &target).map_err(|error| (source.clone(), error))? {
                open.push((source, target));
            }
        }
        looks(&to, &fs::metadata(&from).map_err(at)?).map_err(at)?;
    }
    Ok(())
}

/// Copies one entry; true where it is a directory, whose content is still to be copied.
fn copy_entry(source: &Path, target: &Path) -> io::Result<bool> {
    let meta = fs::symlink_metadata(source)?;
    if meta.is_symlink() {
        symlink(fs::read_link(source)?, target)?;
        lchown(target, Some(meta.uid()), Some(meta.gid())).or_else(unless_refused)?;
    } else if meta.is_dir() {
        fs::create_dir(target)?;
        return Ok(true);
    } else if meta.is_file() {
        file(source, target)?;
    }
    Ok(false)
}

/// Copies a file, over one that is there.
pub(super) fn file(source: &Path, target: &Path) -> io::Result<()> {
    let mut from = File::open(source)?;
    let mut to = File::options().write(true).create(true).truncate(true).mode(0o600).open(target)?;
    // copy_file_range(2) underneath: no byte moves where the file system can share them.
    io::copy(&mut from, &mut to)?;
    looks(target, &fs::metadata(source)?)
}

fn looks(target: &Path, model: &Metadata) -> io::Result<()> {
    chown(target, Some(model.uid()), Some(model.gid())).or_else(unless_refused)?;
    set_mode(target, model.mode() & if model.is_file() { 0o1777 } else { 0o7777 })?;
    if model.is_file() {
        let times = FileTimes::new().set_modified(model.modified()?).set_accessed(model.accessed()?);
        File::options().write(true).open(target)?.set_times(times)?;
    }
    Ok(())
}

/// A gate that may not give files away keeps them, as it does where its user namespace does not know the owner.
fn unless_refused(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied => Ok(()),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_copied_tree_looks_like_the_original() {
        let base = tempfile::tempdir().unwrap();
        let (from, to) = (base.path().join("from"), base.path().join("to"));
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(from.join("a/b/tool"), "bytes").unwrap();
        set_mode(&from.join("a/b/tool"), 0o6755).unwrap();
        set_mode(&from.join("a/b"), 0o2750).unwrap();
        symlink("b/tool", from.join("a/link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            from.join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        tree(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("a/link")).unwrap(), "bytes");
        assert_eq!(fs::read_link(to.join("a/link")).unwrap(), Path::new("b/tool"));
        let modes = |path: &str| fs::metadata(to.join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((modes("a/b/tool"), modes("a/b")), (0o755, 0o2750));
        assert_eq!(
            fs::metadata(to.join("a/b/tool")).unwrap().modified().unwrap(),
            fs::metadata(from.join("a/b/tool")).unwrap().modified().unwrap()
        );
        assert!(!to.join("pipe").exists());
        let (path, error) = tree(&base.path().join("absent"), &to).unwrap_err();
        assert_eq!((path, error.kind()), (base.path().join("absent"), io::ErrorKind::NotFound));
    }
}
