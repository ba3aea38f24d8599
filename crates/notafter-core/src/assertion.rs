//! What must be true of an answer beyond its outcome, and what was read of the answer while it was whole.
//!
//! A record keeps the beginning or the end of an answer alone. What an expectation asks about the rest is read when the
//! answer comes, and kept beside it: so that a saved record can be judged again, and no judgement rests on a part.

use crate::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The part of an answer that an assertion is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// The fields of an HTTP response with this name, whatever its case, joined by `, ` (RFC 9110 §5.3).
    Header(String),
    /// The value at this pointer (RFC 6901) of the JSON that the answer is.
    Json(String),
    /// The text of the answer: a body, the output of a command, a line.
    Text,
}

impl std::fmt::Display for Subject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Header(name) => write!(formatter, "header {name}"),
            Self::Json(pointer) if pointer.is_empty() => formatter.write_str("the JSON"),
            Self::Json(pointer) => write!(formatter, "{pointer} of the JSON"),
            Self::Text => formatter.write_str("the answer"),
        }
    }
}

/// What must be true of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// Something stands there, which a check of several steps takes along: what the regular expression matches of it, of
    /// its first group where it has one; all of it where none is given.
    Captured {
        /// The regular expression.
        pattern: Option<String>,
    },
    /// It holds this text.
    Contains(String),
    /// It is this: a text, but for blanks and line breaks at its end; of a JSON value compact JSON.
    Equals(String),
    /// It does not hold this text.
    Lacks(String),
    /// This regular expression matches somewhere in it.
    Matches(String),
    /// A number stands there that is higher than so long before, on the candidate's clock: what it counts goes on. One that is
    /// lower was begun anew with its process, and is compared from there on.
    Rises {
        /// As of [`Test::Captured`].
        pattern: Option<String>,
        /// How long; looks between compare nothing.
        every: Duration,
    },
    /// It is what it was at the first look of the run, which is one of the control, once all that one of these regular
    /// expressions matches is left out.
    SameAsControl {
        /// What may differ, such as a date.
        mask: Vec<String>,
    },
}

impl Test {
    /// What it compares with; empty where there is nothing of the kind.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Contains(text) | Self::Equals(text) | Self::Lacks(text) | Self::Matches(text) => text,
            Self::Captured { .. } | Self::Rises { .. } | Self::SameAsControl { .. } => "",
        }
    }
}

/// One thing that must be true of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Assertion {
    /// Of which part.
    pub subject: Subject,
    /// What.
    pub test: Test,
}

impl Assertion {
    /// About the text of the answer.
    #[must_use]
    pub fn of_text(test: Test) -> Self {
        Self { subject: Subject::Text, test }
    }
}

/// What must be true, as a fragment after "works".
impl std::fmt::Display for Assertion {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { subject, test } = self;
        match (subject, test) {
            (Subject::Json(_), Test::Equals(value)) => write!(formatter, "with {value} as {subject}"),
            (_, Test::Equals(value)) => write!(formatter, "with {value:?} as {subject}"),
            (_, Test::Contains(text)) => write!(formatter, "with {text:?} in {subject}"),
            (_, Test::Lacks(text)) => write!(formatter, "without {text:?} in {subject}"),
            (_, Test::Matches(pattern)) => write!(formatter, "with a match of /{pattern}/ in {subject}"),
            (_, Test::SameAsControl { .. }) => write!(formatter, "with {subject} as in the control"),
            (_, Test::Captured { .. }) => write!(formatter, "with {subject}"),
            (_, Test::Rises { every, .. }) => {
                let every = i64::try_from(every.as_secs()).unwrap_or(i64::MAX);
                write!(formatter, "with a number that rises every {} in {subject}", Span::from_secs(every))
            }
        }
    }
}

/// What was read of an answer for one assertion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reading {
    /// For which.
    pub assertion: Assertion,
    /// What its test is about, at most 4 KiB: the value of a header or of JSON as compact JSON, the line in which a text
    /// stands, what a regular expression matched, the whole answer without what may differ. None: there is no such thing.
    pub saw: Option<String>,
    /// For [`Test::SameAsControl`]: the same of the first look; none in that one. For [`Test::Rises`]: the number at the look
    /// with which this one is compared; none where it is compared with none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
}

impl Reading {
    /// Whether the number that was read is lower than `earlier`: whoever counts was begun anew.
    #[must_use]
    pub fn is_begun_anew(&self, earlier: &String) -> bool {
        matches!((number(self.saw.as_ref()), number(Some(earlier))), (Some(saw), Some(earlier)) if saw < earlier)
    }

    /// Whether the assertion is true.
    #[must_use]
    pub fn holds(&self) -> bool {
        match &self.assertion.test {
            Test::Captured { .. } | Test::Contains(_) | Test::Matches(_) => self.saw.is_some(),
            Test::Equals(value) => self.saw.as_ref().is_some_and(|saw| match self.assertion.subject {
                Subject::Json(_) => saw == value || same_number(saw, value),
                Subject::Header(_) | Subject::Text => saw.trim_end() == value,
            }),
            Test::Lacks(_) => self.saw.is_none(),
            Test::Rises { .. } => match (number(self.saw.as_ref()), number(self.control.as_ref())) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(saw), Some(before)) => saw > before,
            },
            Test::SameAsControl { .. } => {
                self.saw.is_some() && (self.control.is_none() || self.control == self.saw)
            }
        }
    }

    /// What was seen instead of what the assertion says, as a fragment.
    #[must_use]
    pub fn instead(&self) -> String {
        let subject = &self.assertion.subject;
        match (&self.assertion.test, &self.saw, &self.control) {
            (Test::SameAsControl { .. }, Some(saw), Some(control)) => {
                let (was, is) = first_difference(control, saw);
                format!("{subject} is {is:?}, and was {was:?} in the control")
            }
            (Test::Contains(text), None, _) => format!("{subject} holds no {text:?}"),
            (
                Test::Matches(pattern)
                | Test::Captured { pattern: Some(pattern) }
                | Test::Rises { pattern: Some(pattern), .. },
                None,
                _,
            ) => {
                format!("/{pattern}/ does not match {subject}")
            }
            (Test::Lacks(_), Some(line), _) => format!("{subject} holds {line:?}"),
            (Test::Equals(_), Some(saw), _) => match subject {
                Subject::Json(_) => format!("{subject} is {saw}"),
                Subject::Header(_) | Subject::Text => format!("{subject} is {saw:?}"),
            },
            (Test::Rises { every, .. }, Some(saw), Some(_)) => {
                let every = i64::try_from(every.as_secs()).unwrap_or(i64::MAX);
                format!(
                    "the number in {subject} is {saw}, as it was at least {} before",
                    Span::from_secs(every)
                )
            }
            (Test::Rises { .. }, Some(saw), None) => format!("{saw:?} in {subject} is no number"),
            (_, None, _) => format!("there is no {subject}"),
            (_, Some(saw), _) => format!("{subject} is {saw:?}"),
        }
    }
}

/// The number that `text` is, but for blanks around it.
fn number(text: Option<&String>) -> Option<f64> {
    text?.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

/// Whether two JSON texts are the same number, as 1 and 1.0 are.
fn same_number(one: &str, other: &str) -> bool {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        // Beyond that two whole numbers can look alike.
        (Ok(one), Ok(other)) => one == other && one.abs() < 9e15,
        _ => false,
    }
}

/// How much of a line stands before what differs.
const CONTEXT_CHARS: usize = 24;

/// The first lines in which two texts differ, from shortly before the difference on; an empty one where a text has
/// ended.
fn first_difference<'a>(one: &'a str, other: &'a str) -> (&'a str, &'a str) {
    let (mut ones, mut others) = (one.lines(), other.lines());
    loop {
        match (ones.next(), others.next()) {
            (Some(one), Some(other)) if one == other => {}
            (None, None) => return (one, other), // they differ in their line ends
            (one, other) => return from_difference(one.unwrap_or_default(), other.unwrap_or_default()),
        }
    }
}

fn from_difference<'a>(one: &'a str, other: &'a str) -> (&'a str, &'a str) {
    let same = one.char_indices().zip(other.chars()).take_while(|((_, one), other)| one == other);
    let begins: Vec<usize> = same.map(|((at, _), _)| at).collect();
    let from = begins.len().checked_sub(CONTEXT_CHARS).map_or(0, |index| begins[index]);
    (&one[from..], &other[from..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(subject: Subject, test: Test, saw: Option<&str>, control: Option<&str>) -> Reading {
        let text = |text: &str| text.to_owned();
        Reading { assertion: Assertion { subject, test }, saw: saw.map(text), control: control.map(text) }
    }

    #[test]
    fn what_was_read_decides() {
        let json = || Subject::Json("/n".to_owned());
        let header = || Subject::Header("Server".to_owned());
        let equals = |value: &str| Test::Equals(value.to_owned());
        let same = || Test::SameAsControl { mask: Vec::new() };
        let rises = || Test::Rises { pattern: None, every: Duration::from_secs(3_600) };
        for (subject, test, saw, control, holds) in [
            (Subject::Text, Test::Contains("a".to_owned()), Some("a line"), None, true),
            (Subject::Text, Test::Contains("a".to_owned()), None, None, false),
            (Subject::Text, Test::Lacks("a".to_owned()), None, None, true),
            (Subject::Text, Test::Lacks("a".to_owned()), Some("a line"), None, false),
            (header(), equals("nginx"), Some("nginx"), None, true),
            (Subject::Text, equals("1"), Some("1\n"), None, true),
            (header(), equals("1"), Some("1.0"), None, false),
            (header(), equals("nginx"), None, None, false),
            (json(), equals("1"), Some("1.0"), None, true),
            (json(), equals("9007199254740993"), Some("9007199254740992"), None, false),
            (json(), equals("\"1\""), Some("1"), None, false),
            (json(), equals("null"), None, None, false),
            (Subject::Text, same(), Some("x"), None, true),
            (Subject::Text, same(), Some("x"), Some("x"), true),
            (Subject::Text, same(), Some("y"), Some("x"), false),
            (Subject::Text, same(), None, Some("x"), false),
            (Subject::Text, rises(), Some("x"), None, false),
            (Subject::Text, rises(), Some(" 7\n"), None, true),
            (Subject::Text, rises(), Some("10"), Some("9"), true),
            (Subject::Text, rises(), Some("9.0"), Some("9"), false),
            (Subject::Text, rises(), None, Some("9"), false),
        ] {
            let reading = reading(subject, test, saw, control);
            assert_eq!(reading.holds(), holds, "{reading:?}");
        }
    }

    #[test]
    fn a_number_that_stands_still_is_told_with_the_time() {
        let rises = || Test::Rises { pattern: None, every: Duration::from_secs(3_600) };
        let told = |saw: Option<&str>, control| reading(Subject::Text, rises(), saw, control).instead();
        assert_eq!(
            told(Some("7"), Some("7")),
            "the number in the answer is 7, as it was at least 1 h before"
        );
        assert_eq!(told(Some("up"), None), "\"up\" in the answer is no number");
    }

    #[test]
    fn the_first_line_that_differs_is_told() {
        let same = Test::SameAsControl { mask: Vec::new() };
        let told = reading(Subject::Text, same, Some("a\nnew\nc"), Some("a\nold\nc")).instead();
        assert_eq!(told, "the answer is \"new\", and was \"old\" in the control");
        assert_eq!(first_difference("a\n", "a\nb\n"), ("", "b"));
        let long = "ä".repeat(100);
        let (one, other) = (format!("{long}1"), format!("{long}2"));
        let short = "ä".repeat(CONTEXT_CHARS);
        assert_eq!(first_difference(&one, &other), (&*format!("{short}1"), &*format!("{short}2")));
    }
}
