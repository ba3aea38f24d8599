//! Secrets: where they come from, and how they are kept out of everything that is recorded.

use crate::Error;
use notafter_core::{EnvValue, Scenario};
use notafter_pki::read::mask_tokens;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ffi::OsString;

/// Lines of a secret shorter than this are not looked for on their own: they would blacken half of every log.
const SHORTEST_LINE: usize = 8;

const PEM_KEY_BEGIN: &str = "-----BEGIN ";
const PEM_KEY_LABEL_END: &str = "PRIVATE KEY-----";
const PEM_KEY_END: &str = "-----END ";

/// The values of the secret variables of a scenario. Never printed.
#[derive(Default)]
pub(crate) struct Secrets {
    values: BTreeMap<String, String>,
    /// What to look for and the variable it belongs to, longest first.
    needles: Vec<(String, String)>,
}

impl Secrets {
    /// Takes the secrets of `scenario` from `environment`.
    ///
    /// # Errors
    /// [`Error::PasswordMissing`], [`Error::SecretMissing`] or [`Error::SecretNotText`] for the first that cannot be had.
    pub(crate) fn collect(
        scenario: &Scenario,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Error> {
        let mut values = BTreeMap::new();
        let mut hidden = BTreeMap::new();
        for service in &scenario.services {
            for (name, value) in &service.env {
                let variable = match value {
                    EnvValue::Hidden(text) => {
                        hidden.insert(format!("{}.{name}", service.name), text.reveal().to_owned());
                        continue;
                    }
                    EnvValue::Plain(_) => continue,
                    EnvValue::Secret(variable) => variable,
                };
                let location = service.location.clone();
                let text = environment(variable).ok_or_else(|| Error::SecretMissing {
                    variable: variable.clone(),
                    service: service.name.clone(),
                    location: location.clone(),
                })?;
                let text = text
                    .into_string()
                    .map_err(|_| Error::SecretNotText { variable: variable.clone(), location })?;
                values.insert(variable.clone(), text);
            }
        }
        let probes = scenario.checks.iter().flat_map(|check| check.probes().map(move |probe| (check, probe)));
        for (check, probe) in probes {
            let location = || check.location.clone();
            match probe.password() {
                Some(EnvValue::Hidden(text)) => {
                    hidden.insert(format!("password of {}", check.name), text.reveal().to_owned());
                }
                Some(EnvValue::Secret(variable)) => {
                    let text = environment(variable).ok_or_else(|| Error::PasswordMissing {
                        variable: variable.clone(),
                        check: check.name.clone(),
                        location: location(),
                    })?;
                    let text = text.into_string().map_err(|_| Error::SecretNotText {
                        variable: variable.clone(),
                        location: location(),
                    })?;
                    values.insert(variable.clone(), text);
                }
                Some(EnvValue::Plain(_)) | None => {}
            }
        }
        // Most of them are settings, and those that are short stand everywhere.
        hidden.retain(|_, value: &mut String| value.len() >= SHORTEST_LINE);
        let hidden = Self::new(hidden).needles;
        let mut secrets = Self::new(values);
        secrets.needles.extend(hidden);
        secrets.needles.sort_by(longest_first);
        Ok(secrets)
    }

    /// The variables that were taken from the environment.
    pub(crate) fn variables(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    fn new(values: BTreeMap<String, String>) -> Self {
        let mut needles = Vec::new();
        for (variable, value) in &values {
            let lines = value.lines().filter(|line| line.len() >= SHORTEST_LINE && *line != value);
            for needle in lines.chain([value.as_str()]) {
                if !needle.is_empty() {
                    needles.push((needle.to_owned(), variable.clone()));
                }
            }
        }
        needles.sort_by(longest_first);
        Self { values, needles }
    }

    /// The value of a secret variable.
    pub(crate) fn value(&self, variable: &str) -> Option<&str> {
        self.values.get(variable).map(String::as_str)
    }

    /// `text` with `[secret VAR]` in place of each secret, `[private key]` in place of each private key in PEM and `[token]`
    /// in place of each signed JSON Web Token.
    pub(crate) fn redact(&self, text: &str) -> String {
        let mut redacted = mask_tokens(&redact_keys(text));
        for (needle, variable) in &self.needles {
            if redacted.contains(needle.as_str()) {
                redacted = redacted.replace(needle.as_str(), &format!("[secret {variable}]"));
            }
        }
        redacted
    }
}

/// What holds another is looked for before it.
fn longest_first(one: &(String, String), other: &(String, String)) -> Ordering {
    other.0.len().cmp(&one.0.len()).then_with(|| one.cmp(other))
}

/// A key whose end is not in `text` is taken out to the end: doubt hides.
fn redact_keys(text: &str) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(PEM_KEY_BEGIN) {
        let (before, from_begin) = rest.split_at(begin);
        redacted.push_str(before);
        let line = from_begin.lines().next().unwrap_or_default();
        if !line.contains(PEM_KEY_LABEL_END) {
            let (marker, after) = from_begin.split_at(PEM_KEY_BEGIN.len());
            redacted.push_str(marker);
            rest = after;
            continue;
        }
        redacted.push_str("[private key]");
        let end = from_begin.find(PEM_KEY_END).and_then(|end| {
            let label = from_begin[end..].find(PEM_KEY_LABEL_END)?;
            Some(end + label + PEM_KEY_LABEL_END.len())
        });
        rest = end.map_or("", |end| &from_begin[end..]);
    }
    redacted.push_str(rest);
    redacted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(values: &[(&str, &str)]) -> Secrets {
        Secrets::new(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn secrets_are_replaced_longest_first() {
        let secrets = secrets(&[("A", "hunter2"), ("B", "hunter2-and-more"), ("EMPTY", "")]);
        assert_eq!(
            secrets.redact("x hunter2 y hunter2-and-more z hunter2"),
            "x [secret A] y [secret B] z [secret A]"
        );
    }

    #[test]
    fn the_lines_of_a_long_secret_are_replaced_one_by_one() {
        let secrets = secrets(&[("LICENCE", "first-line\nab\nsecond-line\n")]);
        assert_eq!(
            secrets.redact("got second-line, first-line, ab"),
            "got [secret LICENCE], [secret LICENCE], ab"
        );
    }

    #[test]
    fn signed_tokens_are_replaced() {
        // {"alg":"HS256"}, {"exp":1900000000}, and what has the length of a signature.
        let token = format!("eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE5MDAwMDAwMDB9.{}", "a".repeat(43));
        let nothing = Secrets::default();
        assert_eq!(
            nothing.redact(&format!("Bearer {token}, eyJ and\n{token}: \"{token}\". {token}...")),
            "Bearer [token], eyJ and\n[token]: \"[token]\". [token]..."
        );
    }

    #[test]
    fn private_keys_are_replaced_even_when_cut_off() {
        let nothing = Secrets::default();
        let key = "a -----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\nb";
        assert_eq!(nothing.redact(key), "a [private key]\nb");
        assert_eq!(nothing.redact("-----BEGIN PRIVATE KEY-----\nAAAA"), "[private key]");
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(nothing.redact(certificate), certificate);
    }
}
