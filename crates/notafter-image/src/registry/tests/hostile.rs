//! Registries that are broken, or mean harm. Nothing of what they send is kept.

use super::super::Failure;
use super::super::settings::Registries;
use super::server::{Answer, Asked, Scene, Server, Stock, response};
use crate::Error;
use notafter_core::UnixTime;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

/// A server that answers as `rule` says, and otherwise as it should.
fn but(rule: impl Fn(&Asked, &Stock) -> Option<Answer> + Send + Sync + 'static) -> (Server, Arc<Stock>) {
    let stock = Arc::new(Stock::new());
    let own = Arc::clone(&stock);
    let server = Server::new(Box::new(move |asked| rule(asked, &own).unwrap_or_else(|| own.answer(asked))));
    (server, stock)
}

fn is_layer(asked: &Asked, stock: &Stock) -> bool {
    asked.path.ends_with(&stock.layer)
}

#[test]
fn what_its_digest_does_not_name_is_refused() {
    for (index, part) in ["the manifest", "the configuration", "the layer"].into_iter().enumerate() {
        let (server, stock) = but(move |asked, stock| {
            let is_manifest = asked.path.contains("/manifests/") && asked.method == "GET";
            let is_config = asked.path.contains("/blobs/") && !is_layer(asked, stock);
            let is_meant = [is_manifest, is_config, is_layer(asked, stock)][index];
            let digest = asked.path.rsplit('/').next().unwrap();
            let mut bytes = stock.blobs.get(digest).filter(|_| is_meant)?.clone();
            *bytes.last_mut().unwrap() ^= 1;
            Some(response("200 OK", "", &bytes))
        });
        let scene = Scene::new();
        let failure = scene.failure(&server, "team/tool:1");
        assert!(matches!(failure, Failure::Digest { .. }), "{part}: {failure}");
        assert!(scene.kept_nothing(&stock), "{part}");
    }
}

#[test]
fn a_tag_that_leads_to_another_digest_than_it_says_is_refused() {
    let (server, _) = but(|asked, stock| {
        let other = stock.blobs.keys().find(|digest| *digest != stock.manifest())?;
        let fields = format!("Docker-Content-Digest: {other}\r\n");
        (asked.method == "HEAD").then(|| response("200 OK", &fields, b""))
    });
    // A layer or a configuration is no manifest.
    assert!(matches!(Scene::new().pull(&server, "team/tool:1"), Err(Error::BadImage { .. })));
}

#[test]
fn bodies_without_end_end() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"] {
        let (server, stock) =
            but(move |asked, stock| is_layer(asked, stock).then(|| Answer::Endless(head.to_owned())));
        let scene = Scene::new();
        let failure = scene.failure(&server, "team/tool:1");
        assert!(matches!(failure, Failure::TooLong { .. }), "{failure}");
        assert!(scene.kept_nothing(&stock));
        let (server, _) =
            but(move |asked, _| (asked.method == "GET").then(|| Answer::Endless(head.to_owned())));
        let failure = Scene::new().failure(&server, "team/tool:1");
        assert!(matches!(failure, Failure::TooLong { most_bytes: 8_388_608, .. }), "{failure}");
    }
    let (server, _) = but(|_, _| Some(Answer::Endless("HTTP/1.1 200 OK\r\nX: ".to_owned())));
    let failure = Scene::new().failure(&server, "team/tool:1");
    assert!(matches!(&failure, Failure::Io { source, .. } if source.to_string().contains("does not end")));
}

#[test]
fn a_layer_that_breaks_off_is_none() {
    let (server, stock) = but(|asked, stock| {
        let bytes = stock.blobs.get(&stock.layer).filter(|_| is_layer(asked, stock))?;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len());
        Some(Answer::Bytes([head.as_bytes(), &bytes[..bytes.len() / 2]].concat()))
    });
    let scene = Scene::new();
    let failure = scene.failure(&server, "team/tool:1");
    assert!(matches!(&failure, Failure::Io { source, .. } if source.to_string().contains("breaks off")));
    assert!(scene.kept_nothing(&stock));
    // Without a length it is the digest that tells.
    let (server, stock) = but(|asked, stock| {
        let bytes = stock.blobs.get(&stock.layer).filter(|_| is_layer(asked, stock))?;
        Some(Answer::Bytes([b"HTTP/1.1 200 OK\r\n\r\n", &bytes[..bytes.len() / 2]].concat()))
    });
    let scene = Scene::new();
    assert!(matches!(scene.failure(&server, "team/tool:1"), Failure::Digest { .. }));
    assert!(scene.kept_nothing(&stock));
}

#[test]
fn redirects_end_and_never_lead_out_to_plain_http_elsewhere() {
    let (server, _) =
        but(|asked, _| Some(response("302 Found", &format!("Location: {}x\r\n", asked.path), b"")));
    assert!(matches!(Scene::new().failure(&server, "team/tool:1"), Failure::Redirects { .. }));
    for location in ["http://registry.example/blob", "http://192.0.2.1/blob"] {
        let (server, _) = but(move |asked, stock| {
            is_layer(asked, stock).then(|| response("307 X", &format!("Location: {location}\r\n"), b""))
        });
        let failure = Scene::new().failure(&server, "team/tool:1");
        // A name that no resolver knows, where there is none, is as good a refusal.
        assert!(matches!(failure, Failure::Plain { .. } | Failure::Io { .. }), "{location}: {failure}");
    }
    for location in ["", "ftp://127.0.0.1/", "http://", "http://u:p@127.0.0.1/"] {
        let (server, _) = but(move |_, _| Some(response("307 X", &format!("Location: {location}\r\n"), b"")));
        let failure = Scene::new().failure(&server, "team/tool:1");
        assert!(
            matches!(failure, Failure::Nonsense { .. } | Failure::Redirects { .. }),
            "{location}: {failure}"
        );
    }
}

#[test]
fn what_is_no_http_and_who_says_nothing_of_use_is_an_error() {
    for bytes in [&b""[..], b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"HTTP/1.1 20"]
    {
        let (server, _) = but(move |_, _| Some(Answer::Bytes(bytes.to_vec())));
        let failure = Scene::new().failure(&server, "team/tool:1");
        assert!(matches!(failure, Failure::Io { .. }), "{failure}");
    }
    let (server, _) =
        but(|_, _| Some(response("503 Busy", "", br#"{"errors":[{"code":"TOOMANYREQUESTS"}]}"#)));
    let failure = Scene::new().failure(&server, "team/tool:1").to_string();
    assert!(failure.contains("answers 503 when asked for image team/tool:1"), "{failure}");
}

#[test]
fn an_unknown_tag_is_named_and_is_the_users_to_mend() {
    let (server, _) = but(|_, _| None);
    let failure = Scene::new().failure(&server, "team/tool:2");
    assert_eq!(failure.to_string(), "it has no image team/tool:2");
    assert!(failure.is_of_the_image());
}

/// Stands at another minute whenever it is looked at.
fn hasty() -> UnixTime {
    static NOW: AtomicI64 = AtomicI64::new(1_900_000_000);
    UnixTime::clamped(NOW.fetch_add(61, Ordering::Relaxed))
}

#[test]
fn patience_ends() {
    let (server, _) = but(|_, _| None);
    let registries = Registries::with_files(hasty, &[], &[], &[]);
    let reference = format!("127.0.0.1:{}/team/tool:1", server.port);
    match Scene::new().pull_with(registries, &reference) {
        Err(Error::NotPulled { source, .. }) => {
            assert!(
                matches!(&*source, Failure::Io { source, .. } if source.to_string() == "it takes too long")
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_we_are_to_one_server_no_other_hears() {
    static ELSEWHERE: OnceLock<u16> = OnceLock::new();
    let other = Arc::new(Stock::new());
    let own = Arc::clone(&other);
    let elsewhere = Server::new(Box::new(move |asked| own.answer(asked)));
    ELSEWHERE.set(elsewhere.port).unwrap();
    let (server, _) = but(|asked, stock| {
        if !asked.head.contains("Authorization: Basic dXNlcjpodXNo") {
            return Some(response("401 X", "WWW-Authenticate: Basic realm=\"x\"\r\n", b""));
        }
        let location = format!("http://127.0.0.1:{}{}", ELSEWHERE.get()?, asked.path);
        is_layer(asked, stock).then(|| response("307 X", &format!("Location: {location}\r\n"), b""))
    });
    let scene = Scene::new();
    let auths = format!(r#"{{"auths":{{"127.0.0.1:{}":{{"auth":"dXNlcjpodXNo"}}}}}}"#, server.port);
    std::fs::write(scene.path("config.json"), auths).unwrap();
    scene.pull(&server, "team/tool:1").unwrap();
    assert!(server.heard().contains("Authorization: Basic"));
    let heard = elsewhere.heard();
    assert!(heard.contains("/blobs/") && !heard.contains("Authorization"), "{heard}");
}
