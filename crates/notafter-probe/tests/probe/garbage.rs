//! Services that do not do what they should. Every look ends in time and in bounds.

use crate::pki::{Ca, day, long};
use crate::server::{Server, plain_config};
use crate::support::{Loopback, absence, http_probe, https_probe, look, refusal, timed, tls_probe, trusting};
use notafter_core::{Answer, Probe, Seen, Verify};
use notafter_probe::{Prober, TlsMaterial};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Writes until the probe has enough.
fn endlessly(stream: &mut TcpStream, bytes: &[u8]) {
    while stream.write_all(bytes).is_ok() {}
}

/// Looks with 300 ms to spare; tells what it saw and fails when it took longer than a second.
fn impatient(probe: &Probe, material: TlsMaterial) -> String {
    let mut prober = Prober::new(probe, None, material).unwrap();
    let within = Duration::from_millis(300);
    let (look, took) = timed(day(1), within, |timing| prober.fresh(&mut Loopback, timing));
    assert!(took >= within && took < Duration::from_secs(1), "{took:?}");
    absence(&look.unwrap()).to_owned()
}

#[test]
fn a_silent_service_costs_no_more_than_its_time() {
    let root = Ca::root(long());
    let server = Server::start(|mut stream| while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {});
    let port = server.port;
    let told = format!("no answer from front:{port} within 300 ms");
    assert_eq!(impatient(&http_probe(port, "/"), TlsMaterial::default()), told);
    assert_eq!(impatient(&https_probe(port, "/"), trusting(&root)), told);
    assert_eq!(impatient(&tls_probe(port, Verify::Strict), trusting(&root)), told);
}

#[test]
fn a_dripping_service_costs_no_more_than_its_time() {
    let server = Server::start(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while stream.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let told = format!("no answer from front:{} within 300 ms", server.port);
    assert_eq!(impatient(&http_probe(server.port, "/"), TlsMaterial::default()), told);
}

#[test]
fn nonsense_is_neither_http_nor_tls() {
    let root = Ca::root(long());
    for nonsense in [&b"SSH-2.0-OpenSSH_9.2\r\n"[..], &[0xff; 4096], b"\x15\x03"] {
        let server = Server::start(move |mut stream| {
            let _ = stream.write_all(nonsense);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
        });
        let http = look(&http_probe(server.port, "/"), TlsMaterial::default(), day(1));
        assert!(
            absence(&http).starts_with(&format!("no HTTP answer from front:{}: ", server.port)),
            "{http:?}"
        );
        let tls = look(&tls_probe(server.port, Verify::Strict), trusting(&root), day(1));
        assert!(!matches!(tls.seen, Seen::Answered(_)), "{tls:?}");
    }
    let plain = Server::start(|mut stream| crate::server::serve_http(&mut stream));
    let tls = look(&https_probe(plain.port, "/"), trusting(&root), day(1));
    assert!(!matches!(tls.seen, Seen::Answered(_)), "{tls:?}");
}

#[test]
fn plain_http_where_tls_was_expected_is_told() {
    let root = Ca::root(long());
    let server = Server::start(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let seen = look(&https_probe(server.port, "/"), trusting(&root), day(1));
    assert!(
        absence(&seen).starts_with(&format!("front:{} does not speak TLS: ", server.port)),
        "{}",
        absence(&seen)
    );
}

#[test]
fn an_endless_header_is_cut() {
    let server = Server::start(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        endlessly(&mut stream, b"X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
    });
    let seen = look(&http_probe(server.port, "/"), TlsMaterial::default(), day(1));
    assert!(absence(&seen).ends_with("its head is longer than 65536 bytes"), "{}", absence(&seen));
}

#[test]
fn endless_interim_responses_are_cut() {
    let server = Server::start(|mut stream| endlessly(&mut stream, b"HTTP/1.1 103 Early Hints\r\n\r\n"));
    let seen = look(&http_probe(server.port, "/"), TlsMaterial::default(), day(1));
    assert!(absence(&seen).contains("one interim response after the other"), "{}", absence(&seen));
}

#[test]
fn a_huge_body_is_an_answer_of_which_the_beginning_is_kept() {
    let root = Ca::root(long());
    let huge: fn(&mut dyn crate::server::ReadWrite) = |stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
        while stream.write_all(&[b'x'; 16 * 1024]).is_ok() {}
    };
    let plain = Server::start(move |mut stream| huge(&mut stream));
    let tls = Server::tls(plain_config(&root.server("front", long())), huge);
    for seen in [
        look(&http_probe(plain.port, "/"), TlsMaterial::default(), day(1)),
        look(&https_probe(tls.port, "/"), trusting(&root), day(1)),
    ] {
        assert_eq!(seen.seen, Seen::Answered(Answer::Http { status: 200, body: "x".repeat(1024) }));
    }
}

#[test]
fn endless_tiny_chunks_are_cut() {
    let server = Server::start(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        endlessly(&mut stream, format!("1;{}\r\nx\r\n", "e".repeat(1000)).repeat(16).as_bytes());
    });
    let seen = look(&http_probe(server.port, "/"), TlsMaterial::default(), day(1));
    assert!(absence(&seen).ends_with("it takes more than 4194304 bytes on the wire"), "{}", absence(&seen));
}

#[test]
fn a_service_that_hangs_up_at_once_is_no_answer() {
    let root = Ca::root(long());
    let server = Server::start(drop);
    let http = look(&http_probe(server.port, "/"), TlsMaterial::default(), day(1));
    assert_eq!(absence(&http), "the service closed the connection without an answer");
    let tls = look(&tls_probe(server.port, Verify::Strict), trusting(&root), day(1));
    assert_eq!(refusal(&tls).reason, "the service closed the connection within the TLS handshake");
}
