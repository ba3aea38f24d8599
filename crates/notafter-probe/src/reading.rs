//! What assertions ask about is read of an answer while it is whole.
//!
//! What must never happen here: judging. A reading says what was there.

use crate::Error;
use notafter_core::{Assertion, Reading, Subject, Test};
use regex::Regex;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// How much of a value is kept.
const KEPT_BYTES: usize = 4096;
/// Longest value that is taken along from one step of a check to the next.
const MOST_CAPTURED_BYTES: usize = 16 << 10;
/// What a regular expression may take of memory once compiled.
const PATTERN_BYTES: usize = 1 << 20;
/// Stands where something that may differ was left out.
const MASKED: &str = "[…]";

/// An answer as it came.
#[derive(Debug, Clone, Copy)]
pub struct Whole<'a> {
    /// Names and values of the fields of an HTTP response.
    pub headers: &'a [(String, String)],
    /// Its text.
    pub text: &'a str,
    /// Whether there was more of the text than was read.
    pub is_cut: bool,
}

impl<'a> Whole<'a> {
    /// An answer that is nothing but a text, read to its end.
    #[must_use]
    pub fn of_text(text: &'a str) -> Self {
        Self { headers: &[], text, is_cut: false }
    }
}

/// Reads what assertions are about.
#[derive(Debug, Default)]
pub struct Reader(Vec<(Assertion, Vec<Regex>)>);

impl Reader {
    /// Compiles the regular expressions of `assertions`.
    ///
    /// # Errors
    /// [`Error::Pattern`].
    pub fn new(assertions: Vec<Assertion>) -> Result<Self, Error> {
        let compiled = |assertion: Assertion| {
            let patterns = match &assertion.test {
                Test::Captured { pattern } | Test::Rises { pattern, .. } => pattern.as_slice(),
                Test::Contains(_) | Test::Equals(_) | Test::Lacks(_) => &[][..],
                Test::Matches(pattern) => std::slice::from_ref(pattern),
                Test::SameAsControl { mask } => mask,
            };
            let patterns = patterns.iter().map(|pattern| compile(pattern)).collect::<Result<_, _>>()?;
            Ok((assertion, patterns))
        };
        assertions.into_iter().map(compiled).collect::<Result<_, _>>().map(Self)
    }

    /// One reading for each assertion.
    #[must_use]
    pub fn read(&self, whole: &Whole<'_>) -> Vec<Reading> {
        // Read once, whatever is asked of it.
        let asks_json = self.0.iter().any(|(assertion, _)| matches!(assertion.subject, Subject::Json(_)));
        let json: Option<serde_json::Value> =
            asks_json.then(|| serde_json::from_str(whole.text).ok()).flatten();
        let read = |(assertion, patterns): &(Assertion, Vec<Regex>)| {
            let part = match (&assertion.subject, &assertion.test) {
                // A pattern is about what a JSON text says, not about how JSON writes it.
                (Subject::Json(pointer), Test::Captured { .. } | Test::Matches(_) | Test::Rises { .. }) => {
                    json.as_ref().and_then(|json| json.pointer(pointer)).map(|value| match value.as_str() {
                        Some(text) => Cow::Borrowed(text),
                        None => Cow::Owned(value.to_string()),
                    })
                }
                (part, _) => subject(part, whole, json.as_ref()),
            };
            let saw = part.and_then(|part| tested(&part, &assertion.test, patterns, whole));
            let saw = match &assertion.test {
                // A part of it would be another value.
                Test::Captured { .. } | Test::Rises { .. } => {
                    saw.filter(|value| value.len() <= MOST_CAPTURED_BYTES)
                }
                _ => saw.map(kept),
            };
            Reading { assertion: assertion.clone(), saw, control: None }
        };
        self.0.iter().map(read).collect()
    }
}

/// A regular expression within bounds.
///
/// # Errors
/// [`Error::Pattern`].
pub fn compile(pattern: &str) -> Result<Regex, Error> {
    let built = regex::RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build();
    built.map_err(|source| Error::Pattern { pattern: pattern.to_owned(), source: Box::new(source) })
}

fn subject<'a>(
    subject: &Subject,
    whole: &Whole<'a>,
    json: Option<&serde_json::Value>,
) -> Option<Cow<'a, str>> {
    match subject {
        Subject::Header(name) => {
            let fields = whole.headers.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
            let values: Vec<&str> = fields.map(|(_, value)| value.as_str()).collect();
            (!values.is_empty()).then(|| Cow::Owned(values.join(", ")))
        }
        Subject::Json(pointer) => Some(Cow::Owned(json?.pointer(pointer)?.to_string())),
        Subject::Text => Some(Cow::Borrowed(whole.text)),
    }
}

/// What `test` is about in `part`.
fn tested(part: &str, test: &Test, patterns: &[Regex], whole: &Whole<'_>) -> Option<String> {
    match test {
        // Its end may be missing.
        Test::Captured { pattern: None } | Test::Rises { pattern: None, .. } if whole.is_cut => None,
        Test::Captured { .. } | Test::Rises { .. } => {
            let value = match patterns.first() {
                Some(pattern) => {
                    let found = pattern.captures(part)?;
                    let found = found.get(1).or_else(|| found.get(0))?;
                    if whole.is_cut && found.end() == part.len() {
                        return None;
                    }
                    found.as_str()
                }
                None => part.trim(),
            };
            (!value.is_empty()).then(|| value.to_owned())
        }
        Test::Contains(text) => line_with(part, text),
        Test::Equals(_) => Some(part.to_owned()),
        // What was not read may hold it.
        Test::Lacks(_) if whole.is_cut => Some("more than could be read".to_owned()),
        Test::Lacks(text) => line_with(part, text),
        Test::Matches(_) => patterns.first()?.find(part).map(|found| found.as_str().to_owned()),
        Test::SameAsControl { .. } if whole.is_cut => None,
        Test::SameAsControl { .. } => {
            let masked = patterns.iter().fold(Cow::Borrowed(part), |text, pattern| {
                Cow::Owned(pattern.replace_all(&text, regex::NoExpand(MASKED)).into_owned())
            });
            Some(masked.into_owned())
        }
    }
}

fn line_with(part: &str, text: &str) -> Option<String> {
    let at = part.find(text)?;
    let begin = part[..at].rfind('\n').map_or(0, |before| before + 1);
    let end = part[at + text.len()..].find('\n').map_or(part.len(), |after| at + text.len() + after);
    // So that what was looked for is in what is kept.
    let begin = if at - begin > KEPT_BYTES / 2 { at } else { begin };
    Some(part[begin..end].trim_end().to_owned())
}

/// What of `text` goes into the record: all of it, or its beginning and a digest that tells two apart.
fn kept(text: String) -> String {
    if text.len() <= KEPT_BYTES {
        return text;
    }
    let end = (0..=KEPT_BYTES - 128).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let digest: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}\n… {} bytes, SHA-256 {digest}", &text[..end], text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(subject: Subject, test: Test, whole: &Whole<'_>) -> (Option<String>, bool) {
        let reader = Reader::new(vec![Assertion { subject, test }]).unwrap();
        let reading = reader.read(whole).remove(0);
        (reading.saw.clone(), reading.holds())
    }

    #[test]
    fn each_part_of_an_answer_is_read() {
        let headers = [("Vary", "a"), ("vary", "b"), ("ETag", "\"x\"")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let text = r#"{"status": "up", "n": [1, 2.0], "deep": {"a/b": null}}"#;
        let whole = Whole { headers: &headers, text, is_cut: false };
        let header = |name: &str| Subject::Header(name.to_owned());
        let json = |pointer: &str| Subject::Json(pointer.to_owned());
        let equals = |value: &str| Test::Equals(value.to_owned());
        let matches = |pattern: &str| Test::Matches(pattern.to_owned());
        for (subject, test, saw, holds) in [
            (header("VARY"), equals("a, b"), Some("a, b"), true),
            (header("etag"), matches("^\"x"), Some("\"x"), true),
            (header("Server"), matches(""), None, false),
            (json("/status"), equals("\"up\""), Some("\"up\""), true),
            (json("/status"), matches("^up$"), Some("up"), true),
            (json("/n/1"), equals("2"), Some("2.0"), true),
            (json("/n"), equals("[1,2.0]"), Some("[1,2.0]"), true),
            (json("/deep/a~1b"), equals("null"), Some("null"), true),
            (json("/deep/other"), equals("null"), None, false),
            (Subject::Text, matches(r"n.: \["), Some("n\": ["), true),
            (Subject::Text, Test::Contains("deep".to_owned()), Some(text), true),
            (Subject::Text, Test::Lacks("down".to_owned()), None, true),
            (Subject::Text, Test::Lacks("up".to_owned()), Some(text), false),
        ] {
            let found = read(subject.clone(), test.clone(), &whole);
            assert_eq!(found, (saw.map(str::to_owned), holds), "{subject:?} {test:?}");
        }
        let no_json = Whole::of_text("up");
        assert_eq!(read(json("/status"), equals("\"up\""), &no_json), (None, false));
    }

    #[test]
    fn what_is_captured_is_whole_or_nothing() {
        let captured = |pattern: Option<&str>| Test::Captured { pattern: pattern.map(str::to_owned) };
        let headers = [("Location".to_owned(), "https://front/orders/17".to_owned())];
        let long =
            format!(r#"{{"token": "a b", "id": 17, "long": "{}"}}"#, "x".repeat(MOST_CAPTURED_BYTES + 1));
        let whole = Whole { headers: &headers, text: &long, is_cut: false };
        let json = |pointer: &str| Subject::Json(pointer.to_owned());
        let location = || Subject::Header("location".to_owned());
        for (subject, pattern, saw) in [
            (json("/token"), None, Some("a b")),
            (json("/id"), None, Some("17")),
            (json("/none"), None, None),
            (json("/long"), None, None),
            (location(), None, Some("https://front/orders/17")),
            (location(), Some("/orders/.*"), Some("/orders/17")),
            (location(), Some("/orders/(.*)"), Some("17")),
            (location(), Some("/carts/(.*)"), None),
            (Subject::Text, Some("\"token\": \"(.*?)\""), Some("a b")),
        ] {
            let found = read(subject.clone(), captured(pattern), &whole);
            assert_eq!(found, (saw.map(str::to_owned), saw.is_some()), "{subject:?} {pattern:?}");
        }
        let cut = Whole { headers: &[], text: "begin", is_cut: true };
        assert!(!read(Subject::Text, captured(None), &cut).1);
        assert!(!read(Subject::Text, captured(Some("g.*")), &cut).1);
        assert!(read(Subject::Text, captured(Some("e")), &cut).1);
    }

    #[test]
    fn what_lies_beyond_the_end_is_not_taken_for_absent() {
        let cut = Whole { headers: &[], text: "beginning", is_cut: true };
        assert!(!read(Subject::Text, Test::Lacks("end".to_owned()), &cut).1);
        assert!(!read(Subject::Text, Test::SameAsControl { mask: Vec::new() }, &cut).1);
    }

    #[test]
    fn a_mask_hides_what_may_differ_and_a_digest_keeps_long_answers_apart() {
        let mask =
            || Test::SameAsControl { mask: vec![r"\d{4}-\d\d-\d\d".to_owned(), "took .* ms".to_owned()] };
        let whole = Whole::of_text("2031-01-01: fine, took 3 ms");
        assert_eq!(read(Subject::Text, mask(), &whole).0.unwrap(), "[…]: fine, […]");
        let long = "ä".repeat(KEPT_BYTES);
        let seen = [format!("{long}1"), format!("{long}2")]
            .map(|text| read(Subject::Text, mask(), &Whole::of_text(&text)).0.unwrap());
        assert!(seen[0] != seen[1] && seen[0].len() <= KEPT_BYTES, "{seen:?}");
    }

    #[test]
    fn a_pattern_out_of_bounds_is_an_error() {
        for pattern in ["(", r"(\w{500}){500}"] {
            assert!(matches!(compile(pattern), Err(Error::Pattern { .. })), "{pattern}");
        }
    }
}
