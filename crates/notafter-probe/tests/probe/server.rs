//! Servers on loopback threads.

use crate::pki::{Ca, Leaf};
use notafter_core::UnixTime;
use rustls::crypto::aws_lc_rs;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Serves every connection with the same function until it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    connections: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, stop, serve) = (Arc::clone(&connections), Arc::clone(&over), Arc::new(serve));
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(stream));
            }
        });
        Self { port, connections, over, acceptor: Some(acceptor) }
    }

    /// A TLS server whose connections are served as lines are: see [`serve_http`].
    pub(crate) fn tls(config: Arc<ServerConfig>, serve: fn(&mut dyn ReadWrite)) -> Self {
        Self::start(move |stream| {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(session, stream);
            serve(&mut stream);
            stream.conn.send_close_notify();
            let _ = stream.flush();
        })
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().unwrap();
        }
    }
}

pub(crate) trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

#[derive(Debug)]
struct Fixed(UnixTime);

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        let secs = self.0.as_secs().try_into().ok()?;
        Some(rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(secs)))
    }
}

/// Serves `leaf`, on a clock that stands at `now`; demands a client certificate from `clients` where that is given.
pub(crate) fn config(
    leaf: &Leaf,
    now: UnixTime,
    clients: Option<&Ca>,
    versions: &[&'static SupportedProtocolVersion],
) -> ServerConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_details(Arc::clone(&provider), Arc::new(Fixed(now)))
        .with_protocol_versions(versions)
        .unwrap();
    let builder = match clients {
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add(ca.der()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    builder.with_single_cert(leaf.chain.clone(), leaf.key()).unwrap()
}

/// A plain configuration on a clock that no certificate minds: servers do not verify themselves.
pub(crate) fn plain_config(leaf: &Leaf) -> Arc<ServerConfig> {
    Arc::new(config(leaf, UnixTime::clamped(0), None, rustls::DEFAULT_VERSIONS))
}

/// The same, without session tickets.
pub(crate) fn forgetful_config(leaf: &Leaf) -> Arc<ServerConfig> {
    let mut config = config(leaf, UnixTime::clamped(0), None, rustls::DEFAULT_VERSIONS);
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Arc::new(config)
}

/// Answers request after request: 400 for `/400`, else 200; `/close` closes the connection afterwards.
pub(crate) fn serve_http(stream: &mut dyn ReadWrite) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if !matches!(reader.read_line(&mut first), Ok(read) if read > 0) {
            return;
        }
        let mut close = first.contains(" /close ");
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(read) if read > 0 && line.trim().is_empty() => break,
                Ok(read) if read > 0 => close |= line.trim() == "Connection: close",
                _ => return,
            }
        }
        let status = if first.contains(" /400 ") { "400 Bad Request" } else { "200 OK" };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nhello");
        let stream = reader.get_mut();
        if stream.write_all(answer.as_bytes()).and_then(|()| stream.flush()).is_err() || close {
            return;
        }
    }
}

/// Completes the handshake and waits until the client goes.
pub(crate) fn serve_silence(stream: &mut dyn ReadWrite) {
    let _ = stream.read(&mut [0; 16]);
}
