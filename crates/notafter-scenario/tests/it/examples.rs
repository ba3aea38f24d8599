//! The two scenarios that show how the format should read.

use crate::base::{NOW, at, variable};
use notafter_core::{
    Cause, Connection, Decision, EnvValue, Expectation, ImageRef, MountedSource, Probe, Scenario, Start,
    Verify, VolumeState,
};
use notafter_scenario::{CandidateChoice, Code, Context, Disk, Palette, load, parse};
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

#[test]
fn rotations_are_refused_and_not_ignored() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/nginx-mtls.yaml");
    let mut source = load(&path).unwrap();
    source.text.push_str("\nrotations: { site-renewal: { credential: site, every: 60d } }\n");
    let context = Context { now: at(NOW), variables: &variable, candidate: None, files: &Disk };
    let diagnostics = parse(&source, &context).unwrap_err();
    let codes: Vec<Code> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [Code::NotBuilt]);
}
