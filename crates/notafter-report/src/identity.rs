//! Which finding is which, across runs, and where a reader of source files looks for it.

use crate::digest::digest;
use notafter_core::{Finding, RunRecord, SourceLocation};

/// The same in every run that finds the same thing: what it is about, in which scenario and build, because of which
/// credential or, where none is known, which checks and which cases.
pub(crate) fn identity(record: &RunRecord, finding: &Finding) -> String {
    let scenario = &record.scenario;
    let build = scenario.candidate.build.as_ref().map_or("", |build| build.name.as_str());
    let mut parts = vec![scenario.name.as_str(), build, finding.code.as_str()];
    let culprit = finding.culprit.map(|culprit| culprit.to_string());
    match &culprit {
        Some(culprit) => parts.push(culprit),
        None => {
            parts.extend(finding.checks.iter().map(|(check, _)| check.as_str()));
            parts.extend(finding.case.iter().map(notafter_core::CaseId::as_str));
        }
    }
    digest(&parts)
}

/// The line of the scenario that asked; of what no line asked for, where the candidate is declared.
pub(crate) fn location<'a>(record: &'a RunRecord, finding: &'a Finding) -> Option<&'a SourceLocation> {
    let scenario = &record.scenario;
    let candidate = || scenario.service(&scenario.candidate.service).map(|service| &service.location);
    let check = || scenario.checks.first().map(|check| &check.location);
    finding.location.as_ref().or_else(candidate).or_else(check)
}

/// A file of a scenario as a relative URI with forward slashes, as code hosts want it: what lies outside the directory
/// in which the tool ran stays absolute.
pub(crate) fn uri(file: &str) -> String {
    let file = file.strip_prefix("./").unwrap_or(file);
    let mut uri = String::new();
    for byte in file.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte))
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    if uri.starts_with('/') { format!("file://{uri}") } else { uri }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn files_become_uris() {
        for (file, expected) in [
            ("./a/b.yaml", "a/b.yaml"),
            ("my scenarios/ü.yaml", "my%20scenarios/%C3%BC.yaml"),
            ("/srv/a.yaml", "file:///srv/a.yaml"),
            ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ] {
            assert_eq!(uri(file), expected);
        }
    }

    #[test]
    fn a_finding_keeps_its_identity_when_its_instant_moves() {
        let (record, verdict) = sample::block();
        let mut later = verdict.findings[0].clone();
        later.seen_at = None;
        later.summary.clear();
        assert_eq!(identity(&record, &later), identity(&record, &verdict.findings[0]));
        later.culprit = None;
        assert_ne!(identity(&record, &later), identity(&record, &verdict.findings[0]));
    }
}
