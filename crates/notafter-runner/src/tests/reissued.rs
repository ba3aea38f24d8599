//! Credentials that are issued anew for one case.

use super::scene::{
    at, at_once, backend, case, check, exec, images, location, look, name, run_cases, scenario, script, start,
};
use crate::secrets::Secrets;
use crate::stage::{Material, Stage, pki};
use notafter_core::{
    CaseError, CaseId, CredentialName, CredentialSpec, GeneratedX509, KeyAlgorithm, MountedFile,
    MountedSource, Outcome, Purpose, Scenario, X509Issuer,
};

fn named(text: &str) -> CredentialName {
    CredentialName::new(text).unwrap()
}

/// The node has a certificate with its key, and one more.
fn with_certificates() -> Scenario {
    let mut scenario = scenario(vec![check("attaches", exec("phone", &["/phone"]))]);
    for text in ["shop", "other"] {
        let x509 = GeneratedX509 {
            subject: format!("CN={text}"),
            issuer: X509Issuer::SelfSigned,
            cross_signs: None,
            dns: Vec::new(),
            ip: Vec::new(),
            usage: Vec::new(),
            key: KeyAlgorithm::P256,
            not_before: start(),
            not_after: at("2019-11-01T00:00:00Z"),
        };
        scenario.credentials.push(CredentialSpec { name: named(text), x509, location: location() });
    }
    let node = scenario.services.iter_mut().find(|service| service.name == name("node")).unwrap();
    let file = |path: &str, source| MountedFile {
        path: path.to_owned(),
        folder: None,
        source,
        mode: 0o644,
        location: location(),
    };
    node.files = vec![
        file("/shop.crt", MountedSource::Chain(named("shop"))),
        file("/shop.key", MountedSource::Key(named("shop"))),
        file("/other.crt", MountedSource::Certificate(named("other"))),
    ];
    scenario
}

fn reissued(credentials: &[&str]) -> Purpose {
    Purpose::Reissued {
        of: CaseId::new("before").unwrap(),
        credentials: credentials.iter().map(|text| named(text)).collect(),
        until: at("2031-01-01T00:00:00Z"),
    }
}

#[test]
fn nothing_but_the_certificate_that_is_issued_anew_is_another() {
    let scenario = with_certificates();
    let secrets = Secrets::default();
    let stage = Stage::build(&scenario, &images(), pki(&scenario).unwrap(), secrets, &at_once()).unwrap();
    let own = &stage.material;
    let anew = own.reissued(&scenario, &[named("shop")], at("2031-01-01T00:00:00Z")).unwrap();
    let bytes = |material: &Material, path: &str| {
        let files = &material.launches[&name("node")].files;
        files.iter().find(|file| file.path == path).unwrap().contents.clone()
    };
    assert_ne!(bytes(own, "/shop.crt"), bytes(&anew, "/shop.crt"));
    for path in ["/shop.key", "/other.crt"] {
        assert_eq!(bytes(own, path), bytes(&anew, path), "{path}");
    }
    let fingerprint = anew.pki.issued(&named("shop")).unwrap().credential().fingerprint;
    assert_eq!(anew.declared.get(&fingerprint), Some(&named("shop")));
    assert_eq!(own.declared.get(&fingerprint), None);
}

#[test]
fn a_case_that_asks_for_an_unknown_credential_is_an_error_and_the_next_one_runs() {
    let scenario = with_certificates();
    let steps = || vec![look(&["attaches"])];
    let (mut known, mut unknown) = (case("known", steps()), case("unknown", steps()));
    (known.purpose, unknown.purpose) = (reissued(&["shop"]), reissued(&["nobody"]));
    let cases = vec![case("before", steps()), unknown, known, case("after", steps())];
    let ran = run_cases(&scenario, &backend(script()), &at_once(), cases).unwrap();
    assert_eq!(ran.outcome("unknown"), Outcome::Error);
    let error = ran.case("unknown").error.clone();
    assert!(
        matches!(&error, Some(CaseError::Harness { message }) if message.contains("nobody")),
        "{error:?}"
    );
    for id in ["before", "known", "after"] {
        assert_eq!(ran.outcome(id), Outcome::Pass, "{id}");
    }
}
