//! Revocation lists (RFC 5280 §5).

use super::params;
use super::pki::Issued;
use crate::{Error, read};
use notafter_core::{Credential, CredentialName, CrlSpec, Origin, ScenarioName};
use rcgen::{Issuer, SerialNumber};
use std::collections::BTreeMap;

/// A revocation list that was made.
#[derive(Debug, Clone)]
pub struct RevocationList {
    credential: Credential,
    pem: String,
}

impl RevocationList {
    /// What an inventory knows of it: [`Origin::Declared`], in no place yet.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The list as PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    pub(super) fn make(
        scenario: &ScenarioName,
        spec: &CrlSpec,
        issued: &BTreeMap<CredentialName, Issued>,
    ) -> Result<Self, Error> {
        let known = |name: &CredentialName| {
            issued.get(name).ok_or_else(|| Error::UnknownCredential { name: name.clone() })
        };
        let failed = |source| Error::Make { name: spec.name.clone(), source };
        let issuer = known(&spec.issuer)?;
        let revoked = spec.revokes.iter().map(|name| Ok(known(name)?.serial_number()));
        let revoked: Vec<SerialNumber> = revoked.collect::<Result<_, Error>>()?;
        let params = params::crl_params(scenario, spec, revoked)?;
        let signed = params.signed_by(&Issuer::from_params(issuer.params(), issuer.key().pair()));
        let signed = signed.map_err(failed)?;
        let read = read::crl(signed.der())
            .ok_or(Error::Shape { reason: "not the revocation list that was made" })?;
        let credential = Credential { origin: Origin::Declared(spec.name.clone()), ..read };
        Ok(Self { credential, pem: signed.pem().map_err(failed)? })
    }
}
