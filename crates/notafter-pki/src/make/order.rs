//! Issuers before what they issue.

use crate::Error;
use notafter_core::{CredentialName, CredentialSpec, X509Issuer};
use std::collections::{BTreeMap, BTreeSet};

/// The name of the credential that signs `spec`, where that is another one.
pub(super) fn issuer_of(spec: &CredentialSpec) -> Option<&CredentialName> {
    match &spec.x509.issuer {
        X509Issuer::Intermediate(issuer) | X509Issuer::IssuedBy(issuer) => Some(issuer),
        X509Issuer::Root | X509Issuer::SelfSigned => None,
    }
}

pub(super) fn is_ca(spec: &CredentialSpec) -> bool {
    match &spec.x509.issuer {
        X509Issuer::Intermediate(_) | X509Issuer::Root => true,
        X509Issuer::IssuedBy(_) | X509Issuer::SelfSigned => false,
    }
}

/// The specs in an order in which each comes after its issuer.
pub(super) fn issuers_first(specs: &[CredentialSpec]) -> Result<Vec<&CredentialSpec>, Error> {
    let mut by_name = BTreeMap::new();
    for spec in specs {
        if by_name.insert(&spec.name, spec).is_some() {
            return Err(Error::Duplicate { name: spec.name.clone() });
        }
    }
    let mut ordered = Vec::with_capacity(specs.len());
    let mut done = BTreeSet::new();
    for spec in specs {
        let mut chain = vec![];
        let mut current = spec;
        while !done.contains(&current.name) {
            if chain.len() == specs.len() {
                return Err(Error::IssuerLoop { name: spec.name.clone() });
            }
            chain.push(current);
            let Some(issuer) = issuer_of(current) else { break };
            let above = by_name
                .get(issuer)
                .copied()
                .ok_or_else(|| Error::UnknownIssuer { name: current.name.clone(), issuer: issuer.clone() })?;
            if !is_ca(above) {
                return Err(Error::IssuerNotCa { name: current.name.clone(), issuer: issuer.clone() });
            }
            current = above;
        }
        for next in chain.into_iter().rev() {
            done.insert(&next.name);
            ordered.push(next);
        }
    }
    Ok(ordered)
}
