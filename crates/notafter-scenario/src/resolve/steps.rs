//! Checks of several steps.

use super::scope::Scope;
use crate::Code;
use crate::decode::{Entries, Located};
use crate::diagnostic::{Draft, Span};
use crate::raw::{RawCapture, RawCheckStep};
use notafter_core::{
    Assertion, CheckStep, MOST_STEPS, Probe, ServiceName, Subject, Test, Works, is_capture_name,
};
use std::collections::{BTreeMap, BTreeSet};

impl Scope<'_> {
    /// The steps before the probe of a check that stands at `from`.
    pub(super) fn steps(
        &self,
        raw: Option<&Located<Vec<Located<RawCheckStep>>>>,
        from: Option<&ServiceName>,
    ) -> Option<Vec<CheckStep>> {
        let Some(raw) = raw else { return Some(Vec::new()) };
        let (list, span) = raw.get()?;
        if list.is_empty() {
            return self.fail(Draft::new(Code::EmptyList, span, "there is no step here"));
        }
        if list.len() > MOST_STEPS {
            let message = format!("{} steps, and a check takes {MOST_STEPS} at most", list.len());
            return self.fail(Draft::new(Code::OutOfRange, span, message));
        }
        let mut steps: Vec<CheckStep> = Vec::new();
        for raw in list {
            let (raw, span) = raw.get()?;
            let step = self.step(raw, from)?;
            self.names_are_captured(&steps, &step.probe, span)?;
            steps.push(step);
        }
        Some(steps)
    }

    fn step(&self, raw: &RawCheckStep, from: Option<&ServiceName>) -> Option<CheckStep> {
        let probe = self.probe(&raw.probe, from)?;
        if probe.stretch().is_some() {
            let message = "`every` looks at what goes on between checkpoints, and a step is over at once";
            return self.fail(Draft::new(Code::ExpectationMisfit, raw.probe.span, message));
        }
        let works = match &raw.works {
            Some(works) => self.works(works, &probe)?,
            None => Works::default(),
        };
        if let (Some(raw), true) = (&raw.works, works.assertions.iter().any(is_against_earlier)) {
            let help = "compare the answer of the probe itself";
            let message = "the answer of a step is not kept, and so cannot be compared with an earlier one";
            return self.fail(Draft::new(Code::ExpectationMisfit, raw.span, message).help(help));
        }
        let capture = match &raw.capture {
            Some(capture) => self.captures(capture, &probe)?,
            None => BTreeMap::new(),
        };
        Some(CheckStep { probe, works, capture })
    }

    fn captures(
        &self,
        raw: &Located<Entries<RawCapture>>,
        probe: &Probe,
    ) -> Option<BTreeMap<String, Assertion>> {
        let mut found = BTreeMap::new();
        for (name, raw) in &raw.value.as_ref()?.0 {
            let (text, span) = name.get()?;
            if !is_capture_name(text) {
                let message = format!("`{text}` cannot stand for what is captured");
                let help = "a name is a letter and then letters, digits and `_`, as in `TOKEN`";
                return self.fail(Draft::new(Code::BadName, span, message).help(help));
            }
            found.insert(text.clone(), self.capture(raw, probe)?);
        }
        Some(found)
    }

    fn capture(&self, raw: &Located<RawCapture>, probe: &Probe) -> Option<Assertion> {
        let (raw, span) = raw.get()?;
        let (subject, pattern) =
            self.part([&raw.json, &raw.header, &raw.matches].map(Option::as_ref), span, probe, "capture")?;
        Some(Assertion { subject, test: Test::Captured { pattern } })
    }

    /// The part of an answer that `json`, `header` and `matches` name, as the value of `key`.
    pub(super) fn part(
        &self,
        [json, header, matches]: [Option<&Located<String>>; 3],
        span: Span,
        probe: &Probe,
        key: &str,
    ) -> Option<(Subject, Option<String>)> {
        let subject = match (json, header) {
            (Some(json), Some(header)) => {
                let message = "it is a part of a header or of the JSON of an answer";
                let draft = Draft::new(Code::ConflictingKeys, header.span, message);
                return self.fail(draft.context(json.span, "`json`"));
            }
            (Some(json), None) if !matches!(probe, Probe::Exec { .. } | Probe::Http { .. }) => {
                return self.misfit(json.span, "json", probe);
            }
            (None, Some(header)) if !matches!(probe, Probe::Http { .. }) => {
                return self.misfit(header.span, "header", probe);
            }
            (Some(json), None) => Subject::Json(self.pointer(json)?),
            (None, Some(header)) => Subject::Header(self.header_name(header)?),
            (None, None) if !super::checks::answers_in_words(probe) => {
                return self.misfit(span, key, probe);
            }
            (None, None) if matches.is_none() => {
                let message = "nothing says which part of the answer is meant";
                let help = "give `json: /POINTER`, `header: NAME` or `matches: PATTERN`";
                return self.fail(Draft::new(Code::MissingKey, span, message).help(help));
            }
            (None, None) => Subject::Text,
        };
        let pattern = match matches {
            Some(pattern) => Some(self.pattern(pattern)?),
            None => None,
        };
        Some((subject, pattern))
    }

    /// Refuses a probe in which a name stands for what none of `steps` captures.
    pub(super) fn names_are_captured(&self, steps: &[CheckStep], probe: &Probe, span: Span) -> Option<()> {
        let known: BTreeSet<&String> = steps.iter().flat_map(|step| step.capture.keys()).collect();
        let asked = probe.names();
        let Some(unknown) = asked.iter().find(|name| !known.contains(name)) else { return Some(()) };
        let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        let help = match known.as_slice() {
            [] => "give the step before it a `capture`".to_owned(),
            known => format!("the steps before it capture {}", known.join(", ")),
        };
        let message = format!("no step captures `{unknown}`");
        self.fail(Draft::new(Code::UnknownValue, span, message).help(help))
    }
}

fn is_against_earlier(assertion: &Assertion) -> bool {
    matches!(assertion.test, Test::Rises { .. } | Test::SameAsControl { .. })
}
