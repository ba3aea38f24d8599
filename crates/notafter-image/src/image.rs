//! What an image comes to.

use crate::ImageConfig;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The root tree of a service before its files are laid in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootTree {
    /// Nothing but the binds.
    Empty,
    /// The machine's own file system under a throw-away overlay.
    Host,
    /// An unpacked tree under a throw-away overlay; the tree itself is never written to.
    Tree(PathBuf),
}

/// A file or directory of the host that appears inside, read-only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// On the host.
    pub source: PathBuf,
    /// Absolute path inside.
    pub target: String,
}

/// A resolved image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its root tree.
    pub root: RootTree,
    /// Host files that appear in it. An inventory scans them beside the tree.
    pub binds: Vec<Bind>,
    /// How a service runs where its scenario says nothing else.
    pub config: ImageConfig,
    /// Which image it is, for images that are known by their content.
    pub identity: Option<Identity>,
    /// What the tree lacks or adds compared with the image, as lower-case fragments.
    pub remarks: Vec<String>,
}

/// An image by its content. Equal ones are the same image, whatever it is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Digest of its configuration, by which engines know it; of the archive, for a tar of a root tree; of the
    /// executable, for a build.
    pub id: String,
    /// Digest of its manifest, by which registries know it.
    pub manifest: Option<String>,
}

impl Identity {
    /// The digest that names it for others, as 64 lower-case hex digits: of its manifest, or else of its configuration. None
    /// where that goes by another algorithm.
    #[must_use]
    pub fn sha256(&self) -> Option<&str> {
        self.manifest.as_deref().unwrap_or(&self.id).strip_prefix("sha256:")
    }
}
