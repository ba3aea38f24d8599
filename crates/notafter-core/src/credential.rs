//! Credentials: what a scenario declares and what an inventory finds.

use crate::{Container, CredentialName, Place, SourceLocation, UnixTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// SHA-256 over the DER encoding; identifies a certificate everywhere. Serialises as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = r"^[0-9a-f]{64}$"))]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// From the 32 bytes of the digest.
    #[must_use]
    pub const fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The first eight hex digits: enough to tell credentials of one report apart.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Fingerprint({self})")
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a SHA-256 fingerprint of 64 hex digits");
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut digest = [0; 32];
        for (index, byte) in digest.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(digest))
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

/// Which end of a validity an edge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// The last second in which the credential is valid (inclusive, RFC 5280 §4.1.2.5).
    NotAfter,
    /// The first second in which the credential is valid (inclusive).
    NotBefore,
}

impl fmt::Display for EdgeKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotAfter => "notAfter",
            Self::NotBefore => "notBefore",
        })
    }
}

/// An instant at which the validity of a credential changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Edge {
    /// The second that the credential names.
    pub at: UnixTime,
    /// Which end it is.
    pub kind: EdgeKind,
    /// The credential.
    pub credential: Fingerprint,
}

impl Edge {
    /// The first second of the changed state: `notAfter + 1 s`, or `notBefore` itself.
    #[must_use]
    pub fn changed_at(&self) -> UnixTime {
        match self.kind {
            EdgeKind::NotAfter => self.at.plus_secs(1),
            EdgeKind::NotBefore => self.at,
        }
    }
}

/// What a credential is.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialKind {
    /// A certificate revocation list (RFC 5280 §5); it ends with its nextUpdate.
    Crl,
    /// The signatures of a DNS zone (RFC 4034 §3); they end with the first of them that does.
    DnssecSignatures,
    /// A JSON Web Token (RFC 7519).
    Jwt,
    /// A leap-second list, as the IERS and tzdata publish it.
    LeapSeconds,
    /// One OCSP response (RFC 6960); it ends with the first nextUpdate in it.
    Ocsp,
    /// An OpenPGP key or subkey (RFC 9580).
    OpenPgpKey,
    /// A role of a database whose password ends (PostgreSQL's VALID UNTIL, PASSWORD EXPIRE of MariaDB), as the server tells
    /// it.
    SqlRole,
    /// An OpenSSH certificate.
    SshCertificate,
    /// Metadata of The Update Framework.
    TufMetadata,
    /// An X.509 certificate (RFC 5280).
    #[default]
    X509,
}

impl CredentialKind {
    /// What the format calls the beginning.
    #[must_use]
    pub const fn begin_word(self) -> &'static str {
        match self {
            Self::Crl | Self::Ocsp => "thisUpdate",
            Self::DnssecSignatures => "inception",
            Self::Jwt => "nbf",
            Self::OpenPgpKey => "created",
            Self::SshCertificate => "valid after",
            Self::LeapSeconds | Self::SqlRole | Self::TufMetadata | Self::X509 => "notBefore",
        }
    }

    /// What the format calls the end.
    #[must_use]
    pub const fn end_word(self) -> &'static str {
        match self {
            Self::Crl | Self::Ocsp => "nextUpdate",
            Self::DnssecSignatures => "expiration",
            Self::Jwt => "exp",
            Self::LeapSeconds | Self::OpenPgpKey | Self::TufMetadata => "expires",
            Self::SqlRole => "VALID UNTIL",
            Self::SshCertificate => "valid before",
            Self::X509 => "notAfter",
        }
    }

    /// Seconds from the last valid second to the instant that the format writes: 1 where that instant is the first
    /// in which the credential is not valid any more.
    #[must_use]
    pub const fn end_lag_secs(self) -> i64 {
        match self {
            Self::Crl
            | Self::DnssecSignatures
            | Self::LeapSeconds
            | Self::Ocsp
            | Self::SqlRole
            | Self::X509 => 0,
            Self::Jwt | Self::OpenPgpKey | Self::SshCertificate | Self::TufMetadata => 1,
        }
    }

    /// What it is called in a report.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Crl => "CRL",
            Self::DnssecSignatures => "DNSSEC signatures",
            Self::Jwt => "JWT",
            Self::LeapSeconds => "leap-second list",
            Self::Ocsp => "OCSP response",
            Self::OpenPgpKey => "OpenPGP key",
            Self::SqlRole => "SQL role",
            Self::SshCertificate => "SSH certificate",
            Self::TufMetadata => "TUF metadata",
            Self::X509 => "certificate",
        }
    }
}

/// Where the gate knows a credential from. In order of rank: where several hold, the first counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The scenario declares it; the gate made it.
    Declared(CredentialName),
    /// Found in the files of an image.
    Embedded,
    /// First seen on the wire.
    Served,
    /// Found in the memory of a process, and nowhere else.
    Memory,
}

/// A public key that a credential is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct PublicKey {
    /// What kind, as in `rsa-2048`, `p256`, `ed25519`; the object identifier where it has no common name.
    pub algorithm: String,
    /// SHA-256 over the contents of its subjectPublicKey (RFC 5280 §4.1.2.7): the bits alone, so that a private key
    /// without parameters is recognised too.
    pub fingerprint: Fingerprint,
}

/// One credential, wherever and however often it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Credential {
    /// SHA-256 over its encoding: DER, the packets of an OpenPGP key, a token's or document's own bytes.
    pub fingerprint: Fingerprint,
    /// What it is; a certificate where a record of an earlier version does not say.
    #[serde(default)]
    pub kind: CredentialKind,
    /// Subject in RFC 4514 order, as in `CN=hss`; for what has no distinguished name, what it is known by.
    pub subject: String,
    /// Issuer, likewise; empty where none is named.
    pub issuer: String,
    /// Serial number as upper-case hex, without leading zeros; empty where there is none.
    pub serial: String,
    /// First second of validity; [`UnixTime::MIN`] where none is named.
    pub not_before: UnixTime,
    /// Last second of validity, whatever the format writes; [`UnixTime::NO_EXPIRY`] where it never ends.
    pub not_after: UnixTime,
    /// Whether basicConstraints say CA.
    pub ca: bool,
    /// Whether subject and issuer are equal.
    pub self_issued: bool,
    /// The public key that it is about, where it is about one and the reader knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PublicKey>,
    /// Where the gate knows it from.
    pub origin: Origin,
    /// Every place in which it lies, sorted.
    pub places: Vec<Place>,
}

impl Credential {
    /// What was found somewhere, of which nothing else is known: it names nobody, never begins and never ends.
    #[must_use]
    pub const fn found(kind: CredentialKind, fingerprint: Fingerprint) -> Self {
        Self {
            fingerprint,
            kind,
            subject: String::new(),
            issuer: String::new(),
            serial: String::new(),
            not_before: UnixTime::MIN,
            not_after: UnixTime::NO_EXPIRY,
            ca: false,
            self_issued: false,
            key: None,
            origin: Origin::Embedded,
            places: Vec::new(),
        }
    }

    /// What the role `user` of the database at `host:port` is known by.
    #[must_use]
    pub fn role_subject(user: &str, host: &str, port: u16) -> String {
        format!("{user}@{host}:{port}")
    }

    /// What it is and what it is known by, as in `certificate CN=hss`. Most kinds say in what they are known by what they
    /// are, and it is not said twice.
    #[must_use]
    pub fn title(&self) -> String {
        let word = self.kind.word();
        match self.subject.strip_prefix(word) {
            Some(rest) if rest.is_empty() || rest.starts_with(' ') => self.subject.clone(),
            _ => format!("{word} {}", self.subject).trim_end().to_owned(),
        }
    }

    /// The ends of its validity, in time order; none for an end that never comes.
    pub fn edges(&self) -> impl Iterator<Item = Edge> {
        let edge = |at, kind| Edge { at, kind, credential: self.fingerprint };
        let end = (self.not_after != UnixTime::NO_EXPIRY).then(|| edge(self.not_after, EdgeKind::NotAfter));
        let begin = (self.not_before != UnixTime::MIN).then(|| edge(self.not_before, EdgeKind::NotBefore));
        [begin, end].into_iter().flatten()
    }

    /// Whether nothing but bodies of it were found: what is signed of a certificate, without its signature.
    #[must_use]
    pub fn is_body(&self) -> bool {
        let mut places = self.places.iter();
        !self.places.is_empty() && places.all(|place| place.container == Container::MemoryBody)
    }

    /// Whether both are one certificate by all but signature and fingerprint: the same names, serial number, dates and key.
    /// A body has no signature, and in memory that is free again a part of one may be overwritten.
    #[must_use]
    pub fn is_copy_of(&self, other: &Self) -> bool {
        let dates = |it: &Self| (it.kind, it.not_before, it.not_after);
        dates(self) == dates(other)
            && !self.serial.is_empty()
            && self.serial == other.serial
            && self.key == other.key
            && self.subject == other.subject
            && self.issuer == other.issuer
    }

    /// The end as the format writes it, which may be the first second after the last valid one; none where it never
    /// comes.
    #[must_use]
    pub fn written_end(&self) -> Option<UnixTime> {
        (self.not_after != UnixTime::NO_EXPIRY).then(|| self.not_after.plus_secs(self.kind.end_lag_secs()))
    }
}

/// Signature key algorithm of a generated certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeyAlgorithm {
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 4096 bits.
    Rsa4096,
}

/// What a generated leaf is for (RFC 5280 §4.2.1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeyUsage {
    /// `id-kp-clientAuth`.
    Client,
    /// `id-kp-serverAuth`.
    Server,
}

/// Who signs a generated certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum X509Issuer {
    /// An intermediate CA, signed by the named credential.
    Intermediate(CredentialName),
    /// An end entity, signed by the named credential.
    IssuedBy(CredentialName),
    /// A root CA, which signs itself.
    Root,
    /// An end entity that signs itself.
    SelfSigned,
}

/// An X.509 certificate that the gate makes for a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratedX509 {
    /// Subject, as `CN=hss,O=Example`.
    pub subject: String,
    /// Who signs it.
    pub issuer: X509Issuer,
    /// The CA of which it is one more certificate, with the same name and the same key, under another issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_signs: Option<CredentialName>,
    /// DNS names of its subjectAltName.
    pub dns: Vec<String>,
    /// IP addresses of its subjectAltName.
    pub ip: Vec<std::net::IpAddr>,
    /// Extended key usages; none for a CA.
    pub usage: Vec<KeyUsage>,
    /// Its key.
    pub key: KeyAlgorithm,
    /// First second of validity.
    pub not_before: UnixTime,
    /// Last second of validity.
    pub not_after: UnixTime,
}

impl GeneratedX509 {
    /// Whether it is a leaf that servers show, and that no client would: said by its usages, or where there are none, by
    /// its names.
    #[must_use]
    pub fn is_for_servers_alone(&self) -> bool {
        match self.usage.as_slice() {
            [] => !self.dns.is_empty() || !self.ip.is_empty(),
            usages => usages == [KeyUsage::Server],
        }
    }
}

/// A certificate revocation list that the gate makes for a scenario (RFC 5280 §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CrlSpec {
    /// Its name in the scenario.
    pub name: CredentialName,
    /// The CA that signs it.
    pub issuer: CredentialName,
    /// Certificates that it revokes, from its first second on.
    pub revokes: Vec<CredentialName>,
    /// thisUpdate: its first second.
    pub this_update: UnixTime,
    /// nextUpdate: its last second.
    pub next_update: UnixTime,
    /// Where the scenario declares it.
    pub location: SourceLocation,
}

/// A JSON Web Token that the gate makes for a scenario (RFC 7519).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenSpec {
    /// Its name in the scenario.
    pub name: CredentialName,
    /// What it says beside its dates: texts, of which several are a list.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, Vec<String>>,
    /// What it is signed with.
    pub key: KeyAlgorithm,
    /// The token whose key signs it; none: a key of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_of: Option<CredentialName>,
    /// What its header calls the key (`kid`).
    pub key_id: String,
    /// `nbf` and `iat`: its first second.
    pub not_before: UnixTime,
    /// The last second before `exp`.
    pub not_after: UnixTime,
    /// Where the scenario declares it.
    pub location: SourceLocation,
}

/// A credential that a scenario declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialSpec {
    /// Its name in the scenario.
    pub name: CredentialName,
    /// What to make.
    pub x509: GeneratedX509,
    /// Where the scenario declares it.
    pub location: SourceLocation,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_says_what_it_is_once() {
        for (kind, subject, expected) in [
            (CredentialKind::X509, "CN=hss", "certificate CN=hss"),
            (CredentialKind::X509, "", "certificate"),
            (CredentialKind::Jwt, "JWT iss=a", "JWT iss=a"),
            (CredentialKind::Jwt, "JWT", "JWT"),
            (CredentialKind::Jwt, "JWTs", "JWT JWTs"),
            (CredentialKind::Crl, "CRL of CN=ca", "CRL of CN=ca"),
        ] {
            let subject = subject.to_owned();
            let found = Credential { subject, ..Credential::found(kind, Fingerprint([0; 32])) };
            assert_eq!(found.title(), expected);
        }
    }
}
