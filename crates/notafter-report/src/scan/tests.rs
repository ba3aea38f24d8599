use super::{Findings, calendar, csv, cyclonedx, json, table};
use crate::StyleSheet;
use crate::sample::software;
use notafter_core::{CredentialKind, Inventory, OpaqueFile, UnixTime};

fn at(text: &str) -> UnixTime {
    UnixTime::parse(text).unwrap()
}

fn inventory() -> Inventory {
    let certificate = software(0x47, at("2018-12-06T04:29:59Z"));
    let mut forever = software(0x48, UnixTime::NO_EXPIRY);
    forever.subject = "CN==cmd, \"forever\"".to_owned();
    let mut token = software(0x49, at("2018-11-30T23:59:59Z"));
    token.kind = CredentialKind::Jwt;
    token.subject = "JWT iss=a;b".to_owned();
    token.places[0].inside = vec!["lib/x.jar".to_owned(), "a.txt".to_owned()];
    let mut inventory = Inventory::default();
    [certificate, forever, token].into_iter().for_each(|credential| inventory.add(credential));
    let service = inventory.credentials[0].places[0].service.clone();
    inventory.opaque.push(OpaqueFile {
        service,
        path: "/a.7z".to_owned(),
        reason: "a 7z archive".to_owned(),
    });
    inventory
}

fn findings(inventory: &Inventory, until: Option<UnixTime>) -> Findings<'_> {
    Findings { target: "/srv", inventory, now: at("2018-12-01T12:00:00Z"), until }
}

#[test]
fn what_ends_first_comes_first() {
    let inventory = inventory();
    let mut page = String::new();
    table(&mut page, &findings(&inventory, None), &StyleSheet::plain()).unwrap();
    insta::assert_snapshot!(page);
}

#[test]
fn until_leaves_out_what_ends_later_and_says_so() {
    let inventory = inventory();
    let mut page = String::new();
    let findings = findings(&inventory, Some(at("2018-12-02T00:00:00Z")));
    table(&mut page, &findings, &StyleSheet::plain()).unwrap();
    assert_eq!(findings.shown().len(), 1);
    assert!(page.contains("2 more end later or never"), "{page}");
}

#[test]
fn a_line_of_csv_is_a_place_or_what_was_not_looked_into() {
    let inventory = inventory();
    let text = csv(&findings(&inventory, None));
    let first = text.lines().nth(1).unwrap();
    assert!(first.starts_with("2018-12-01T00:00:00Z,"), "{first}");
    assert!(first.contains("/sgsn-mme-1-14!/lib/x.jar!/a.txt"), "{first}");
    assert!(text.contains("\"CN==cmd, \"\"forever\"\"\""), "{text}");
    assert!(text.ends_with("\r\n,,not looked into,a 7z archive,,,,,/a.7z,,,,,,,,\r\n"), "{text}");
    let commas = |line: &str| line.matches(',').count();
    assert!(text.lines().take(2).chain(text.lines().last()).all(|line| commas(line) == 16), "{text}");
}

#[test]
fn a_calendar_has_an_event_for_every_end_that_comes() {
    let inventory = inventory();
    let text = calendar(&findings(&inventory, None));
    assert_eq!(text.matches("BEGIN:VEVENT").count(), 2);
    assert!(text.contains("DTSTART:20181201T000000Z\r\n"), "{text}");
    assert!(text.contains("SUMMARY:JWT iss=a\\;b ends"), "{text}");
    assert!(text.split("\r\n").all(|line| line.len() <= 75));
}

#[test]
fn json_lists_what_could_not_be_looked_into() {
    let inventory = inventory();
    let written: serde_json::Value =
        serde_json::from_str(&json(&findings(&inventory, None)).unwrap()).unwrap();
    assert_eq!(written["opaque"][0]["path"], "/a.7z");
    assert_eq!(written["credentials"][0]["kind"], "jwt");
    assert_eq!(written["credentials"][2]["not_after"], "9999-12-31T23:59:59Z");
}

/// What CycloneDX 1.6 demands of these parts, written by hand from its schema.
#[test]
fn a_bill_has_the_form_of_cyclonedx() {
    let mut inventory = inventory();
    inventory.credentials[0].key = Some(notafter_core::PublicKey {
        algorithm: "rsa-2048".to_owned(),
        fingerprint: notafter_core::Fingerprint::from_bytes([7; 32]),
    });
    let bill: serde_json::Value =
        serde_json::from_str(&cyclonedx(&findings(&inventory, None)).unwrap()).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.6".into()));
    let components = bill["components"].as_array().unwrap();
    assert_eq!(components.len(), 4, "three that were found, and a key");
    let mut references = Vec::new();
    for component in components {
        assert_eq!(component["type"], "cryptographic-asset");
        assert!(!component["name"].as_str().unwrap().is_empty());
        references.push(component["bom-ref"].as_str().unwrap());
        let crypto = &component["cryptoProperties"];
        match crypto["assetType"].as_str().unwrap() {
            "certificate" => assert_eq!(crypto["certificateProperties"]["certificateFormat"], "X.509"),
            "related-crypto-material" => {
                let kind = crypto["relatedCryptoMaterialProperties"]["type"].as_str().unwrap();
                assert!(["token", "public-key", "other"].contains(&kind), "{kind}");
            }
            other => panic!("{other}"),
        }
        for occurrence in component["evidence"]["occurrences"].as_array().into_iter().flatten() {
            assert!(occurrence["location"].is_string() && occurrence["offset"].is_u64());
        }
    }
    let named = components
        .iter()
        .find(|found| !found["cryptoProperties"]["certificateProperties"]["subjectPublicKeyRef"].is_null());
    let reference = &named.unwrap()["cryptoProperties"]["certificateProperties"]["subjectPublicKeyRef"];
    assert!(references.contains(&reference.as_str().unwrap()));
    let ends: Vec<&str> = components
        .iter()
        .filter_map(|found| found["cryptoProperties"]["certificateProperties"]["notValidAfter"].as_str())
        .collect();
    assert_eq!(ends, ["2018-12-06T04:29:59Z"], "what never ends has no date");
    assert_eq!(bill["properties"][0]["value"], "/a.7z: a 7z archive");
}
