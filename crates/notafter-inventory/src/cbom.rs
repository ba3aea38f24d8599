//! CycloneDX bills of other scanners: what they say that ends.
//!
//! Nothing is looked at but the bill. What it does not say is not known here either.

use crate::Error;
use notafter_core::{
    Container, Credential, CredentialKind, Fingerprint, Inventory, Place, PublicKey, ServiceName, UnixTime,
};
use notafter_pki::read::fingerprint;
use serde_json::{Map, Value};

/// Components in components; generators stay far below.
const MAX_DEPTH: u32 = 32;

/// Reads a bill (CycloneDX 1.6 or newer, JSON): its certificates, and the material that has a date of its own. A
/// certificate without a SHA-256 hash is known by the digest of its component. Places are those that the bill names as
/// occurrences; `path`, that of the bill, where it names none.
///
/// # Errors
/// [`Error::Bill`] for a text that is no such bill, and for a date in it that is none.
pub fn read_cyclonedx(text: &str, path: &str, service: &ServiceName) -> Result<Inventory, Error> {
    let wrong = |reason: &str| Error::Bill { reason: reason.to_owned() };
    let bill: Value = serde_json::from_str(text).map_err(|error| wrong(&error.to_string()))?;
    if bill["bomFormat"] != "CycloneDX" {
        return Err(wrong("its bomFormat is not CycloneDX"));
    }
    let version = bill["specVersion"].as_str().unwrap_or_default();
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    match (major.parse::<u32>(), minor.parse::<u32>()) {
        (Ok(1), Ok(6..)) | (Ok(2..), Ok(_)) => {}
        _ => return Err(wrong(&format!("its specVersion is `{version}`, and certificates came with 1.6"))),
    }
    let mut reading = Reading { path, service, keys: Map::new(), found: Inventory::default() };
    reading.collect_keys(&bill["components"], MAX_DEPTH);
    reading.components(&bill["components"], MAX_DEPTH)?;
    Ok(reading.found)
}

struct Reading<'a> {
    path: &'a str,
    service: &'a ServiceName,
    /// Public keys by their reference.
    keys: Map<String, Value>,
    found: Inventory,
}

impl Reading<'_> {
    fn collect_keys(&mut self, components: &Value, depth: u32) {
        for component in components.as_array().into_iter().flatten() {
            let material = &component["cryptoProperties"]["relatedCryptoMaterialProperties"];
            if let (Some(reference), "public-key") =
                (component["bom-ref"].as_str(), material["type"].as_str().unwrap_or_default())
            {
                self.keys.insert(reference.to_owned(), component.clone());
            }
            if depth > 0 {
                self.collect_keys(&component["components"], depth - 1);
            }
        }
    }

    fn components(&mut self, components: &Value, depth: u32) -> Result<(), Error> {
        for component in components.as_array().into_iter().flatten() {
            self.component(component)?;
            if depth > 0 {
                self.components(&component["components"], depth - 1)?;
            }
        }
        Ok(())
    }

    fn component(&mut self, component: &Value) -> Result<(), Error> {
        let crypto = &component["cryptoProperties"];
        let certificate = &crypto["certificateProperties"];
        let material = &crypto["relatedCryptoMaterialProperties"];
        let (kind, begin, end) =
            match (crypto["assetType"].as_str(), certificate["certificateFormat"].as_str()) {
                (Some("certificate"), Some("OpenSSH")) => (
                    CredentialKind::SshCertificate,
                    &certificate["notValidBefore"],
                    &certificate["notValidAfter"],
                ),
                (Some("certificate"), _) => {
                    (CredentialKind::X509, &certificate["notValidBefore"], &certificate["notValidAfter"])
                }
                (Some("related-crypto-material"), _) if material["expirationDate"].is_string() => {
                    (material_kind(component), &material["activationDate"], &material["expirationDate"])
                }
                _ => return Ok(()),
            };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let named = text(&certificate["subjectName"]);
        let begin = date(begin)?.unwrap_or(UnixTime::MIN);
        let end = date(end)?.map_or(UnixTime::NO_EXPIRY, |end| end.plus_secs(-kind.end_lag_secs()));
        self.found.add(Credential {
            subject: if named.is_empty() { text(&component["name"]) } else { named },
            issuer: text(&certificate["issuerName"]),
            serial: property(component, "notafter:serial").unwrap_or_default(),
            not_before: begin,
            not_after: end,
            ca: property(component, "notafter:role").is_some_and(|role| role != kind.word()),
            self_issued: !text(&certificate["subjectName"]).is_empty()
                && certificate["subjectName"] == certificate["issuerName"],
            key: self.key(&certificate["subjectPublicKeyRef"]),
            places: self.places(component),
            ..Credential::found(kind, digest_of(component))
        });
        Ok(())
    }

    fn key(&self, reference: &Value) -> Option<PublicKey> {
        let component = self.keys.get(reference.as_str()?)?;
        let id = component["cryptoProperties"]["relatedCryptoMaterialProperties"]["id"].as_str()?;
        let fingerprint = Fingerprint::try_from(id.to_owned()).ok()?;
        Some(PublicKey { algorithm: component["name"].as_str()?.to_owned(), fingerprint })
    }

    fn places(&self, component: &Value) -> Vec<Place> {
        let place = |path: &str, offset| Place {
            offset,
            ..Place::in_file(self.service.clone(), path.to_owned(), 0, Container::Text)
        };
        let occurrences = component["evidence"]["occurrences"].as_array();
        let mut places: Vec<Place> = occurrences
            .into_iter()
            .flatten()
            .filter_map(|found| {
                Some(place(found["location"].as_str()?, found["offset"].as_u64().unwrap_or(0)))
            })
            .collect();
        if places.is_empty() {
            places.push(place(self.path, 0));
        }
        places.sort();
        places.dedup();
        places
    }
}

fn material_kind(component: &Value) -> CredentialKind {
    let told = property(component, "notafter:kind");
    let kinds = [
        CredentialKind::Crl,
        CredentialKind::DnssecSignatures,
        CredentialKind::Jwt,
        CredentialKind::LeapSeconds,
        CredentialKind::Ocsp,
        CredentialKind::OpenPgpKey,
        CredentialKind::TufMetadata,
    ];
    let known = kinds.into_iter().find(|kind| told.as_deref() == Some(kind.word()));
    let material = &component["cryptoProperties"]["relatedCryptoMaterialProperties"];
    // Without a word of ours, all that counts is that it has an end, in the second that the bill names.
    known.unwrap_or(match material["type"].as_str() {
        Some("token") => CredentialKind::Jwt,
        _ => CredentialKind::OpenPgpKey,
    })
}

fn property(component: &Value, name: &str) -> Option<String> {
    let properties = component["properties"].as_array()?;
    let found = properties.iter().find(|property| property["name"] == name)?;
    found["value"].as_str().map(str::to_owned)
}

fn digest_of(component: &Value) -> Fingerprint {
    let hashes = component["hashes"].as_array();
    let sha256 = hashes.into_iter().flatten().find(|hash| hash["alg"] == "SHA-256");
    let told = sha256.and_then(|hash| hash["content"].as_str()).map(str::to_lowercase);
    told.and_then(|digest| Fingerprint::try_from(digest).ok())
        .unwrap_or_else(|| fingerprint(component.to_string().as_bytes()))
}

fn date(value: &Value) -> Result<Option<UnixTime>, Error> {
    let Some(text) = value.as_str() else { return Ok(None) };
    UnixTime::parse(text).map(Some).map_err(|error| Error::Bill { reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Inventory, String> {
        let service = ServiceName::new("scan").unwrap();
        read_cyclonedx(text, "/bill.json", &service).map_err(|error| error.to_string())
    }

    /// As cbomkit writes it, abridged.
    const BILL: &str = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[
        {"type":"application","name":"app","components":[
            {"type":"cryptographic-asset","name":"CN=a","bom-ref":"1","cryptoProperties":{"assetType":"certificate",
             "certificateProperties":{"subjectName":"CN=a","issuerName":"CN=b","notValidBefore":"2026-01-01T00:00:00Z",
             "notValidAfter":"2027-01-01T01:00:00+01:00","certificateFormat":"X.509"}},
             "evidence":{"occurrences":[{"location":"src/a.pem"}]}}]},
        {"type":"cryptographic-asset","name":"session","cryptoProperties":{"assetType":"related-crypto-material",
         "relatedCryptoMaterialProperties":{"type":"token","expirationDate":"2026-12-01T00:00:00Z"}}},
        {"type":"cryptographic-asset","name":"AES","cryptoProperties":{"assetType":"algorithm"}}]}"#;

    #[test]
    fn the_bill_of_another_scanner_is_read() {
        let inventory = read(BILL).unwrap();
        let mut found: Vec<(&str, String, &str)> = inventory
            .credentials
            .iter()
            .map(|known| (known.subject.as_str(), known.not_after.to_string(), known.places[0].path.as_str()))
            .collect();
        found.sort();
        assert_eq!(
            found,
            [
                ("CN=a", "2027-01-01T00:00:00Z".to_owned(), "src/a.pem"),
                ("session", "2026-11-30T23:59:59Z".to_owned(), "/bill.json"),
            ]
        );
    }

    #[test]
    fn what_is_no_bill_is_refused() {
        for (text, reason) in [
            ("{", "EOF while parsing"),
            (r#"{"bomFormat":"SPDX"}"#, "its bomFormat is not CycloneDX"),
            (r#"{"bomFormat":"CycloneDX","specVersion":"1.5"}"#, "its specVersion is `1.5`"),
            (&BILL.replace("2027-01-01T01:00:00+01:00", "soon"), "`soon`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
