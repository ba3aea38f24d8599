//! What layers hold, kept by the digest of their bytes: the second scan of an image looks into nothing.

use super::layer::LayerFindings;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// SHA-256 over the bytes of a layer as they are stored, as hex digits. What a layer is called does not count.
pub(super) fn digest_of(reader: &mut dyn Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 256 * 1024];
    loop {
        match reader.read(&mut chunk)? {
            0 => break,
            read => hash.update(&chunk[..read]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Where findings are kept.
pub(super) struct Cache {
    folder: PathBuf,
    /// Tells one build of this program from another: what sees more must look again.
    scanner: String,
}

impl Cache {
    /// Below `folder`, which is made if it is not there.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let program = fs::metadata("/proc/self/exe")?;
        let scanner = format!("{:x}-{:x}-{:x}", program.size(), program.mtime(), program.mtime_nsec());
        Ok(Self { folder: folder.to_owned(), scanner })
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}-{}.json", self.scanner))
    }

    /// None where nothing is kept, or where it cannot be read.
    pub(super) fn get(&self, digest: &str) -> Option<LayerFindings> {
        serde_json::from_slice(&fs::read(self.path(digest)).ok()?).ok()
    }

    /// Keeps `findings`: whole, or not at all.
    pub(super) fn put(&self, digest: &str, findings: &LayerFindings) -> io::Result<()> {
        let path = self.path(digest);
        let partial = path.with_extension(format!("{}.partial", std::process::id()));
        fs::write(&partial, serde_json::to_vec(findings)?)?;
        fs::rename(&partial, &path)
    }
}
