//! Who we are to a registry, and that nobody else learns it.

use super::super::Failure;
use super::server::{Answer, Asked, Scene, Server, Stock, response};
use crate::registry::credentials::{Kind, find};
use crate::registry::place::Place;
use notafter_core::ImageName;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const SECRET: &str = "hush-hush";
/// Of `user:hush-hush`.
const BASIC: &str = "dXNlcjpodXNoLWh1c2g=";

/// A registry that wants a token, which a server of the same address gives to whom it knows.
fn with_tokens(is_known: fn(&Asked) -> bool) -> Server {
    let stock = Stock::new();
    Server::new(Box::new(move |asked| {
        let host = asked.head.split("Host: ").nth(1).and_then(|rest| rest.lines().next()).unwrap().to_owned();
        let challenge =
            format!("WWW-Authenticate: Bearer realm=\"http://{host}/token?a=b\",service=\"the service\"\r\n");
        if asked.path.starts_with("/token") {
            return match is_known(asked) {
                true => response("200 OK", "", br#"{"token":"granted"}"#),
                false => response("401 Unauthorized", "", br#"{"errors":[{"code":"UNAUTHORIZED"}]}"#),
            };
        }
        match asked.head.contains("Authorization: Bearer granted") {
            true => stock.answer(asked),
            false => response("401 Unauthorized", &challenge, b""),
        }
    }))
}

fn auths(scene: &Scene, server: &Server, entry: &str) {
    let text = format!(r#"{{"auths":{{"127.0.0.1:{}":{{{entry}}}}}}}"#, server.port);
    fs::write(scene.path("config.json"), text).unwrap();
}

#[test]
fn a_token_is_had_for_this_repository_alone() {
    let (server, scene) = (with_tokens(|asked| asked.head.contains(BASIC)), Scene::new());
    auths(&scene, &server, &format!(r#""auth":"{BASIC}""#));
    scene.pull(&server, "team/tool:1").unwrap();
    let asked = server.asked();
    let token = "GET /token?a=b&scope=repository%3Ateam%2Ftool%3Apull&service=the%20service";
    assert_eq!(asked.iter().filter(|line| *line == token).count(), 1, "{asked:?}");
}

#[test]
fn whoever_may_come_without_credentials_needs_none() {
    let (server, scene) = (with_tokens(|asked| !asked.head.contains("Authorization")), Scene::new());
    scene.pull(&server, "team/tool:1").unwrap();
}

#[test]
fn a_refresh_token_is_posted_and_stands_in_no_path() {
    let (server, scene) = (with_tokens(|asked| asked.method == "POST"), Scene::new());
    auths(&scene, &server, &format!(r#""identitytoken":"{SECRET}""#));
    scene.pull(&server, "team/tool:1").unwrap();
    assert!(!server.heard().contains(SECRET));
}

#[test]
fn who_is_refused_learns_which_credentials_were_shown_and_none_of_them() {
    let (server, scene) = (with_tokens(|_| false), Scene::new());
    let failure = scene.failure(&server, "team/tool:1");
    let told = "it answers 401 to no credentials: there is no file of them (UNAUTHORIZED)";
    assert_eq!(failure.to_string(), told);
    auths(&scene, &server, &format!(r#""auth":"{BASIC}""#));
    let failure = scene.failure(&server, "team/tool:1");
    let path = scene.path("config.json");
    let told = format!("it answers 401 to the credentials of {} (UNAUTHORIZED)", path.display());
    assert_eq!(failure.to_string(), told);
    assert!(!failure.is_of_the_image());
    for shown in [format!("{failure:?}"), failure.to_string()] {
        assert!(!shown.contains(SECRET) && !shown.contains(BASIC), "{shown}");
    }
    // One that gives our words back is not quoted.
    let echo = |asked: &Asked| {
        let body = format!(r#"{{"errors":[{{"code":"{}"}}]}}"#, asked.head.replace("\r\n", " "));
        match asked.head.contains("Authorization") {
            true => response("403 Forbidden", "", body.as_bytes()),
            false => response("401 X", "WWW-Authenticate: Basic\r\n", b""),
        }
    };
    let server = Server::new(Box::new(echo));
    auths(&scene, &server, &format!(r#""auth":"{BASIC}""#));
    let failure = scene.failure(&server, "team/tool:1");
    assert!(matches!(failure, Failure::Denied { status: 403, code: None, .. }), "{failure:?}");
}

#[test]
fn tokens_that_would_become_fields_of_requests_are_refused() {
    let rule = |asked: &Asked| match asked.path.starts_with("/token") {
        true => response("200 OK", "", br#"{"token":"a\r\nX: y"}"#),
        false => {
            let host = asked.head.split("Host: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
            response("401 X", &format!("WWW-Authenticate: Bearer realm=\"http://{host}/token\"\r\n"), b"")
        }
    };
    let failure = Scene::new().failure(&Server::new(Box::new(rule)), "team/tool:1");
    assert!(matches!(failure, Failure::Nonsense { .. }), "{failure}");
    let nowhere = |_: &Asked| -> Answer {
        response("401 X", "WWW-Authenticate: Bearer realm=\"http://auth.example/token\"\r\n", b"")
    };
    let failure = Scene::new().failure(&Server::new(Box::new(nowhere)), "team/tool:1");
    assert!(matches!(failure, Failure::Plain { .. } | Failure::Io { .. }), "{failure}");
}

fn place(reference: &str) -> Place {
    Place::of(&ImageName::new(reference).unwrap()).unwrap()
}

/// User and password that the file with this text gives.
fn found(text: &str, reference: &str) -> Result<Option<(String, String)>, Failure> {
    let scene = Scene::new();
    fs::write(scene.path("auth.json"), text).unwrap();
    let login = find(&[scene.path("absent.json"), scene.path("auth.json")], &place(reference))?;
    Ok(match login.kind {
        Kind::None => None,
        Kind::Password { user, password } => Some((user, password.reveal().to_owned())),
        Kind::Refresh(token) => Some((String::new(), token.reveal().to_owned())),
    })
}

#[test]
fn entries_are_found_as_docker_and_podman_write_them() {
    let given = Some(("user".to_owned(), SECRET.to_owned()));
    for (key, reference) in [
        ("registry.example", "registry.example/a"),
        ("https://registry.example/v2/", "registry.example/a"),
        ("registry.example/a", "registry.example/a/b:1"),
        ("registry.example/a/b", "registry.example/a/b:1"),
        ("https://index.docker.io/v1/", "nginx"),
        ("docker.io/library/nginx", "nginx"),
        ("localhost:5000", "localhost:5000/a"),
    ] {
        let text = format!(r#"{{"auths":{{"{key}":{{"auth":"{BASIC}"}},"registry.example/z":{{}}}}}}"#);
        assert_eq!(found(&text, reference).unwrap(), given, "{key}");
        for other in ["other.example/a", "registry.example:444/a", "registry.example.org/a"] {
            assert_eq!(found(&text, other).unwrap(), None, "{key}");
        }
    }
    // The more special holds.
    let text = format!(
        r#"{{"auths":{{"r.example":{{"auth":"eDp5"}},"r.example/a":{{"username":"user","password":"{SECRET}"}}}}}}"#
    );
    assert_eq!(found(&text, "r.example/a/b").unwrap(), given);
    assert_eq!(found(&text, "r.example/b").unwrap(), Some(("x".to_owned(), "y".to_owned())));
    // `docker login` leaves these beside a store.
    assert_eq!(found(r#"{"auths":{"r.example":{}}}"#, "r.example/a").unwrap(), None);
}

#[test]
fn files_that_cannot_be_read_are_errors_that_quote_nothing() {
    for text in [
        format!("{SECRET} is no JSON"),
        format!(r#"{{"auths":"{SECRET}"}}"#),
        format!(r#"{{"auths":{{"r.example":{{"auth":["{SECRET}"]}}}}}}"#),
        format!(r#"{{"auths":{{"r.example":{{"auth":"{SECRET} and no base64"}}}}}}"#),
        r#"{"auths":{"r.example":{"auth":"bm9jb2xvbg=="}}}"#.to_owned(),
    ] {
        let failure = found(&text, "r.example/a").unwrap_err();
        assert!(matches!(failure, Failure::BadAuthFile { .. }), "{failure}");
        for shown in [format!("{failure:?}"), failure.to_string()] {
            assert!(!shown.contains(SECRET), "{shown}");
        }
    }
}

/// Puts a program on the path of this process under a name that no other test has.
fn helper(directory: &Path, name: &str, script: &str) {
    let path = directory.join(format!("docker-credential-{name}"));
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn helpers_that_cannot_be_named_or_started_are_errors() {
    for name in ["../../bin/sh", "a b", "notafter-test-absent"] {
        let text = format!(r#"{{"credHelpers":{{"r.example":"{name}"}}}}"#);
        let failure = found(&text, "r.example/a").unwrap_err();
        assert!(matches!(failure, Failure::Helper { .. }), "{name}: {failure}");
        // Another registry's helper is nobody's business.
        assert_eq!(found(&text, "other.example/a").unwrap(), None);
    }
}

#[test]
fn helpers_are_asked_for_the_registry() {
    let scene = Scene::new();
    let output = std::process::Command::new("sh").args(["-c", "command -v sh"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    helper(
        &scene.path(""),
        "good",
        r#"read server; [ "$1" = get ] && printf '{"ServerURL":"%s","Username":"%s","Secret":"hush-hush"}' "$server" "$server""#,
    );
    helper(&scene.path(""), "none", "echo credentials not found in native keychain; exit 1");
    helper(&scene.path(""), "broken", "echo hush-hush; exit 3");
    helper(&scene.path(""), "talks", "echo hush-hush");
    let asked = |name: &str| super::super::helper::ask_at(&scene.path(name), "r.example");
    let (user, secret) = asked("docker-credential-good").unwrap().unwrap();
    assert_eq!((user.as_str(), secret.reveal()), ("r.example", SECRET));
    assert!(asked("docker-credential-none").unwrap().is_none());
    for name in ["docker-credential-broken", "docker-credential-talks"] {
        let reason = asked(name).unwrap_err();
        assert!(!reason.contains(SECRET), "{reason}");
    }
}
