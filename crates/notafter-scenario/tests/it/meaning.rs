//! What a right scenario means.

use crate::base::{BASE, NOW, at, edited, read, read_with};
use notafter_core::{
    CheckName, CredentialName, EnvValue, Expectation, ImageRef, MountedSource, Probe, ReadyProbe, Scenario,
    Start, Verify, X509Issuer,
};
use notafter_scenario::{Code, Error, MAX_BYTES, Palette, load};
use std::path::PathBuf;
use std::time::Duration;

fn right(text: &str) -> Scenario {
    read(text).unwrap_or_else(|diagnostics| panic!("{}", diagnostics.render(Palette::Plain)))
}

#[test]
fn start_and_window() {
    for (start, support, begins, ends) in [
        ("start: now", "support: 1y", Start::Now(at(NOW)), "2027-06-01T12:00:00Z"),
        ("start: now - 7d", "support: 7d", Start::Fixed(at("2026-05-25T12:00:00Z")), NOW),
        (
            "start: -7d",
            "support: start + 1mo",
            Start::Fixed(at("2026-05-25T12:00:00Z")),
            "2026-06-25T12:00:00Z",
        ),
        (
            "start: 2018-11-01T00:00:00Z",
            "support: 2019-01-01T00:00:00Z",
            Start::Fixed(at("2018-11-01T00:00:00Z")),
            "2019-01-01T00:00:00Z",
        ),
    ] {
        let scenario =
            right(&BASE.replace("start: 2018-11-01T00:00:00Z", start).replace("support: 2y", support));
        assert_eq!((scenario.start, scenario.horizon), (begins, at(ends)), "{start}, {support}");
    }
    let scenario = right(&edited("start: 2018-11-01T00:00:00Z\n", ""));
    assert_eq!(scenario.start, Start::Now(at(NOW)), "now is the default");
}

#[test]
fn validities_may_refer_to_each_other_in_any_order() {
    let text = edited("until: \"support.end + 1y\"", "until: \"site.not_after + 1d\"");
    let scenario = right(&text);
    assert_eq!(scenario.credentials[1].x509.not_before, at("2018-10-31T23:00:00Z"));
    assert_eq!(scenario.credentials[1].x509.not_after, at("2019-01-29T23:00:00Z"));
    assert_eq!(scenario.credentials[0].x509.not_after, at("2019-01-30T23:00:00Z"));
}

#[test]
fn issuers() {
    let text = edited(
        "credentials:\n",
        "credentials:\n  sub: { x509: { ca: intermediate, issuer: root, subject: \"CN=Sub\", validity: { from: start, for: 1y } } }\n  own: { x509: { self_signed: true, subject: \"CN=own\", ip: [\"::1\"], key: rsa2048, validity: { from: start, for: 1y } } }\n",
    );
    let issuers: Vec<X509Issuer> =
        right(&text).credentials.into_iter().map(|credential| credential.x509.issuer).collect();
    assert!(matches!(
        &issuers[..],
        [X509Issuer::Intermediate(_), X509Issuer::SelfSigned, X509Issuer::Root, X509Issuer::IssuedBy(_)]
    ));
}

#[test]
fn a_cross_sign_is_a_ca_with_the_name_of_another() {
    let declared = |cross: &str| {
        let ca = "  ca: { x509: { ca: root, subject: \"CN=Root\", validity: { from: start, for: 5y } } }";
        let validity = "validity: { from: start, for: 1y }";
        read(&edited(
            "\nservices:",
            &format!("{ca}\n  cross: {{ x509: {{ {cross}, {validity} }} }}\n\nservices:"),
        ))
    };
    let right = declared("ca: intermediate, issuer: ca, subject: \"CN=Root\", cross_signs: root").unwrap();
    let cross = right.credentials.iter().find(|spec| spec.name.as_str() == "cross").unwrap();
    assert_eq!(cross.x509.cross_signs.as_ref().unwrap().as_str(), "root");
    for (cross, expected) in [
        ("issuer: ca, subject: \"CN=Root\", cross_signs: root", "a cross-sign is a CA under another issuer"),
        (
            "ca: intermediate, issuer: ca, subject: \"CN=Other\", cross_signs: root",
            "a cross-sign of `root` bears its subject",
        ),
        (
            "ca: intermediate, issuer: ca, subject: \"CN=Root\", key: p384, cross_signs: root",
            "the key is that of `root`",
        ),
        ("ca: intermediate, issuer: ca, subject: \"CN=node\", cross_signs: site", "`site` is no CA"),
        ("ca: intermediate, issuer: ca, subject: \"CN=Root\", cross_signs: cross", "is a cross-sign itself"),
    ] {
        let told = declared(cross).unwrap_err().to_string();
        assert!(told.contains(expected), "{cross}: {told}");
    }
}

#[test]
fn subjects_have_the_shape_of_rfc_4514() {
    for subject in ["CN=a, O=B\\\\, Inc.", "emailAddress=a@b", "CN=a=b"] {
        assert!(read(&edited("CN=node", subject)).is_ok(), "{subject}");
    }
    for subject in ["", "CN=", "CN=a,", "CN=a,b", "2.5.4.3=a"] {
        assert!(read(&edited("CN=node", subject)).is_err(), "{subject}");
    }
}

#[test]
fn services_start_after_what_they_need() {
    let order = |text: &str| -> Vec<String> {
        right(text).services.iter().map(|service| service.name.to_string()).collect()
    };
    assert_eq!(order(BASE), ["db", "node"]);
    assert_eq!(order(&edited("needs: [db]", "after: [db]")), ["db", "node"]);
    assert_eq!(order(&edited("    needs: [db]\n", "")), ["node", "db"], "the order of the file");
}

#[test]
fn the_candidate_and_its_builds() {
    let build = |choice| read_with(BASE, choice).unwrap().candidate.build;
    assert_eq!(build(None), None, "two builds and no choice");
    assert_eq!(build(Some("node=1.15")).unwrap().image, ImageRef::Rootfs(PathBuf::from("./v1.15")));
    let given = build(Some("node=cargo:package/bin-2")).unwrap();
    assert_eq!(given.name.as_str(), "cargo-package-bin-2");
    assert_eq!(given.image.to_string(), "cargo:package/bin-2");
    assert_eq!(build(Some("node=host")).unwrap().image, ImageRef::Host);

    let only = BASE.replace("  \"1.15\": \"rootfs:./v1.15\"\n", "");
    assert_eq!(right(&only).candidate.build.unwrap().name.as_str(), "1.14", "the only build needs no choice");
}

/// The base with a candidate that has an image of its own, one build that changes it and one that does not.
fn changing_builds() -> String {
    edited("  \"1.14\": \"rootfs:./v1.14\"\n", "  \"1.14\": {}\n")
        .replace(
            "  \"1.15\": \"rootfs:./v1.15\"\n",
            "  \"1.15\":
    image: { rootfs: ./v1.15 }
    command: [/node, --new]
    env: { MODE: slow, EXTRA: here }
    files:
      /etc/node/tls.pem: { chain: longer }
      /etc/node/tls.key: { key: longer }
      /etc/node/extra: { content: x }
",
        )
        .replace("  node:\n    needs", "  node:\n    image: host\n    needs")
        .replace(
            "\nservices:",
            "  longer: { x509: { issuer: ca, subject: \"CN=node\", dns: [node], validity: { from: start, for: 5y } } }
  ca: { x509: { ca: root, subject: \"CN=CA\", validity: { from: \"start - 1y\", for: 9y } } }
\nservices:",
        )
}

#[test]
fn a_build_changes_what_it_says_and_leaves_the_rest() {
    let text = changing_builds();
    let chosen = |build: &str| read_with(&text, Some(&format!("node={build}"))).unwrap();
    let node = |scenario: &Scenario| {
        let node = scenario.services.iter().find(|service| service.name.as_str() == "node").unwrap();
        let env: Vec<String> = node.env.keys().cloned().collect();
        let files: Vec<String> = node.files.iter().map(|file| file.path.clone()).collect();
        (node.command.clone(), env, files)
    };
    let names = |scenario: &Scenario| -> Vec<String> {
        scenario.credentials.iter().map(|spec| spec.name.to_string()).collect()
    };

    let old = chosen("1.14");
    assert_eq!(old.image_of(&old.services[1]), Some(&ImageRef::Host), "the service's own");
    let (command, env, files) = node(&old);
    assert_eq!((command, env.len()), (None, 2));
    assert_eq!(files, ["/etc/node/tls.pem", "/etc/node/tls.key"]);
    assert_eq!(names(&old), ["root", "site"], "what another build alone holds is no part of this one");

    let new = chosen("1.15");
    assert_eq!(new.image_of(&new.services[1]), Some(&ImageRef::Rootfs(PathBuf::from("./v1.15"))));
    let (command, env, files) = node(&new);
    assert_eq!(command.unwrap(), ["/node", "--new"]);
    assert_eq!(env, ["EXTRA", "MODE", "TOKEN"]);
    assert_eq!(new.services[1].env["MODE"], EnvValue::Plain("slow".to_owned()));
    assert_eq!(files, ["/etc/node/tls.pem", "/etc/node/tls.key", "/etc/node/extra"]);
    assert_eq!(names(&new), ["root", "longer", "ca"], "nor is what it takes the place of");

    let unchosen = right(&text);
    assert_eq!((unchosen.credentials.len(), unchosen.services[1].files.len()), (4, 2));
}

#[test]
fn mistakes_in_builds_show_their_place() {
    let text = changing_builds();
    let none = "image: host\n    needs";
    for (from, to, expected) in [
        ("chain: longer", "chain: longest", "15:35: there is no credential `longest` [undefined-credential]"),
        ("env: { MODE: slow", "evn: { MODE: slow", "13:5: `evn` is no key of build [unknown-key]"),
        ("\"1.14\": {}", "\"1.14\": { comand: [x] }", "9:13: `comand` is no key of build [unknown-key]"),
        ("\"1.14\": {}", "\"1.14\": { rotfs: x }", "9:13: `rotfs` is no key of image [unknown-key]"),
        (none, "needs", "9:3: nothing says what this build runs [missing-candidate-image]"),
        (
            "\"1.14\": {}",
            "\"1.14\": host",
            "33:12: `node` has an image of its own, and each of its builds has another [conflicting-keys]",
        ),
        (none, "image: Hots\n    needs", "33:12: cannot use image `Hots` [unsupported-image]"),
    ] {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        let diagnostics = read(&text.replace(from, to)).unwrap_err();
        assert_eq!(diagnostics.to_string(), format!("scenario.yaml:{expected}"));
    }
}

#[test]
fn builds_may_be_numbers() {
    let text = BASE.replace("\"1.14\": ", "1.10: ").replace("build: \"1.14\"", "build: \"1.10\"");
    assert_eq!(right(&text).builds[0].name.as_str(), "1.10");
}

#[test]
fn variables_reach_every_value() {
    let text = edited("image: host", "image: \"${IMAGE}\"").replace("port: 8443", "port: \"${PORT}\"");
    let scenario = right(&text);
    assert_eq!(scenario.services[0].image, Some(ImageRef::Rootfs(PathBuf::from("/srv/tree"))));
    assert_eq!(scenario.services[1].ready, Some(ReadyProbe::Tcp(8443)));
    let odd = right(&edited("MODE: fast", "secret: \"${PORT}\""));
    assert_eq!(odd.services[1].env["secret"], EnvValue::Plain("8443".to_owned()), "a variable of that name");
}

#[test]
fn secrets_are_names_and_never_looked_up() {
    let secret = &right(BASE).services[1].env["TOKEN"];
    assert_eq!(*secret, EnvValue::Secret("NODE_TOKEN".to_owned()));
    let diagnostics = read(&edited("secret: NODE_TOKEN", "secret: \"${PORT}\"")).unwrap_err();
    insta::assert_snapshot!(diagnostics, @"scenario.yaml:25:41: `${PORT}` cannot name a variable [bad-name]");
}

#[test]
fn files_and_their_modes() {
    let text = edited(
        "/etc/node/tls.pem: { chain: site }",
        "/etc/node/: { ca.pem: { certificate: root }, motd: { content: \"a $${b}\", mode: \"0640\" } }\n      /etc/x: { source: x.conf }",
    )
    .replace(", mode: \"0400\"", "");
    let scenario = right(&text);
    let files: Vec<(&str, u32, Option<&str>)> = scenario.services[1]
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.mode, file.folder.as_deref()))
        .collect();
    assert_eq!(
        files,
        [
            ("/etc/node/ca.pem", 0o644, Some("/etc/node")),
            ("/etc/node/motd", 0o640, Some("/etc/node")),
            ("/etc/x", 0o644, None),
            ("/etc/node/tls.key", 0o600, None),
        ]
    );
    assert_eq!(scenario.services[1].files[1].source, MountedSource::Content("a ${b}".to_owned()));
}

#[test]
fn probes() {
    let probe = |text: &str| {
        let check = format!("  other: {{ from: db, probe: {text}, expect: {{ works: {{}} }} }}\n\npolicy:\n");
        right(&edited("\npolicy:\n", &check)).checks.pop().unwrap().probe
    };
    assert!(matches!(probe("{ alive: {} }"), Probe::Alive { service } if service.as_str() == "db"));
    assert!(
        matches!(probe("{ log: { service: node, contains: up } }"), Probe::Log { service, .. } if service.as_str() == "node")
    );
    assert!(matches!(probe("{ tcp: { address: \"db:5432\" } }"), Probe::Tcp { port: 5432, .. }));
    let Probe::Http { port, path, .. } = probe("{ http: { url: \"http://node?q=1\", method: HEAD } }") else {
        panic!()
    };
    assert_eq!((port, path.as_str()), (80, "/?q=1"));
    let login = probe(
        "{ http: { url: \"http://node/login\", method: POST, headers: { X-A: b }, body: \"user=me\" } }",
    );
    let Probe::Http { content, .. } = login else { panic!() };
    assert_eq!((content.headers["X-A"].as_str(), content.body.as_deref()), ("b", Some("user=me")));
    let off = probe("{ tls: { address: \"node:8443\", verify: off, server_name: example.org } }");
    let terms = off.tls().unwrap();
    assert_eq!((terms.verify, terms.server_name.as_deref()), (Verify::Off, Some("example.org")));
}

/// Its health in plain where nothing is said of TLS, and over TLS where something is.
#[test]
fn grpc_probes() {
    let probe = |terms: &str| {
        let probe = format!("grpc: {{ address: \"node:8443\"{terms} }}");
        let check = format!("  other: {{ probe: {{ {probe} }}, expect: {{ works: {{}} }} }}\n\npolicy:\n");
        right(&edited("\npolicy:\n", &check)).checks.pop().unwrap().probe
    };
    let plain = probe(", service: shop.v1.Orders");
    assert!(matches!(&plain, Probe::Grpc { service: Some(name), tls: None, .. } if name == "shop.v1.Orders"));
    assert!(!plain.exercises());
    let secure = probe(", trust: root");
    assert!(
        matches!(&secure, Probe::Grpc { host, port: 8443, service: None, tls: Some(_), .. } if host == "node")
    );
    assert_eq!((secure.kind(), secure.target(), secure.exercises()), ("grpc", "node", true));
}

/// By password or by certificate, and never by neither.
#[test]
fn amqp_probes() {
    let text = |keys: &str| {
        let probe = format!("amqp: {{ address: \"node:8443\", {keys} }}");
        let check = format!("  other: {{ probe: {{ {probe} }}, expect: {{ works: {{}} }} }}\n\npolicy:\n");
        edited("\npolicy:\n", &check)
    };
    let terms = |keys: &str| match right(&text(keys)).checks.pop().unwrap().probe {
        Probe::Amqp { terms, tls, .. } => (terms, tls),
        other => panic!("{other:?}"),
    };
    let (plain, tls) = terms("user: worker, password: worker-password, vhost: jobs");
    assert_eq!((plain.user.as_deref(), plain.vhost.as_str(), tls), (Some("worker"), "jobs", None));
    assert!(matches!(plain.password, Some(EnvValue::Hidden(_))));
    let (external, tls) = terms("trust: root, identity: site");
    assert_eq!((external.user, external.vhost.as_str(), tls.is_some()), (None, "/", true));
    let long = format!("user: worker, vhost: {}", "x".repeat(256));
    for (keys, code) in [
        ("trust: root", Code::MissingKey),
        ("password: worker-password, trust: root, identity: site", Code::MissingKey),
        (long.as_str(), Code::BadText),
    ] {
        let codes: Vec<Code> =
            read(&text(keys)).unwrap_err().iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, [code], "{keys}");
    }
}

#[test]
fn expectations_in_any_order_cover_all_time() {
    let text = edited(
        "{ works: { status: 200 } }",
        "[{ after: site.not_after, works: { status: 503 } }, { through: site.not_after, works: {} }]",
    );
    let scenario = right(&text);
    let end = at("2019-01-29T23:00:00Z");
    let expected = |at| scenario.checks[0].expectation_at(at).unwrap().expectation.clone();
    assert!(matches!(expected(end), Expectation::Works(works) if works.status.is_none()));
    assert!(matches!(expected(end.plus_secs(1)), Expectation::Works(works) if works.status == Some(503)));
}

#[test]
fn limits_have_defaults() {
    let scenario = right(BASE);
    assert_eq!(scenario.services[0].ready_within, Duration::from_secs(30));
    assert_eq!(scenario.services[1].ready_within, Duration::from_secs(5));
    assert_eq!(
        (scenario.checks[0].within, scenario.checks[0].settle),
        (Duration::from_secs(10), Duration::ZERO)
    );
}

#[test]
fn files_are_found_and_bounded() {
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    assert!(matches!(load(&data), Err(Error::Unreadable { .. })), "no scenario.yaml in it");
    assert_eq!(load(&data.join("nginx-mtls.yaml")).unwrap().directory, data);
    assert!(matches!(load(std::path::Path::new("/dev/zero")), Err(Error::TooLarge { .. })));
    assert_eq!(MAX_BYTES, 1 << 20);
}

/// Tokens are made like certificates: for whoever shows them, and for those who must be refused.
#[test]
fn tokens_and_those_that_must_be_refused() {
    let declared = |text: &str| {
        let credentials = "\ncredentials:\n  login: { jwt: { claims: { sub: shop, aud: [a, b] }, validity: { from: start, for: 30d } } }";
        edited("\ncredentials:", credentials).replace("\npolicy:\n", &format!("{text}\n\npolicy:\n"))
    };
    let check = "  tokens: { probe: { http: { url: \"http://node:80/\", token: login } }, expect: { works: {} }, refuses: [KINDS] }";
    let scenario = right(&declared(&check.replace("KINDS", "expired, unknown-issuer")));
    let [login, expired, unknown] = scenario.tokens.as_slice() else { panic!("{:?}", scenario.tokens) };
    assert_eq!(login.claims["aud"], ["a", "b"]);
    assert_eq!(expired.key_of.as_ref(), Some(&login.name));
    assert!(expired.not_after < scenario.start.instant());
    assert_eq!((unknown.key_of.as_ref(), unknown.key_id.as_str()), (None, "login"));
    let names = scenario.checks.iter().filter(|check| check.probe.token().is_some());
    let shown: Vec<String> =
        names.map(|check| format!("{} shows {}", check.name, check.probe.token().unwrap())).collect();
    assert_eq!(
        shown,
        [
            "tokens shows login",
            "tokens-refuses-expired-token shows login.expired",
            "tokens-refuses-unknown-issuer-token shows login.unknown-issuer",
        ]
    );

    // One stranger asks at both doors.
    let check = check.replace("KINDS", "expired");
    let doors = right(&declared(&format!("{check}\n{}", check.replace("  tokens:", "  door:"))));
    assert_eq!(doors.tokens.len(), 2, "{:?}", doors.tokens);
    assert!(doors.check(&CheckName::new("door-refuses-expired-token").unwrap()).is_some());

    let check = check.replace("expired", "KINDS");
    for (text, told) in [
        (check.replace("KINDS", "expired-intermediate"), "is a token and has no intermediate"),
        (check.replace("KINDS", "stale-crl"), "holds no revocation list"),
        (
            check.replace(", refuses: [KINDS]", "").replace("token: login", "token: site"),
            "`site` is a certificate",
        ),
    ] {
        let rendered = read(&declared(&text)).unwrap_err().render(Palette::Plain);
        assert!(rendered.contains(told), "{told}: {rendered}");
    }
    let dated = declared("").replace("sub: shop", "exp: never");
    assert!(read(&dated).unwrap_err().render(Palette::Plain).contains("follows from the validity"));
}

/// A stale list is asked about in a case of its own.
#[test]
fn a_stale_list_is_that_of_the_candidate() {
    let text = edited("/etc/node/tls.pem: { chain: site }", "/etc/node/tls.pem: { chain: site }\n      /etc/node/crl.pem: { crl: list }")
        .replace("\ncredentials:", "\ncredentials:\n  list: { crl: { issuer: root, validity: { from: start, for: 30d } } }")
        .replace("\npolicy:\n", "  again: { probe: { tcp: { address: \"node:80\" } }, expect: { works: {} }, refuses: [stale-crl] }\n\npolicy:\n");
    let scenario = right(&text);
    let check = scenario.check(&CheckName::new("again-refuses-stale-crl").unwrap()).unwrap();
    assert_eq!(check.stale, [CredentialName::new("list").unwrap()]);
}
