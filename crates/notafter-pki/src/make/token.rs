//! JSON Web Tokens (RFC 7519) in compact form, and the keys that verify them (RFC 7517).

use super::PrivateKey;
use crate::Error;
use crate::read::{self, Reader, tag};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use notafter_core::{Credential, CredentialName, KeyAlgorithm, Origin, TokenSpec};
use rcgen::{PublicKeyData, SigningKey};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// A token that was made. `Debug` hides it.
pub struct Token {
    credential: Credential,
    compact: Zeroizing<String>,
    jwks: String,
    key: PrivateKey,
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(hidden)")
    }
}

impl Token {
    /// What an inventory knows of it: [`Origin::Declared`], in no place yet.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The token itself, a secret.
    #[must_use]
    pub fn compact(&self) -> &str {
        &self.compact
    }

    /// A key set that holds the key which verifies it.
    #[must_use]
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// Makes `specs`, each after the one whose key signs it; of those in `old` with the keys that they had.
    pub(super) fn make_all(
        specs: &[TokenSpec],
        old: &BTreeMap<CredentialName, Self>,
    ) -> Result<BTreeMap<CredentialName, Self>, Error> {
        let mut made: BTreeMap<CredentialName, Self> = BTreeMap::new();
        let (first, second): (Vec<_>, Vec<_>) = specs.iter().partition(|spec| spec.key_of.is_none());
        for spec in first.into_iter().chain(second) {
            let failed = |source| Error::Make { name: spec.name.clone(), source };
            let signer = match &spec.key_of {
                Some(other) => {
                    let unknown = || Error::UnknownCredential { name: other.clone() };
                    Some(&made.get(other).ok_or_else(unknown)?.key)
                }
                None => old.get(&spec.name).map(|old| &old.key),
            };
            let key = signer.map_or_else(|| PrivateKey::generate(spec.key), PrivateKey::copy);
            made.insert(spec.name.clone(), Self::make(spec, key.map_err(failed)?)?);
        }
        Ok(made)
    }

    fn make(spec: &TokenSpec, key: PrivateKey) -> Result<Self, Error> {
        let shape = || Error::Shape { reason: "not the token that was made" };
        let mut claims: Map<String, Value> = spec
            .claims
            .iter()
            .map(|(name, texts)| match texts.as_slice() {
                [one] => (name.clone(), Value::from(one.as_str())),
                all => (name.clone(), Value::from(all.to_vec())),
            })
            .collect();
        let begins = spec.not_before.as_secs();
        for (name, second) in [("iat", begins), ("nbf", begins), ("exp", spec.not_after.as_secs() + 1)] {
            claims.insert(name.to_owned(), second.into());
        }
        let header = json!({ "typ": "JWT", "alg": algorithm(spec.key), "kid": spec.key_id });
        let signed = format!("{}.{}", encoded(header.to_string()), encoded(Value::from(claims).to_string()));
        let failed = |source| Error::Make { name: spec.name.clone(), source };
        let signature = key.pair().sign(signed.as_bytes()).map_err(failed)?;
        let signature = match field_len(spec.key) {
            Some(len) => joined(&signature, len).ok_or_else(shape)?,
            None => signature,
        };
        let compact = Zeroizing::new(format!("{signed}.{}", encoded(signature)));
        let (read, _) = read::jwt_at(compact.as_bytes()).ok_or_else(shape)?;
        let credential = Credential { origin: Origin::Declared(spec.name.clone()), ..read };
        let jwks = jwks(spec, key.pair().der_bytes()).ok_or_else(shape)?;
        Ok(Self { credential, compact, jwks, key })
    }
}

/// RFC 7518 §3.1, RFC 8037 §3.1.
fn algorithm(key: KeyAlgorithm) -> &'static str {
    match key {
        KeyAlgorithm::Ed25519 => "EdDSA",
        KeyAlgorithm::P256 => "ES256",
        KeyAlgorithm::P384 => "ES384",
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa4096 => "RS256",
    }
}

/// Bytes of a coordinate, and of each half of a signature, on an elliptic curve of ECDSA.
fn field_len(key: KeyAlgorithm) -> Option<usize> {
    match key {
        KeyAlgorithm::P256 => Some(32),
        KeyAlgorithm::P384 => Some(48),
        KeyAlgorithm::Ed25519 | KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa4096 => None,
    }
}

/// The two numbers of an ECDSA signature (RFC 3279 §2.2.3) as JWS wants them (RFC 7518 §3.4).
fn joined(der: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut numbers = Reader::new(der).take(tag::SEQUENCE)?.reader();
    let mut whole = Vec::with_capacity(2 * len);
    for _ in 0..2 {
        let number = plain(numbers.take(tag::INTEGER)?.contents);
        whole.resize(whole.len() + len.checked_sub(number.len())?, 0);
        whole.extend_from_slice(number);
    }
    Some(whole)
}

/// A number without the byte that says that it is none below zero, and other zeros before it.
fn plain(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// `public` is a point (SEC 1 §2.3.3), an RSAPublicKey (RFC 8017 §A.1.1) or an Ed25519 key.
fn jwks(spec: &TokenSpec, public: &[u8]) -> Option<String> {
    let mut key = match (spec.key, field_len(spec.key)) {
        (KeyAlgorithm::Ed25519, _) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(public) }),
        (KeyAlgorithm::P256 | KeyAlgorithm::P384, Some(len)) => {
            let (x, y) = public.strip_prefix(&[4]).filter(|point| point.len() == 2 * len)?.split_at(len);
            let curve = if spec.key == KeyAlgorithm::P256 { "P-256" } else { "P-384" };
            json!({ "kty": "EC", "crv": curve, "x": encoded(x), "y": encoded(y) })
        }
        _ => {
            let mut numbers = Reader::new(public).take(tag::SEQUENCE)?.reader();
            let (n, e) = (numbers.take(tag::INTEGER)?.contents, numbers.take(tag::INTEGER)?.contents);
            json!({ "kty": "RSA", "n": encoded(plain(n)), "e": encoded(plain(e)) })
        }
    };
    for (name, text) in [("kid", spec.key_id.as_str()), ("alg", algorithm(spec.key)), ("use", "sig")] {
        key[name] = text.into();
    }
    Some(json!({ "keys": [key] }).to_string())
}

/// base64url without padding (RFC 4648 §5).
fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use notafter_core::{CredentialKind, SourceLocation, UnixTime};

    fn spec(name: &str, key: KeyAlgorithm, key_of: Option<&str>) -> TokenSpec {
        let named = |text: &str| CredentialName::new(text).unwrap();
        TokenSpec {
            name: named(name),
            claims: [("sub", vec!["shop"]), ("aud", vec!["a", "b"])]
                .map(|(claim, texts)| (claim.to_owned(), texts.into_iter().map(str::to_owned).collect()))
                .into(),
            key,
            key_of: key_of.map(named),
            key_id: "login".to_owned(),
            not_before: UnixTime::clamped(1_900_000_000),
            not_after: UnixTime::clamped(1_900_003_599),
            location: SourceLocation { file: String::new(), line: 1, column: 1 },
        }
    }

    /// Each part is read back, and the signature checked by the key of the set, with another implementation of neither.
    #[test]
    fn tokens_say_what_they_were_told_and_their_key_set_verifies_them() {
        for key in [KeyAlgorithm::Ed25519, KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::Rsa2048] {
            let specs = [spec("expired", key, Some("login")), spec("login", key, None)];
            let made = Token::make_all(&specs, &BTreeMap::new()).unwrap();
            let [expired, login] =
                ["expired", "login"].map(|name| &made[&CredentialName::new(name).unwrap()]);
            assert_eq!(expired.jwks, login.jwks, "one key");
            assert_eq!(login.credential.kind, CredentialKind::Jwt);
            assert_eq!(login.credential.not_after, specs[1].not_after);
            assert_eq!(login.credential.subject, "JWT sub=shop");
            let parts: Vec<&str> = login.compact.split('.').collect();
            let header = parts[0];
            assert!(
                encoded(json!({ "alg": algorithm(key), "kid": "login", "typ": "JWT" }).to_string()) == header
            );
            verify(key, &login.jwks, &format!("{}.{}", parts[0], parts[1]), parts[2]);
            let again = Token::make_all(&specs, &made).unwrap();
            assert_eq!(again[&specs[1].name].jwks, login.jwks, "the key stays when it is issued anew");
            assert_eq!(format!("{login:?}"), "Token(hidden)");
        }
    }

    fn verify(key: KeyAlgorithm, jwks: &str, message: &str, signature: &str) {
        use aws_lc_rs::signature as lc;
        let set: Value = serde_json::from_str(jwks).unwrap();
        let number = |name: &str| decoded(set["keys"][0][name].as_str().unwrap());
        let point = || [&[4], number("x").as_slice(), number("y").as_slice()].concat();
        let (message, signature) = (message.as_bytes(), decoded(signature));
        let checked =
            match key {
                KeyAlgorithm::Ed25519 => {
                    lc::UnparsedPublicKey::new(&lc::ED25519, number("x")).verify(message, &signature)
                }
                KeyAlgorithm::P256 => lc::UnparsedPublicKey::new(&lc::ECDSA_P256_SHA256_FIXED, point())
                    .verify(message, &signature),
                KeyAlgorithm::P384 => lc::UnparsedPublicKey::new(&lc::ECDSA_P384_SHA384_FIXED, point())
                    .verify(message, &signature),
                KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa4096 => {
                    lc::RsaPublicKeyComponents { n: number("n"), e: number("e") }.verify(
                        &lc::RSA_PKCS1_2048_8192_SHA256,
                        message,
                        &signature,
                    )
                }
            };
        checked.unwrap();
    }

    fn decoded(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }
}
