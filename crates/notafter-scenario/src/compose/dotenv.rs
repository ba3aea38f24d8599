//! Files of variables: `.env` beside a Compose file, and those that `env_file` names.

use super::interpolate::interpolate;
use crate::diagnostic::Span;
use crate::variables::{ExpandError, Lookup, is_name};

/// One line that says something.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// None asks for the variable of whoever runs Compose.
    pub(crate) value: Option<String>,
}

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    Expand(ExpandError),
    Malformed(&'static str),
}

/// Whether a file's values are looked at for variables and quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Interpolated,
    Raw,
}

/// Every line of `text` that says something; a value may name variables of `lookup` and of the lines above it.
pub(crate) fn parse(
    text: &str,
    format: Format,
    lookup: Lookup<'_>,
    max_bytes: usize,
) -> Result<Vec<Line>, (Span, Wrong)> {
    let mut lines: Vec<Line> = Vec::new();
    let mut at = 0;
    let mut left = max_bytes;
    for line in text.split_inclusive('\n') {
        let span = Span { begin: at, end: at + line.trim_end().len() };
        at += line.len();
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(value)),
            None => (line, None),
        };
        if !is_name(name) {
            return Err((span, Wrong::Malformed("write `NAME=value`")));
        }
        let known = |name: &str| {
            let above = lines.iter().rev().find(|line| line.name == name);
            lookup(name).or_else(|| above.and_then(|line| line.value.clone()))
        };
        let value = match (value, format) {
            (Some(value), Format::Raw) => Some(value.to_owned()),
            (Some(value), Format::Interpolated) => {
                Some(read(value.trim_start(), &known, left).map_err(|wrong| (span, wrong))?)
            }
            (None, _) => None,
        };
        left = left.saturating_sub(value.as_ref().map_or(0, String::len));
        lines.push(Line { name: name.to_owned(), value });
    }
    Ok(lines)
}

fn read(value: &str, lookup: Lookup<'_>, left: usize) -> Result<String, Wrong> {
    let open = Wrong::Malformed("a quote ends on the line on which it begins");
    let expand = |text: &str| interpolate(text, lookup, left).map(|(value, _)| value).map_err(Wrong::Expand);
    if let Some(rest) = value.strip_prefix('\'') {
        return rest.find('\'').map(|end| rest[..end].to_owned()).ok_or(open);
    }
    if let Some(rest) = value.strip_prefix('"') {
        let mut plain = String::new();
        let mut chars = rest.chars();
        loop {
            match chars.next() {
                None => return Err(open),
                Some('"') => return expand(&plain),
                Some('\\') => match chars.next() {
                    Some('n') => plain.push('\n'),
                    Some('r') => plain.push('\r'),
                    Some('t') => plain.push('\t'),
                    Some('$') => plain.push_str("$$"),
                    Some(char) => plain.push(char),
                    None => return Err(open),
                },
                Some(char) => plain.push(char),
            }
        }
    }
    let end = value.find(" #").unwrap_or(value.len());
    expand(value[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<Line>, (Span, Wrong)> {
        let lookup = |name: &str| (name == "HOST").then(|| "h".to_owned());
        parse(text, Format::Interpolated, &lookup, 1_000)
    }

    #[test]
    fn lines_with_quotes_comments_and_variables() {
        let text = "# c\n\nA=1\nexport B = two words # note\nC='$A # x'\nD=\"${A}\\n\\$B $HOST\"\nE=\nF\nG=${NONE:-d}\n";
        let value = |text: &str| Some(text.to_owned());
        let expected = [
            ("A", value("1")),
            ("B", value("two words")),
            ("C", value("$A # x")),
            ("D", value("1\n$B h")),
            ("E", value("")),
            ("F", None),
            ("G", value("d")),
        ];
        let expected = expected.map(|(name, value)| Line { name: name.to_owned(), value });
        assert_eq!(of(text).unwrap(), expected);
    }

    #[test]
    fn a_wrong_line_is_named() {
        assert_eq!(of("A=1\nB C=2\n").unwrap_err().0, Span { begin: 4, end: 9 });
        for text in ["=x", "1A=2", "A='x", "A=\"x", "A=${", "A=$NONE"] {
            assert!(of(text).is_err(), "{text}");
        }
    }
}
