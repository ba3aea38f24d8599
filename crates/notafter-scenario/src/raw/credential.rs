//! Credentials to make.

use crate::decode::{Entries, Keyword, Located, OneOrMany};
use notafter_core::{KeyAlgorithm, KeyUsage};
use schemars::JsonSchema;
use serde::Deserialize;

/// A credential to make.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "credential", rename_all = "kebab-case")]
pub(crate) enum RawCredential {
    /// A certificate revocation list.
    Crl(Box<RawCrl>),
    /// A JSON Web Token, signed with a key of its own.
    Jwt(Box<RawJwt>),
    /// An X.509 certificate with its key.
    X509(Box<RawX509>),
}

/// A certificate revocation list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "crl", deny_unknown_fields)]
pub(crate) struct RawCrl {
    /// The CA that signs it.
    pub(crate) issuer: Located<String>,
    /// Certificates that it revokes.
    pub(crate) revokes: Option<Located<Vec<Located<String>>>>,
    /// From thisUpdate to nextUpdate.
    pub(crate) validity: Located<RawValidity>,
}

/// A JSON Web Token. `iat` and `nbf` are its first second, `exp` the one after its last.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "jwt", deny_unknown_fields)]
pub(crate) struct RawJwt {
    /// What else it says, such as `iss`, `sub` and `aud`; several texts are a list.
    pub(crate) claims: Option<Located<Entries<OneOrMany<String>>>>,
    /// The key that signs it, and so its algorithm: ES256 for `p256`, which is meant where none is given.
    pub(crate) key: Option<Located<Keyword<KeyAlgorithm>>>,
    /// When it holds.
    pub(crate) validity: Located<RawValidity>,
}

/// An X.509 certificate: a CA, or a leaf that names its issuer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "x509", deny_unknown_fields)]
pub(crate) struct RawX509 {
    /// Makes it a CA.
    pub(crate) ca: Option<Located<RawCa>>,
    /// The credential that signs it.
    pub(crate) issuer: Option<Located<String>>,
    /// Makes it one more certificate of this CA, with the same key, under the issuer named here.
    pub(crate) cross_signs: Option<Located<String>>,
    /// Makes it a leaf that signs itself.
    pub(crate) self_signed: Option<Located<bool>>,
    /// Its subject, as in `CN=hss,O=Example`.
    pub(crate) subject: Located<String>,
    /// DNS names of its subjectAltName.
    pub(crate) dns: Option<Located<Vec<Located<String>>>>,
    /// IP addresses of its subjectAltName.
    pub(crate) ip: Option<Located<Vec<Located<String>>>>,
    /// What a leaf is for.
    pub(crate) usage: Option<Located<Vec<Located<Keyword<KeyUsage>>>>>,
    /// Its key; `p256` where none is given.
    pub(crate) key: Option<Located<Keyword<KeyAlgorithm>>>,
    /// When it holds.
    pub(crate) validity: Located<RawValidity>,
}

/// Which kind of CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename = "CA", rename_all = "kebab-case")]
pub(crate) enum RawCa {
    /// Signed by another CA.
    Intermediate,
    /// Signs itself.
    Root,
}

/// The first and the last second of a validity.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "validity", deny_unknown_fields)]
pub(crate) struct RawValidity {
    /// Its first second; `issued` is when it is made.
    pub(crate) from: Located<String>,
    /// Its last second.
    pub(crate) until: Option<Located<String>>,
    /// In place of `until`: how long after `from` its last second is.
    #[serde(rename = "for")]
    pub(crate) span: Option<Located<String>>,
}
