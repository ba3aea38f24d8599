//! May this image be deployed, by what was attested of it?

use crate::envelope::{Envelope, Opening};
use crate::statement::{STATEMENT, SUMMARY, Statement, Summary, TEST_RESULT, TestResult};
use crate::{Refusal, VerifyingKey};
use notafter_core::{Decision, UnixTime};
use serde::Deserialize;
use serde_json::Value;

/// Longer files are no bundles, in bytes.
const MAX_LEN: usize = 16 << 20;
/// How far the clocks of two machines may differ, in seconds.
const SKEW_SECS: i64 = 300;

/// What a deployment demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demands {
    /// SHA-256 of the image that is to be deployed, as 64 lower-case hex digits.
    pub image_sha256: String,
    /// The host's time.
    pub now: UnixTime,
    /// How old the verdict may be, in seconds; any age where there is none.
    pub max_age_secs: Option<i64>,
}

/// What was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The image as it was named when it was gated.
    pub name: String,
    /// When the gate began, on its host's clock.
    pub verified: UnixTime,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(rename = "_type")]
    kind: String,
    predicate_type: String,
}

/// Whether `bundle` says, signed by `key`, that the demanded image was allowed.
///
/// # Errors
/// The first reason against it. Signatures are looked at before anything that they cover.
pub fn verify(bundle: &str, key: &VerifyingKey, demands: &Demands) -> Result<Accepted, Refusal> {
    let malformed = |reason: String| Refusal::Malformed { reason };
    if bundle.len() > MAX_LEN {
        return Err(malformed(format!("it is larger than {MAX_LEN} bytes")));
    }
    let (mut results, mut summaries) = (Vec::new(), Vec::new());
    let lines = bundle.lines().enumerate().map(|(index, line)| (index + 1, line));
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |what: &str| malformed(format!("line {number}: {what}"));
        let envelope: Envelope = serde_json::from_str(line).map_err(|_| wrong("no DSSE envelope"))?;
        let payload = envelope.open(key).map_err(|why| match why {
            Opening::Malformed(what) => wrong(what),
            Opening::WrongKey => Refusal::WrongKey { line: number },
        })?;
        let value: Value = serde_json::from_slice(&payload).map_err(|_| wrong("its payload is no JSON"))?;
        let head = Head::deserialize(&value).map_err(|_| wrong("its payload is no in-toto statement"))?;
        match (head.kind.as_str(), head.predicate_type.as_str()) {
            (STATEMENT, TEST_RESULT) => results.push(
                Statement::<TestResult>::deserialize(value)
                    .map_err(|_| wrong("a test result of another form"))?,
            ),
            (STATEMENT, SUMMARY) => summaries.push(
                Statement::<Summary>::deserialize(value).map_err(|_| wrong("a summary of another form"))?,
            ),
            _ => return Err(wrong("a statement of another type")),
        }
    }
    let [result] = results.as_slice() else { return Err(one(results.len(), TEST_RESULT)) };
    let [summary] = summaries.as_slice() else { return Err(one(summaries.len(), SUMMARY)) };
    about(result, demands)?;
    let name = about(summary, demands)?;
    allowed(&result.predicate, &summary.predicate)?;
    let verified = UnixTime::parse(&summary.predicate.time_verified)
        .map_err(|_| malformed("its time is no RFC 3339 instant".to_owned()))?;
    in_time(verified, demands)?;
    Ok(Accepted { name, verified })
}

fn one(found: usize, predicate: &'static str) -> Refusal {
    match found {
        0 => Refusal::Missing { predicate },
        _ => Refusal::Malformed { reason: format!("it holds {found} statements of type {predicate}") },
    }
}

/// The name of the one subject, where it is the demanded image.
fn about<P>(statement: &Statement<P>, demands: &Demands) -> Result<String, Refusal> {
    let [subject] = statement.subject.as_slice() else {
        return Err(Refusal::Malformed { reason: "a statement about other than one image".to_owned() });
    };
    let attested = subject.digest.get("sha256").cloned().unwrap_or_default();
    if attested == demands.image_sha256 {
        Ok(subject.name.clone())
    } else {
        Err(Refusal::WrongImage { attested, image: demands.image_sha256.clone() })
    }
}

fn allowed(result: &TestResult, summary: &Summary) -> Result<(), Refusal> {
    let passed = ["PASSED", "WARNED"].contains(&result.result.as_str()) && result.failed_tests.is_empty();
    let ran = !(result.passed_tests.is_empty() && result.warned_tests.is_empty());
    let summed = summary.verification_result == "PASSED" && summary.decision == Decision::Allow;
    if passed && ran && summed {
        Ok(())
    } else {
        Err(Refusal::NotAllowed { decision: summary.decision.to_string() })
    }
}

fn in_time(verified: UnixTime, demands: &Demands) -> Result<(), Refusal> {
    let age = demands.now.secs_since(verified);
    if age < -SKEW_SECS {
        return Err(Refusal::TooNew { verified });
    }
    match demands.max_age_secs {
        Some(max_age_secs) if age > max_age_secs => Err(Refusal::TooOld { verified, max_age_secs }),
        Some(_) | None => Ok(()),
    }
}
