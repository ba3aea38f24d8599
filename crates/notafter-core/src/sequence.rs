//! Checks of several steps: what is asked before the probe of a check, and what is taken out of the answers for those
//! that follow.
//!
//! A value that a step captures takes the place of `{{NAME}}` in what later steps, and the probe itself, ask and expect.
//! Records hold the name and never the value: it is a secret as often as not, and another one in every look.

use crate::{Answer, Assertion, Probe, Reading, Refusal, RefusalLayer, Seen, Test, Works};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Most steps before the probe of a check.
pub const MOST_STEPS: usize = 16;
/// Shorter values stand in many texts by chance.
const SHORTEST_TOLD_APART: usize = 8;
/// How much may stand between the braces around a name, in bytes.
const LONGEST_PLACE: usize = 80;
const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// One step of a check, taken over a new connection before its probe looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckStep {
    /// How to look.
    pub probe: Probe,
    /// What must come back; where something else does, the check sees that, and nothing further is asked.
    pub works: Works,
    /// What is taken out of the answer, by the name that stands for it from then on; each a [`Test::Captured`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capture: BTreeMap<String, Assertion>,
}

impl CheckStep {
    /// All that has to be read of its answer.
    #[must_use]
    pub fn to_read(&self) -> Vec<Assertion> {
        self.works.to_read().into_iter().chain(self.capture.values().cloned()).collect()
    }

    /// What `readings`, made for [`CheckStep::to_read`] of the answer in `seen`, hold for the steps that follow.
    ///
    /// # Errors
    /// What the check has seen where the step did not come out as it must.
    pub fn outcome(&self, seen: &Seen, readings: &[Reading]) -> Result<BTreeMap<String, String>, Seen> {
        let answer = match seen {
            Seen::Absent { .. } | Seen::Refused(_) => return Err(seen.clone()),
            Seen::Answered(answer) => answer,
        };
        if !answer.satisfies(&self.works, readings) {
            return Err(unmet(answer, &self.works, readings));
        }
        let captured = self.capture.iter().map(|(name, asked)| {
            let reading = readings.iter().find(|reading| reading.assertion == *asked);
            match reading.and_then(|reading| reading.saw.clone()) {
                Some(value) => Ok((name.clone(), value)),
                None => {
                    let missing = reading.map_or_else(|| asked.to_string(), Reading::instead);
                    Err(Seen::Absent { reason: format!("{missing}, so nothing is captured as {name}") })
                }
            }
        });
        captured.collect()
    }
}

/// An answer that is not what a step must bring; a refusal where it says no by itself.
fn unmet(answer: &Answer, works: &Works, readings: &[Reading]) -> Seen {
    let mut reason = answer.to_string();
    let outcome = Works { exit: works.exit, status: works.status, ..Works::default() };
    // What a page of an error lacks tells nothing more.
    if let Some(reading) = works.unmet(readings).filter(|_| answer.satisfies(&outcome, readings)) {
        reason += &format!("; {}", reading.instead());
    }
    match answer.is_refusal() {
        true => {
            Seen::Refused(Refusal { layer: RefusalLayer::Application, alert: None, reason, culprit: None })
        }
        false => Seen::Absent { reason },
    }
}

/// What steps have captured, by name.
#[derive(Clone, Default)]
pub struct Captured(BTreeMap<String, String>);

/// Without the values.
impl std::fmt::Debug for Captured {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl Captured {
    /// Adds what a further step has captured; a name that is there already stands for the later value.
    pub fn extend(&mut self, captured: BTreeMap<String, String>) {
        self.0.extend(captured);
    }

    /// `text` with the values in the places of their names.
    #[must_use]
    pub fn fill<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.fill_as(text, &str::to_owned)
    }

    fn fill_as<'t>(&self, text: &'t str, written: &dyn Fn(&str) -> String) -> Cow<'t, str> {
        if self.0.is_empty() || !text.contains(OPEN) {
            return Cow::Borrowed(text);
        }
        let (mut filled, mut rest) = (String::with_capacity(text.len()), text);
        while let Some((before, name, after)) = next_name(rest) {
            filled.push_str(before);
            match self.0.get(name) {
                Some(value) => filled.push_str(&written(value)),
                None => filled.push_str(&rest[before.len()..rest.len() - after.len()]),
            }
            rest = after;
        }
        filled.push_str(rest);
        Cow::Owned(filled)
    }

    /// `probe` with the values in it.
    ///
    /// # Errors
    /// Why it cannot be asked so, as a lower-case fragment.
    pub fn fill_probe(&self, probe: &Probe) -> Result<Probe, String> {
        let mut probe = probe.clone();
        for (place, text) in probe.asked_mut() {
            let filled = self.fill(text).into_owned();
            if filled == *text {
                continue;
            }
            let is_in_place = match place {
                AskedIn::Body | AskedIn::Argument | AskedIn::Statement => !filled.contains('\0'),
                AskedIn::Field => {
                    filled.trim() == filled
                        && filled.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
                }
                AskedIn::Path => filled.bytes().all(|byte| byte.is_ascii_graphic()),
            };
            if !is_in_place {
                return Err(format!("what was captured for {text:?} cannot stand in {place}"));
            }
            let needs_slash = place == AskedIn::Path && !filled.starts_with('/');
            *text = if needs_slash { format!("/{filled}") } else { filled };
        }
        Ok(probe)
    }

    /// `assertion` with the values in it.
    #[must_use]
    pub fn fill_assertion(&self, assertion: &Assertion) -> Assertion {
        let plain = |text: &str| self.fill(text).into_owned();
        let test = match &assertion.test {
            Test::Contains(text) => Test::Contains(plain(text)),
            Test::Equals(text) if matches!(assertion.subject, crate::Subject::Json(_)) => {
                // It is compact JSON, and the value stands within one of its strings.
                let escaped = |value: &str| {
                    let quoted = serde_json::Value::String(value.to_owned()).to_string();
                    quoted[1..quoted.len() - 1].to_owned()
                };
                Test::Equals(self.fill_as(text, &escaped).into_owned())
            }
            Test::Equals(text) => Test::Equals(plain(text)),
            Test::Lacks(text) => Test::Lacks(plain(text)),
            // What is captured is no pattern.
            Test::Matches(pattern) => Test::Matches(self.fill_as(pattern, &literal).into_owned()),
            test @ (Test::Captured { .. } | Test::Rises { .. } | Test::SameAsControl { .. }) => test.clone(),
        };
        Assertion { subject: assertion.subject.clone(), test }
    }

    /// `text` with the names in the places of their values, but for short ones that `about` does not name.
    #[must_use]
    pub fn hide(&self, text: &str, about: Option<&Assertion>) -> String {
        let named: BTreeSet<&str> = about.into_iter().flat_map(|it| names_in(it.test.text())).collect();
        let mut values: Vec<(&String, &String)> = self
            .0
            .iter()
            .filter(|(name, value)| {
                value.len() >= SHORTEST_TOLD_APART || (named.contains(name.as_str()) && !value.is_empty())
            })
            .collect();
        // What holds another is looked for before it.
        values.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        values.into_iter().fold(text.to_owned(), |text, (name, value)| {
            if text.contains(value.as_str()) {
                text.replace(value.as_str(), &format!("{OPEN}{name}{CLOSE}"))
            } else {
                text
            }
        })
    }
}

/// A value as a regular expression that matches nothing else.
fn literal(value: &str) -> String {
    let special = |letter: char| letter.is_ascii_punctuation() || letter.is_ascii_whitespace();
    let escaped = value.chars().map(|letter| match letter {
        letter if special(letter) => format!("\\x{:02x}", u32::from(letter)),
        letter => letter.to_string(),
    });
    escaped.collect()
}

/// Whether `name` can stand for what is captured: a letter or `_`, then letters, digits and `_`, at most 63 in all.
#[must_use]
pub fn is_capture_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    first && name.len() <= 63 && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The names in `text` for which something that was captured stands.
pub fn names_in(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, name, after) = next_name(rest)?;
        rest = after;
        Some(name)
    })
}

/// The first name in `text`, and what stands before and behind it.
fn next_name(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let open = from + text[from..].find(OPEN)?;
        let within = &text[open + OPEN.len()..];
        let close =
            within.as_bytes().windows(CLOSE.len()).take(LONGEST_PLACE).position(|it| it == CLOSE.as_bytes());
        let name = close.map(|close| &within[..close]).filter(|name| is_capture_name(name.trim()));
        if let Some(name) = name {
            return Some((&text[..open], name.trim(), &within[name.len() + CLOSE.len()..]));
        }
        from = open + 1;
    }
}

/// Where in what a probe asks a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedIn {
    /// An argument of a command.
    Argument,
    /// The content of a request.
    Body,
    /// The value of a header field.
    Field,
    /// Path and query of a URL.
    Path,
    /// A statement in SQL, or a text to look for.
    Statement,
}

impl std::fmt::Display for AskedIn {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Argument => "an argument",
            Self::Body => "a body",
            Self::Field => "a header",
            Self::Path => "a URL",
            Self::Statement => "a query",
        })
    }
}

impl Probe {
    /// The texts in which something that was captured may stand.
    pub fn asked_mut(&mut self) -> Vec<(AskedIn, &mut String)> {
        match self {
            Self::Exec { command, .. } => command.iter_mut().map(|text| (AskedIn::Argument, text)).collect(),
            Self::Http { path, content, .. } => {
                let fields = content.headers.values_mut().map(|text| (AskedIn::Field, text));
                let body = content.body.iter_mut().map(|text| (AskedIn::Body, text));
                std::iter::once((AskedIn::Path, path)).chain(fields).chain(body).collect()
            }
            Self::Log { contains, .. } => vec![(AskedIn::Statement, contains)],
            Self::Sql { terms, .. } => vec![(AskedIn::Statement, &mut terms.query)],
            Self::Alive { .. }
            | Self::Amqp { .. }
            | Self::Greet { .. }
            | Self::Grpc { .. }
            | Self::Tcp { .. }
            | Self::Tls { .. } => Vec::new(),
        }
    }

    /// The names for which something that was captured stands in what it asks.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        let mut probe = self.clone();
        let texts = probe.asked_mut();
        texts.iter().flat_map(|(_, text)| names_in(text).map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HttpContent, HttpMethod, Subject};

    fn captured(values: &[(&str, &str)]) -> Captured {
        Captured(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn request(path: &str, body: &str) -> Probe {
        let headers = BTreeMap::from([("Authorization".to_owned(), "Bearer {{TOKEN}}".to_owned())]);
        let content = HttpContent { headers, body: Some(body.to_owned()) };
        Probe::Http {
            host: "front".to_owned(),
            port: 80,
            path: path.to_owned(),
            method: HttpMethod::Post,
            content,
            tls: None,
            token: None,
        }
    }

    #[test]
    fn names_stand_between_two_braces_and_nothing_else_does() {
        let text = "{{A}}{{ b_2 }} {{.Names}} {{{C}} {{A b}} {{\"x\": {{}}}} {{D";
        assert_eq!(names_in(text).collect::<Vec<_>>(), ["A", "b_2", "C"]);
        let values = captured(&[("A", "1"), ("b_2", "{{A}}"), ("C", "ä")]);
        assert_eq!(values.fill(text), "1{{A}} {{.Names}} {ä {{A b}} {{\"x\": {{}}}} {{D");
        assert_eq!(captured(&[("OTHER", "1")]).fill("{{A}}"), "{{A}}");
        let braces = "{".repeat(1 << 16);
        assert_eq!(names_in(&braces).count(), 0);
    }

    #[test]
    fn a_probe_asks_with_the_values_and_never_for_more_than_one_thing() {
        let values =
            captured(&[("TOKEN", "secret"), ("PATH", "orders/17"), ("LINES", "a\r\nX: y"), ("BLANK", "a b")]);
        let filled = values.fill_probe(&request("{{PATH}}", "{{LINES}}")).unwrap();
        let Probe::Http { path, content, .. } = filled else { panic!("{filled:?}") };
        assert_eq!((path.as_str(), content.body.as_deref()), ("/orders/17", Some("a\r\nX: y")));
        assert_eq!(content.headers["Authorization"], "Bearer secret");
        let mut split = request("/", "");
        let Probe::Http { content, .. } = &mut split else { panic!("{split:?}") };
        content.headers.insert("X-Id".to_owned(), "{{LINES}}".to_owned());
        assert_eq!(
            values.fill_probe(&split).unwrap_err(),
            "what was captured for \"{{LINES}}\" cannot stand in a header"
        );
        let blank = values.fill_probe(&request("/{{BLANK}}", "")).unwrap_err();
        assert_eq!(blank, "what was captured for \"/{{BLANK}}\" cannot stand in a URL");
        assert_eq!(
            request("/{{PATH}}", "{{LINES}}").names(),
            ["LINES", "PATH", "TOKEN"].map(str::to_owned).into()
        );
    }

    #[test]
    fn what_is_expected_holds_the_values_and_the_record_the_names() {
        let values = captured(&[("ID", "1.5"), ("QUOTED", "a\"b"), ("LONG", "0123456789")]);
        let filled = |subject, test| values.fill_assertion(&Assertion { subject, test }).test;
        let json = Subject::Json("/id".to_owned());
        assert_eq!(
            filled(json, Test::Equals("\"{{QUOTED}}\"".to_owned())),
            Test::Equals("\"a\\\"b\"".to_owned())
        );
        let pattern = filled(Subject::Text, Test::Matches("^{{ID}}$".to_owned()));
        assert_eq!(pattern, Test::Matches("^1\\x2e5$".to_owned()));
        assert_eq!(filled(Subject::Text, Test::Lacks("{{ID}}".to_owned())), Test::Lacks("1.5".to_owned()));
        let about = Assertion::of_text(Test::Contains("order {{ID}}".to_owned()));
        assert_eq!(values.hide("order 1.5 of 0123456789", Some(&about)), "order {{ID}} of {{LONG}}");
        assert_eq!(values.hide("order 1.5 of 0123456789", None), "order 1.5 of {{LONG}}");
        assert_eq!(format!("{values:?}"), "{\"ID\", \"LONG\", \"QUOTED\"}");
    }

    #[test]
    fn a_step_hands_on_what_it_captures_or_says_what_came_instead() {
        let capture =
            Assertion { subject: Subject::Json("/id".to_owned()), test: Test::Captured { pattern: None } };
        let step = CheckStep {
            probe: request("/", ""),
            works: Works::default(),
            capture: BTreeMap::from([("ID".to_owned(), capture.clone())]),
        };
        let reading = |saw: Option<&str>| {
            vec![Reading { assertion: capture.clone(), saw: saw.map(str::to_owned), control: None }]
        };
        let http = |status| Seen::Answered(Answer::Http { status, body: "why\n".to_owned() });
        let outcome = |seen: &Seen, saw| step.outcome(seen, &reading(saw));
        assert_eq!(outcome(&http(200), Some("17")).unwrap()["ID"], "17");
        let missing = "there is no /id of the JSON, so nothing is captured as ID".to_owned();
        assert_eq!(outcome(&http(200), None).unwrap_err(), Seen::Absent { reason: missing });
        let unmet = "HTTP status 500: why".to_owned();
        assert_eq!(outcome(&http(500), Some("17")).unwrap_err(), Seen::Absent { reason: unmet });
        let Err(Seen::Refused(refusal)) = outcome(&http(403), Some("17")) else { panic!("403 is a refusal") };
        assert_eq!(
            (refusal.layer, refusal.reason.as_str()),
            (RefusalLayer::Application, "HTTP status 403: why")
        );
        let gone = Seen::Absent { reason: "nobody listens".to_owned() };
        assert_eq!(outcome(&gone, None).unwrap_err(), gone);
    }
}
