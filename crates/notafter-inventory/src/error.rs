use std::io;
use std::path::PathBuf;

/// Why a scan could not begin. A file that cannot be read is no error, but an opaque file of the inventory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A text that is no bill of materials of CycloneDX, or says what cannot be.
    #[error("the bill cannot be read: {reason}")]
    Bill {
        /// What is wrong, as a lower-case fragment.
        reason: String,
    },
    /// An image that is not there, is no image, or lacks something.
    #[error("cannot scan the image {}", path.display())]
    Image {
        /// Its archive or directory.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// A pattern that matches no file: the scan would look at less than its author believes.
    #[error("`{pattern}` matches no file")]
    NoMatch {
        /// The pattern.
        pattern: String,
    },
    /// A pattern of an unknown form.
    #[error("`{pattern}` is no pattern: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong, as a lower-case fragment.
        reason: &'static str,
    },
    /// A process that is not there, or whose memory may not be read.
    #[error("cannot read the memory of process {pid}")]
    Process {
        /// Its number.
        pid: u32,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The root of the tree is no readable directory.
    #[error("cannot scan {}", root.display())]
    Root {
        /// The root, on the host.
        root: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}
