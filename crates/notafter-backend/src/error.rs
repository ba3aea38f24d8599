//! What a back end cannot do.

use notafter_core::ServiceName;

/// Why a back end could not do what was asked. A service that misbehaves is no error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A step of making or driving the sandbox failed.
    #[error("{action}")]
    Sandbox {
        /// What was being done, as a lower-case fragment such as `mount the root tree of hss`.
        action: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The sandbox's own processes are gone.
    #[error("the sandbox of the case ended unexpectedly: {reason}")]
    Lost {
        /// What is known about it.
        reason: String,
    },
    /// This back end has no way to do it.
    #[error("the {backend} back end cannot {what}")]
    Unsupported {
        /// Its name.
        backend: &'static str,
        /// What was asked, as a fragment after "cannot".
        what: String,
    },
    /// No such service was launched.
    #[error("service {0} was never launched in this sandbox")]
    UnknownService(ServiceName),
}
