//! TLS connections at the simulated time.

use super::{Judge, Shown, Trouble, trouble};
use crate::timing::{Deadline, Timed};
use crate::{Error, Handshake};
use notafter_core::UnixTime;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion};
use rustls_pki_types::ServerName;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// How long a service may stay silent after a TLS 1.3 handshake before silence counts as consent.
const GRACE: Duration = Duration::from_millis(150);

/// What rustls takes as now.
#[derive(Debug, Default)]
pub(crate) struct VerifierClock(AtomicI64);

impl TimeProvider for VerifierClock {
    fn current_time(&self) -> Option<rustls_pki_types::UnixTime> {
        let secs = u64::try_from(self.0.load(Ordering::Relaxed)).ok()?;
        Some(rustls_pki_types::UnixTime::since_unix_epoch(Duration::from_secs(secs)))
    }
}

/// A client for one service, for one look after the other.
#[derive(Debug)]
pub(crate) struct TlsClient {
    config: Arc<ClientConfig>,
    server_name: ServerName<'static>,
    clock: Arc<VerifierClock>,
    judge: Arc<Judge>,
}

impl TlsClient {
    pub(super) fn new(
        config: Arc<ClientConfig>,
        server_name: ServerName<'static>,
        clock: Arc<VerifierClock>,
        judge: Arc<Judge>,
    ) -> Self {
        Self { config, server_name, clock, judge }
    }

    /// A new connection at `now` (verifier's clock); forgets what the last one was shown.
    pub(crate) fn begin(&self, now: UnixTime) -> Result<ClientConnection, Error> {
        self.clock.0.store(now.as_secs(), Ordering::Relaxed);
        self.judge.take();
        ClientConnection::new(Arc::clone(&self.config), self.server_name.clone()).map_err(Error::Tls)
    }

    /// What the service has shown since [`Self::begin`], and what the judge held against it.
    pub(crate) fn shown(&self) -> Shown {
        self.judge.take()
    }
}

/// Drives the handshake to its end, the client's last flight included.
pub(crate) fn handshake(session: &mut ClientConnection, wire: &mut Timed<'_>) -> Result<Handshake, Trouble> {
    while session.is_handshaking() || session.wants_write() {
        if let Err(error) = session.complete_io(wire) {
            return Err(trouble(&error, session, wire));
        }
    }
    Ok(match session.handshake_kind() {
        Some(HandshakeKind::Resumed) => Handshake::Resumed,
        Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest) | None => Handshake::Full,
    })
}

/// Waits until the service has consented to a handshake that the client holds for complete.
///
/// In TLS 1.2 it has. In TLS 1.3 it verifies the client's certificate afterwards (RFC 8446 §4.4.2.4): tickets and
/// application data come from a service that is content, and so does silence for a while.
pub(crate) fn confirm(
    session: &mut ClientConnection,
    stream: &TcpStream,
    deadline: Deadline<'_>,
) -> Result<(), Trouble> {
    if session.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return Ok(());
    }
    let mut wire = Timed::new(stream, deadline.no_longer_than(GRACE));
    while session.tls13_tickets_received() == 0 {
        match session.read_tls(&mut wire) {
            Ok(0) => return Err(Trouble::Closed),
            Ok(_) => {}
            Err(error) => {
                return match Trouble::from_io(&error) {
                    Trouble::TimedOut => Ok(()),
                    other => Err(other),
                };
            }
        }
        let state = session.process_new_packets().map_err(Trouble::from_tls)?;
        if state.peer_has_closed() {
            return Err(Trouble::Closed);
        }
        if state.plaintext_bytes_to_read() > 0 {
            return Ok(());
        }
    }
    Ok(())
}
