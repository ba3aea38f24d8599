//! Everything that a scenario declares, made.

use super::{PrivateKey, RevocationList, Token, order, params};
use crate::{Error, read};
use notafter_core::{
    Credential, CredentialName, CredentialSpec, CrlSpec, Origin, ScenarioName, TokenSpec, UnixTime,
    X509Issuer,
};
use rcgen::{CertificateParams, Issuer, SerialNumber};
use rustls_pki_types::CertificateDer;
use std::collections::BTreeMap;

/// One credential that was made.
#[derive(Debug)]
pub struct Issued {
    credential: Credential,
    chain: Vec<CertificateDer<'static>>,
    certificate_pem: String,
    chain_pem: String,
    key: PrivateKey,
    params: CertificateParams,
    is_root: bool,
}

impl Issued {
    /// What an inventory knows of it: [`Origin::Declared`], in no place yet.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Its certificate as DER.
    #[must_use]
    pub fn certificate_der(&self) -> &CertificateDer<'static> {
        &self.chain[0]
    }

    /// Its certificate as PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The certificate and the intermediates above it, without the root, as a TLS server shows them. Never empty: the
    /// chain of a root is the root.
    #[must_use]
    pub fn chain_der(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The chain as PEM.
    #[must_use]
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// A certificate, as DER and as PEM, below `issuer`.
    fn assemble(
        (der, certificate_pem): (CertificateDer<'static>, String),
        credential: Credential,
        key: PrivateKey,
        params: CertificateParams,
        issuer: Option<&Self>,
        is_root: bool,
    ) -> Self {
        let (mut chain, mut chain_pem) = (vec![der], certificate_pem.clone());
        if let Some(issuer) = issuer.filter(|issuer| !issuer.is_root) {
            chain.extend_from_slice(&issuer.chain);
            chain_pem.push_str(&issuer.chain_pem);
        }
        Self { credential, chain, certificate_pem, chain_pem, key, params, is_root }
    }

    /// As a revocation list names it.
    pub(super) fn serial_number(&self) -> SerialNumber {
        // Everything that is made here has one.
        self.params.serial_number.clone().unwrap_or_else(|| SerialNumber::from(0))
    }

    pub(super) fn params(&self) -> &CertificateParams {
        &self.params
    }

    /// Its private key.
    #[must_use]
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }
}

/// The keys and certificates of a scenario.
#[derive(Debug)]
pub struct Pki {
    issued: BTreeMap<CredentialName, Issued>,
    crls: BTreeMap<CredentialName, RevocationList>,
    tokens: BTreeMap<CredentialName, Token>,
}

impl Pki {
    /// Makes every declared credential, with new keys. Names, dates and serial numbers are the same in every run of
    /// `scenario`; keys, and so signatures and fingerprints, are not.
    ///
    /// # Errors
    /// Any variant but [`Error::Content`] and [`Error::Shape`].
    pub fn generate(scenario: &ScenarioName, specs: &[CredentialSpec]) -> Result<Self, Error> {
        let mut issued = BTreeMap::new();
        let ordered = order::issuers_first(specs)?;
        let mut keys = keys(&ordered)?;
        for spec in ordered {
            let params = params::certificate_params(scenario, spec)?;
            // There is one for every spec, and no two have one name.
            let Some(key) = keys.remove(&spec.name) else { continue };
            let above = order::issuer_of(spec).and_then(|issuer| issued.get(issuer));
            let made = issue(spec, params, key, above)?;
            issued.insert(spec.name.clone(), made);
        }
        Ok(Self { issued, crls: BTreeMap::new(), tokens: BTreeMap::new() })
    }

    /// The same once more, with `names`, which may be of certificates, of revocation lists and of tokens, to end at
    /// `until`. What is issued anew keeps its key, name and first second, but for a list that is to end before that: it
    /// keeps its span. With a new end comes a new serial number. Everything else keeps its bytes, but for chains that hold
    /// what is issued anew, and for lists that revoke it.
    ///
    /// `specs`, `crls` and `tokens` are those that it was made from.
    ///
    /// # Errors
    /// [`Error::UnknownCredential`] for a name that it does not hold; else as for [`Self::generate`] and
    /// [`Self::with_crls`].
    pub fn reissued(
        &self,
        scenario: &ScenarioName,
        (specs, crls, tokens): (&[CredentialSpec], &[CrlSpec], &[TokenSpec]),
        names: &[CredentialName],
        until: UnixTime,
    ) -> Result<Self, Error> {
        let unknown = |name: &&CredentialName| {
            let known = self.issued.contains_key(*name) || self.crls.contains_key(*name);
            !known && !self.tokens.contains_key(*name)
        };
        if let Some(name) = names.iter().find(unknown) {
            return Err(Error::UnknownCredential { name: name.clone() });
        }
        let mut issued: BTreeMap<CredentialName, Issued> = BTreeMap::new();
        for spec in order::issuers_first(specs)? {
            let old = self.issued(&spec.name)?;
            let key = old.key.copy().map_err(|source| Error::Make { name: spec.name.clone(), source })?;
            let above = order::issuer_of(spec).and_then(|issuer| issued.get(issuer));
            let made = if names.contains(&spec.name) {
                let mut spec = spec.clone();
                spec.x509.not_after = until;
                issue(&spec, params::certificate_params(scenario, &spec)?, key, above)?
            } else {
                let own = (old.certificate_der().clone(), old.certificate_pem.clone());
                Issued::assemble(own, old.credential.clone(), key, old.params.clone(), above, old.is_root)
            };
            issued.insert(spec.name.clone(), made);
        }
        let mut lists = BTreeMap::new();
        for spec in crls {
            let mut spec = spec.clone();
            let is_anew = names.contains(&spec.name);
            if is_anew {
                if spec.this_update >= until {
                    spec.this_update = until.plus_secs(-spec.next_update.secs_since(spec.this_update));
                }
                spec.next_update = until;
            }
            let made = match is_anew || spec.revokes.iter().any(|revoked| names.contains(revoked)) {
                true => RevocationList::make(scenario, &spec, &issued)?,
                false => self.crl(&spec.name)?.clone(),
            };
            lists.insert(spec.name, made);
        }
        let mut anew: Vec<TokenSpec> = tokens.to_vec();
        for spec in anew.iter_mut().filter(|spec| names.contains(&spec.name)) {
            spec.not_after = until;
        }
        let tokens = Token::make_all(&anew, &self.tokens)?;
        Ok(Self { issued, crls: lists, tokens })
    }

    /// The same with these revocation lists, signed by what it holds.
    ///
    /// # Errors
    /// [`Error::DateNotEncodable`], [`Error::Make`], [`Error::Shape`], [`Error::UnknownCredential`] or
    /// [`Error::ValidityReversed`].
    pub fn with_crls(mut self, scenario: &ScenarioName, specs: &[CrlSpec]) -> Result<Self, Error> {
        for spec in specs {
            let made = RevocationList::make(scenario, spec, &self.issued)?;
            self.crls.insert(spec.name.clone(), made);
        }
        Ok(self)
    }

    /// The same with these tokens.
    ///
    /// # Errors
    /// [`Error::Make`], [`Error::Shape`] or [`Error::UnknownCredential`].
    pub fn with_tokens(mut self, specs: &[TokenSpec]) -> Result<Self, Error> {
        self.tokens = Token::make_all(specs, &BTreeMap::new())?;
        Ok(self)
    }

    /// The token of this name.
    ///
    /// # Errors
    /// [`Error::UnknownCredential`].
    pub fn token(&self, name: &CredentialName) -> Result<&Token, Error> {
        self.tokens.get(name).ok_or_else(|| Error::UnknownCredential { name: name.clone() })
    }

    /// Every token, sorted by name.
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.tokens.values()
    }

    /// The revocation list of this name.
    ///
    /// # Errors
    /// [`Error::UnknownCredential`].
    pub fn crl(&self, name: &CredentialName) -> Result<&RevocationList, Error> {
        self.crls.get(name).ok_or_else(|| Error::UnknownCredential { name: name.clone() })
    }

    /// Every revocation list, sorted by name.
    pub fn crls(&self) -> impl Iterator<Item = &RevocationList> {
        self.crls.values()
    }

    /// The credential of this name.
    ///
    /// # Errors
    /// [`Error::UnknownCredential`].
    pub fn issued(&self, name: &CredentialName) -> Result<&Issued, Error> {
        self.issued.get(name).ok_or_else(|| Error::UnknownCredential { name: name.clone() })
    }

    /// Every credential, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&CredentialName, &Issued)> {
        self.issued.iter()
    }
}

/// A key for each of them. A cross-sign has that of the CA of which it is one more certificate.
fn keys(specs: &[&CredentialSpec]) -> Result<BTreeMap<CredentialName, PrivateKey>, Error> {
    let mut keys = BTreeMap::new();
    let made = |spec: &CredentialSpec, key: Result<PrivateKey, rcgen::Error>| {
        key.map_err(|source| Error::Make { name: spec.name.clone(), source })
    };
    for spec in specs.iter().filter(|spec| spec.x509.cross_signs.is_none()) {
        keys.insert(spec.name.clone(), made(spec, PrivateKey::generate(spec.x509.key))?);
    }
    for spec in specs {
        let Some(own) = &spec.x509.cross_signs else { continue };
        let unknown = || Error::UnknownCredential { name: own.clone() };
        let copy = keys.get(own).ok_or_else(unknown)?.copy();
        keys.insert(spec.name.clone(), made(spec, copy)?);
    }
    Ok(keys)
}

/// Signs one certificate. Making a key is no part of it, so that a credential can be issued again with other dates
/// while everything below it stays valid.
fn issue(
    spec: &CredentialSpec,
    params: CertificateParams,
    key: PrivateKey,
    issuer: Option<&Issued>,
) -> Result<Issued, Error> {
    let signed = match issuer {
        Some(issuer) => params.signed_by(key.pair(), &Issuer::from_params(&issuer.params, issuer.key.pair())),
        None => params.self_signed(key.pair()),
    };
    let certificate = signed.map_err(|source| Error::Make { name: spec.name.clone(), source })?;
    let parsed = read::certificate(certificate.der())?;
    let credential = parsed.into_credential(Origin::Declared(spec.name.clone()), vec![]);
    let is_root = spec.x509.issuer == X509Issuer::Root;
    let pem = certificate.pem();
    Ok(Issued::assemble((certificate.into(), pem), credential, key, params, issuer, is_root))
}
