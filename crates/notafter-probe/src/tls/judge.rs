//! The verifier: writes down every chain that it is shown, and says precisely what it holds against one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use notafter_core::{Fingerprint, Origin, ServedCertificate, Span, UnixTime};
use notafter_pki::read::{self, ParsedCertificate};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate as Leaf;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName};
use std::sync::{Arc, Mutex, PoisonError};

/// One trust anchor and a verifier that knows no other.
#[derive(Debug)]
pub(crate) struct Anchor {
    pub(super) certificate: ParsedCertificate,
    pub(super) verifier: Arc<WebPkiServerVerifier>,
}

/// How strictly to look.
#[derive(Debug, Clone)]
pub(crate) enum Rule {
    /// The dates of every served certificate, and that the leaf bears this name.
    Dates { name: Option<ServerName<'static>> },
    /// Accept any chain. The service must still own the key of its leaf.
    Off,
    /// As webpki, and the dates of every served certificate and of the anchor at which the chain ends.
    Strict { anchors: Arc<[Anchor]>, any: Arc<WebPkiServerVerifier> },
    /// What rustls alone would say.
    Webpki(Arc<WebPkiServerVerifier>),
}

/// What was held against a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) reason: String,
    pub(crate) culprit: Option<Fingerprint>,
}

/// What one handshake has brought to light.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) chain: Vec<ServedCertificate>,
    pub(crate) rejection: Option<Rejection>,
}

/// Verifies one connection after the other.
#[derive(Debug)]
pub(crate) struct Judge {
    rule: Rule,
    algorithms: WebPkiSupportedAlgorithms,
    shown: Mutex<Shown>,
}

/// What rustls is told, with what people are told.
type Refused = (CertificateError, Rejection);

impl Judge {
    pub(super) fn new(rule: Rule, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { rule, algorithms, shown: Mutex::default() }
    }

    pub(super) fn take(&self) -> Shown {
        std::mem::take(&mut *self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn judge(&self, case: &Chain<'_>) -> Result<(), Refused> {
        match &self.rule {
            Rule::Dates { name } => dates(case, name.as_ref()),
            Rule::Off => Ok(()),
            Rule::Strict { anchors, any } => strict(case, anchors, any),
            Rule::Webpki(any) => case.verify(any),
        }
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: rustls_pki_types::UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed: Vec<_> = std::iter::once(end_entity)
            .chain(intermediates)
            .map(|der| read::certificate(der).map(|certificate| (certificate, der)))
            .collect();
        let chain = parsed.iter().flatten().map(|(certificate, der)| ServedCertificate {
            declared: None,
            credential: certificate.clone().into_credential(Origin::Served, Vec::new()),
            der_base64: STANDARD.encode(der),
        });
        let case = Chain {
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            rustls_now: now,
            now: UnixTime::clamped(i64::try_from(now.as_secs()).unwrap_or(i64::MAX)),
            parsed: parsed
                .iter()
                .map(|certificate| certificate.as_ref().ok().map(|found| &found.0))
                .collect(),
        };
        let judged = self.judge(&case);
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.chain = chain.collect();
        judged.map(|()| ServerCertVerified::assertion()).map_err(|(error, rejection)| {
            shown.rejection = Some(rejection);
            Error::InvalidCertificate(error)
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Every served certificate must be readable and in force, and the leaf bear `name`.
fn dates(case: &Chain<'_>, name: Option<&ServerName<'_>>) -> Result<(), Refused> {
    served_dates(case)?;
    let Some(name) = name else { return Ok(()) };
    let bears =
        Leaf::try_from(case.end_entity).and_then(|leaf| rustls::client::verify_server_name(&leaf, name));
    match bears {
        Ok(()) => Ok(()),
        Err(Error::InvalidCertificate(error)) => {
            let rejection = case.explain(&error);
            Err((error, rejection))
        }
        Err(other) => {
            let rejection = Rejection { reason: other.to_string(), culprit: None };
            Err((CertificateError::ApplicationVerificationFailure, rejection))
        }
    }
}

/// Every served certificate must be readable and in force.
fn served_dates(case: &Chain<'_>) -> Result<(), Refused> {
    for (index, certificate) in case.parsed.iter().enumerate() {
        match certificate {
            Some(certificate) => check_dates(certificate, "certificate", case.now)?,
            None => {
                let reason = format!("certificate {} of the served chain cannot be read", index + 1);
                return Err((CertificateError::BadEncoding, Rejection { reason, culprit: None }));
            }
        }
    }
    Ok(())
}

/// Dates first: what is out of date is named as such, whatever else is wrong with the chain.
fn strict(case: &Chain<'_>, anchors: &[Anchor], any: &WebPkiServerVerifier) -> Result<(), Refused> {
    served_dates(case)?;
    let mut outdated = None;
    for anchor in anchors.iter().filter(|anchor| case.verify(&anchor.verifier).is_ok()) {
        match check_dates(&anchor.certificate, "trust anchor", case.now) {
            Ok(()) => return Ok(()),
            Err(refused) => outdated = outdated.or(Some(refused)),
        }
    }
    match outdated {
        Some(refused) => Err(refused),
        None => case.verify(any),
    }
}

fn check_dates(certificate: &ParsedCertificate, role: &str, now: UnixTime) -> Result<(), Refused> {
    let ParsedCertificate { not_before, not_after, fingerprint, .. } = certificate;
    let distance = |edge: UnixTime| Span::from_secs(now.secs_since(edge));
    let (error, what) = if now > *not_after && *not_after != UnixTime::NO_EXPIRY {
        let what = format!(
            "expired {} before the probe (notAfter {not_after}, probe at {now})",
            distance(*not_after)
        );
        (CertificateError::Expired, what)
    } else if now < *not_before {
        let what = format!(
            "becomes valid only {} after the probe (notBefore {not_before}, probe at {now})",
            distance(*not_before)
        );
        (CertificateError::NotValidYet, what)
    } else {
        return Ok(());
    };
    let reason = format!("{role} {} {what}", name(certificate));
    Err((error, Rejection { reason, culprit: Some(*fingerprint) }))
}

/// Subject and the beginning of the fingerprint, for people.
fn name(certificate: &ParsedCertificate) -> String {
    format!("{} ({})", certificate.subject, certificate.fingerprint.short())
}

/// One chain before the judge.
struct Chain<'a> {
    end_entity: &'a CertificateDer<'a>,
    intermediates: &'a [CertificateDer<'a>],
    server_name: &'a ServerName<'a>,
    ocsp_response: &'a [u8],
    rustls_now: rustls_pki_types::UnixTime,
    now: UnixTime,
    /// Leaf first; none where one cannot be read.
    parsed: Vec<Option<&'a ParsedCertificate>>,
}

impl Chain<'_> {
    fn verify(&self, verifier: &WebPkiServerVerifier) -> Result<(), Refused> {
        let verified = verifier.verify_server_cert(
            self.end_entity,
            self.intermediates,
            self.server_name,
            self.ocsp_response,
            self.rustls_now,
        );
        match verified {
            Ok(_) => Ok(()),
            Err(Error::InvalidCertificate(error)) => {
                let rejection = self.explain(&error);
                Err((error, rejection))
            }
            Err(other) => {
                let rejection = Rejection { reason: other.to_string(), culprit: None };
                Err((CertificateError::ApplicationVerificationFailure, rejection))
            }
        }
    }

    /// What rustls' reason means for this chain.
    fn explain(&self, error: &CertificateError) -> Rejection {
        // rustls does not say which certificate is out of date; the dates do.
        let outdated = self
            .parsed
            .iter()
            .flatten()
            .find_map(|certificate| check_dates(certificate, "certificate", self.now).err());
        let leaf = self.parsed.first().copied().flatten();
        let leaf_name =
            leaf.map_or_else(|| "the certificate".to_owned(), |leaf| format!("certificate {}", name(leaf)));
        let (reason, culprit) = match error {
            CertificateError::BadSignature => (
                format!(
                    "the chain of {leaf_name} holds a certificate that is not signed by the issuer that it names"
                ),
                None,
            ),
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => match outdated {
                Some((_, rejection)) => return rejection,
                None => (error.to_string(), None),
            },
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                (format!("{leaf_name} is not meant for TLS servers: {error}"), leaf)
            }
            CertificateError::NotValidForName => {
                (format!("{leaf_name} does not name {}", self.server_name.to_str()), leaf)
            }
            CertificateError::NotValidForNameContext { presented, .. } => {
                let named = if presented.is_empty() { "nothing".to_owned() } else { presented.join(", ") };
                (format!("{leaf_name} does not name {} but {named}", self.server_name.to_str()), leaf)
            }
            CertificateError::UnknownIssuer => {
                (format!("no chain leads from {leaf_name} to a trust anchor"), None)
            }
            other => (format!("{leaf_name} was not accepted: {other}"), leaf),
        };
        Rejection { reason, culprit: culprit.map(|certificate| certificate.fingerprint) }
    }
}
