//! Workflow commands of GitHub Actions: findings beside the lines of the scenario that asked.

use crate::identity::location;
use crate::page::{clip, escape};
use crate::words::candidate;
use notafter_core::{RunRecord, Severity, Verdict};

/// Longer messages are cut by GitHub.
const MAX_MESSAGE: usize = 1_000;

/// One line for each finding: `::error file=…,line=…::…`. What blocks and what the gate could not look at is an error.
#[must_use]
pub fn annotations(record: &RunRecord, verdict: &Verdict) -> String {
    let mut text = String::new();
    for finding in &verdict.findings {
        let level = match finding.severity {
            Severity::Block | Severity::Inconclusive => "error",
            Severity::Note => "notice",
        };
        let place = location(record, finding).map_or_else(String::new, |location| {
            let file = property(location.file.strip_prefix("./").unwrap_or(&location.file));
            format!("file={file},line={},col={},", location.line, location.column)
        });
        let title = property(&format!("notafter {}: {}", verdict.decision, finding.code));
        let mut message = format!("{}: {}", candidate(&record.scenario), finding.summary);
        if let Some(help) = &finding.help {
            message.push_str(&format!(". Help: {help}"));
        }
        text.push_str(&format!("::{level} {place}title={title}::{}\n", data(&clip(&message, MAX_MESSAGE))));
    }
    text
}

/// What stands behind the second `::`. Text from outside is escaped first, so that none begins a command of its own.
fn data(text: &str) -> String {
    escape(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn findings_become_annotations() {
        let mut text = String::new();
        for (record, verdict) in [sample::block(), sample::allow(), sample::unshifted()] {
            text += &annotations(&record, &verdict);
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_subject_cannot_give_commands() {
        let (record, mut verdict) = sample::block();
        verdict.findings[0].summary = "CN=x\n::add-mask::x\r\n::error::100%".to_owned();
        let text = annotations(&record, &verdict);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("CN=x\\n::add-mask::x\\r\\n::error::100%25"), "{text}");
    }
}
