//! The findings as JSON, in the order in which they end.

use super::findings::Findings;
use crate::Error;
use notafter_core::{Credential, OpaqueFile, UnixTime, is_anchor};
use serde::Serialize;

#[derive(Serialize)]
struct Written<'a> {
    notafter_scan: u32,
    target: &'a str,
    scanned_at: UnixTime,
    credentials: Vec<Found<'a>>,
    opaque: &'a [OpaqueFile],
}

#[derive(Serialize)]
struct Found<'a> {
    #[serde(flatten)]
    credential: &'a Credential,
    /// Whether `--fail-before` passes over it.
    trust_anchor: bool,
}

/// Pretty-printed JSON with a final newline. `not_after` is the last valid second, whatever the format writes.
///
/// # Errors
/// [`Error::Unwritable`].
pub fn json(findings: &Findings<'_>) -> Result<String, Error> {
    crate::json::safe(&Written {
        notafter_scan: 1,
        target: findings.target,
        scanned_at: findings.now,
        credentials: findings
            .shown()
            .into_iter()
            .map(|credential| Found { credential, trust_anchor: is_anchor(credential) })
            .collect(),
        opaque: &findings.inventory.opaque,
    })
}
