//! Connections and sessions that live across looks.

use crate::pki::{Ca, day, long};
use crate::server::{Server, forgetful_config, plain_config, serve_http, serve_silence};
use crate::support::{
    Loopback, PATIENCE, absence, alert, http_probe, https_probe, look, refusal, timed, tls_probe, trusting,
};
use notafter_core::{Answer, Probe, Seen, UnixTime, Verify};
use notafter_probe::{Error, Handshake, Held, LineState, Look, Prober, Resumed, TlsMaterial};
use rustls::{ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::sync::{Mutex, mpsc};

fn again(held: &mut Held, now: UnixTime) -> Look {
    timed(now, PATIENCE, |timing| held.look(&mut Loopback, timing)).0.unwrap()
}

fn resume(resumed: &mut Resumed, now: UnixTime) -> Look {
    timed(now, PATIENCE, |timing| resumed.look(&mut Loopback, timing)).0.unwrap()
}

fn held(probe: &Probe, material: TlsMaterial) -> Held {
    Prober::new(probe, None, material).unwrap().held().unwrap()
}

fn hello() -> Seen {
    Seen::Answered(Answer::Http { status: 200, body: "hello".to_owned() })
}

/// A server that serves nobody, but shows the test each connection.
fn observed() -> (Server, mpsc::Receiver<std::net::TcpStream>) {
    let (sender, receiver) = mpsc::channel();
    let sender = Mutex::new(sender);
    (Server::start(move |stream| sender.lock().unwrap().send(stream).unwrap()), receiver)
}

#[test]
fn a_held_connection_outlives_the_certificate() {
    let root = Ca::root(long());
    let server = Server::tls(plain_config(&root.server("front", (day(0), day(10)))), serve_http);
    let probe = https_probe(server.port, "/");
    let mut held = held(&probe, trusting(&root));
    assert!(!held.is_open());
    let first = again(&mut held, day(9));
    assert_eq!((&first.seen, first.line, first.served.len()), (&hello(), LineState::Open, 1));
    assert_eq!(held.opened(), Some(day(9)));
    for later in [11, 500] {
        let look = again(&mut held, day(later));
        assert_eq!((&look.seen, look.line), (&hello(), LineState::Open));
        assert!(look.served.is_empty() && look.handshake.is_none(), "nothing was shown this time");
    }
    assert!(held.is_open());
    assert_eq!(server.connections(), 1);
    assert_eq!(
        refusal(&look(&probe, trusting(&root), day(11))).culprit,
        first.served.first().map(|c| c.credential.fingerprint)
    );
}

#[test]
fn a_service_that_closes_after_its_answer_is_found_out() {
    let server = Server::start(|mut stream| serve_http(&mut stream));
    let mut held = held(&http_probe(server.port, "/close"), TlsMaterial::default());
    assert_eq!(again(&mut held, day(1)).seen, hello());
    let mut second = again(&mut held, day(2));
    // The end may reach the probe only once it asks.
    if absence(&second) == "the service closed the connection without an answer" {
        second = again(&mut held, day(2));
    }
    assert!(absence(&second).contains("the held connection"), "{second:?}");
    assert_eq!(second.line, LineState::ClosedByService);
    assert!(!held.is_open());
    assert!(absence(&again(&mut held, day(3))).starts_with("the held connection is over: "));
    assert_eq!(server.connections(), 1, "never opened a second time");
}

#[test]
fn a_failed_first_look_holds_nothing() {
    let (server, connections) = observed();
    let port = server.port;
    drop(server);
    let mut held = held(&Probe::Tcp { host: "front".to_owned(), port }, TlsMaterial::default());
    assert_eq!(absence(&again(&mut held, day(1))), format!("nothing listens on front:{port}"));
    assert!(!held.is_open() && held.opened().is_none());
    drop(connections);
}

#[test]
fn a_held_tcp_connection_tells_when_it_is_closed() {
    let (server, connections) = observed();
    let mut held = held(&Probe::Tcp { host: "front".to_owned(), port: server.port }, TlsMaterial::default());
    let connected = Seen::Answered(Answer::Connected);
    assert_eq!(again(&mut held, day(1)).seen, connected);
    let mut stream = connections.recv_timeout(PATIENCE).unwrap();
    assert_eq!(again(&mut held, day(2)).seen, connected);
    stream.write_all(b"banner").unwrap();
    assert_eq!(again(&mut held, day(3)).seen, connected);
    drop(stream);
    assert_eq!(absence(&again(&mut held, day(4))), "the service has closed the held connection");
}

#[test]
fn a_service_that_speaks_unasked_gives_an_http_connection_up() {
    let (server, connections) = observed();
    let mut held = held(&http_probe(server.port, "/"), TlsMaterial::default());
    let answer = std::thread::spawn(move || {
        let mut stream = connections.recv_timeout(PATIENCE).unwrap();
        let _ = stream.read(&mut [0; 1024]).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
        stream
    });
    assert_eq!(again(&mut held, day(1)).seen, hello());
    let mut stream = answer.join().unwrap();
    stream.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").unwrap();
    assert!(absence(&again(&mut held, day(2))).contains("wrote to the idle held connection"));
}

#[test]
fn a_held_tls_connection_hears_the_alert() {
    let root = Ca::root(long());
    let config = plain_config(&root.server("front", long()));
    let (server, connections) = observed();
    let mut held = held(&tls_probe(server.port, Verify::Strict), trusting(&root));
    let shake = std::thread::spawn(move || {
        let stream = connections.recv_timeout(PATIENCE).unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        stream
    });
    assert_eq!(again(&mut held, day(1)).seen, Seen::Answered(Answer::Handshake));
    let mut stream = shake.join().unwrap();
    stream.write_all(b"banner").unwrap();
    assert_eq!(again(&mut held, day(2)).seen, Seen::Answered(Answer::Handshake));
    // A record that does not decrypt makes the service send an alert.
    let forged = [&[23, 3, 3, 0, 32][..], &[0; 32]].concat();
    stream.conn.read_tls(&mut forged.as_slice()).unwrap();
    stream.conn.process_new_packets().unwrap_err();
    while stream.conn.wants_write() {
        stream.conn.write_tls(&mut stream.sock).unwrap();
    }
    let third = again(&mut held, day(3));
    assert_eq!(alert(refusal(&third)), Some(("bad_record_mac", true)));
    assert_eq!(
        refusal(&third).reason,
        "the service sent the TLS alert bad_record_mac on the held connection"
    );
    assert!(!held.is_open());
}

#[test]
fn a_session_is_resumed_without_showing_a_certificate() {
    let root = Ca::root(long());
    let server = Server::tls(plain_config(&root.server("front", (day(0), day(10)))), serve_http);
    let prober = Prober::new(&https_probe(server.port, "/"), None, trusting(&root)).unwrap();
    let mut resumed = prober.resumed().unwrap();
    let first = resume(&mut resumed, day(10));
    assert_eq!((first.handshake, &first.seen), (Some(Handshake::Full), &hello()));
    // Past notAfter, but within the life of the ticket: a resuming client does not look at certificates.
    let second = resume(&mut resumed, day(10).plus_secs(3_600));
    assert_eq!((second.handshake, &second.seen), (Some(Handshake::Resumed), &hello()));
    assert!(second.served.is_empty());
    // This service's tickets live for a day, seven are the most (RFC 8446 §4.6.1); then the certificate counts again.
    let third = resume(&mut resumed, day(30));
    assert!(refusal(&third).reason.contains(" expired 20 d before the probe "), "{third:?}");
    assert_eq!(server.connections(), 3);
}

#[test]
fn a_service_that_does_not_resume_is_found_out() {
    let root = Ca::root(long());
    let server = Server::tls(forgetful_config(&root.server("front", long())), serve_http);
    let prober = Prober::new(&https_probe(server.port, "/"), None, trusting(&root)).unwrap();
    let mut resumed = prober.resumed().unwrap();
    assert_eq!(resume(&mut resumed, day(1)).seen, hello());
    let second = resume(&mut resumed, day(1));
    assert!(absence(&second).starts_with("the TLS session was not resumed: "), "{second:?}");
    assert_eq!(second.handshake, Some(Handshake::Full));
    let plain = Prober::new(&http_probe(1, "/"), None, TlsMaterial::default()).unwrap();
    assert!(matches!(plain.resumed(), Err(Error::NoSession { kind: "http" })));
}

#[test]
fn fresh_looks_never_resume() {
    let root = Ca::root(long());
    let server = Server::tls(plain_config(&root.server("front", long())), serve_silence);
    let mut prober = Prober::new(&tls_probe(server.port, Verify::Strict), None, trusting(&root)).unwrap();
    for _ in 0..3 {
        let (look, _) = timed(day(1), PATIENCE, |timing| prober.fresh(&mut Loopback, timing));
        assert_eq!(look.unwrap().handshake, Some(Handshake::Full));
    }
}
