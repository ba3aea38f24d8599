//! What a scan found, and what of it is asked for.

use notafter_core::{Credential, CredentialKind, Inventory, UnixTime, is_anchor};

/// What a scan found.
#[derive(Debug, Clone)]
pub struct Findings<'a> {
    /// What was scanned, as the user named it.
    pub target: &'a str,
    /// What was found.
    pub inventory: &'a Inventory,
    /// The host's time of the scan.
    pub now: UnixTime,
    /// Only credentials that end by then are shown; all where there is none.
    pub until: Option<UnixTime>,
}

impl<'a> Findings<'a> {
    /// The credentials that are asked for, by what ends first.
    #[must_use]
    pub fn shown(&self) -> Vec<&'a Credential> {
        let mut shown: Vec<&Credential> = self
            .inventory
            .credentials
            .iter()
            .filter(|credential| self.until.is_none_or(|until| credential.not_after <= until))
            .collect();
        shown.sort_by_key(|credential| (credential.not_after, credential.fingerprint));
        shown
    }
}

/// What it is, and whether it is there to verify others with.
pub(super) fn role(credential: &Credential) -> &'static str {
    match (credential.kind, is_anchor(credential)) {
        (CredentialKind::OpenPgpKey, true) => "OpenPGP trust anchor",
        (_, true) => "trust anchor",
        _ if credential.ca => "CA certificate",
        (kind, false) => kind.word(),
    }
}

/// The end as the format writes it; `never` where there is none.
pub(super) fn end(credential: &Credential) -> String {
    credential.written_end().map_or_else(|| "never".to_owned(), |end| end.to_string())
}
