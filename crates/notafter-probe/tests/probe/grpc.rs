//! What a question for health comes to. The service is written frame by frame here, without the library of the probe.

use crate::pki::{Ca, day, long};
use crate::server::{ReadWrite, Server, config, plain_config};
use crate::support::{
    Loopback, PATIENCE, absence, alert, look, refusal, terms, timed, trusting, trusting_as,
};
use notafter_core::{Answer, Probe, RefusalLayer, Seen, Verify};
use notafter_probe::{Error, Held, LineState, Look, Prober, TlsMaterial};
use rustls::ServerConfig;
use std::io::{Read, Write};
use std::sync::Arc;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SERVING: &[u8] = b"\0\0\0\0\x02\x08\x01";
const GRPC: (&str, &str) = ("content-type", "application/grpc");

/// A frame (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Fields, each literal and not indexed (RFC 7541 §6.2.2).
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

fn head(stream: u32, pairs: &[(&str, &str)]) -> Vec<u8> {
    frame(1, 0x4, stream, &fields(pairs))
}

fn last_head(stream: u32, pairs: &[(&str, &str)]) -> Vec<u8> {
    frame(1, 0x5, stream, &fields(pairs))
}

/// A whole answer of a gRPC server.
fn answer(stream: u32, message: &[u8], status: &str) -> Vec<u8> {
    let head = head(stream, &[(":status", "200"), GRPC]);
    [head, frame(0, 0, stream, message), last_head(stream, &[("grpc-status", status)])].concat()
}

fn healthy(stream: u32) -> Vec<u8> {
    answer(stream, SERVING, "0")
}

/// Reads frames until a request has come to its end; its stream and its message.
fn request(wire: &mut dyn ReadWrite) -> Option<(u32, Vec<u8>)> {
    loop {
        let mut head = [0; 9];
        wire.read_exact(&mut head).ok()?;
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        wire.read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
        if head[3] == 0 && head[4] & 1 == 1 {
            return Some((stream, payload));
        }
        if head[3] == 7 {
            return None;
        }
    }
}

/// Answers one request after the other with what `answer` says.
fn serve(wire: &mut dyn ReadWrite, answer: impl Fn(u32) -> Vec<u8>) {
    let mut preface = [0; 24];
    if wire.read_exact(&mut preface).is_err() || preface != PREFACE {
        return;
    }
    let _ = wire.write_all(&frame(4, 0, 0, &[])).and_then(|()| wire.flush());
    while let Some((stream, _)) = request(wire) {
        if wire.write_all(&answer(stream)).and_then(|()| wire.flush()).is_err() {
            return;
        }
    }
}

fn serve_healthy(wire: &mut dyn ReadWrite) {
    serve(wire, healthy);
}

fn answering(answer: fn(u32) -> Vec<u8>) -> Server {
    Server::start(move |mut stream| serve(&mut stream, answer))
}

fn over_http2(mut config: ServerConfig) -> Arc<ServerConfig> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

fn plain(port: u16) -> Probe {
    Probe::Grpc { host: "front".to_owned(), port, service: None, tls: None, token: None }
}

fn secure(port: u16) -> Probe {
    Probe::Grpc {
        host: "front".to_owned(),
        port,
        service: None,
        tls: Some(terms(Verify::Strict)),
        token: None,
    }
}

fn serving() -> Seen {
    Seen::Answered(Answer::Greeted { said: "SERVING".to_owned() })
}

fn hears(answer: fn(u32) -> Vec<u8>) -> Look {
    let server = answering(answer);
    look(&plain(server.port), TlsMaterial::default(), day(1))
}

fn again(held: &mut Held) -> Look {
    timed(day(1), PATIENCE, |timing| held.look(&mut Loopback, timing)).0.unwrap()
}

fn held(probe: &Probe, material: TlsMaterial) -> Held {
    Prober::new(probe, None, material).unwrap().held().unwrap()
}

#[test]
fn a_healthy_service_is_answered_in_plain_and_over_tls() {
    let seen = hears(healthy);
    assert_eq!((seen.seen, seen.line, seen.not_yet), (serving(), LineState::Closed, false));
    let root = Ca::root(long());
    let leaf = root.server("front", (day(0), day(10)));
    let config = config(&leaf, day(1), None, rustls::DEFAULT_VERSIONS);
    let server = Server::tls(over_http2(config), serve_healthy);
    let seen = look(&secure(server.port), trusting(&root), day(10));
    assert_eq!((seen.seen, seen.served.len()), (serving(), 1));
    let late = look(&secure(server.port), trusting(&root), day(10).plus_secs(1));
    assert_eq!(refusal(&late).layer, RefusalLayer::Verifier);
    assert_eq!(refusal(&late).culprit, Some(leaf.fingerprint()));
}

#[test]
fn the_service_that_is_named_is_asked_about() {
    let server = Server::start(|mut stream| {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).unwrap();
        stream.write_all(&frame(4, 0, 0, &[])).unwrap();
        let (id, message) = request(&mut stream).unwrap();
        let is_named = message == b"\0\0\0\0\x10\x0a\x0eshop.v1.Orders";
        stream.write_all(&answer(id, if is_named { SERVING } else { b"" }, "0")).unwrap();
        while stream.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
    });
    let service = Some("shop.v1.Orders".to_owned());
    let probe = Probe::Grpc { host: "front".to_owned(), port: server.port, service, tls: None, token: None };
    assert_eq!(look(&probe, TlsMaterial::default(), day(1)).seen, serving());
}

/// What stands between the address of the service and the end of what is told.
fn told(look: &Look) -> &str {
    absence(look).split_once(": ").unwrap().1
}

#[test]
fn what_is_not_serving_is_told_with_the_layer_that_says_so() {
    let with_message: fn(u32) -> Vec<u8> = |stream| {
        let what = ("grpc-message", "unknown%20service");
        last_head(stream, &[(":status", "200"), GRPC, ("grpc-status", "12"), what])
    };
    for (says, expected, not_yet) in [
        (
            (|id| answer(id, b"\0\0\0\0\x02\x08\x02", "0")) as fn(u32) -> Vec<u8>,
            "its health is NOT_SERVING",
            true,
        ),
        (|id| answer(id, b"\0\0\0\0\0", "0"), "its health is UNKNOWN", true),
        (|id| answer(id, SERVING, "14"), "gRPC status UNAVAILABLE", true),
        (with_message, "gRPC status UNIMPLEMENTED: unknown service", false),
        (|id| answer(id, SERVING, "99"), "gRPC status 99", false),
        (|id| answer(id, b"\0\0\0\0\x09\x08\x01", "0"), "no health message", false),
        (|id| answer(id, &[0; 5000], "0"), "a message of more than 4096 bytes", false),
        (
            |id| [head(id, &[(":status", "200"), GRPC]), frame(0, 1, id, SERVING)].concat(),
            "an answer without a gRPC status",
            false,
        ),
        (
            |id| last_head(id, &[(":status", "200"), ("content-type", "text/html")]),
            "content type \"text/html\" is not gRPC's",
            false,
        ),
        (|id| last_head(id, &[(":status", "404")]), "HTTP status 404", false),
        (|id| last_head(id, &[(":status", "503")]), "HTTP status 503", true),
    ] {
        let seen = hears(says);
        assert_eq!((told(&seen), seen.not_yet), (expected, not_yet));
    }
}

#[test]
fn who_may_not_is_refused() {
    let page = b"<html><title>400 The SSL certificate error</title>";
    let nginx = move |id| [head(id, &[(":status", "400")]), frame(0, 1, id, page)].concat();
    let server = Server::start(move |mut stream| serve(&mut stream, nginx));
    let seen = look(&plain(server.port), TlsMaterial::default(), day(1));
    assert_eq!(refusal(&seen).reason, "HTTP status 400: 400 The SSL certificate error");
    for (says, expected) in [
        ((|id| answer(id, b"", "16")) as fn(u32) -> Vec<u8>, "gRPC status UNAUTHENTICATED"),
        (|id| answer(id, b"", "7"), "gRPC status PERMISSION_DENIED"),
    ] {
        let seen = hears(says);
        assert_eq!(refusal(&seen).layer, RefusalLayer::Application);
        assert_eq!(refusal(&seen).reason, expected);
    }
}

#[test]
fn an_expired_client_shows_as_the_alert_of_the_service() {
    let root = Ca::root(long());
    let leaf = root.server("front", long());
    let client = root.client("partner", (day(0), day(10)));
    let config = config(&leaf, day(11), Some(&root), rustls::DEFAULT_VERSIONS);
    let server = Server::tls(over_http2(config), serve_healthy);
    let seen = look(&secure(server.port), trusting_as(&root, &client), day(1));
    assert_eq!(alert(refusal(&seen)), Some(("certificate_expired", true)));
}

#[test]
fn a_service_without_http2_is_told_as_such() {
    let root = Ca::root(long());
    let server = Server::tls(plain_config(&root.server("front", long())), serve_healthy);
    let seen = look(&secure(server.port), trusting(&root), day(1));
    assert_eq!(told(&seen), "it does not agree on HTTP/2 within the TLS handshake (ALPN)");
    let server = Server::start(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        let _ = stream.shutdown(std::net::Shutdown::Write);
        while stream.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
    });
    let seen = look(&plain(server.port), TlsMaterial::default(), day(1));
    assert!(told(&seen).starts_with("HTTP/2: "), "{seen:?}");
}

#[test]
fn what_never_ends_is_cut() {
    let ping = frame(6, 0, 0, &[7; 8]);
    let fields = head(1, &[(":status", "103"), ("x", "y")]);
    for endless in [ping, fields] {
        let server = Server::start(move |mut stream| {
            let _ = stream.write_all(&frame(4, 0, 0, &[]));
            let mut taken = stream.try_clone().unwrap();
            std::thread::spawn(move || while taken.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {});
            while stream.write_all(&endless.repeat(64)).is_ok() {}
        });
        let seen = look(&plain(server.port), TlsMaterial::default(), day(1));
        let told = told(&seen);
        assert!(told.starts_with("HTTP/2: ") || told.starts_with("it takes more than 1048576 "), "{told}");
    }
}

#[test]
fn a_held_connection_is_asked_again() {
    let root = Ca::root(long());
    let config = config(&root.server("front", (day(0), day(10))), day(1), None, rustls::DEFAULT_VERSIONS);
    let server = Server::tls(over_http2(config), |wire| {
        // A question on an idle connection is answered, and is no end of it.
        serve(wire, |id| [healthy(id), frame(6, 0, 0, &[7; 8])].concat());
    });
    let mut held = held(&secure(server.port), trusting(&root));
    for late in [1, 11, 500] {
        let look = timed(day(late), PATIENCE, |timing| held.look(&mut Loopback, timing)).0.unwrap();
        assert_eq!((&look.seen, look.line), (&serving(), LineState::Open));
    }
    assert_eq!((server.connections(), held.opened()), (1, Some(day(1))));
}

#[test]
fn an_answer_that_says_no_does_not_end_a_held_connection() {
    let server = answering(|id| if id == 3 { answer(id, b"\0\0\0\0\x02\x08\x02", "0") } else { healthy(id) });
    let mut held = held(&plain(server.port), TlsMaterial::default());
    assert_eq!(again(&mut held).seen, serving());
    assert_eq!(told(&again(&mut held)), "its health is NOT_SERVING");
    assert_eq!(again(&mut held).seen, serving());
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_service_that_gives_a_held_connection_up_is_found_out() {
    // GOAWAY with the last stream that counts, and no error.
    let server = answering(|id| [healthy(id), frame(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0])].concat());
    let mut held = held(&plain(server.port), TlsMaterial::default());
    assert_eq!(again(&mut held).seen, serving());
    let mut second = again(&mut held);
    // It may reach the probe only once it asks.
    if !absence(&second).contains("the held connection") {
        second = again(&mut held);
    }
    assert!(absence(&second).contains("the held connection"), "{second:?}");
    assert!(!held.is_open());
}

#[test]
fn an_address_that_cannot_stand_in_a_request_is_an_error() {
    let probe = Probe::Grpc { host: "a b".to_owned(), port: 1, service: None, tls: None, token: None };
    let made = Prober::new(&probe, None, TlsMaterial::default());
    assert!(matches!(made, Err(Error::Request { .. })));
}

#[test]
fn a_service_that_hangs_up_in_the_middle_is_not_healthy() {
    let says = [frame(4, 0, 0, &[]), healthy(1)].concat();
    for len in 0..=says.len() {
        let said = says[..len].to_vec();
        let server = Server::start(move |mut stream| {
            let mut preface = [0; 24];
            let _ = stream.read_exact(&mut preface);
            let _ = request(&mut stream);
            let _ = stream.write_all(&said);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            while stream.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
        });
        let seen = look(&plain(server.port), TlsMaterial::default(), day(1)).seen;
        assert_eq!(seen == serving(), len == says.len(), "after {len} bytes: {seen:?}");
    }
}
