//! Why a registry did not give an image.

use std::io;
use std::path::PathBuf;

/// Why a registry did not give an image. No message holds a secret, nor a URL beyond its server: some are signed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file of credentials cannot be used.
    #[error("{} holds no credentials that can be read: {reason}", path.display())]
    BadAuthFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, without anything of its content.
        reason: String,
    },
    /// The registry does not let us in.
    #[error("it answers {status} to {login}{}", said(code.as_deref()))]
    Denied {
        /// HTTP status, 401 or 403.
        status: u16,
        /// Where the credentials came from, or that there were none.
        login: String,
        /// What the registry calls it, such as `DENIED`.
        code: Option<String>,
    },
    /// What came is not what was asked for.
    #[error("{what} has the digest {found}, and {expected} was expected")]
    Digest {
        /// Which part.
        what: String,
        /// The digest that names it.
        expected: String,
        /// The digest that it has.
        found: String,
    },
    /// The program that keeps credentials did not give them.
    #[error("{program}, which {} names, {reason}", path.display())]
    Helper {
        /// The program.
        program: String,
        /// The file that names it.
        path: PathBuf,
        /// What it did, as a fragment; nothing of its output.
        reason: String,
    },
    /// Talking to a server failed.
    #[error("{action}")]
    Io {
        /// What was being done, as a lower-case fragment.
        action: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// What came makes no sense.
    #[error("{server} answers with {reason}")]
    Nonsense {
        /// The server.
        server: String,
        /// What is wrong, as a fragment.
        reason: String,
    },
    /// The registry has nothing of that name.
    #[error("it has no {what}{}", said(code.as_deref()))]
    NotFound {
        /// What was asked for.
        what: String,
        /// What the registry calls it, such as `MANIFEST_UNKNOWN`.
        code: Option<String>,
    },
    /// A step would leave TLS.
    #[error(
        "{server} may not be asked without TLS: plain HTTP is for registries on this machine's loopback alone"
    )]
    Plain {
        /// The server.
        server: String,
    },
    /// The way through a proxy is shut.
    #[error("{proxy} {reason}")]
    Proxy {
        /// The proxy, or the variable that should name one.
        proxy: String,
        /// Why, as a fragment; nothing of a login.
        reason: String,
    },
    /// One server sends us to the next without end.
    #[error("it sends from one place to the next, more than {most} times")]
    Redirects {
        /// How often it may.
        most: usize,
    },
    /// Another answer than those above.
    #[error("{server} answers {status} when asked for {what}{}", said(code.as_deref()))]
    Status {
        /// The server.
        server: String,
        /// HTTP status.
        status: u16,
        /// What was asked for.
        what: String,
        /// What the registry calls it.
        code: Option<String>,
    },
    /// More comes than there may be.
    #[error("{what} does not end after {most_bytes} bytes")]
    TooLong {
        /// Which part.
        what: String,
        /// How long it may be.
        most_bytes: u64,
    },
}

impl Failure {
    /// Whether the image is at fault, or its name, rather than the way to it.
    #[must_use]
    pub fn is_of_the_image(&self) -> bool {
        match self {
            Self::Digest { .. } | Self::NotFound { .. } | Self::Plain { .. } => true,
            Self::BadAuthFile { .. }
            | Self::Denied { .. }
            | Self::Helper { .. }
            | Self::Io { .. }
            | Self::Nonsense { .. }
            | Self::Proxy { .. }
            | Self::Redirects { .. }
            | Self::Status { .. }
            | Self::TooLong { .. } => false,
        }
    }
}

fn said(code: Option<&str>) -> String {
    code.map_or_else(String::new, |code| format!(" ({code})"))
}
