//! What an image comes to.

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
    /// What runs where a service names no command, as an absolute path inside.
    pub executable: Option<String>,
    /// What the tree lacks or adds compared with the image, as lower-case fragments.
    pub remarks: Vec<String>,
}
