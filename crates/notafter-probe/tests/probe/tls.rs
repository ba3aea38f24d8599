//! What a handshake comes to.

use crate::pki::{Ca, day, fingerprint, long};
use crate::server::{Server, config, forgetful_config, plain_config, serve_silence};
use crate::support::{
    Loopback, PATIENCE, absence, alert, look, refusal, terms, timed, tls_probe, trusting, trusting_as,
};
use notafter_core::{Answer, Probe, RefusalLayer, Seen, ServiceName, Verify};
use notafter_probe::{Error, Handshake, LineState, Prober, TlsMaterial};
use rustls::version::{TLS12, TLS13};
use std::sync::Arc;

#[test]
fn a_good_chain_is_answered_and_written_down() {
    let root = Ca::root(long());
    let intermediate = root.intermediate(long());
    let leaf = intermediate.server("front", long()).followed_by(&intermediate);
    let server = Server::tls(plain_config(&leaf), serve_silence);
    for verify in [Verify::Off, Verify::Strict, Verify::Webpki] {
        let seen = look(&tls_probe(server.port, verify), trusting(&root), day(1));
        assert_eq!(seen.seen, Seen::Answered(Answer::Handshake), "{verify:?}");
        assert_eq!(seen.handshake, Some(Handshake::Full));
        assert_eq!(seen.line, LineState::Closed);
        let served: Vec<_> = seen.served.iter().map(|served| served.credential.fingerprint).collect();
        assert_eq!(served, [leaf.fingerprint(), fingerprint(&intermediate.der())]);
    }
}

#[test]
fn not_after_is_the_last_good_second() {
    let root = Ca::root(long());
    let leaf = root.server("front", (day(0), day(10)));
    let server = Server::tls(plain_config(&leaf), serve_silence);
    for verify in [Verify::Strict, Verify::Webpki] {
        let at = |now| look(&tls_probe(server.port, verify), trusting(&root), now);
        assert_eq!(at(day(10)).seen, Seen::Answered(Answer::Handshake), "{verify:?}");
        let late = at(day(10).plus_secs(1));
        let refused = refusal(&late);
        assert_eq!(refused.layer, RefusalLayer::Verifier);
        assert_eq!(refused.culprit, Some(leaf.fingerprint()));
        assert_eq!(alert(refused), Some(("certificate_expired", false)));
        assert_eq!(
            refused.reason,
            format!(
                "certificate CN=front ({}) expired 1 s before the probe \
                 (notAfter 2030-01-11T00:00:00Z, probe at 2030-01-11T00:00:01Z)",
                leaf.fingerprint().short()
            )
        );
        assert_eq!(late.served.len(), 1, "the chain is written down though it was refused");
    }
    let off = look(&tls_probe(server.port, Verify::Off), trusting(&root), day(500));
    assert_eq!(off.seen, Seen::Answered(Answer::Handshake));
}

#[test]
fn dates_asks_for_dates_and_the_name_and_for_no_anchor() {
    let root = Ca::root((day(0), day(5)));
    let leaf = root.server("front", (day(0), day(10)));
    let server = Server::tls(plain_config(&leaf), serve_silence);
    let at = |name: Option<&str>, now| {
        let mut probe = tls_probe(server.port, Verify::Dates);
        if let Probe::Tls { terms, .. } = &mut probe {
            (terms.trust, terms.server_name) = (None, name.map(str::to_owned));
        }
        look(&probe, TlsMaterial::default(), now)
    };
    for name in [None, Some("front")] {
        assert_eq!(at(name, day(10)).seen, Seen::Answered(Answer::Handshake), "{name:?}");
        let late = at(name, day(10).plus_secs(1));
        assert_eq!(refusal(&late).culprit, Some(leaf.fingerprint()), "{name:?}");
    }
    let other = at(Some("back"), day(1));
    assert!(refusal(&other).reason.contains("does not name back"), "{:?}", other.seen);
}

#[test]
fn an_expired_root_is_refused_by_strict_alone() {
    let root = Ca::root((day(0), day(10)));
    let leaf = root.server("front", long());
    let server = Server::tls(plain_config(&leaf), serve_silence);
    let webpki = look(&tls_probe(server.port, Verify::Webpki), trusting(&root), day(13));
    assert_eq!(webpki.seen, Seen::Answered(Answer::Handshake));
    let strict = look(&tls_probe(server.port, Verify::Strict), trusting(&root), day(13));
    let refused = refusal(&strict);
    assert_eq!(refused.culprit, Some(fingerprint(&root.der())));
    assert!(refused.reason.starts_with("trust anchor CN=root ("), "{}", refused.reason);
    assert!(refused.reason.contains(") expired 3 d before the probe "), "{}", refused.reason);
}

#[test]
fn another_anchor_that_is_still_valid_suffices() {
    let (old, new) = (Ca::root((day(0), day(10))), Ca::root(long()));
    let server = Server::tls(plain_config(&new.server("front", long())), serve_silence);
    let both = TlsMaterial { trust_anchors: vec![old.der(), new.der()], identity: None };
    let seen = look(&tls_probe(server.port, Verify::Strict), both, day(13));
    assert_eq!(seen.seen, Seen::Answered(Answer::Handshake));
}

#[test]
fn an_expired_intermediate_is_the_culprit() {
    let root = Ca::root(long());
    let intermediate = root.intermediate((day(0), day(10)));
    let leaf = intermediate.server("front", long()).followed_by(&intermediate);
    let server = Server::tls(plain_config(&leaf), serve_silence);
    for verify in [Verify::Strict, Verify::Webpki] {
        let seen = look(&tls_probe(server.port, verify), trusting(&root), day(11));
        assert_eq!(refusal(&seen).culprit, Some(fingerprint(&intermediate.der())), "{verify:?}");
    }
}

#[test]
fn a_chain_from_the_future_is_refused() {
    let root = Ca::root(long());
    let leaf = root.server("front", (day(10), day(20)));
    let server = Server::tls(plain_config(&leaf), serve_silence);
    let early = look(&tls_probe(server.port, Verify::Strict), trusting(&root), day(10).plus_secs(-1));
    assert!(
        refusal(&early).reason.ends_with(
            "becomes valid only 1 s after the probe (notBefore 2030-01-11T00:00:00Z, probe at 2030-01-10T23:59:59Z)"
        ),
        "{}",
        refusal(&early).reason
    );
    let on_time = look(&tls_probe(server.port, Verify::Strict), trusting(&root), day(10));
    assert_eq!(on_time.seen, Seen::Answered(Answer::Handshake));
}

#[test]
fn the_name_has_to_be_right() {
    let root = Ca::root(long());
    let leaf = root.server("elsewhere", long());
    let server = Server::tls(plain_config(&leaf), serve_silence);
    let wrong = look(&tls_probe(server.port, Verify::Strict), trusting(&root), day(1));
    let refused = refusal(&wrong);
    assert_eq!((refused.layer, refused.culprit), (RefusalLayer::Verifier, Some(leaf.fingerprint())));
    assert!(refused.reason.contains(" does not name front but "), "{}", refused.reason);

    let mut other = terms(Verify::Strict);
    other.server_name = Some("elsewhere".to_owned());
    let probe = Probe::Tls { host: "front".to_owned(), port: server.port, terms: other };
    assert_eq!(look(&probe, trusting(&root), day(1)).seen, Seen::Answered(Answer::Handshake));
}

#[test]
fn an_unknown_issuer_is_refused() {
    let leaf = Ca::root(long()).server("front", long());
    let other = Ca::root(long()).intermediate(long()); // has another name, and may serve as an anchor
    let server = Server::tls(plain_config(&leaf), serve_silence);
    for verify in [Verify::Strict, Verify::Webpki] {
        let seen = look(&tls_probe(server.port, verify), trusting(&other), day(1));
        let refused = refusal(&seen);
        assert_eq!((refused.layer, refused.culprit), (RefusalLayer::Verifier, None));
        assert_eq!(alert(refused), Some(("unknown_ca", false)));
        let expected = "no chain leads from certificate CN=front (";
        assert!(refused.reason.starts_with(expected), "{}", refused.reason);
        assert_eq!(seen.served.len(), 1);

        let namesake = look(&tls_probe(server.port, verify), trusting(&Ca::root(long())), day(1));
        let refused = refusal(&namesake);
        assert_eq!((refused.layer, refused.culprit), (RefusalLayer::Verifier, None));
        assert_eq!(alert(refused), Some(("decrypt_error", false)));
        assert!(refused.reason.ends_with("is not signed by the issuer that it names"), "{}", refused.reason);
    }
}

#[test]
fn the_service_judges_the_client_by_its_own_time() {
    let (root, clients) = (Ca::root(long()), Ca::root(long()));
    let leaf = root.server("front", long());
    let client = clients.client("partner", (day(0), day(10)));
    for version in [&TLS12, &TLS13] {
        // The probe believes in day 1 throughout; only the service's clock moves.
        let at = |service_day, material| {
            let config = config(&leaf, day(service_day), Some(&clients), &[version]);
            let server = Server::tls(Arc::new(config), serve_silence);
            look(&tls_probe(server.port, Verify::Strict), material, day(1))
        };
        let valid = at(5, trusting_as(&root, &client));
        assert_eq!(valid.seen, Seen::Answered(Answer::Handshake), "{version:?}");

        let expired = at(11, trusting_as(&root, &client));
        let refused = refusal(&expired);
        assert_eq!((refused.layer, refused.culprit), (RefusalLayer::Service, None), "{version:?}");
        assert_eq!(alert(refused), Some(("certificate_expired", true)), "{version:?}");

        let missing = at(5, trusting(&root));
        let refused = refusal(&missing);
        assert_eq!(refused.layer, RefusalLayer::Service, "{version:?}");
        let name = alert(refused).map(|alert| alert.0);
        assert!(matches!(name, Some("certificate_required" | "handshake_failure")), "{name:?} {version:?}");
        assert_eq!(missing.served.len(), 1);
    }
}

#[test]
fn a_service_that_hangs_up_after_the_handshake_refuses() {
    let root = Ca::root(long());
    let leaf = root.server("front", long());
    let config = forgetful_config(&leaf);
    let server = Server::start(move |mut stream| {
        let mut session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut stream).unwrap();
        }
    });
    let seen = look(&tls_probe(server.port, Verify::Strict), trusting(&root), day(1));
    assert_eq!(refusal(&seen).layer, RefusalLayer::Service);
    assert_eq!(refusal(&seen).reason, "the service closed the connection right after the TLS handshake");
}

#[test]
fn nobody_there_is_absent() {
    let root = Ca::root(long());
    let port = Server::start(|_| {}).port; // free again
    let seen = look(&tls_probe(port, Verify::Strict), trusting(&root), day(1));
    assert_eq!(absence(&seen), format!("nothing listens on front:{port}"));
    let unknown = Probe::Tcp { host: "unknown".to_owned(), port: 1 };
    assert_eq!(
        absence(&look(&unknown, TlsMaterial::default(), day(1))),
        "unknown is no host of this scenario"
    );
}

#[test]
fn a_broken_network_is_an_error() {
    let probe = Probe::Tcp { host: "broken".to_owned(), port: 1 };
    let mut prober = Prober::new(&probe, None, TlsMaterial::default()).unwrap();
    let (result, _) = timed(day(1), PATIENCE, |timing| prober.fresh(&mut Loopback, timing));
    assert!(matches!(result, Err(Error::Connector { .. })), "{result:?}");
}

#[test]
fn probes_that_cannot_be_made_are_errors() {
    let root = Ca::root(long());
    let (one, two) = (root.client("one", long()), root.client("two", long()));
    let mismatched = TlsMaterial {
        trust_anchors: vec![root.der()],
        identity: Some(notafter_probe::Identity { chain: one.chain, key: two.key() }),
    };
    let new = |probe: &Probe, material| Prober::new(probe, None, material).map(|_| ()).unwrap_err();
    let strict = tls_probe(1, Verify::Strict);
    assert!(matches!(new(&strict, mismatched), Error::Identity(_)));
    assert!(matches!(new(&strict, TlsMaterial::default()), Error::NoTrust));
    let nonsense = TlsMaterial { trust_anchors: vec![vec![1, 2, 3].into()], identity: None };
    assert!(matches!(new(&strict, nonsense), Error::TrustAnchor { number: 1, .. }));
    let mut unnamable = terms(Verify::Strict);
    unnamable.server_name = Some("not a name".to_owned());
    let probe = Probe::Tls { host: "front".to_owned(), port: 1, terms: unnamable };
    assert!(matches!(new(&probe, trusting(&root)), Error::ServerName { .. }));
    let alive = Probe::Alive { service: ServiceName::new("front").unwrap() };
    assert!(matches!(new(&alive, TlsMaterial::default()), Error::NotOverNetwork { kind: "alive" }));
}
