//! What an HTTP exchange comes to.

use crate::pki::{Ca, day, long};
use crate::server::{Server, config, plain_config, serve_http};
use crate::support::{alert, http_probe, https_probe, look, refusal, trusting, trusting_as};
use notafter_core::{Answer, HttpContent, HttpMethod, Probe, RefusalLayer, Seen};
use notafter_probe::{Error, LineState, Prober, TlsMaterial};
use rustls::version::{TLS12, TLS13};
use std::io::{Read, Write};
use std::sync::Arc;

fn answered(status: u16) -> Seen {
    Seen::Answered(Answer::Http { status, body: "hello".to_owned() })
}

#[test]
fn plain_http_is_answered() {
    let server = Server::start(|mut stream| serve_http(&mut stream));
    let seen = look(&http_probe(server.port, "/"), TlsMaterial::default(), day(1));
    assert_eq!((seen.seen, seen.line), (answered(200), LineState::Closed));
    assert!(seen.served.is_empty() && seen.handshake.is_none());
}

#[test]
fn a_400_after_tls_is_an_answer_that_refuses() {
    let root = Ca::root(long());
    let server = Server::tls(plain_config(&root.server("front", long())), serve_http);
    assert_eq!(look(&https_probe(server.port, "/"), trusting(&root), day(1)).seen, answered(200));
    let refused = look(&https_probe(server.port, "/400"), trusting(&root), day(1));
    assert_eq!(refused.seen, answered(400));
    assert_eq!(refused.served.len(), 1);
}

#[test]
fn an_expired_client_certificate_shows_as_the_alert_of_the_service() {
    let root = Ca::root(long());
    let leaf = root.server("front", long());
    let client = root.client("partner", (day(0), day(10)));
    for version in [&TLS12, &TLS13] {
        for (service_day, works) in [(5, true), (11, false)] {
            let config = config(&leaf, day(service_day), Some(&root), &[version]);
            let server = Server::tls(Arc::new(config), serve_http);
            let seen = look(&https_probe(server.port, "/"), trusting_as(&root, &client), day(1));
            if works {
                assert_eq!(seen.seen, answered(200), "{version:?}");
            } else {
                assert_eq!(refusal(&seen).layer, RefusalLayer::Service, "{version:?}");
                assert_eq!(alert(refusal(&seen)), Some(("certificate_expired", true)), "{version:?}");
            }
        }
    }
}

#[test]
fn an_expired_server_is_not_even_asked() {
    let root = Ca::root(long());
    let leaf = root.server("front", (day(0), day(10)));
    let server = Server::tls(plain_config(&leaf), serve_http);
    let seen = look(&https_probe(server.port, "/"), trusting(&root), day(11));
    assert_eq!(refusal(&seen).layer, RefusalLayer::Verifier);
    assert_eq!(refusal(&seen).culprit, Some(leaf.fingerprint()));
}

/// Answers with the request.
fn echo() -> Server {
    Server::start(|mut stream| {
        let mut buffer = [0; 1024];
        let read = stream.read(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..read]).replace("\r\n", "|");
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()).unwrap();
    })
}

#[test]
fn the_request_carries_fields_and_a_body() {
    let server = echo();
    let asking = |method, content: HttpContent| {
        let probe = http_probe(server.port, "/");
        let Probe::Http { host, port, path, tls, token, .. } = probe else { unreachable!() };
        Probe::Http { host, port, path, method, content, tls, token }
    };
    let headers = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
    let body = Some("{\"a\":1}".to_owned());
    let content = HttpContent { headers: headers("X-Tenant", "shop"), body };
    let seen = look(&asking(HttpMethod::Put, content), TlsMaterial::default(), day(1));
    let Seen::Answered(Answer::Http { body, .. }) = seen.seen else { panic!("{seen:?}") };
    assert!(body.starts_with("PUT / HTTP/1.1|Host: "), "{body}");
    assert!(body.contains("|X-Tenant: shop|Content-Length: 7|Connection: close||{\"a\":1}"), "{body}");
    let empty = look(&asking(HttpMethod::Post, HttpContent::default()), TlsMaterial::default(), day(1));
    let Seen::Answered(Answer::Http { body, .. }) = empty.seen else { panic!("{empty:?}") };
    assert!(body.contains("|Content-Length: 0|"), "{body}");
    for (name, value) in
        [("Content-Length", "9"), ("X A", "b"), ("X-A", "b\r\nX-B: c"), ("Transfer-Encoding", "chunked")]
    {
        let content = HttpContent { headers: headers(name, value), body: None };
        let refused = Prober::new(&asking(HttpMethod::Get, content), None, TlsMaterial::default());
        assert!(matches!(refused, Err(Error::Request { .. })), "{name}: {value}");
    }
}

#[test]
fn the_request_is_what_was_asked() {
    let server = echo();
    let seen = look(&http_probe(server.port, "/a?b=c"), TlsMaterial::default(), day(1));
    let version = env!("CARGO_PKG_VERSION");
    let body = format!(
        "GET /a?b=c HTTP/1.1|Host: front:{}|User-Agent: notafter/{version}|Accept: */*|Connection: close||",
        server.port
    );
    assert_eq!(seen.seen, Seen::Answered(Answer::Http { status: 200, body }));
}

#[test]
fn a_path_cannot_smuggle_in_a_header() {
    for path in ["", "/ HTTP/1.1\r\nX: y", "/a b", "/ä"] {
        let made = Prober::new(&http_probe(1, path), None, TlsMaterial::default());
        assert!(matches!(made, Err(Error::Request { .. })), "{path:?}");
    }
}
