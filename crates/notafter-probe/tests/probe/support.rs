//! How tests look.

use crate::pki::{Ca, Leaf};
use notafter_core::{
    HttpContent, HttpMethod, Probe, Refusal, Seen, ServiceName, TlsTerms, TlsTrust, UnixTime, Verify,
};
use notafter_probe::{ConnectFailure, Connector, Identity, Look, Prober, Timing, TlsMaterial};
use std::error::Error;
use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Every host name is this machine.
pub(crate) struct Loopback;

impl Connector for Loopback {
    fn connect(
        &mut self,
        _from: Option<&ServiceName>,
        host: &str,
        port: u16,
        within: Duration,
    ) -> Result<Result<TcpStream, ConnectFailure>, Box<dyn Error + Send + Sync>> {
        if host == "broken" {
            return Err("the network is gone".into());
        }
        if host == "unknown" {
            return Ok(Err(ConnectFailure::UnknownHost(host.to_owned())));
        }
        let connected = TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), within);
        Ok(connected.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => ConnectFailure::Refused,
            io::ErrorKind::TimedOut => ConnectFailure::TimedOut,
            _ => ConnectFailure::Other(error.to_string()),
        }))
    }
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long a look takes")]
pub(crate) fn host_now() -> Instant {
    Instant::now()
}

/// Calls `look` with a timing of `within` at `now`, and tells how long it took.
pub(crate) fn timed<T>(
    now: UnixTime,
    within: Duration,
    look: impl FnOnce(&Timing<'_>) -> T,
) -> (T, Duration) {
    let origin = host_now();
    let host = || host_now() - origin;
    let result = look(&Timing { now, host: &host, within, waiting: &|| () });
    (result, host())
}

/// Enough for everything that should work.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn terms(verify: Verify) -> TlsTerms {
    let trust = Some(TlsTrust::Credential("root".to_owned().try_into().unwrap()));
    TlsTerms { trust, identity: None, verify, server_name: None, starttls: None }
}

pub(crate) fn tls_probe(port: u16, verify: Verify) -> Probe {
    Probe::Tls { host: "front".to_owned(), port, terms: terms(verify) }
}

pub(crate) fn https_probe(port: u16, path: &str) -> Probe {
    Probe::Http {
        host: "front".to_owned(),
        port,
        path: path.to_owned(),
        method: HttpMethod::Get,
        content: HttpContent::default(),
        tls: Some(terms(Verify::Strict)),
        token: None,
    }
}

pub(crate) fn http_probe(port: u16, path: &str) -> Probe {
    let host = "front".to_owned();
    Probe::Http {
        host,
        port,
        path: path.to_owned(),
        method: HttpMethod::Get,
        content: HttpContent::default(),
        tls: None,
        token: None,
    }
}

pub(crate) fn trusting(ca: &Ca) -> TlsMaterial {
    TlsMaterial { trust_anchors: vec![ca.der()], identity: None }
}

pub(crate) fn trusting_as(ca: &Ca, client: &Leaf) -> TlsMaterial {
    let identity = Some(Identity { chain: client.chain.clone(), key: client.key() });
    TlsMaterial { trust_anchors: vec![ca.der()], identity }
}

/// One fresh look.
pub(crate) fn look(probe: &Probe, material: TlsMaterial, now: UnixTime) -> Look {
    let mut prober = Prober::new(probe, None, material).unwrap();
    timed(now, PATIENCE, |timing| prober.fresh(&mut Loopback, timing)).0.unwrap()
}

#[track_caller]
pub(crate) fn refusal(look: &Look) -> &Refusal {
    match &look.seen {
        Seen::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn absence(look: &Look) -> &str {
    match &look.seen {
        Seen::Absent { reason } => reason,
        other => panic!("not absent: {other:?}"),
    }
}

/// The name of the alert of a refusal, and whether the service sent it.
pub(crate) fn alert(refusal: &Refusal) -> Option<(&str, bool)> {
    refusal.alert.as_ref().map(|alert| (alert.name.as_str(), alert.from_service))
}
