//! What an error of the TLS library or the socket means for a look.

use super::{Rejection, alert};
use crate::timing::Timed;
use notafter_core::{Alert, Refusal, RefusalLayer, Seen};
use rustls::{AlertDescription, ClientConnection};
use std::io;

/// Why a TLS connection came to nothing.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The service sent a fatal alert.
    Alert(AlertDescription),
    /// The service closed or reset the connection.
    Closed,
    /// The socket failed otherwise.
    Io(String),
    /// What came is not TLS.
    NotTls(String),
    /// The probe itself is at fault.
    Probe(rustls::Error),
    /// The deadline passed.
    TimedOut,
    /// The service speaks TLS, and the probe does not accept what it says.
    Unacceptable(rustls::Error),
}

impl Trouble {
    pub(crate) fn from_io(error: &io::Error) -> Self {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::from_tls(tls.clone());
        }
        match error.kind() {
            io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof => Self::Closed,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::TimedOut,
            _ => Self::Io(error.to_string()),
        }
    }

    pub(super) fn from_tls(error: rustls::Error) -> Self {
        use rustls::Error as Tls;
        match error {
            Tls::AlertReceived(alert) => Self::Alert(alert),
            Tls::InappropriateHandshakeMessage { .. }
            | Tls::InappropriateMessage { .. }
            | Tls::InvalidMessage(_)
            | Tls::PeerSentOversizedRecord => Self::NotTls(error.to_string()),
            Tls::DecryptError
            | Tls::InvalidCertificate(_)
            | Tls::NoApplicationProtocol
            | Tls::NoCertificatesPresented
            | Tls::PeerIncompatible(_)
            | Tls::PeerMisbehaved(_)
            | Tls::UnsupportedNameType => Self::Unacceptable(error),
            _ => Self::Probe(error),
        }
    }
}

/// What `error` means. Where writing failed because the service has closed, the alert that it sent before may still
/// wait to be read.
pub(crate) fn trouble(error: &io::Error, session: &mut ClientConnection, wire: &mut Timed<'_>) -> Trouble {
    let first = Trouble::from_io(error);
    if !matches!(first, Trouble::Closed) {
        return first;
    }
    while session.read_tls(wire).is_ok_and(|read| read > 0) {
        if let Err(late) = session.process_new_packets() {
            return Trouble::from_tls(late);
        }
    }
    first
}

/// The service refused with an alert; `when` is a fragment as "within the TLS handshake".
pub(crate) fn alert_refusal(alert: AlertDescription, when: &str) -> Seen {
    let name = alert::name(alert);
    Seen::Refused(Refusal {
        layer: RefusalLayer::Service,
        reason: format!("the service sent the TLS alert {name} {when}"),
        alert: Some(Alert { from_service: true, name }),
        culprit: None,
    })
}

/// The probe refused.
pub(crate) fn verifier_refusal(error: &rustls::Error, rejection: Option<Rejection>) -> Seen {
    let sent = match error {
        rustls::Error::InvalidCertificate(reason) => {
            let name = alert::name(AlertDescription::from(reason.clone()));
            Some(Alert { from_service: false, name })
        }
        _ => None,
    };
    let Rejection { reason, culprit } =
        rejection.unwrap_or_else(|| Rejection { reason: error.to_string(), culprit: None });
    Seen::Refused(Refusal { layer: RefusalLayer::Verifier, alert: sent, reason, culprit })
}
