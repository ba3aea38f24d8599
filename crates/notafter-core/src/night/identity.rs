//! What a finding is known by, from run to run.

use crate::{Credential, Finding, Inventory, Origin};

/// What a finding is known by from night to night: its code and its cause.
pub(super) fn key(finding: &Finding, inventory: &Inventory) -> String {
    format!("{}\n{}", finding.code, cause(finding, inventory))
}

/// What the cause of a finding is known by, in whatever run. A declared credential is made anew in every run, and so may
/// be what a service serves: the first goes by its name, the second by its subject. What lies in files goes by its
/// fingerprint. Without a credential it is what falls.
pub(crate) fn cause(finding: &Finding, inventory: &Inventory) -> String {
    match finding.culprit {
        Some(culprit) => match inventory.find(culprit) {
            Some(Credential { origin: Origin::Declared(name), .. }) => format!("declared {name}"),
            Some(Credential { origin: Origin::Served | Origin::Memory, subject, issuer, .. }) => {
                format!("served {subject} by {issuer}")
            }
            Some(Credential { origin: Origin::Embedded, .. }) | None => culprit.to_string(),
        },
        None => {
            let checks = finding.checks.iter().map(|(check, _)| check.to_string());
            let services = finding.services.iter().map(ToString::to_string);
            checks.chain(services).collect::<Vec<String>>().join("\n")
        }
    }
}
