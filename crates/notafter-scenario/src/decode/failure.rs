//! The error of the decoder: a diagnostic, placed as soon as somebody knows where.

use crate::Code;
use crate::diagnostic::{Draft, Span};
use crate::nearest::nearest;
use std::fmt;

/// A value that could not be decoded.
#[derive(Debug)]
pub(crate) struct Failure(Box<Draft>);

impl Failure {
    pub(crate) fn new(draft: Draft) -> Self {
        Self(Box::new(draft))
    }

    /// Points to `span` where it pointed nowhere.
    pub(crate) fn or_at(self, span: Span) -> Self {
        Self::new(self.0.or_at(span))
    }

    pub(crate) fn into_draft(self) -> Draft {
        *self.0
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}

impl std::error::Error for Failure {}

impl serde::de::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Draft::unplaced(Code::WrongType, message.to_string()))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Draft::unplaced(Code::MissingKey, format!("`{field}` is missing")))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let draft = Draft::unplaced(Code::UnknownValue, format!("`{variant}` is not known here"));
        Self::new(draft.help(did_you_mean(variant, expected)))
    }
}

/// Names the nearest of `names`, or all of them.
pub(crate) fn did_you_mean(wrong: &str, names: &[&str]) -> String {
    match nearest(wrong, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known here: {}", quoted(names)),
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
