//! Why an image cannot be had.

use notafter_core::ImageRef;
use std::io;
use std::path::PathBuf;

/// Why an image cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Cargo could not be started.
    #[error("start `{program}` to build {image}")]
    CargoNotStarted {
        /// The image, or the first of several that are built at once.
        image: ImageRef,
        /// What was to be started.
        program: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The build failed; what cargo and the compiler said, whole.
    #[error("build {}:\n{output}", images.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    BuildFailed {
        /// Everything that was built at once.
        images: Vec<ImageRef>,
        /// Standard error of cargo.
        output: String,
    },
    /// A step of resolving failed.
    #[error("{action} for {image}")]
    Io {
        /// The image.
        image: ImageRef,
        /// What was being done, as a lower-case fragment.
        action: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// There is nothing at the path.
    #[error("{image}: there is no {}", path.display())]
    Missing {
        /// The image.
        image: ImageRef,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// No directory for unpacked archives is known.
    #[error("{image}: no cache directory is known, set XDG_CACHE_HOME or HOME")]
    NoCache {
        /// The image.
        image: ImageRef,
    },
    /// The build succeeded and made no such binary.
    #[error("{image}: the package has no binary of that name")]
    NoSuchBinary {
        /// The image.
        image: ImageRef,
    },
    /// The file is no tar archive, plain or gzipped.
    #[error("{image}: {} is neither a directory nor a tar archive, plain or gzipped", path.display())]
    NotAnArchive {
        /// The image.
        image: ImageRef,
        /// The file.
        path: PathBuf,
        /// What reading it as an archive said.
        #[source]
        source: io::Error,
    },
    /// The archive holds more than an image may.
    #[error("{image}: the archive holds more than {limit}")]
    TooLarge {
        /// The image.
        image: ImageRef,
        /// The limit, such as `500000 entries`.
        limit: String,
    },
    /// An entry of the archive would be written outside the tree.
    #[error("{image}: the archive entry `{entry}` {reason}")]
    UnsafeEntry {
        /// The image.
        image: ImageRef,
        /// The entry, as the archive names it.
        entry: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl Error {
    /// The images that cannot be had; never empty.
    #[must_use]
    pub fn images(&self) -> &[ImageRef] {
        match self {
            Self::BuildFailed { images, .. } => images,
            Self::CargoNotStarted { image, .. }
            | Self::Io { image, .. }
            | Self::Missing { image, .. }
            | Self::NoCache { image }
            | Self::NoSuchBinary { image }
            | Self::NotAnArchive { image, .. }
            | Self::TooLarge { image, .. }
            | Self::UnsafeEntry { image, .. } => std::slice::from_ref(image),
        }
    }
}
