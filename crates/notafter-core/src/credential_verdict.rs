//! What a verdict says of one credential.

use crate::{Credential, Decision, RunRecord, Severity, Touch, UnixTime, Verdict};
use std::fmt;

/// What a verdict says of one credential; never more than the run has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CredentialVerdict {
    /// Checks lived through its end, and nothing broke.
    Allow,
    /// Something breaks because of it.
    Block,
    /// The gate could not look, or what broke before its end hides what its end does.
    Inconclusive,
    /// It ends inside the window and needs no look: it is retired by then, or a start that was none of the window's made it.
    NotCounted,
    /// It ends inside the window and no check lived through its end; policy lets that pass.
    Noted,
    /// It ended before the window, or ends after it, or never.
    OutsideWindow,
}

impl CredentialVerdict {
    /// Its word in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block => "block",
            Self::Inconclusive => "inconclusive",
            Self::NotCounted => "not-counted",
            Self::Noted => "noted",
            Self::OutsideWindow => "outside-window",
        }
    }
}

impl fmt::Display for CredentialVerdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// What `verdict`, which follows from `record`, says of `credential`.
#[must_use]
pub fn of_credential(record: &RunRecord, verdict: &Verdict, credential: &Credential) -> CredentialVerdict {
    let own = verdict.findings.iter().filter(|finding| finding.culprit == Some(credential.fingerprint));
    match own.map(|finding| finding.severity).max() {
        Some(Severity::Block) => return CredentialVerdict::Block,
        Some(Severity::Inconclusive) => return CredentialVerdict::Inconclusive,
        Some(Severity::Note) | None => {}
    }
    let end = credential.not_after;
    if end == UnixTime::NO_EXPIRY || end < record.scenario.start.instant() || end > record.scenario.horizon {
        return CredentialVerdict::OutsideWindow;
    }
    let hidden = match verdict.decision {
        Decision::Allow => false,
        // What failed already tells nothing of what ends later, and a break whose instant is unknown nothing at all.
        Decision::Block => {
            let mut breaks = verdict.findings.iter().filter(|finding| finding.severity == Severity::Block);
            breaks.any(|finding| finding.bracket.is_none_or(|bracket| bracket.last_pass <= end))
        }
        Decision::Inconclusive => true,
    };
    let entry = verdict.coverage.entries.iter().find(|entry| entry.credential == credential.fingerprint);
    match entry.map(|entry| entry.touch) {
        _ if hidden => CredentialVerdict::Inconclusive,
        Some(Touch::Exercised) => CredentialVerdict::Allow,
        Some(Touch::Loaded | Touch::Never | Touch::Served) => CredentialVerdict::Noted,
        None => CredentialVerdict::NotCounted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refine::tests::world::*;
    use crate::{Coverage, CoverageEntry, Fingerprint};

    const END: &str = "2018-12-06T04:29:59Z";
    const BEFORE: &str = "2018-12-01T00:00:00Z";
    const AFTER: &str = "2019-06-01T00:00:00Z";

    fn outage() -> (RunRecord, Verdict) {
        let log = "certificate CN=node software has expired, shutting down";
        let ill = Ill::Dies { from: at("2018-12-06T04:30:00Z"), at_start: true, watchdog: Some(3_600), log };
        let held = [(1, END), (2, BEFORE), (3, AFTER)];
        let held = held.map(|(seed, end)| certificate(seed, "CN=node software", at(end)));
        World::new().holding(held).ill(ill).gate()
    }

    fn of(record: &RunRecord, verdict: &Verdict, seed: u8) -> CredentialVerdict {
        let found = record.inventory.find(Fingerprint::from_bytes([seed; 32]));
        of_credential(record, verdict, found.unwrap())
    }

    #[test]
    fn a_break_blocks_its_culprit_and_hides_what_ends_later() {
        let (record, mut verdict) = outage();
        assert_eq!(verdict.decision, Decision::Block);
        let exercised =
            |seed| CoverageEntry { credential: Fingerprint::from_bytes([seed; 32]), touch: Touch::Exercised };
        verdict.coverage = Coverage { entries: [1, 2, 3].map(exercised).to_vec() };
        assert_eq!(of(&record, &verdict, 1), CredentialVerdict::Block);
        assert_eq!(of(&record, &verdict, 2), CredentialVerdict::Allow);
        assert_eq!(of(&record, &verdict, 3), CredentialVerdict::Inconclusive);
        verdict.findings[0].bracket = None;
        assert_eq!(of(&record, &verdict, 2), CredentialVerdict::Inconclusive, "nobody knows when it broke");
    }

    #[test]
    fn nothing_is_allowed_that_no_check_lived_through() {
        let (record, mut verdict) = outage();
        verdict.findings.clear();
        verdict.coverage.entries.clear();
        for (decision, touch, expected) in [
            (Decision::Allow, Some(Touch::Exercised), CredentialVerdict::Allow),
            (Decision::Allow, Some(Touch::Served), CredentialVerdict::Noted),
            (Decision::Allow, Some(Touch::Loaded), CredentialVerdict::Noted),
            (Decision::Allow, Some(Touch::Never), CredentialVerdict::Noted),
            (Decision::Allow, None, CredentialVerdict::NotCounted),
            (Decision::Inconclusive, Some(Touch::Exercised), CredentialVerdict::Inconclusive),
            (Decision::Inconclusive, None, CredentialVerdict::Inconclusive),
        ] {
            verdict.decision = decision;
            let credential = Fingerprint::from_bytes([1; 32]);
            verdict.coverage.entries =
                touch.map(|touch| CoverageEntry { credential, touch }).into_iter().collect();
            assert_eq!(of(&record, &verdict, 1), expected, "{decision} {touch:?}");
        }
    }

    #[test]
    fn what_ends_elsewhere_is_no_matter_of_this_window() {
        let (mut record, mut verdict) = outage();
        verdict.findings.clear();
        let (start, horizon) = (record.scenario.start.instant(), record.scenario.horizon);
        for (end, outside) in [
            (UnixTime::NO_EXPIRY, true),
            (start.plus_secs(-1), true),
            (start, false),
            (horizon, false),
            (horizon.plus_secs(1), true),
        ] {
            let index = record
                .inventory
                .credentials
                .iter()
                .position(|it| it.fingerprint == Fingerprint::from_bytes([1; 32]));
            record.inventory.credentials[index.unwrap()].not_after = end;
            assert_eq!(of(&record, &verdict, 1) == CredentialVerdict::OutsideWindow, outside, "{end}");
        }
    }
}
