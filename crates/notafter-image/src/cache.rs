//! Unpacked archives, kept by the digest of the archive.

use crate::Error;
use crate::digest::Hashing;
use crate::unpacking::Owners;
use notafter_core::ImageRef;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// `$XDG_CACHE_HOME/notafter`, or `~/.cache/notafter`.
pub(crate) fn usual_place() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("notafter"))
}

/// A tree by what it was unpacked from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Image,
    Rootfs,
}

/// The tree that `digest` names, unpacked now by `unpack` or earlier, and the remarks of unpacking it.
pub(crate) fn tree_of(
    cache: &Path,
    image: &ImageRef,
    kind: Kind,
    digest: &str,
    unpack: impl FnOnce(&Path, Owners) -> Result<Vec<String>, Error>,
) -> Result<(PathBuf, Vec<String>), Error> {
    let failed = |action: String| {
        let image = image.clone();
        move |source: io::Error| Error::Io { image, action, source }
    };
    let trees = cache.join(match kind {
        Kind::Image => "images",
        Kind::Rootfs => "rootfs",
    });
    make(&trees).map_err(failed(format!("make the cache directory {}", trees.display())))?;
    let lock_path = trees.join(format!("{digest}.lock"));
    let lock = File::create(&lock_path).map_err(failed(format!("make {}", lock_path.display())))?;
    // Released with the file, whichever way this process ends.
    lock.lock().map_err(failed(format!("lock {}", lock_path.display())))?;
    let tree = trees.join(digest);
    let remarks_path = trees.join(format!("{digest}.remarks"));
    if tree.is_dir() {
        let remarks = fs::read_to_string(&remarks_path).unwrap_or_default();
        return Ok((tree, remarks.lines().map(str::to_owned).collect()));
    }
    let partial = trees.join(format!("{digest}.partial"));
    // Of an earlier attempt that was killed.
    match fs::remove_dir_all(&partial) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(format!("remove {}", partial.display()))(error)),
    }
    fs::create_dir(&partial)
        .and_then(|()| fs::set_permissions(&partial, fs::Permissions::from_mode(0o755)))
        .map_err(failed(format!("make {}", partial.display())))?;
    let owners = match fs::metadata(&partial) {
        Ok(meta) if meta.uid() == 0 => Owners::Kept,
        _ => Owners::Unpacker,
    };
    let remarks = unpack(&partial, owners).inspect_err(|_| {
        // What is left of it is removed by the next attempt at the latest.
        let _ = fs::remove_dir_all(&partial);
    })?;
    fs::write(&remarks_path, remarks.join("\n"))
        .and_then(|()| fs::rename(&partial, &tree))
        .map_err(failed(format!("keep {}", tree.display())))?;
    Ok((tree, remarks))
}

/// Makes a directory that nobody else may look into.
pub(crate) fn make(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// The SHA-256 of a file, in hexadecimal digits.
pub(crate) fn digest_of(path: &Path) -> io::Result<String> {
    Ok(Hashing::sha256(File::open(path)?).finish()?.hex().to_owned())
}
