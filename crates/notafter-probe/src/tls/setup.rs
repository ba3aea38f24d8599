//! The TLS terms of a probe, with what their names stand for.

use super::{Anchor, Judge, Rule, TlsClient, VerifierClock};
use crate::Error;
use notafter_core::{TlsTerms, Verify};
use rustls::client::{ClientSessionMemoryCache, Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::sync::Arc;

/// Sessions kept for resumption; one service is asked, and gives out a handful of tickets.
const KEPT_SESSIONS: usize = 16;

/// The certificate that a probe shows, and its private key.
#[derive(Debug)]
pub struct Identity {
    /// The certificate and its intermediates, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of the leaf; `Debug` does not show it.
    pub key: PrivateKeyDer<'static>,
}

/// What the names in the TLS terms of a probe stand for; empty for a probe without TLS.
#[derive(Debug, Default)]
pub struct TlsMaterial {
    /// Where chains may end. Judged by their dates like every other certificate under [`Verify::Strict`].
    pub trust_anchors: Vec<CertificateDer<'static>>,
    /// What the probe shows where the service asks for it.
    pub identity: Option<Identity>,
}

/// Whether a client remembers sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sessions {
    Forgotten,
    Kept,
}

/// The TLS side of a probe, checked.
#[derive(Debug)]
pub(crate) struct TlsSetup {
    provider: Arc<CryptoProvider>,
    server_name: ServerName<'static>,
    rule: Rule,
    identity: Option<Arc<SingleCertAndKey>>,
    alpn: Option<&'static [u8]>,
}

impl TlsSetup {
    pub(crate) fn new(terms: &TlsTerms, host: &str, material: TlsMaterial) -> Result<Self, Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let name = terms.server_name.as_deref().unwrap_or(host);
        let server_name =
            ServerName::try_from(name.to_owned()).map_err(|_| Error::ServerName { name: name.to_owned() })?;
        let rule = match terms.verify {
            Verify::Dates => Rule::Dates { name: terms.server_name.is_some().then(|| server_name.clone()) },
            Verify::Off => Rule::Off,
            Verify::Strict => Rule::Strict {
                anchors: anchors(&material.trust_anchors, &provider)?,
                any: any_anchor(&material.trust_anchors, &provider)?,
            },
            Verify::Webpki => Rule::Webpki(any_anchor(&material.trust_anchors, &provider)?),
        };
        let identity = match material.identity {
            Some(Identity { chain, key }) => {
                let key = CertifiedKey::from_der(chain, key, &provider).map_err(Error::Identity)?;
                Some(Arc::new(SingleCertAndKey::from(key)))
            }
            None => None,
        };
        Ok(Self { provider, server_name, rule, identity, alpn: None })
    }

    /// Asks for `protocol` within the handshake (ALPN).
    pub(crate) fn speaking(self, protocol: &'static [u8]) -> Self {
        Self { alpn: Some(protocol), ..self }
    }

    /// A client of its own, with a clock, a memory of what was shown, and sessions of its own.
    pub(crate) fn client(&self, sessions: Sessions) -> Result<TlsClient, Error> {
        let clock = Arc::new(VerifierClock::default());
        let judge = Arc::new(Judge::new(self.rule.clone(), self.provider.signature_verification_algorithms));
        let time_provider = Arc::clone(&clock) as _;
        let builder = ClientConfig::builder_with_details(Arc::clone(&self.provider), time_provider)
            .with_safe_default_protocol_versions()
            .map_err(Error::Tls)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&judge) as _);
        let mut config = match &self.identity {
            Some(identity) => builder.with_client_cert_resolver(Arc::clone(identity) as _),
            None => builder.with_no_client_auth(),
        };
        config.resumption = match sessions {
            Sessions::Forgotten => Resumption::disabled(),
            Sessions::Kept => Resumption::store(Arc::new(ClientSessionMemoryCache::new(KEPT_SESSIONS))),
        };
        config.alpn_protocols = self.alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(TlsClient::new(Arc::new(config), self.server_name.clone(), clock, judge))
    }
}

fn store(number: usize, anchor: &CertificateDer<'static>, into: &mut RootCertStore) -> Result<(), Error> {
    into.add(anchor.clone()).map_err(|error| Error::TrustAnchor { number, reason: error.to_string() })
}

fn verifier(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    // The builder fails only without roots: it is given no CRLs that could be wrong.
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|_| Error::NoTrust)
}

fn any_anchor(
    certificates: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let mut roots = RootCertStore::empty();
    for (index, anchor) in certificates.iter().enumerate() {
        store(index + 1, anchor, &mut roots)?;
    }
    verifier(roots, provider)
}

/// A verifier for each anchor: rustls does not tell at which one a chain ended.
fn anchors(
    certificates: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<[Anchor]>, Error> {
    let anchor = |(index, der): (usize, &CertificateDer<'static>)| {
        let number = index + 1;
        let certificate = notafter_pki::read::certificate(der)
            .map_err(|error| Error::TrustAnchor { number, reason: error.to_string() })?;
        let mut roots = RootCertStore::empty();
        store(number, der, &mut roots)?;
        Ok(Anchor { certificate, verifier: verifier(roots, provider)? })
    };
    certificates.iter().enumerate().map(anchor).collect()
}
