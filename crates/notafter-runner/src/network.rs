//! The sandbox's network, as probes want it.

use notafter_backend::{Awaited, Error, Sandbox};
use notafter_core::ServiceName;
use notafter_probe::{ConnectFailure, Connector};
use std::cell::RefCell;
use std::net::TcpStream;
use std::time::Duration;

/// Connects probes to services, and lets wall time catch up while they wait for an answer.
pub(crate) struct Network<'a> {
    sandbox: RefCell<&'a mut dyn Sandbox>,
    /// What became of it while something was waited for.
    lost: RefCell<Option<Error>>,
}

impl<'a> Network<'a> {
    pub(crate) fn of(sandbox: &'a mut dyn Sandbox) -> Self {
        Self { sandbox: RefCell::new(sandbox), lost: RefCell::default() }
    }

    /// A service may wait for wall time to go on before it answers, as it has not for `waited` ([`Sandbox::catch_up`]).
    pub(crate) fn catch_up(&self, waited: Duration) {
        if let Err(error) = self.sandbox.borrow_mut().catch_up(Awaited::Answer, waited) {
            self.lost.replace(Some(error));
        }
    }

    /// # Errors
    /// What [`Self::catch_up`] met.
    pub(crate) fn close(self) -> Result<(), Error> {
        self.lost.into_inner().map_or(Ok(()), Err)
    }
}

impl Connector for &Network<'_> {
    fn connect(
        &mut self,
        from: Option<&ServiceName>,
        host: &str,
        port: u16,
        within: Duration,
    ) -> Result<Result<TcpStream, ConnectFailure>, Box<dyn std::error::Error + Send + Sync>> {
        use notafter_backend::ConnectFailure as Failure;
        let connected = self.sandbox.borrow_mut().connect(from, host, port, within)?;
        Ok(connected.map_err(|failure| match failure {
            Failure::Other(reason) => ConnectFailure::Other(reason),
            Failure::Refused => ConnectFailure::Refused,
            Failure::TimedOut => ConnectFailure::TimedOut,
            Failure::UnknownHost(host) => ConnectFailure::UnknownHost(host),
        }))
    }
}
