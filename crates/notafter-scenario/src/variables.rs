//! `${NAME}` and `${NAME:-default}` in values.

use crate::Code;
use crate::diagnostic::{Draft, Span};

/// The value of a variable, where it is defined.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What became of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expansion {
    /// Variables were put in: it may now be a number where one is expected.
    Expanded,
    /// It names a variable that is not there; reported, and nothing more is to be said about it.
    Failed,
    /// It is as the file has it.
    Literal,
}

/// Why a text cannot be expanded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ExpandError {
    Malformed,
    /// A file of Compose says that it must be set, and why.
    Required {
        name: String,
        why: String,
    },
    TooLong,
    Undefined {
        name: String,
    },
}

impl ExpandError {
    pub(crate) fn draft(self, span: Span) -> Draft {
        match self {
            Self::Malformed => Draft::new(Code::BadVariable, span, "`${` without a variable's name and `}`")
                .help("write `${NAME}` or `${NAME:-default}`, and `$$` for a dollar sign"),
            Self::Required { name, why } => {
                let message = format!("variable `{name}` must be set: {why}");
                Draft::new(Code::UndefinedVariable, span, message)
            }
            Self::TooLong => {
                Draft::new(Code::BadVariable, span, "with this value the scenario becomes too long")
            }
            Self::Undefined { name } => {
                Draft::new(Code::UndefinedVariable, span, format!("variable `{name}` is not set"))
                    .help(format!("set it in the environment, or give a default: `${{{name}:-…}}`"))
            }
        }
    }
}

/// Replaces `${NAME}` by the variable's value, `${NAME:-default}` by the default where it is unset or empty, and `$$`
/// by `$`. Any other `$` stands for itself; what is put in is not looked at again.
pub(crate) fn expand(
    text: &str,
    lookup: Lookup<'_>,
    max_bytes: usize,
) -> Result<(String, Expansion), ExpandError> {
    let mut expanded = String::with_capacity(text.len());
    let mut expansion = Expansion::Literal;
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let (reference, after) = after.split_once('}').ok_or(ExpandError::Malformed)?;
            expanded.push_str(&value_of(reference, lookup)?);
            expansion = Expansion::Expanded;
            rest = after;
        } else {
            expanded.push('$');
        }
        if expanded.len() > max_bytes {
            return Err(ExpandError::TooLong);
        }
    }
    expanded.push_str(rest);
    Ok((expanded, expansion))
}

fn value_of(reference: &str, lookup: Lookup<'_>) -> Result<String, ExpandError> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    if !is_name(name) {
        return Err(ExpandError::Malformed);
    }
    match (lookup(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(ExpandError::Undefined { name: name.to_owned() }),
    }
}

/// Whether `text` can name an environment variable, as shells allow it.
pub(crate) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "A" => Some("a$B".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn variables_defaults_and_escapes() {
        for (text, expected) in [
            ("plain", "plain"),
            ("<${A}>", "<a$B>"),
            ("${NONE:-x y}", "x y"),
            ("${EMPTY:-x}", "x"),
            ("${EMPTY}", ""),
            ("${NONE:-}", ""),
            ("$${A} $host $", "${A} $host $"),
        ] {
            assert_eq!(expand(text, &lookup, 1_000).unwrap().0, expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let undefined = ExpandError::Undefined { name: "NONE".to_owned() };
        assert_eq!(expand("${NONE}", &lookup, 1_000), Err(undefined));
        for text in ["${", "${}", "${1}", "${A-b}", "${A", "${:-x}"] {
            assert_eq!(expand(text, &lookup, 1_000), Err(ExpandError::Malformed), "{text}");
        }
        assert_eq!(expand(&"${A}".repeat(10), &lookup, 20), Err(ExpandError::TooLong));
    }
}
