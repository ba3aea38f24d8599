//! Why a probe cannot look. What it sees is never an error.

use std::io;

/// A probe that cannot be made, or cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connector is broken; that no connection came about is an observation instead.
    #[error("connect to {host}:{port}")]
    Connector {
        /// Host name inside the scenario's network.
        host: String,
        /// Port.
        port: u16,
        /// What the connector says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Private key and certificate do not make an identity.
    #[error("the probe's own certificate cannot be used")]
    Identity(#[source] rustls::Error),
    /// The protocol was left out of this build.
    #[error("this build of the gate has no `{kind}` probe")]
    NotBuilt {
        /// Its name in scenario files.
        kind: &'static str,
    },
    /// This kind of probe does not go over the network.
    #[error("a `{kind}` probe is not asked over a connection")]
    NotOverNetwork {
        /// Its name in scenario files.
        kind: &'static str,
    },
    /// This kind of probe has no TLS session that could be resumed.
    #[error("a `{kind}` probe has no TLS session to resume")]
    NoSession {
        /// Its name in scenario files.
        kind: &'static str,
    },
    /// A certificate is to be verified, but against nothing.
    #[error("a probe that verifies needs a trust anchor")]
    NoTrust,
    /// A regular expression that is none, or that is too large.
    #[error("`{pattern}` is no regular expression, or too large a one")]
    Pattern {
        /// The text.
        pattern: String,
        /// Why.
        #[source]
        source: Box<regex::Error>,
    },
    /// A path or host name that cannot stand in an HTTP request.
    #[error("`{text}` cannot stand in an HTTP request: it holds blanks, control or non-ASCII characters")]
    Request {
        /// The text.
        text: String,
    },
    /// Neither a DNS name nor an IP address.
    #[error("`{name}` is neither a DNS name nor an IP address that a certificate could name")]
    ServerName {
        /// The text.
        name: String,
    },
    /// The connection could not be set up for a look.
    #[error("prepare a connection")]
    Stream(#[from] io::Error),
    /// The TLS library refuses to work, as before 1970.
    #[error("TLS")]
    Tls(#[source] rustls::Error),
    /// A trust anchor that is no certificate, or none that the TLS library takes.
    #[error("trust anchor {number} cannot be used: {reason}")]
    TrustAnchor {
        /// Which, from 1.
        number: usize,
        /// Why, as a lower-case fragment.
        reason: String,
    },
}
