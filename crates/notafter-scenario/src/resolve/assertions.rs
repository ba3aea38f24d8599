//! What must be true of an answer beyond its outcome.

use super::checks::answers_in_words;
use super::scope::Scope;
use crate::Code;
use crate::decode::{LiteralOr, Located, OneOrMany, TextOr};
use crate::diagnostic::{Draft, Span};
use crate::raw::{RawMatches, RawWorks};
use notafter_core::{Assertion, Probe, Subject, Test};

/// Longest value that an answer is compared with: what a record keeps of it is longer.
const LONGEST_VALUE_BYTES: usize = 1024;

impl Scope<'_> {
    /// Those of `raw`, in the order of its keys.
    pub(super) fn assertions(&self, raw: &RawWorks, probe: &Probe) -> Option<Vec<Assertion>> {
        let mut found = Vec::new();
        if let Some(headers) = &raw.headers {
            if !matches!(probe, Probe::Http { .. }) {
                return self.misfit(headers.span, "headers", probe);
            }
            for (name, value) in &headers.value.as_ref()?.0 {
                let subject = Subject::Header(self.header_name(name)?);
                let test = match value.get()? {
                    (TextOr::Structure(pattern), _) => self.matches(pattern)?,
                    (TextOr::Text(text), span) => Test::Equals(self.value(text.clone(), span)?),
                };
                found.push(Assertion { subject, test });
            }
        }
        if let Some(json) = &raw.json {
            if !matches!(probe, Probe::Exec { .. } | Probe::Http { .. }) {
                return self.misfit(json.span, "json", probe);
            }
            for (pointer, value) in &json.value.as_ref()?.0 {
                let subject = Subject::Json(self.pointer(pointer)?);
                let test = match value.get()? {
                    (LiteralOr::Structure(pattern), _) => self.matches(pattern)?,
                    (LiteralOr::Literal(json), span) => Test::Equals(self.value(json.clone(), span)?),
                };
                found.push(Assertion { subject, test });
            }
        }
        if let Some(equals) = &raw.equals {
            if !answers_in_words(probe) {
                return self.misfit(equals.span, "equals", probe);
            }
            let (text, span) = equals.get()?;
            let value = self.value(text.trim_end().to_owned(), span)?;
            found.push(Assertion::of_text(Test::Equals(value)));
        }
        if let Some(patterns) = &raw.matches {
            if !answers_in_words(probe) {
                return self.misfit(patterns.span, "matches", probe);
            }
            let patterns = self.patterns(patterns)?;
            found.extend(patterns.into_iter().map(|pattern| Assertion::of_text(Test::Matches(pattern))));
        }
        if let Some(rises) = &raw.rises {
            let (rises, span) = rises.get()?;
            let parts = [&rises.json, &rises.header, &rises.matches].map(Option::as_ref);
            let (subject, pattern) = self.part(parts, span, probe, "rises")?;
            let every = self.positive_duration(&rises.every, Code::DurationNotPositive)?;
            found.push(Assertion { subject, test: Test::Rises { pattern, every } });
        }
        if let Some(same) = &raw.same_as_control {
            // Lines of a log come when they come; which one is first is no answer.
            if !answers_in_words(probe) || matches!(probe, Probe::Log { .. }) {
                return self.misfit(same.span, "same_as_control", probe);
            }
            let mask = match &same.value.as_ref()?.mask {
                Some(mask) => self.patterns(mask)?,
                None => Vec::new(),
            };
            found.push(Assertion::of_text(Test::SameAsControl { mask }));
        }
        Some(found)
    }

    fn matches(&self, raw: &RawMatches) -> Option<Test> {
        self.pattern(&raw.matches).map(Test::Matches)
    }

    fn patterns(&self, list: &Located<OneOrMany<String>>) -> Option<Vec<String>> {
        let (list, span) = list.get()?;
        if list.0.is_empty() {
            return self.fail(Draft::new(Code::EmptyList, span, "there is no pattern here"));
        }
        list.0.iter().map(|pattern| self.pattern(pattern)).collect()
    }

    pub(super) fn pattern(&self, text: &Located<String>) -> Option<String> {
        let (text, span) = text.get()?;
        match regex::Regex::new(text) {
            Ok(_) if text.is_empty() => {
                let message = "an empty pattern matches everything, and so says nothing";
                self.fail(Draft::new(Code::BadPattern, span, message))
            }
            Ok(_) => Some(text.clone()),
            Err(error) => {
                // The first lines of what the library says are a picture of the pattern, which stands here anyway.
                let error = error.to_string();
                let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
                self.fail(
                    Draft::new(Code::BadPattern, span, format!("this is no regular expression: {why}"))
                        .help("in double quotes YAML takes `\\` for itself; single quotes leave it alone"),
                )
            }
        }
    }

    pub(super) fn header_name(&self, name: &Located<String>) -> Option<String> {
        let (text, span) = name.get()?;
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if text.is_empty() || !text.bytes().all(is_token) {
            let message = format!("`{text}` is no name of a header");
            return self.fail(Draft::new(Code::BadText, span, message));
        }
        Some(text.clone())
    }

    pub(super) fn pointer(&self, pointer: &Located<String>) -> Option<String> {
        let (text, span) = pointer.get()?;
        let escapes = text.split('~').skip(1);
        let is_pointer = text.is_empty() || text.starts_with('/');
        if !is_pointer || !escapes.into_iter().all(|rest| rest.starts_with(['0', '1'])) {
            let dotted = text.trim_start_matches(['$', '.']);
            let help = format!("write `/{}`", dotted.replace('[', "/").replace(['.'], "/").replace(']', ""));
            let message = format!("`{text}` is no JSON Pointer");
            return self.fail(Draft::new(Code::BadPointer, span, message).help(help));
        }
        Some(text.clone())
    }

    fn value(&self, text: String, span: Span) -> Option<String> {
        if text.len() > LONGEST_VALUE_BYTES {
            let message = format!("a value to compare with has at most {LONGEST_VALUE_BYTES} bytes");
            return self.fail(Draft::new(Code::BadText, span, message));
        }
        Some(text)
    }
}
