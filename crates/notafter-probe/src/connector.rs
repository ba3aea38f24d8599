//! The way into the scenario's network, as probes need it.

use notafter_core::ServiceName;
use std::error::Error;
use std::net::TcpStream;
use std::time::Duration;

/// Opens TCP connections into the scenario's network.
pub trait Connector {
    /// Connects to `host:port` from the place of `from` in the network, or from beside the services, and gives up
    /// after `within` (host's clock).
    ///
    /// # Errors
    /// Where the network itself is lost; a connection that does not come about is the inner error.
    fn connect(
        &mut self,
        from: Option<&ServiceName>,
        host: &str,
        port: u16,
        within: Duration,
    ) -> Result<Result<TcpStream, ConnectFailure>, Box<dyn Error + Send + Sync>>;
}

/// Why no connection came about; an observation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectFailure {
    /// Any other reason, as a lower-case fragment.
    #[error("{0}")]
    Other(String),
    /// Nothing listens there.
    #[error("connection refused")]
    Refused,
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The name is no service of the scenario.
    #[error("{0} is no host of this scenario")]
    UnknownHost(String),
}
