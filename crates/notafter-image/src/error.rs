//! Why an image cannot be had.

use crate::Failure;
use notafter_core::ImageRef;
use std::io;
use std::path::PathBuf;

/// Why an image cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A stored image is not as it should be.
    #[error("{image} {reason}")]
    BadImage {
        /// The image.
        image: ImageRef,
        /// What is wrong with it, as a fragment such as `is incomplete: there is no index.json`.
        reason: String,
    },
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
    /// A part of a stored image is another one than its digest says.
    #[error("{image}: {file} has the digest {found}, and {expected} was expected")]
    DigestMismatch {
        /// The image.
        image: ImageRef,
        /// The part, by its name in the image.
        file: Box<str>,
        /// The digest that names it.
        expected: Box<str>,
        /// The digest that it has.
        found: Box<str>,
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
    /// No container engine answers.
    #[error(
        "{image}: it is looked for in the container engine of this machine alone, and none answers at {place}; pull it from \
         its registry (docker://NAME), or name a file: docker-archive:FILE"
    )]
    NoEngine {
        /// The image.
        image: ImageRef,
        /// Where the engine was looked for.
        place: String,
        /// Why it cannot be talked to.
        #[source]
        source: io::Error,
    },
    /// The build succeeded and made no such binary.
    #[error("{image}: the package has no binary of that name")]
    NoSuchBinary {
        /// The image.
        image: ImageRef,
    },
    /// No image of that name is stored there, or several are and none is named.
    #[error("{image}: {}", choice(wanted.as_deref(), names))]
    NoSuchImage {
        /// The image.
        image: ImageRef,
        /// The one that was asked for.
        wanted: Option<String>,
        /// Those that have a name.
        names: Vec<String>,
    },
    /// The engine has no image of that name.
    #[error(
        "{image}: the container engine at {place} has no image of that name; `docker pull` it, pull it from its registry \
         (docker://NAME), or name a file: docker-archive:FILE"
    )]
    NotInEngine {
        /// The image.
        image: ImageRef,
        /// Where the engine answers.
        place: String,
    },
    /// A registry does not give it.
    #[error("{image}: cannot be pulled from the registry {registry}{}", asked(because.as_deref()))]
    NotPulled {
        /// The image.
        image: ImageRef,
        /// The registry.
        registry: String,
        /// Why it was asked, where the image could have come from elsewhere.
        because: Option<String>,
        /// What went wrong.
        #[source]
        source: Box<Failure>,
    },
    /// The image runs on other machines.
    #[error("{image} is made for {made_for}, and this machine runs {here}")]
    OtherPlatform {
        /// The image.
        image: ImageRef,
        /// What it is made for, such as `linux/arm64`.
        made_for: String,
        /// What runs here.
        here: String,
    },
    /// The file is no tar archive, plain or compressed.
    #[error("{image}: {} is no tar archive, plain or compressed with gzip or Zstandard", path.display())]
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
            Self::BadImage { image, .. }
            | Self::CargoNotStarted { image, .. }
            | Self::DigestMismatch { image, .. }
            | Self::Io { image, .. }
            | Self::Missing { image, .. }
            | Self::NoCache { image }
            | Self::NoEngine { image, .. }
            | Self::NoSuchBinary { image }
            | Self::NoSuchImage { image, .. }
            | Self::NotAnArchive { image, .. }
            | Self::NotInEngine { image, .. }
            | Self::NotPulled { image, .. }
            | Self::OtherPlatform { image, .. }
            | Self::TooLarge { image, .. }
            | Self::UnsafeEntry { image, .. } => std::slice::from_ref(image),
        }
    }
}

fn asked(because: Option<&str>) -> String {
    because.map_or_else(String::new, |reason| format!(", which was asked because {reason}"))
}

fn choice(wanted: Option<&str>, names: &[String]) -> String {
    let known = match names {
        [] => "none of its images has a name, so write `:@0` for the first".to_owned(),
        names => format!("it holds {}", names.join(", ")),
    };
    match wanted {
        Some(wanted) => format!("there is no image {wanted}; {known}"),
        None => format!("say which image of several is meant; {known}"),
    }
}
