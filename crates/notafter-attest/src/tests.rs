//! What is accepted, and every reason against it.

use crate::envelope::Envelope;
use crate::statement::{summary, test_result};
use crate::{Demands, Error, Refusal, SigningKey, Subject, VerifyingKey, attest, verify};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use notafter_core::{
    Candidate, Check, CheckName, Coverage, Decision, FileTimes, Planning, Policy, Probe, RunRecord, Scenario,
    ScenarioName, ServiceName, Start, UnixTime, Verdict,
};
use pkcs8::LineEnding;
use pkcs8::der::{Document, SecretDocument};
use std::time::Duration;

const IMAGE: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn started() -> UnixTime {
    UnixTime::parse("2026-03-01T09:00:00Z").unwrap()
}

fn record() -> RunRecord {
    let service = ServiceName::new("web").unwrap();
    let location = notafter_core::SourceLocation { file: "a.yaml".to_owned(), line: 1, column: 1 };
    let scenario = Scenario {
        name: ScenarioName::new("small").unwrap(),
        directory: "/".into(),
        start: Start::Now(started()),
        horizon: started().plus_secs(86_400),
        candidate: Candidate { service: service.clone(), build: None },
        budget: None,
        builds: Vec::new(),
        credentials: Vec::new(),
        crls: Vec::new(),
        tokens: Vec::new(),
        services: Vec::new(),
        checks: vec![Check {
            name: CheckName::new("answers").unwrap(),
            from: None,
            probe: Probe::Alive { service },
            connections: Vec::new(),
            within: Duration::from_secs(1),
            settle: Duration::ZERO,
            before: Vec::new(),
            stale: Vec::new(),
            expect: Vec::new(),
            location,
        }],
        policy: Policy::default(),
        rotations: Vec::new(),
        planning: Planning::default(),
        file_times: FileTimes::default(),
        replay: Vec::new(),
        remarks: Vec::new(),
        backend: None,
    };
    RunRecord::new(scenario, started())
}

fn verdict(decision: Decision) -> Verdict {
    Verdict { decision, findings: Vec::new(), coverage: Coverage::default(), next_edge: None }
}

fn subject() -> Subject {
    Subject { name: "cargo:shop/web".to_owned(), sha256: IMAGE.to_owned(), scenario_sha256: "ab".repeat(32) }
}

/// A key pair of each kind.
fn keys() -> [(SigningKey, VerifyingKey); 2] {
    let random = SystemRandom::new();
    let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let point = Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).unwrap().public_key().as_ref().to_vec();
    let first = pair(ed25519.as_ref(), &[crate::key::SPKI_ED25519, &point].concat());
    let ecdsa = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let read = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, ecdsa.as_ref()).unwrap();
    let second = pair(ecdsa.as_ref(), &[crate::key::SPKI_P256, read.public_key().as_ref()].concat());
    [first, second]
}

fn pair(private: &[u8], public: &[u8]) -> (SigningKey, VerifyingKey) {
    let private = SecretDocument::try_from(private).unwrap().to_pem("PRIVATE KEY", LineEnding::LF).unwrap();
    let public = Document::try_from(public).unwrap().to_pem("PUBLIC KEY", LineEnding::LF).unwrap();
    (SigningKey::from_pem(&private, None).unwrap(), VerifyingKey::from_pem(&public).unwrap())
}

fn demands() -> Demands {
    Demands { image_sha256: IMAGE.to_owned(), now: started().plus_secs(3_600), max_age_secs: Some(86_400) }
}

#[test]
fn what_was_allowed_is_accepted_by_the_key_that_signed_it() {
    for (signing, verifying) in keys() {
        assert_eq!(signing.id(), verifying.id());
        let bundle = attest(&record(), &verdict(Decision::Allow), &subject(), &signing).unwrap();
        let accepted = verify(&bundle, &verifying, &demands()).unwrap();
        assert_eq!((accepted.name.as_str(), accepted.verified), ("cargo:shop/web", started()));
    }
}

#[test]
fn what_was_not_allowed_is_refused() {
    let [(signing, verifying), _] = keys();
    for decision in [Decision::Block, Decision::Inconclusive] {
        let bundle = attest(&record(), &verdict(decision), &subject(), &signing).unwrap();
        let refused = verify(&bundle, &verifying, &demands());
        assert_eq!(refused, Err(Refusal::NotAllowed { decision: decision.to_string() }));
    }
}

#[test]
fn each_demand_is_a_reason_of_its_own() {
    let [(signing, verifying), (_, other)] = keys();
    let bundle = attest(&record(), &verdict(Decision::Allow), &subject(), &signing).unwrap();
    let refused = |demands: Demands| verify(&bundle, &verifying, &demands).unwrap_err();
    assert_eq!(verify(&bundle, &other, &demands()), Err(Refusal::WrongKey { line: 1 }));
    let image = "ff".repeat(32);
    assert_eq!(
        refused(Demands { image_sha256: image.clone(), ..demands() }),
        Refusal::WrongImage { attested: IMAGE.to_owned(), image }
    );
    let late = started().plus_secs(86_401);
    assert_eq!(
        refused(Demands { now: late, ..demands() }),
        Refusal::TooOld { verified: started(), max_age_secs: 86_400 }
    );
    assert!(verify(&bundle, &verifying, &Demands { now: late, max_age_secs: None, ..demands() }).is_ok());
    assert_eq!(
        refused(Demands { now: started().plus_secs(-301), ..demands() }),
        Refusal::TooNew { verified: started() }
    );
}

#[test]
fn a_bundle_that_was_changed_or_lacks_something_is_refused() {
    let [(signing, verifying), _] = keys();
    let good = attest(&record(), &verdict(Decision::Allow), &subject(), &signing).unwrap();
    let bad = attest(&record(), &verdict(Decision::Block), &subject(), &signing).unwrap();
    let (results, sum) = good.split_once('\n').unwrap();
    let missing = |bundle: &str| verify(bundle, &verifying, &demands()).unwrap_err();
    assert!(matches!(missing(results), Refusal::Missing { .. }));
    assert!(matches!(missing(sum), Refusal::Missing { .. }));
    assert!(matches!(missing(""), Refusal::Missing { .. }));
    assert!(matches!(missing(&format!("{good}{good}")), Refusal::Malformed { .. }));
    assert!(matches!(missing(&format!("{good}x\n")), Refusal::Malformed { .. }));
    // Half of an allow and half of a block is no allow, whichever half it is.
    let (bad_results, bad_sum) = bad.split_once('\n').unwrap();
    for mixed in [format!("{results}\n{bad_sum}"), format!("{bad_results}\n{sum}")] {
        assert!(matches!(missing(&mixed), Refusal::NotAllowed { .. }), "{mixed}");
    }
    // A payload under somebody else's signature.
    let payload =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["payload"].to_string();
    let swapped = good.replace(&payload(results), &payload(bad_results));
    assert_eq!(missing(&swapped), Refusal::WrongKey { line: 1 });
}

#[test]
fn statements_say_what_the_formats_ask_for() {
    let (record, verdict) = (record(), verdict(Decision::Allow));
    insta::assert_json_snapshot!("test_result", test_result(&record, &verdict, &subject()));
    insta::assert_json_snapshot!("summary", summary(&record, &verdict, &subject()));
}

#[test]
fn an_envelope_of_another_payload_is_refused() {
    let [(signing, verifying), _] = keys();
    let envelope = Envelope::sign(b"{}", &signing).unwrap();
    let line = serde_json::to_string(&envelope).unwrap();
    assert!(matches!(verify(&line, &verifying, &demands()), Err(Refusal::Malformed { .. })));
}

#[test]
fn what_is_no_key_says_what_it_is() {
    let refused = |pem: &str| SigningKey::from_pem(pem, None).unwrap_err().to_string();
    for (pem, part) in [
        ("", "it holds no PEM block"),
        ("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "it holds a CERTIFICATE"),
        ("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", "its key is of another kind"),
    ] {
        assert!(refused(pem).contains(part), "{}", refused(pem));
    }
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(matches!(SigningKey::from_pem(encrypted, None), Err(Error::NoPassword)));
    let private = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    assert!(VerifyingKey::from_pem(private).unwrap_err().to_string().contains("it holds a PRIVATE KEY"));
}
