//! The findings as a cryptography bill of materials: CycloneDX 1.6 (ECMA-424), in JSON.

use super::findings::{Findings, role};
use crate::Error;
use crate::words::path_chain;
use notafter_core::{Credential, CredentialKind, Fingerprint, OpaqueFile, Place, UnixTime};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What other tools call the properties that CycloneDX has no field for.
const NAMESPACE: &str = "notafter:";

/// What a bill says beside its inventory.
pub(crate) struct About<'a> {
    /// The host's time of the look.
    pub(crate) at: UnixTime,
    /// What the bill is about: a component.
    pub(crate) subject: Value,
    /// Properties of the bill.
    pub(crate) properties: Vec<(&'static str, String)>,
    /// Further properties of each credential.
    pub(crate) of_each: &'a dyn Fn(&Credential) -> Vec<(&'static str, String)>,
}

/// Pretty-printed JSON with a final newline. X.509 and SSH certificates are assets of the type `certificate`; everything
/// else that ends is `related-crypto-material`, keys that certificates are about too. Ends are written as their format
/// writes them; what could not be looked into stands among the properties of the bill.
///
/// # Errors
/// [`Error::Unwritable`].
pub fn cyclonedx(findings: &Findings<'_>) -> Result<String, Error> {
    let about = About {
        at: findings.now,
        subject: json!({ "type": "file", "name": findings.target }),
        properties: Vec::new(),
        of_each: &|_| Vec::new(),
    };
    bill(&findings.shown(), &findings.inventory.opaque, &about)
}

/// The bill of `shown`; what could not be looked into stands among its properties.
///
/// # Errors
/// [`Error::Unwritable`].
pub(crate) fn bill(shown: &[&Credential], opaque: &[OpaqueFile], about: &About<'_>) -> Result<String, Error> {
    let keys: BTreeMap<Fingerprint, &str> = shown
        .iter()
        .filter_map(|known| known.key.as_ref())
        .map(|key| (key.fingerprint, &*key.algorithm))
        .collect();
    let certificates = shown.iter().map(|credential| component(credential, (about.of_each)(credential)));
    let components: Vec<Value> = certificates.chain(keys.iter().map(key)).collect();
    let unread = |file: &OpaqueFile| ("not-looked-into", format!("{}: {}", file.path, file.reason));
    let said = about.properties.iter().cloned().chain(opaque.iter().map(unread));
    crate::json::safe(&Bill {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: "1.6",
        version: 1,
        metadata: json!({
            "timestamp": about.at.to_string(),
            "tools": { "components": [{
                "type": "application", "name": "notafter", "version": env!("CARGO_PKG_VERSION"),
            }] },
            "component": about.subject,
        }),
        components,
        properties: said.map(property).collect(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bill {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    version: u32,
    metadata: Value,
    components: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Value>,
}

fn property((name, value): (&'static str, String)) -> Value {
    json!({ "name": format!("{NAMESPACE}{name}"), "value": value.trim_end() })
}

fn component(credential: &Credential, further: Vec<(&'static str, String)>) -> Value {
    let named = if credential.subject.is_empty() {
        credential.fingerprint.to_string()
    } else {
        credential.subject.clone()
    };
    let mut properties =
        vec![("kind", credential.kind.word().to_owned()), ("role", role(credential).to_owned())];
    if !credential.serial.is_empty() {
        properties.push(("serial", credential.serial.clone()));
    }
    for place in &credential.places {
        let keys = place.private_key.iter().map(|key| ("private-key", key.clone()));
        let owners = place.owners.iter().map(|owner| ("owner", owner.to_string()));
        let layers = place.layer.iter().map(|layer| ("layer", format!("{} {}", layer.digest, layer.made_by)));
        properties.extend(keys.chain(owners).chain(layers));
    }
    properties.extend(further);
    properties.sort();
    properties.dedup();
    let properties: Vec<Value> = properties.into_iter().map(property).collect();
    let occurrences: Vec<Value> = credential.places.iter().map(occurrence).collect();
    json!({
        "type": "cryptographic-asset",
        "bom-ref": format!("sha256:{}", credential.fingerprint),
        "name": named,
        "hashes": [{ "alg": "SHA-256", "content": credential.fingerprint.to_string() }],
        "cryptoProperties": asset(credential),
        "evidence": { "occurrences": occurrences },
        "properties": properties,
    })
}

fn occurrence(place: &Place) -> Value {
    json!({
        "location": path_chain(place),
        "offset": place.offset,
        "additionalContext": format!("{} bytes, {}", place.len, place.container),
    })
}

fn asset(credential: &Credential) -> Value {
    let format = match credential.kind {
        CredentialKind::X509 => "X.509",
        CredentialKind::SshCertificate => "OpenSSH",
        CredentialKind::Crl
        | CredentialKind::DnssecSignatures
        | CredentialKind::Jwt
        | CredentialKind::LeapSeconds
        | CredentialKind::Ocsp
        | CredentialKind::OpenPgpKey
        | CredentialKind::SqlRole
        | CredentialKind::TufMetadata => return material(credential),
    };
    let mut properties = json!({
        "subjectName": credential.subject,
        "issuerName": credential.issuer,
        "certificateFormat": format,
    });
    if let Some(key) = &credential.key {
        properties["subjectPublicKeyRef"] = reference(key.fingerprint).into();
    }
    dates(credential, &mut properties, "notValidBefore", "notValidAfter");
    json!({ "assetType": "certificate", "certificateProperties": properties })
}

fn material(credential: &Credential) -> Value {
    let kind = match credential.kind {
        CredentialKind::Jwt => "token",
        CredentialKind::OpenPgpKey => "public-key",
        _ => "other",
    };
    let mut properties = json!({ "type": kind, "id": credential.fingerprint.to_string() });
    dates(credential, &mut properties, "activationDate", "expirationDate");
    json!({ "assetType": "related-crypto-material", "relatedCryptoMaterialProperties": properties })
}

/// Absent where there is none: CycloneDX knows no other way to say that something never ends.
fn dates(credential: &Credential, properties: &mut Value, begin: &str, end: &str) {
    if credential.not_before != UnixTime::MIN {
        properties[begin] = credential.not_before.to_string().into();
    }
    if let Some(written) = credential.written_end() {
        properties[end] = written.to_string().into();
    }
}

fn reference(key: Fingerprint) -> String {
    format!("key-sha256:{key}")
}

fn key((fingerprint, algorithm): (&Fingerprint, &&str)) -> Value {
    let size: Option<u32> = algorithm.strip_prefix("rsa-").and_then(|bits| bits.parse().ok());
    let mut properties = json!({ "type": "public-key", "id": fingerprint.to_string() });
    if let Some(size) = size {
        properties["size"] = size.into();
    }
    json!({
        "type": "cryptographic-asset",
        "bom-ref": reference(*fingerprint),
        "name": *algorithm,
        "cryptoProperties": {
            "assetType": "related-crypto-material",
            "relatedCryptoMaterialProperties": properties,
        },
    })
}
