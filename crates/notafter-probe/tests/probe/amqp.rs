//! What a login to a broker comes to. The broker is written method by method here.

use crate::pki::{Ca, day, long};
use crate::server::{ReadWrite, Server, config, plain_config};
use crate::support::{
    Loopback, PATIENCE, absence, alert, look, refusal, terms, timed, trusting, trusting_as,
};
use notafter_core::{AmqpTerms, Answer, EnvValue, Hidden, Probe, RefusalLayer, Seen, TlsTerms, Verify};
use notafter_probe::{LineState, Look, Prober, Supplies, TlsMaterial};
use std::io::{Read, Write};
use std::sync::Arc;

type Method = (u16, u16);

fn frame(channel: u16, (class, method): Method, arguments: &[u8]) -> Vec<u8> {
    let len = u32::try_from(arguments.len() + 4).unwrap().to_be_bytes();
    let method = [class.to_be_bytes(), method.to_be_bytes()].concat();
    [&[1], &channel.to_be_bytes()[..], &len, &method, arguments, &[0xce]].concat()
}

fn start(mechanisms: &[u8]) -> Vec<u8> {
    let len = u32::try_from(mechanisms.len()).unwrap().to_be_bytes();
    frame(0, (10, 10), &[&[0, 9, 0, 0, 0, 0], &len[..], mechanisms, b"\0\0\0\x05en_US"].concat())
}

fn close(code: u16, text: &str) -> Vec<u8> {
    let len = [u8::try_from(text.len()).unwrap()];
    frame(0, (10, 50), &[&code.to_be_bytes()[..], &len, text.as_bytes(), &[0; 4]].concat())
}

fn method(wire: &mut dyn ReadWrite) -> Option<(Method, Vec<u8>)> {
    let mut head = [0; 7];
    wire.read_exact(&mut head).ok()?;
    let mut payload = vec![0; usize::from(head[5]) << 8 | usize::from(head[6])];
    wire.read_exact(&mut payload).ok()?;
    wire.read_exact(&mut [0]).ok()?;
    let number = |at| u16::from_be_bytes([payload[at], payload[at + 1]]);
    Some(((number(0), number(2)), payload[4..].to_vec()))
}

/// What a broker says to a method; nothing: it closes the connection.
type Script = fn(Method, &[u8]) -> Option<Vec<u8>>;

fn serve(wire: &mut dyn ReadWrite, begins: &[u8], script: Script) {
    let mut header = [0; 8];
    if wire.read_exact(&mut header).is_err() || header != *b"AMQP\0\0\x09\x01" {
        return;
    }
    let _ = wire.write_all(begins).and_then(|()| wire.flush());
    while let Some((name, arguments)) = method(wire) {
        let Some(says) = script(name, &arguments) else { return };
        if wire.write_all(&says).and_then(|()| wire.flush()).is_err() {
            return;
        }
    }
}

/// Lets `worker` in to `/`, by its password or its certificate.
fn broker(method: Method, arguments: &[u8]) -> Option<Vec<u8>> {
    let heartbeat = b"\x08\0\0\0\0\0\0\xce";
    Some(match method {
        (10, 11) => {
            let knows = |proof: &[u8]| arguments.windows(proof.len()).any(|window| window == proof);
            assert!(knows(b"\x1cauthentication_failure_closet\x01"));
            match knows(b"\x05PLAIN\0\0\0\x17\0worker\0worker-password") || knows(b"\x08EXTERNAL\0\0\0\0") {
                true => [&heartbeat[..], &frame(0, (10, 30), &[0, 100, 0, 2, 0, 0, 0, 60])].concat(),
                false => close(403, "ACCESS_REFUSED - Login was refused"),
            }
        }
        (10, 31) => {
            assert_eq!(arguments, [0, 100, 0, 2, 0, 0, 0, 0], "its limits, and no heartbeats");
            Vec::new()
        }
        (10, 40) if arguments == b"\x01/\0\0" => frame(0, (10, 41), &[0]),
        (10, 40) => close(530, "NOT_ALLOWED - vhost not found"),
        (20, 10) => frame(1, (20, 11), &[0; 4]),
        (20, 40) => frame(1, (20, 41), &[]),
        (10, 50) => frame(0, (10, 51), &[]),
        (10, 51) => return None,
        other => panic!("{other:?}"),
    })
}

fn serve_broker(wire: &mut dyn ReadWrite) {
    serve(wire, &start(b"PLAIN EXTERNAL"), broker);
}

fn probe(port: u16, user: Option<&str>, vhost: &str, tls: Option<TlsTerms>) -> Probe {
    let password = user.map(|_| EnvValue::Hidden(Hidden::new("worker-password".to_owned())));
    let terms = AmqpTerms { user: user.map(str::to_owned), password, vhost: vhost.to_owned() };
    Probe::Amqp { host: "front".to_owned(), port, terms, tls }
}

fn as_worker(port: u16) -> Probe {
    probe(port, Some("worker"), "/", None)
}

fn logs_in(probe: &Probe, tls: TlsMaterial, password: &str) -> Look {
    let supplies = Supplies { tls, password: Some(password.to_owned()), ..Supplies::default() };
    let mut prober = Prober::supplied(probe, None, supplies).unwrap();
    timed(day(1), PATIENCE, |timing| prober.fresh(&mut Loopback, timing)).0.unwrap()
}

fn with_password(probe: &Probe) -> Look {
    logs_in(probe, TlsMaterial::default(), "worker-password")
}

fn opened(said: &str) -> Seen {
    Seen::Answered(Answer::Greeted { said: said.to_owned() })
}

#[test]
fn who_knows_the_password_is_let_in() {
    let server = Server::start(|mut stream| serve_broker(&mut stream));
    let seen = with_password(&as_worker(server.port));
    assert_eq!((seen.seen, seen.line), (opened("connection.open-ok"), LineState::Closed));
}

#[test]
fn who_does_not_know_it_is_refused_and_so_is_another_virtual_host() {
    let server = Server::start(|mut stream| serve_broker(&mut stream));
    let stranger = logs_in(&as_worker(server.port), TlsMaterial::default(), "guessed");
    assert_eq!(refusal(&stranger).layer, RefusalLayer::Application);
    assert_eq!(refusal(&stranger).reason, "403 ACCESS_REFUSED - Login was refused");
    let elsewhere = with_password(&probe(server.port, Some("worker"), "shop", None));
    assert_eq!(refusal(&elsewhere).reason, "530 NOT_ALLOWED - vhost not found");
}

/// As the specification asks for it, and as brokers do that cannot say it.
#[test]
fn a_login_on_which_the_connection_is_closed_is_refused() {
    let server = Server::start(|mut stream| serve(&mut stream, &start(b"PLAIN"), |_, _| None));
    let seen = with_password(&as_worker(server.port));
    assert_eq!(refusal(&seen).layer, RefusalLayer::Application);
    assert!(refusal(&seen).reason.starts_with("the broker closed the connection on the login"), "{seen:?}");
}

#[test]
fn a_certificate_says_who_it_is_and_counts_at_the_time_of_the_case() {
    let root = Ca::root(long());
    let leaf = root.server("front", (day(0), day(10)));
    let worker = root.client("worker", (day(0), day(10)));
    let external = |port| probe(port, None, "/", Some(terms(Verify::Strict)));
    for (service_day, lets_in) in [(5, true), (11, false)] {
        let config = config(&leaf, day(service_day), Some(&root), rustls::DEFAULT_VERSIONS);
        let server = Server::tls(Arc::new(config), serve_broker);
        let seen = look(&external(server.port), trusting_as(&root, &worker), day(1));
        match lets_in {
            true => assert_eq!(seen.seen, opened("connection.open-ok")),
            false => assert_eq!(alert(refusal(&seen)), Some(("certificate_expired", true))),
        }
    }
    let server = Server::tls(plain_config(&leaf), serve_broker);
    let late = look(&external(server.port), trusting(&root), day(10).plus_secs(1));
    assert_eq!(refusal(&late).layer, RefusalLayer::Verifier);
    assert_eq!(refusal(&late).culprit, Some(leaf.fingerprint()));
}

#[test]
fn a_held_connection_opens_a_channel_again_and_again() {
    let server = Server::start(|mut stream| serve_broker(&mut stream));
    let password = Some("worker-password".to_owned());
    let supplies = Supplies { password, ..Supplies::default() };
    let mut held = Prober::supplied(&as_worker(server.port), None, supplies).unwrap().held().unwrap();
    for said in ["connection.open-ok", "channel.open-ok", "channel.open-ok"] {
        let look = timed(day(1), PATIENCE, |timing| held.look(&mut Loopback, timing)).0.unwrap();
        assert_eq!((look.seen, look.line), (opened(said), LineState::Open));
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn what_is_no_broker_is_told_and_refuses_nobody() {
    for (begins, expected) in [
        (&b"AMQP\0\0\x08\0"[..], "it speaks another version of AMQP"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no frame of AMQP but [48, 54, 54, 50, 2f, 31, 2e]"),
        (b"\x01\0\0\x7f\xff\xff\xff", "no frame of AMQP but [01, 00, 00, 7f, ff, ff, ff]"),
        (b"\x01\0\0\0\0\0\x04\0\x0a\0\x0a\0", "a frame without its end"),
        (b"\x01\0\0\0\0\0\x02\0\x0a\xce", "a frame without a method"),
        (&frame(0, (10, 30), &[]), "it sends method 10.30"),
        (&frame(0, (10, 10), &[0, 8, 0, 0, 0, 0]), "it does not begin as AMQP 0-9-1 does"),
        (&frame(0, (10, 10), &[0, 9, 0xff]), "it does not begin as AMQP 0-9-1 does"),
        (&frame(0, (10, 50), &[1]), "it closes the connection and does not say why"),
        (&start(b"AMQPLAIN"), "it offers no login by PLAIN but by \"AMQPLAIN\""),
        (&close(541, "INTERNAL_ERROR"), "541 INTERNAL_ERROR"),
        (&b"\x08\0\0\0\0\0\0\xce".repeat(64), "one heartbeat after the other"),
    ] {
        let begins = begins.to_vec();
        let server = Server::start(move |mut stream| {
            serve(&mut stream, &begins, |method, _| panic!("{method:?} was not called for"));
        });
        let seen = with_password(&as_worker(server.port));
        assert_eq!(absence(&seen), format!("no amqp from front:{}: {expected}", server.port));
    }
    let silent = Server::start(|mut stream| {
        let _ = stream.read(&mut [0; 8]);
    });
    let seen = with_password(&as_worker(silent.port));
    assert_eq!(absence(&seen), "the service closed the connection without an answer");
}

#[test]
fn a_broker_that_hangs_up_in_the_middle_lets_nobody_in() {
    let says = [start(b"PLAIN"), frame(0, (10, 30), &[0, 100, 0, 2, 0, 0, 0, 60]), frame(0, (10, 41), &[0])]
        .concat();
    for len in 0..=says.len() {
        let said = says[..len].to_vec();
        let server = Server::start(move |mut stream| {
            let _ = stream.write_all(&said);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            while stream.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
        });
        let is_let_in = matches!(with_password(&as_worker(server.port)).seen, Seen::Answered(_));
        assert_eq!(is_let_in, len == says.len(), "after {len} bytes");
    }
}
