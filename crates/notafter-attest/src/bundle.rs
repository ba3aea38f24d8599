//! Both statements, signed, as JSON lines.

use crate::envelope::Envelope;
use crate::statement::{summary, test_result};
use crate::{Error, SigningKey, Subject};
use notafter_core::{RunRecord, Verdict};
use serde::Serialize;

/// Two lines: the test result and the verification summary, whatever the verdict. A verdict other than *allow* is
/// attested as failed, and no verification accepts it.
///
/// # Errors
/// [`Error::Unwritable`], [`Error::Sign`].
pub fn attest(
    record: &RunRecord,
    verdict: &Verdict,
    subject: &Subject,
    key: &SigningKey,
) -> Result<String, Error> {
    let results = line(&test_result(record, verdict, subject), key)?;
    let summary = line(&summary(record, verdict, subject), key)?;
    Ok(format!("{results}\n{summary}\n"))
}

fn line(statement: &impl Serialize, key: &SigningKey) -> Result<String, Error> {
    let payload = serde_json::to_vec(statement).map_err(Error::Unwritable)?;
    serde_json::to_string(&Envelope::sign(&payload, key)?).map_err(Error::Unwritable)
}
