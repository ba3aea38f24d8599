//! What a scenario tells before anything is known of the time, the environment and its files: which builds it gates
//! by which checks. The same text always has the same outline.

use crate::decode::{Key, Kind, Node, read};
use crate::diagnostic::{Draft, Lines, Sink};
use crate::{Code, Context, Diagnostics, Disk, MAX_BYTES, Source};
use notafter_core::UnixTime;

/// The testcases of a scenario: each of its builds, or the one image of its candidate, by each of its checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The service under release.
    pub candidate: String,
    /// Named builds of the candidate, in the order of the file; those that it retells, where it retells an incident.
    pub builds: Vec<String>,
    /// Whether the scenario retells an incident.
    pub retold: bool,
    /// Checks, in the order of the file; never empty.
    pub checks: Vec<String>,
}

/// Reads the outline of a scenario. Whether the rest makes sense shows when it is parsed.
///
/// # Errors
/// A text that is no YAML map with `candidate` and `checks`.
pub fn outline(source: &Source) -> Result<Outline, Diagnostics> {
    let sink = Sink::default();
    let found = (source.text.len() <= MAX_BYTES).then(|| find(source, &sink)).flatten();
    found.ok_or_else(|| {
        if sink.is_empty() {
            sink.report(Draft::unplaced(
                Code::MissingKey,
                "a scenario names its `candidate` and its `checks`",
            ));
        }
        sink.into_diagnostics(source, &Lines::of(&source.text))
    })
}

fn find(source: &Source, sink: &Sink) -> Option<Outline> {
    // Names are no values: whatever stands in variables, they are the same.
    let context =
        Context { now: UnixTime::MIN, variables: &|_| Some(String::new()), candidate: None, files: &Disk };
    let whole = read(source, &context, sink)?;
    let candidate = text(value(&whole, "candidate")?)?;
    let checks: Vec<String> = keys(value(&whole, "checks")?);
    let retold = value(&whole, "replay").map(retold).unwrap_or_default();
    let is_retold = !retold.is_empty();
    let builds = match is_retold {
        true => retold,
        false => value(&whole, "builds").map(keys).unwrap_or_default(),
    };
    (!checks.is_empty()).then_some(Outline { candidate, builds, retold: is_retold, checks })
}

fn retold(replay: &Node) -> Vec<String> {
    let entries = match &replay.kind {
        Kind::List(entries) => entries.as_slice(),
        Kind::Bool(_) | Kind::Map(_) | Kind::Null | Kind::Number(_) | Kind::Text { .. } => &[],
    };
    entries.iter().filter_map(|entry| text(value(entry, "build")?)).collect()
}

fn value<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    pairs(node).iter().find(|(known, _)| known.text == key).map(|(_, value)| value)
}

fn keys(node: &Node) -> Vec<String> {
    pairs(node).iter().map(|(key, _)| key.text.clone()).collect()
}

fn pairs(node: &Node) -> &[(Key, Node)] {
    match &node.kind {
        Kind::Map(pairs) => pairs,
        Kind::Bool(_) | Kind::List(_) | Kind::Null | Kind::Number(_) | Kind::Text { .. } => &[],
    }
}

fn text(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Number(text) | Kind::Text { value: text, .. } => Some(text.clone()),
        Kind::Bool(_) | Kind::List(_) | Kind::Map(_) | Kind::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn of(text: &str) -> Result<Outline, Diagnostics> {
        outline(&Source::new("a.yaml".to_owned(), text.to_owned(), PathBuf::new()))
    }

    #[test]
    fn an_outline_holds_builds_and_checks_in_their_order() {
        let text = "candidate: node\nbuilds: { '1.10': host, 1.2: host }\nchecks: { b: {}, a: { within: \"${N}\" } }\n";
        let outline = of(text).unwrap();
        assert_eq!(outline.candidate, "node");
        assert_eq!(outline.builds, ["1.10", "1.2"]);
        assert_eq!(outline.checks, ["b", "a"]);
        assert!(!outline.retold);
        let retold = of(&format!("{text}replay: [{{ build: 1.2, verdict: allow }}]")).unwrap();
        assert_eq!((retold.builds.as_slice(), retold.retold), (["1.2".to_owned()].as_slice(), true));
    }

    #[test]
    fn what_has_no_outline_says_why() {
        for text in [
            "",
            "[]",
            "candidate: node",
            "candidate: node\nchecks: {}",
            "a: [",
            "candidate: []\nchecks: { a: 1 }",
        ] {
            assert!(!of(text).unwrap_err().render(crate::Palette::Plain).is_empty(), "{text:?}");
        }
    }
}
