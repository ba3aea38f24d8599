//! Unpacked archives, kept by the digest of the archive.

use crate::Error;
use crate::archive::{self, Limits, Owners};
use notafter_core::ImageRef;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// `$XDG_CACHE_HOME/notafter`, or `~/.cache/notafter`.
pub(crate) fn usual_place() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("notafter"))
}

/// The tree of `source`, unpacked now or before, and the remarks of unpacking it.
pub(crate) fn tree_of(
    cache: &Path,
    image: &ImageRef,
    source: &Path,
    limits: Limits,
) -> Result<(PathBuf, Vec<String>), Error> {
    let failed = |action: String| {
        let image = image.clone();
        move |source: io::Error| Error::Io { image, action, source }
    };
    let digest = digest_of(source).map_err(failed(format!("read {}", source.display())))?;
    let trees = cache.join("rootfs");
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&trees)
        .map_err(failed(format!("make the cache directory {}", trees.display())))?;
    let lock_path = trees.join(format!("{digest}.lock"));
    let lock = File::create(&lock_path).map_err(failed(format!("make {}", lock_path.display())))?;
    // Released with the file, whichever way this process ends.
    lock.lock().map_err(failed(format!("lock {}", lock_path.display())))?;
    let tree = trees.join(&digest);
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
    fs::create_dir(&partial).map_err(failed(format!("make {}", partial.display())))?;
    let owners = match fs::metadata(&partial) {
        Ok(meta) if meta.uid() == 0 => Owners::Kept,
        _ => Owners::Unpacker,
    };
    let unpacked = archive::unpack(image, source, &partial, limits, owners);
    let remarks = unpacked.inspect_err(|_| {
        // What is left of it is removed by the next attempt at the latest.
        let _ = fs::remove_dir_all(&partial);
    })?;
    fs::write(&remarks_path, remarks.join("\n"))
        .and_then(|()| fs::rename(&partial, &tree))
        .map_err(failed(format!("keep {}", tree.display())))?;
    Ok((tree, remarks))
}

fn digest_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 17];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            len => hasher.update(&buffer[..len]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
