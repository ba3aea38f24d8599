//! What counts as a certificate and what it says, against certificates that are made here.

use super::der::{Element, Reader, tag};
use super::*;
use crate::Error;
use notafter_core::UnixTime;
use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ED25519, SerialNumber};
use std::sync::LazyLock;
use x509_parser::time::ASN1Time;

static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate_for(&PKCS_ED25519).unwrap());

fn made(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::new(vec!["hss".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "hss");
    params.serial_number = Some(SerialNumber::from_slice(&[0x0a, 0xbc]));
    change(&mut params);
    params.self_signed(&*KEY).unwrap().der().to_vec()
}

static PLAIN: LazyLock<Vec<u8>> = LazyLock::new(|| made(|_| {}));

fn reason(der: &[u8]) -> &'static str {
    match certificate(der) {
        Err(Error::Shape { reason }) => reason,
        other => panic!("expected a shape error, not {other:?}"),
    }
}

/// One DER element.
fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let len = contents.len();
    let mut encoding = vec![tag];
    match len {
        0..=0x7f => encoding.push(u8::try_from(len).unwrap()),
        0x80..=0xff => encoding.extend([0x81, u8::try_from(len).unwrap()]),
        _ => encoding.extend([&[0x82][..], &u16::try_from(len).unwrap().to_be_bytes()].concat()),
    }
    encoding.extend_from_slice(contents);
    encoding
}

fn children(contents: &[u8]) -> Vec<Element<'_>> {
    let mut reader = Reader::new(contents);
    std::iter::from_fn(|| reader.next()).collect()
}

/// The certificate with the fields of its body changed.
fn with_body(der: &[u8], change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<u8> {
    let outer = children(der)[0];
    let parts = children(outer.contents);
    let mut fields: Vec<_> =
        children(parts[0].contents).iter().map(|field| element(field.tag, field.contents)).collect();
    change(&mut fields);
    let body = element(tag::SEQUENCE, &fields.concat());
    let rest = parts[1..].iter().flat_map(|part| element(part.tag, part.contents));
    element(tag::SEQUENCE, &body.into_iter().chain(rest).collect::<Vec<_>>())
}

#[test]
fn a_certificate_says_who_it_is() {
    let parsed = certificate(&made(|params| {
        params.distinguished_name.push(DnType::OrganizationName, "Example, Inc.");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(1));
    }))
    .unwrap();
    assert_eq!(parsed.subject, "CN=hss,O=Example\\, Inc.");
    assert_eq!(parsed.issuer, parsed.subject);
    assert_eq!(parsed.serial, "ABC");
    assert!(parsed.ca && parsed.self_issued);
    assert!(!certificate(&PLAIN).unwrap().ca);
}

#[test]
fn dates_are_read_on_both_sides_of_2050_and_without_end() {
    for text in [
        "1950-01-01T00:00:00Z",
        "1999-12-31T23:59:59Z",
        "2000-02-29T00:00:00Z",
        "2018-12-06T04:29:59Z",
        "2049-12-31T23:59:59Z",
        "2050-01-01T00:00:00Z",
        "2100-02-28T23:59:59Z",
        "9999-12-31T23:59:59Z",
    ] {
        let end = UnixTime::parse(text).unwrap();
        let der = made(|params| {
            params.not_before = ASN1Time::from_timestamp(end.as_secs() - 1).unwrap().to_datetime();
            params.not_after = ASN1Time::from_timestamp(end.as_secs()).unwrap().to_datetime();
        });
        let parsed = certificate(&der).unwrap();
        assert_eq!(parsed.not_after, end, "{text}");
        assert_eq!(parsed.not_before, end.plus_secs(-1), "{text}");
    }
}

#[test]
fn a_certificate_without_end_has_one_edge() {
    let der = made(|params| {
        params.not_after = ASN1Time::from_timestamp(UnixTime::NO_EXPIRY.as_secs()).unwrap().to_datetime();
    });
    let credential = certificate(&der).unwrap().into_credential(notafter_core::Origin::Embedded, vec![]);
    assert_eq!(credential.edges().count(), 1);
}

#[test]
fn dates_of_other_forms_are_refused() {
    for (tag, text) in [
        (tag::UTC_TIME, "1812060429Z"),
        (tag::UTC_TIME, "181206042959+0100"),
        (tag::GENERALIZED_TIME, "20181206042959.5Z"),
        (tag::GENERALIZED_TIME, "20181206042959"),
        (tag::INTEGER, "181206042959Z"),
    ] {
        let date = element(tag, text.as_bytes());
        let der = with_body(&PLAIN, |fields| {
            fields[4] = element(tag::SEQUENCE, &[&date[..], &date].concat());
        });
        assert_eq!(reason(&der), "its validity is not two dates to the second in UTC", "{text}");
    }
    let date = element(tag::UTC_TIME, b"180230000000Z");
    let der = with_body(&PLAIN, |fields| fields[4] = element(tag::SEQUENCE, &[&date[..], &date].concat()));
    assert!(matches!(certificate(&der), Err(Error::Content(_))), "30 February");
}

#[test]
fn a_certificate_of_version_1_is_one() {
    let der = with_body(&PLAIN, |fields| {
        fields.pop();
        fields.remove(0);
    });
    let parsed = certificate(&der).unwrap();
    assert_eq!((parsed.subject.as_str(), parsed.ca), ("CN=hss", false));
}

#[test]
fn serial_numbers_are_shown_without_leading_zeros() {
    for (contents, text) in
        [(&[0][..], "0"), (&[0, 0x80], "80"), (&[0x7f], "7F"), (&[0xff, 0x01], "FF01"), (&[1, 0], "100")]
    {
        let der = with_body(&PLAIN, |fields| fields[1] = element(tag::INTEGER, contents));
        assert_eq!(certificate(&der).unwrap().serial, text);
    }
}

#[test]
fn what_resembles_a_certificate_is_none() {
    let request = CertificateParams::new(vec!["hss".to_owned()]).unwrap().serialize_request(&*KEY).unwrap();
    assert_eq!(reason(request.der()), "its body names no signature algorithm");
    let extra = element(tag::INTEGER, &[1]);
    assert_eq!(
        reason(&with_body(&PLAIN, |fields| fields.push(extra.clone()))),
        "its body holds more than a certificate's"
    );
    assert_eq!(
        reason(&with_body(&PLAIN, |fields| fields[0] = element(tag::CONTEXT_0, &[2, 1, 3]))),
        "its version is none of v1, v2, v3"
    );
    assert_eq!(reason(&element(tag::SEQUENCE, &PLAIN)), "it names no signature algorithm");
    assert_eq!(reason(b""), "its length is not that of one DER element");
}

#[test]
fn a_certificate_that_names_two_signature_algorithms_still_ends() {
    let other_algorithm = element(tag::SEQUENCE, &element(tag::OBJECT_IDENTIFIER, &[0x2b, 0x65, 0x71]));
    let der = with_body(&PLAIN, |fields| fields[2] = other_algorithm);
    assert_eq!(certificate(&der).unwrap().not_after, certificate(&PLAIN).unwrap().not_after);
}

#[test]
fn bytes_before_and_after_are_no_part_of_it() {
    let longer = [&PLAIN[..], b"\0"].concat();
    assert_eq!(reason(&longer), "its length is not that of one DER element");
    assert_eq!(certificate_at(&longer).unwrap().1, PLAIN.len());
    assert!(certificate_at(&PLAIN[..PLAIN.len() - 1]).is_none());
    assert!(certificate_at(&PLAIN[1..]).is_none());
}

/// Offsets of every length octet of the outline: of elements that stand inside constructed ones only.
fn length_octets(der: &[u8], from: usize, until: usize, found: &mut Vec<usize>) {
    let mut at = from;
    while at < until {
        let len = element_len(&der[at..]).unwrap();
        let octets = if der[at + 1] < 0x80 { 1 } else { 1 + usize::from(der[at + 1] & 0x7f) };
        found.extend(at + 1..at + 1 + octets);
        if der[at] & 0x20 != 0 {
            length_octets(der, at + 1 + octets, at + len, found);
        }
        at += len;
    }
}

#[test]
fn a_wrong_length_anywhere_is_refused() {
    let mut offsets = vec![];
    length_octets(&PLAIN, 0, PLAIN.len(), &mut offsets);
    assert!(offsets.len() > 25);
    for offset in offsets {
        for wrong in (0..=255).filter(|octet| *octet != PLAIN[offset]) {
            let mut der = PLAIN.clone();
            der[offset] = wrong;
            assert!(certificate_at(&der).is_none(), "length octet {wrong:#04x} at {offset}");
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_certificate(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(certificate(&bytes).is_err());
        prop_assert!(certificate_at(&bytes).is_none());
        prop_assert_eq!(pem_blocks(&bytes).count(), 0);
    }

    #[test]
    fn changed_bytes_never_panic(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut der = PLAIN.clone();
        for (index, byte) in &changes {
            let at = index.index(der.len());
            der[at] = *byte;
        }
        if let Some((parsed, len)) = certificate_at(&der) {
            prop_assert_eq!(len, PLAIN.len());
            prop_assert_eq!(parsed.fingerprint, fingerprint(&der));
        }
    }
}
