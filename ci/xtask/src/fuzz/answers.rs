//! What services answer: each probe that speaks a protocol is given the same bytes, whatever it asks for.

use crate::stopwatch::Stopwatch;
use notafter_core::{Probe, ServiceName, UnixTime};
use notafter_probe::{ConnectFailure, Connector, Prober, Timing, TlsMaterial};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

/// Longer than a look at a service takes that says all it has to say at once and hangs up.
const PATIENCE: Duration = Duration::from_secs(5);
/// Probes as a record writes them. TLS is not verified: its handshake is rustls's to parse.
const PROBES: [&str; 14] = [
    r#"{"http": {"host": "a", "port": 1, "path": "/", "method": "GET", "tls": null}}"#,
    r#"{"http": {"host": "a", "port": 1, "path": "/", "method": "HEAD", "tls": null}}"#,
    r#"{"greet": {"host": "a", "port": 1, "protocol": "mqtt", "tls": null}}"#,
    r#"{"greet": {"host": "a", "port": 1, "protocol": "redis", "tls": null}}"#,
    r#"{"grpc": {"host": "a", "port": 1, "tls": null}}"#,
    r#"{"amqp": {"host": "a", "port": 1, "terms": {"user": "u", "password": null, "vhost": "/"}, "tls": null}}"#,
    r#"{"sql": {"host": "a", "port": 1, "server": "postgres",
        "terms": {"user": "u", "password": null, "database": "d", "query": "select 1"}, "tls": null}}"#,
    r#"{"sql": {"host": "a", "port": 1, "server": "mysql",
        "terms": {"user": "u", "password": null, "database": "d", "query": "select 1"}, "tls": null}}"#,
    r#"{"tls": {"host": "a", "port": 1, "terms":
        {"trust": null, "identity": null, "verify": "off", "server_name": null, "starttls": "imap"}}}"#,
    r#"{"tls": {"host": "a", "port": 1, "terms":
        {"trust": null, "identity": null, "verify": "off", "server_name": null, "starttls": "ldap"}}}"#,
    r#"{"tls": {"host": "a", "port": 1, "terms":
        {"trust": null, "identity": null, "verify": "off", "server_name": null, "starttls": "mysql"}}}"#,
    r#"{"tls": {"host": "a", "port": 1, "terms":
        {"trust": null, "identity": null, "verify": "off", "server_name": null, "starttls": "pop3"}}}"#,
    r#"{"tls": {"host": "a", "port": 1, "terms":
        {"trust": null, "identity": null, "verify": "off", "server_name": null, "starttls": "postgres"}}}"#,
    r#"{"tls": {"host": "a", "port": 1, "terms":
        {"trust": null, "identity": null, "verify": "off", "server_name": null, "starttls": "smtp"}}}"#,
];

/// A service that says `bytes` to whoever connects, and hangs up.
struct Says<'a>(&'a [u8]);

impl Connector for Says<'_> {
    fn connect(
        &mut self,
        _from: Option<&ServiceName>,
        _host: &str,
        _port: u16,
        _within: Duration,
    ) -> Result<Result<TcpStream, ConnectFailure>, Box<dyn Error + Send + Sync>> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let stream = TcpStream::connect(listener.local_addr()?)?;
        let (mut service, _) = listener.accept()?;
        let said = self.0.to_vec();
        // Ends with the probe: its end of the line is closed when the look is over.
        std::thread::spawn(move || {
            _ = service.write_all(&said);
            _ = service.shutdown(Shutdown::Write);
            while service.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
        });
        Ok(Ok(stream))
    }
}

/// Looks with every probe at a service that says `bytes`.
///
/// # Panics
/// Where a probe does, cannot be made, or waits though nothing more will come.
pub(super) fn hear(bytes: &[u8]) {
    for text in PROBES {
        let probe: Probe = serde_json::from_str(text).expect("the table holds probes");
        let mut prober =
            Prober::new(&probe, None, TlsMaterial::default()).expect("the table's probes need nothing");
        let watch = Stopwatch::start();
        let host = || watch.elapsed();
        let timing = Timing { now: UnixTime::MIN, host: &host, within: PATIENCE, waiting: &|| () };
        _ = prober.fresh(&mut Says(bytes), &timing);
        assert!(watch.elapsed() < PATIENCE, "{} waits for a service that has hung up", probe.kind());
    }
}
