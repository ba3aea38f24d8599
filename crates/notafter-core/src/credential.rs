//! Credentials: what a scenario declares and what an inventory finds.

use crate::{CredentialName, ServiceName, SourceLocation, UnixTime};
use serde::{Deserialize, Serialize};
use std::fmt;

/// SHA-256 over the DER encoding; identifies a certificate everywhere. Serialises as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

/// How a credential was encoded where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Container {
    /// The whole file is one DER encoding.
    Der,
    /// DER carved from an ELF file.
    DerInElf,
    /// DER carved from any other file.
    DerInFile,
    /// PEM text (RFC 7468), in a file of its own or inside another.
    Pem,
}

impl fmt::Display for Container {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Der => "der",
            Self::DerInElf => "der-in-elf",
            Self::DerInFile => "der-in-file",
            Self::Pem => "pem",
        })
    }
}

/// One place at which a credential lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The service whose root tree holds the file.
    pub service: ServiceName,
    /// Absolute path as that service sees it.
    pub path: String,
    /// Where in the file the encoding begins, in bytes.
    pub offset: u64,
    /// Length of the encoding in bytes.
    pub len: u64,
    /// How it is encoded there.
    pub container: Container,
}

/// Where the gate knows a credential from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The scenario declares it; the gate made it.
    Declared(CredentialName),
    /// Found in the files of an image.
    Embedded,
    /// First seen on the wire.
    Served,
}

/// One X.509 certificate, wherever and however often it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// SHA-256 over its DER.
    pub fingerprint: Fingerprint,
    /// Subject in RFC 4514 order, as in `CN=hss`.
    pub subject: String,
    /// Issuer, likewise.
    pub issuer: String,
    /// Serial number as upper-case hex, without leading zeros.
    pub serial: String,
    /// First second of validity.
    pub not_before: UnixTime,
    /// Last second of validity; [`UnixTime::NO_EXPIRY`] where it never ends.
    pub not_after: UnixTime,
    /// Whether basicConstraints say CA.
    pub ca: bool,
    /// Whether subject and issuer are equal.
    pub self_issued: bool,
    /// Where the gate knows it from.
    pub origin: Origin,
    /// Every place in which it lies, sorted.
    pub places: Vec<Place>,
}

impl Credential {
    /// The ends of its validity, in time order; none for an end that never comes.
    pub fn edges(&self) -> impl Iterator<Item = Edge> {
        let edge = |at, kind| Edge { at, kind, credential: self.fingerprint };
        let end = (self.not_after != UnixTime::NO_EXPIRY).then(|| edge(self.not_after, EdgeKind::NotAfter));
        [Some(edge(self.not_before, EdgeKind::NotBefore)), end].into_iter().flatten()
    }
}

/// Signature key algorithm of a generated certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyUsage {
    /// `id-kp-clientAuth`.
    Client,
    /// `id-kp-serverAuth`.
    Server,
}

/// Who signs a generated certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratedX509 {
    /// Subject, as `CN=hss,O=Example`.
    pub subject: String,
    /// Who signs it.
    pub issuer: X509Issuer,
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

/// A credential that a scenario declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialSpec {
    /// Its name in the scenario.
    pub name: CredentialName,
    /// What to make.
    pub x509: GeneratedX509,
    /// Where the scenario declares it.
    pub location: SourceLocation,
}
