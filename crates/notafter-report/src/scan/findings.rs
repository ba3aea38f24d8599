//! What a scan found, and what of it is asked for.

use notafter_core::{Credential, Inventory, UnixTime};

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

/// The end as the format writes it; `never` where there is none.
pub(super) fn end(credential: &Credential) -> String {
    credential.written_end().map_or_else(|| "never".to_owned(), |end| end.to_string())
}
