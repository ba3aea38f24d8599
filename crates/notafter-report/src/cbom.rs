//! What a run knows of that ends, as a bill of materials with what the verdict says of each.

use crate::Error;
use crate::scan::{About, bill};
use crate::words::place_short;
use notafter_core::{Credential, Origin, RunRecord, Touch, Verdict, of_credential};
use serde_json::json;

/// A CycloneDX bill as a scan writes it. Each credential has properties for its verdict, how closely the run looked, where
/// the gate knows it from and where it lies in which service; the bill has one for the verdict of the release.
///
/// # Errors
/// [`Error::Unwritable`].
pub(crate) fn cbom(record: &RunRecord, verdict: &Verdict) -> Result<String, Error> {
    let scenario = &record.scenario;
    let mut subject = json!({ "type": "application", "name": scenario.candidate.service.as_str() });
    if let Some(build) = &scenario.candidate.build {
        subject["version"] = build.name.as_str().into();
    }
    let of_each = |credential: &Credential| of_each(record, verdict, credential);
    let about = About {
        at: record.started,
        subject,
        properties: vec![
            ("decision", verdict.decision.to_string()),
            ("scenario", scenario.name.to_string()),
            ("start", scenario.start.instant().to_string()),
            ("support-until", scenario.horizon.to_string()),
        ],
        of_each: &of_each,
    };
    let mut shown: Vec<&Credential> = record.inventory.credentials.iter().collect();
    shown.sort_by_key(|credential| (credential.not_after, credential.fingerprint));
    bill(&shown, &record.inventory.opaque, &about)
}

fn of_each(record: &RunRecord, verdict: &Verdict, credential: &Credential) -> Vec<(&'static str, String)> {
    let mut said = vec![
        ("verdict", of_credential(record, verdict, credential).to_string()),
        ("origin", origin(&credential.origin)),
    ];
    let entries = verdict.coverage.entries.iter();
    let looked = entries.filter(|entry| entry.credential == credential.fingerprint);
    said.extend(looked.map(|entry| ("coverage", touch(entry.touch).to_owned())));
    let findings = verdict.findings.iter();
    let own = findings.filter(|finding| finding.culprit == Some(credential.fingerprint));
    for finding in own {
        said.push(("finding", format!("{}: {}", finding.code, finding.summary)));
        said.extend(finding.bracket.map(|bracket| ("breaks-at", bracket.first_fail.to_string())));
    }
    said.extend(credential.places.iter().map(|place| ("place", place_short(place))));
    said
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Declared(name) => format!("declared {name}"),
        Origin::Embedded => "embedded".to_owned(),
        Origin::Memory => "memory".to_owned(),
        Origin::Served => "served".to_owned(),
    }
}

fn touch(touch: Touch) -> &'static str {
    match touch {
        Touch::Exercised => "exercised",
        Touch::Loaded => "loaded",
        Touch::Never => "never",
        Touch::Served => "served",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_bill_says_what_the_verdict_says_of_each() {
        let (record, verdict) = sample::block();
        insta::assert_snapshot!(cbom(&record, &verdict).unwrap());
    }
}
