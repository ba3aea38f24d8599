//! Tokens: what they say, and when they hold.

use super::instants::Timeline;
use super::scope::Scope;
use crate::Code;
use crate::decode::{Entries, Located, OneOrMany};
use crate::diagnostic::Draft;
use crate::raw::{RawCredential, RawJwt};
use notafter_core::{KeyAlgorithm, TokenSpec};
use std::collections::BTreeMap;

/// Claims that its validity gives.
const DATES: [&str; 3] = ["exp", "iat", "nbf"];

impl Scope<'_> {
    /// Resolves the tokens, once certificates and revocation lists stand in `timeline`, and enters theirs.
    pub(super) fn tokens(
        &self,
        entries: Option<&Located<Entries<RawCredential>>>,
        timeline: &mut Timeline,
    ) -> Vec<TokenSpec> {
        let entries = entries.and_then(|entries| entries.value.as_ref());
        let mut tokens = Vec::new();
        for (name, credential) in entries.into_iter().flat_map(|entries| &entries.0) {
            let Some(RawCredential::Jwt(raw)) = &credential.value else { continue };
            let validity = self.validity_text(&raw.validity).and_then(|text| self.validity(&text, timeline));
            if let (Some(text), Some(validity)) = (name.value.clone(), validity) {
                timeline.validity.insert(text, validity);
            }
            let (claims, key) = (self.claims(raw), raw.key.as_ref());
            let key = key.map_or(Some(KeyAlgorithm::P256), |key| key.value.map(|key| key.0));
            let location = self.location(name.span);
            if let (Some(key_id), Some(name), Some((not_before, not_after)), Some(claims), Some(key)) =
                (name.value.clone(), self.name(name), validity, claims, key)
            {
                let key_of = None;
                tokens.push(TokenSpec { name, claims, key, key_of, key_id, not_before, not_after, location });
            }
        }
        tokens
    }

    fn claims(&self, raw: &RawJwt) -> Option<BTreeMap<String, Vec<String>>> {
        let entries = raw.claims.as_ref().and_then(|claims| claims.value.as_ref());
        let mut claims = BTreeMap::new();
        for (name, texts) in entries.into_iter().flat_map(|entries| &entries.0) {
            let (name, span) = name.get()?;
            if DATES.contains(&name.as_str()) {
                let message = format!("`{name}` follows from the validity of the token");
                return self.fail(Draft::new(Code::ConflictingKeys, span, message));
            }
            let (OneOrMany(texts), _) = texts.get()?;
            claims.insert(name.clone(), texts.iter().map(|text| text.value.clone()).collect::<Option<_>>()?);
        }
        Some(claims)
    }
}
