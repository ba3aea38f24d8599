//! The two scenarios that show how the format should read.

use crate::base::{NOW, at, variable};
use notafter_core::{
    Cause, Connection, Decision, EnvValue, Expectation, ImageRef, MountedSource, Probe, Scenario, Start,
    UnixTime, Verify, VolumeState,
};
use notafter_scenario::{CandidateChoice, Code, Context, Diagnostics, Disk, Palette, load, parse};
use std::path::Path;
use std::time::Duration;

fn example(name: &str, candidate: Option<&str>) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let candidate = candidate.map(|choice| choice.parse::<CandidateChoice>().unwrap());
    let context = Context { now: at(NOW), variables: &variable, candidate, files: &Disk };
    match parse(&load(&path).unwrap(), &context) {
        Ok(scenario) => scenario,
        Err(diagnostics) => panic!("{}", diagnostics.render(Palette::Plain)),
    }
}

#[test]
fn the_outage_of_2018() {
    let scenario = example("o2-ericsson-2018.yaml", None);
    assert_eq!(scenario.start, Start::Fixed(at("2018-11-01T00:00:00Z")));
    assert_eq!(scenario.horizon, at("2020-11-01T00:00:00Z"));
    assert_eq!(scenario.budget, Some(Duration::from_secs(60)));
    assert_eq!(scenario.candidate.service.as_str(), "sgsn-mme");
    assert_eq!(scenario.candidate.build, None, "four builds, and none is chosen");
    let order: Vec<&str> = scenario.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(order, ["hss", "sgsn-mme", "phone", "mvno-portal", "bus-times"]);
    let builds: Vec<&str> = scenario.builds.iter().map(|build| build.name.as_str()).collect();
    assert_eq!(builds, ["1.14", "1.15", "1.15.1", "1.16"]);
    assert_eq!(scenario.services[3].stands_for, ["giffgaff", "Lyca", "Tesco Mobile"]);
    assert_eq!(scenario.credentials[1].x509.not_after, at("2021-01-30T00:00:00Z"));
    assert_eq!(scenario.checks[1].connections, [Connection::Fresh, Connection::Held]);
    assert_eq!(scenario.checks[0].location.line, 40);

    let told = &scenario.replay[0];
    assert_eq!((told.verdict, told.breaks_at), (Decision::Block, Some(at("2018-12-06T04:30:00Z"))));
    let Some(Cause::Embedded { not_after, .. }) = &told.cause else { panic!("{:?}", told.cause) };
    assert_eq!(*not_after, at("2018-12-06T04:29:59Z"));
    assert_eq!(scenario.replay[3].notes, ["expired-embedded-credential"]);
}

#[test]
fn a_build_of_2018_is_chosen() {
    let scenario = example("o2-ericsson-2018.yaml", Some("sgsn-mme=1.15.1"));
    let node = &scenario.services[1];
    assert_eq!(
        scenario.image_of(node),
        Some(&ImageRef::Cargo { package: "o2-fixtures".to_owned(), bin: "sgsn-mme-1-15-1".to_owned() })
    );
}

#[test]
fn nginx_with_client_certificates() {
    let scenario = example("nginx-mtls.yaml", None);
    assert_eq!(scenario.start, Start::Now(at(NOW)));
    assert_eq!(scenario.horizon, at("2027-06-01T12:00:00Z"));
    let front = &scenario.services[0];
    assert_eq!(scenario.image_of(front), Some(&ImageRef::Host), "the default of ${{NGINX_IMAGE:-host}}");
    assert_eq!(front.env["UPSTREAM_PASSWORD"], EnvValue::Secret("UPSTREAM_PASSWORD".to_owned()));
    assert_eq!(front.scan, ["/usr/sbin/nginx", "/etc/nginx/**"]);
    assert_eq!(front.volumes[0].state, VolumeState::Carried);
    let key = &front.files[3];
    assert_eq!((key.path.as_str(), key.mode), ("/etc/front/tls/tls.key", 0o400));
    assert_eq!(key.folder.as_deref(), Some("/etc/front/tls"));
    assert!(matches!(front.files[0].source, MountedSource::Source(_)));

    let refused = &scenario.checks[1];
    let Probe::Http { port: 8443, tls: Some(terms), .. } = &refused.probe else {
        panic!("{:?}", refused.probe)
    };
    assert_eq!(terms.verify, Verify::Strict);
    let end = at("2026-06-01T12:00:00Z").plus_secs(100 * 86_400);
    assert!(matches!(refused.expectation_at(end).unwrap().expectation, Expectation::Works(_)));
    assert!(matches!(
        refused.expectation_at(end.plus_secs(1)).unwrap().expectation,
        Expectation::Rejected { .. }
    ));
    assert_eq!(scenario.policy.require_coverage, Some(100));
}

/// The rotation of `nginx-mtls.yaml`, written beneath it.
fn rotated(text: &str) -> Result<Scenario, Diagnostics> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/nginx-mtls.yaml");
    let mut source = load(&path).unwrap();
    source.text.push_str(&format!("\nrotations:\n  site-renewal: {{ {text} }}\n"));
    parse(&source, &Context { now: at(NOW), variables: &variable, candidate: None, files: &Disk })
}

#[test]
fn a_rotation_issues_its_credential_anew_each_time() {
    let scenario = rotated(
        "credential: site, every: 60d, replace: symlink-swap, then: { signal: { service: front, name: HUP } }, \
         served: { by: \"front:8443\", within: 30s }",
    );
    let scenario = scenario.unwrap_or_else(|diagnostics| panic!("{}", diagnostics.render(Palette::Plain)));
    let start = at(NOW);
    let told: Vec<(&str, i64, &str, &str)> = scenario
        .rotations
        .iter()
        .map(|it| {
            let days = it.at.secs_since(start) / 86_400;
            (it.name.as_str(), days, it.replaces.as_str(), it.brings.as_str())
        })
        .collect();
    assert_eq!(told[0], ("site-renewal", 60, "site", "site.2"));
    assert_eq!(told[5], ("site-renewal.6", 360, "site.6", "site.7"));
    assert_eq!(told.len(), 6);
    let third = scenario.credential(&scenario.rotations[1].brings).unwrap();
    assert_eq!(third.x509.not_before, start.plus_secs(120 * 86_400 - 3_600), "it counts from its own issue");
    assert_eq!(third.x509.not_after, third.x509.not_before.plus_secs(90 * 86_400));

    let check = scenario.checks.last().unwrap();
    assert_eq!(check.name.as_str(), "site-renewal-served");
    let shown = |at: UnixTime| match &check.expectation_at(at).unwrap().expectation {
        Expectation::Serves { any_of } => any_of.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let first = scenario.rotations[0].at;
    assert_eq!(shown(first.plus_secs(-1)), ["site"]);
    assert_eq!(shown(first), ["site", "site.2"]);
    assert_eq!(shown(first.plus_secs(30)), ["site", "site.2"]);
    assert_eq!(shown(first.plus_secs(31)), ["site.2"]);
    assert_eq!(shown(scenario.horizon), ["site.7"]);
}

#[test]
fn a_rotation_that_cannot_be_meant_is_refused() {
    for (text, code) in [
        ("credential: site, replace: rename", Code::MissingKey),
        ("credential: site, at: +1d, every: 2d, replace: rename", Code::ConflictingKeys),
        ("credential: old-partner, at: now, replace: rename", Code::RotationMisfit),
        ("credential: site, every: 1h, replace: rename", Code::RotationMisfit),
        ("credential: site, at: +1d, to: site, replace: rename", Code::RotationMisfit),
        ("credential: site, at: +1d, replace: rename, files: [/etc/other]", Code::RotationMisfit),
        ("credential: root, at: +1d, replace: symlink-swap", Code::RotationMisfit),
        ("credential: site, at: +1d, replace: rename, served: { by: \"other:1\" }", Code::UnknownHost),
        (
            "credential: site, at: +1d, replace: rename, then: { signal: { service: front, name: KILL } }",
            Code::UnknownValue,
        ),
    ] {
        let diagnostics = rotated(text).unwrap_err();
        assert!(diagnostics.iter().any(|diagnostic| diagnostic.code == code), "{text}: {diagnostics:?}");
    }
}

#[test]
fn strangers_are_made_beside_the_peer_that_is_let_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/nginx-mtls.yaml");
    let mut source = load(&path).unwrap();
    let settle = "    settle: 5s\n";
    assert!(source.text.contains(settle));
    source.text =
        source.text.replacen(settle, &format!("{settle}    refuses: [expired, unknown-issuer]\n"), 1);
    let scenario =
        parse(&source, &Context { now: at(NOW), variables: &variable, candidate: None, files: &Disk });
    let scenario = scenario.unwrap_or_else(|diagnostics| panic!("{}", diagnostics.render(Palette::Plain)));
    let check = scenario.checks.iter().find(|check| check.name.as_str() == "partner-let-in-refuses-expired");
    let check = check.unwrap();
    let Expectation::Rejected { control } = &check.expect[0].expectation else { panic!("{check:?}") };
    assert_eq!(control.as_str(), "partner-let-in");
    let identity = check.probe.tls().unwrap().identity.as_ref().unwrap();
    assert_eq!(identity.as_str(), "partner.expired");
    let expired = &scenario.credential(identity).unwrap().x509;
    assert!(expired.not_after < at(NOW) && expired.usage == scenario.credentials[2].x509.usage);
    let [.., root, stranger] = scenario.credentials.as_slice() else { panic!() };
    assert_eq!(stranger.x509.issuer, notafter_core::X509Issuer::IssuedBy(root.name.clone()));

    source.text = source.text.replacen("refuses: [expired,", "refuses: [expired-intermediate,", 1);
    let context = Context { now: at(NOW), variables: &variable, candidate: None, files: &Disk };
    let diagnostics = parse(&source, &context).unwrap_err();
    assert!(
        diagnostics.iter().all(|diagnostic| diagnostic.code == Code::ExpectationMisfit),
        "{diagnostics:?}"
    );
}
