//! What is made, read back and verified with another library.

use crate::{Error, Pki, read};
use notafter_core::{
    CredentialName, CredentialSpec, CrlSpec, GeneratedX509, KeyAlgorithm, KeyUsage, Origin, ScenarioName,
    SourceLocation, UnixTime, X509Issuer,
};
use x509_parser::prelude::*;

fn name(text: &str) -> CredentialName {
    CredentialName::new(text).unwrap()
}

fn spec(text: &str, issuer: X509Issuer, key: KeyAlgorithm) -> CredentialSpec {
    let x509 = GeneratedX509 {
        subject: format!("CN={text},O=Example"),
        issuer,
        cross_signs: None,
        dns: vec![],
        ip: vec![],
        usage: vec![],
        key,
        not_before: UnixTime::parse("2018-10-31T00:00:00Z").unwrap(),
        not_after: UnixTime::parse("2021-01-30T00:00:00Z").unwrap(),
    };
    let location = SourceLocation { file: "notafter.yaml".to_owned(), line: 1, column: 1 };
    CredentialSpec { name: name(text), x509, location }
}

fn generate(specs: &[CredentialSpec]) -> Result<Pki, Error> {
    Pki::generate(&ScenarioName::new("test").unwrap(), specs)
}

fn chain_of_three(key: KeyAlgorithm) -> Vec<CredentialSpec> {
    let mut leaf = spec("leaf", X509Issuer::IssuedBy(name("middle")), key);
    leaf.x509.dns = vec!["hss".to_owned()];
    leaf.x509.ip = vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    leaf.x509.usage = vec![KeyUsage::Server, KeyUsage::Client];
    // The leaf comes first: the order of the file is not the order of issuing.
    vec![
        leaf,
        spec("middle", X509Issuer::Intermediate(name("root")), key),
        spec("root", X509Issuer::Root, key),
    ]
}

#[test]
fn every_key_algorithm_makes_a_chain_that_verifies() {
    for key in [KeyAlgorithm::Ed25519, KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::Rsa2048] {
        let pki = generate(&chain_of_three(key)).unwrap();
        let [leaf, middle, root] =
            ["leaf", "middle", "root"].map(|text| pki.issued(&name(text)).unwrap().certificate_der());
        let [leaf, middle, root] = [leaf, middle, root].map(|der| X509Certificate::from_der(der).unwrap().1);
        for (below, above) in [(&leaf, &middle), (&middle, &root), (&root, &root)] {
            below.verify_signature(Some(above.public_key())).unwrap();
            assert_eq!(below.issuer(), above.subject());
            assert_eq!(authority_key_id(below), subject_key_id(above), "{key:?}");
        }
        assert!(!leaf.is_ca() && middle.is_ca() && root.is_ca());
    }
}

#[test]
fn a_cross_sign_is_one_more_certificate_of_the_same_ca() {
    let key = KeyAlgorithm::P256;
    let mut cross = spec("cross", X509Issuer::Intermediate(name("old")), key);
    cross.x509.subject = "CN=new,O=Example".to_owned();
    cross.x509.cross_signs = Some(name("new"));
    let leaf = spec("leaf", X509Issuer::IssuedBy(name("cross")), key);
    let (old, new) = (spec("old", X509Issuer::Root, key), spec("new", X509Issuer::Root, key));
    let pki = generate(&[leaf, cross.clone(), old.clone(), new]).unwrap();
    let issued = |text: &str| pki.issued(&name(text)).unwrap();
    let read = |text: &str| X509Certificate::from_der(issued(text).certificate_der()).unwrap().1;
    for (below, above) in [("leaf", "cross"), ("leaf", "new"), ("cross", "old"), ("new", "new")] {
        read(below).verify_signature(Some(read(above).public_key())).unwrap();
        assert_eq!(read(below).issuer(), read(above).subject(), "{below} under {above}");
        assert_eq!(authority_key_id(&read(below)), subject_key_id(&read(above)), "{below} under {above}");
    }
    assert_eq!(issued("leaf").chain_der().len(), 2, "the root above the cross-sign is not shown");
    assert_ne!(read("cross").raw_serial(), read("new").raw_serial());
    assert!(matches!(generate(&[cross, old]), Err(Error::UnknownCredential { .. })));
}

fn subject_key_id(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        _ => None,
    })
}

fn authority_key_id(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => Some(id.key_identifier.as_ref()?.0.to_vec()),
        _ => None,
    })
}

#[test]
fn a_leaf_holds_what_its_spec_says() {
    let pki = generate(&chain_of_three(KeyAlgorithm::P256)).unwrap();
    let leaf = pki.issued(&name("leaf")).unwrap();
    let parsed = X509Certificate::from_der(leaf.certificate_der()).unwrap().1;
    let names = &parsed.subject_alternative_name().unwrap().unwrap().value.general_names;
    let mut ipv6 = [0; 16];
    ipv6[15] = 1;
    assert_eq!(
        *names,
        [GeneralName::DNSName("hss"), GeneralName::IPAddress(&[127, 0, 0, 1]), GeneralName::IPAddress(&ipv6)]
    );
    let usage = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && usage.client_auth && !usage.any);
    assert!(parsed.key_usage().unwrap().unwrap().value.digital_signature());
    let credential = leaf.credential();
    assert_eq!((credential.subject.as_str(), credential.ca), ("CN=leaf,O=Example", false));
    assert_eq!(credential.issuer, "CN=middle,O=Example");
    assert_eq!(credential.not_after.to_string(), "2021-01-30T00:00:00Z");
    assert_eq!(credential.origin, Origin::Declared(name("leaf")));
    assert_eq!(credential.places, []);
}

#[test]
fn a_ca_may_sign_certificates_and_lists() {
    let pki = generate(&chain_of_three(KeyAlgorithm::P256)).unwrap();
    let root = pki.issued(&name("root")).unwrap();
    let parsed = X509Certificate::from_der(root.certificate_der()).unwrap().1;
    let usage = parsed.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.key_cert_sign() && usage.value.crl_sign());
    assert!(parsed.basic_constraints().unwrap().unwrap().critical);
    assert!(parsed.extended_key_usage().unwrap().is_none());
}

#[test]
fn chains_leave_the_root_out() {
    let pki = generate(&chain_of_three(KeyAlgorithm::P256)).unwrap();
    let [leaf, middle, root] = ["leaf", "middle", "root"].map(|text| pki.issued(&name(text)).unwrap());
    assert_eq!(leaf.chain_der(), [leaf.certificate_der().clone(), middle.certificate_der().clone()]);
    assert_eq!(leaf.chain_pem(), format!("{}{}", leaf.certificate_pem(), middle.certificate_pem()));
    assert_eq!(root.chain_der(), [root.certificate_der().clone()]);
    let decoded: Vec<_> =
        read::pem_blocks(leaf.chain_pem().as_bytes()).map(|block| block.decode().unwrap()).collect();
    assert_eq!(decoded, leaf.chain_der().iter().map(|der| der.to_vec()).collect::<Vec<_>>());
}

#[test]
fn subjects_are_read_back_as_they_were_written() {
    let mut written = spec("odd", X509Issuer::SelfSigned, KeyAlgorithm::Ed25519);
    written.x509.subject = r#"C=SE,DC=example,CN=\#1 \"a\, b\+c\" \<d\\e\>\ ,OU=Zürich=x"#.to_owned();
    let pki = generate(std::slice::from_ref(&written)).unwrap();
    assert_eq!(pki.issued(&name("odd")).unwrap().credential().subject, written.x509.subject);
}

#[test]
fn a_self_signed_leaf_is_its_own_issuer() {
    let pki = generate(&[spec("alone", X509Issuer::SelfSigned, KeyAlgorithm::Ed25519)]).unwrap();
    let credential = pki.issued(&name("alone")).unwrap().credential();
    assert!(credential.self_issued && !credential.ca);
}

#[test]
fn serials_depend_on_scenario_name_and_dates_alone() {
    let serial = |scenario: &str, specs: &[CredentialSpec]| {
        let pki = Pki::generate(&ScenarioName::new(scenario).unwrap(), specs).unwrap();
        pki.iter().map(|(_, issued)| issued.credential().serial.clone()).collect::<Vec<_>>()
    };
    let specs = chain_of_three(KeyAlgorithm::P256);
    let first = serial("one", &specs);
    assert_eq!(first, serial("one", &chain_of_three(KeyAlgorithm::Ed25519)));
    assert_ne!(first, serial("two", &specs));
    let mut later = specs.clone();
    later[0].x509.not_after = later[0].x509.not_after.plus_secs(1);
    let later = serial("one", &later);
    assert_ne!(first[0], later[0]);
    assert_eq!(first[1..], later[1..]);
    assert!(first.iter().all(|serial| serial.len() == 32));
}

/// OpenSSL 3.0 refuses PKCS#8 version 2.
#[test]
fn keys_are_pkcs8_of_version_1() {
    for key in [KeyAlgorithm::Ed25519, KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::Rsa2048] {
        let pki = generate(&[spec("key", X509Issuer::SelfSigned, key)]).unwrap();
        let key = pki.issued(&name("key")).unwrap().key();
        let der = key.to_der();
        let mut fields = read::Reader::new(der.secret_der()).take(read::tag::SEQUENCE).unwrap().reader();
        assert_eq!(fields.take(read::tag::INTEGER).unwrap().contents, [0]);
        let pem = key.to_pem();
        let block = read::pem_blocks(pem.as_bytes()).next().unwrap();
        assert_eq!(block.label, "PRIVATE KEY");
        assert_eq!(block.decode().unwrap(), der.secret_der());
    }
}

#[test]
fn debug_output_hides_keys() {
    let pki = generate(&[spec("key", X509Issuer::SelfSigned, KeyAlgorithm::Ed25519)]).unwrap();
    let shown = format!("{pki:?}");
    assert!(shown.contains("key: PrivateKey(hidden)"), "{shown}");
}

#[test]
fn the_widest_dates_are_kept() {
    let mut wide = spec("wide", X509Issuer::Root, KeyAlgorithm::P256);
    wide.x509.not_before = UnixTime::parse("0000-01-01T00:00:00Z").unwrap();
    wide.x509.not_after = UnixTime::NO_EXPIRY;
    let pki = generate(std::slice::from_ref(&wide)).unwrap();
    let credential = pki.issued(&name("wide")).unwrap().credential();
    assert_eq!((credential.not_before, credential.not_after), (wide.x509.not_before, UnixTime::NO_EXPIRY));
}

#[test]
fn a_spec_that_cannot_be_made_is_named() {
    let plain = |text: &str, issuer| spec(text, issuer, KeyAlgorithm::P256);
    let below = |text: &str, issuer: &str| plain(text, X509Issuer::Intermediate(name(issuer)));
    let mut reversed = plain("reversed", X509Issuer::Root);
    reversed.x509.not_after = reversed.x509.not_before.plus_secs(-1);
    let mut early = plain("early", X509Issuer::Root);
    early.x509.not_before = UnixTime::parse("-000001-12-31T23:59:59Z").unwrap();
    let mut subject = plain("subject", X509Issuer::Root);
    subject.x509.subject = "XY=1".to_owned();
    let mut dns = plain("dns", X509Issuer::SelfSigned);
    dns.x509.dns = vec!["bücher.example".to_owned()];
    let wrong = [
        vec![plain("twice", X509Issuer::Root), plain("twice", X509Issuer::Root)],
        vec![below("orphan", "nobody")],
        vec![below("a", "b"), below("b", "a")],
        vec![below("own", "own")],
        vec![plain("leaf", X509Issuer::SelfSigned), below("under", "leaf")],
        vec![reversed],
        vec![early],
        vec![subject],
        vec![dns],
    ];
    let told: Vec<String> = wrong.iter().map(|specs| generate(specs).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    credential `twice` is declared twice
    credential `orphan`: there is no credential `nobody` to issue it
    credential `a`: its issuers form a loop
    credential `own`: its issuers form a loop
    credential `under`: its issuer `leaf` is no CA
    credential `reversed`: its validity ends at 2018-10-30T23:59:59Z, before it begins at 2018-10-31T00:00:00Z
    credential `early`: -000001-12-31T23:59:59Z lies outside the years 0 to 9999 that a certificate can name
    credential `subject`: subject `XY=1`: there is no attribute `XY`; known are C, CN, DC, GN, L, O, OU, SN, ST, STREET, UID, emailAddress, organizationIdentifier, postalCode, serialNumber, title
    credential `dns`: `bücher.example` is no DNS name (international ones go in as `xn--…`)
    ");
    assert!(wrong.iter().all(|specs| generate(specs).unwrap_err().credential().is_some()));
    let pki = generate(&[]).unwrap();
    assert!(matches!(pki.issued(&name("none")), Err(Error::UnknownCredential { .. })));
}

#[test]
fn what_is_reissued_ends_later_and_nothing_else_changes() {
    let key = KeyAlgorithm::P256;
    let mut specs = chain_of_three(key);
    specs.push(spec("other", X509Issuer::IssuedBy(name("root")), key));
    let scenario = ScenarioName::new("test").unwrap();
    let before = generate(&specs).unwrap();
    let until = UnixTime::parse("2031-01-01T00:00:00Z").unwrap();
    let after = before.reissued(&scenario, (&specs, &[], &[]), &[name("middle")], until).unwrap();
    let both = |text: &str| [before.issued(&name(text)).unwrap(), after.issued(&name(text)).unwrap()];
    for text in ["leaf", "other", "root"] {
        let [old, new] = both(text);
        assert_eq!(old.certificate_der(), new.certificate_der(), "{text}");
        assert_eq!(*old.key().to_pem(), *new.key().to_pem(), "{text}");
    }
    let [old, new] = both("middle");
    assert_eq!(*old.key().to_pem(), *new.key().to_pem());
    let (was, is) = (old.credential(), new.credential());
    assert_eq!(is.not_after, until);
    assert_ne!(is.serial, was.serial);
    assert_eq!(
        (&is.subject, &is.issuer, is.not_before, &is.key, &is.origin),
        (&was.subject, &was.issuer, was.not_before, &was.key, &was.origin)
    );
    let [old, new] = both("leaf");
    assert_eq!(new.chain_der(), [old.certificate_der().clone(), both("middle")[1].certificate_der().clone()]);
    assert_eq!(new.chain_pem(), format!("{}{}", new.certificate_pem(), both("middle")[1].certificate_pem()));
    let certificates: Vec<_> =
        ["leaf", "middle", "root"].iter().map(|text| both(text)[1].certificate_der().clone()).collect();
    let read: Vec<_> = certificates.iter().map(|der| X509Certificate::from_der(der).unwrap().1).collect();
    for pair in read.windows(2) {
        pair[0].verify_signature(Some(pair[1].public_key())).unwrap();
    }

    let unknown = before.reissued(&scenario, (&specs, &[], &[]), &[name("nobody")], until).unwrap_err();
    assert_eq!(unknown.to_string(), Error::UnknownCredential { name: name("nobody") }.to_string());
}

#[test]
fn lists_follow_what_is_reissued_and_are_reissued_themselves() {
    let key = KeyAlgorithm::P256;
    let specs = [spec("leaf", X509Issuer::IssuedBy(name("root")), key), spec("root", X509Issuer::Root, key)];
    let [from, end, until] = ["2018-11-01T00:00:00Z", "2019-01-01T00:00:00Z", "2031-01-01T00:00:00Z"]
        .map(|at| UnixTime::parse(at).unwrap());
    let list = |text: &str, revokes: &[&str]| CrlSpec {
        name: name(text),
        issuer: name("root"),
        revokes: revokes.iter().map(|text| name(text)).collect(),
        this_update: from,
        next_update: end,
        location: SourceLocation { file: "notafter.yaml".to_owned(), line: 1, column: 1 },
    };
    let lists = [list("revoking", &["leaf"]), list("empty", &[])];
    let scenario = ScenarioName::new("test").unwrap();
    let before = generate(&specs).unwrap().with_crls(&scenario, &lists).unwrap();
    let pem = |pki: &Pki, text: &str| pki.crl(&name(text)).unwrap().pem().to_owned();
    let end_of = |pki: &Pki, text: &str| pki.crl(&name(text)).unwrap().credential().not_after;

    // A certificate that is revoked is so with its new serial number too.
    let leaf = before.reissued(&scenario, (&specs, &lists, &[]), &[name("leaf")], until).unwrap();
    assert_eq!(pem(&before, "empty"), pem(&leaf, "empty"));
    assert_ne!(pem(&before, "revoking"), pem(&leaf, "revoking"));
    assert_eq!(end_of(&leaf, "revoking"), end);
    let der = |pem: &str| x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap().1.contents;
    let der = der(&pem(&leaf, "revoking"));
    let (_, list) = x509_parser::revocation_list::CertificateRevocationList::from_der(&der).unwrap();
    let revoked: Vec<String> =
        list.iter_revoked_certificates().map(|it| format!("{:X}", it.user_certificate)).collect();
    assert_eq!(revoked, [leaf.issued(&name("leaf")).unwrap().credential().serial.clone()]);

    let longer = before.reissued(&scenario, (&specs, &lists, &[]), &[name("empty")], until).unwrap();
    assert_eq!((end_of(&longer, "empty"), end_of(&longer, "revoking")), (until, end));
    assert_eq!(pem(&before, "revoking"), pem(&longer, "revoking"));
    assert_eq!(
        before.issued(&name("leaf")).unwrap().certificate_der(),
        longer.issued(&name("leaf")).unwrap().certificate_der()
    );
}
