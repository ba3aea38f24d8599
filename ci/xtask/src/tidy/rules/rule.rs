//! The list of rules, and what they find.

use super::super::Workspace;
use super::{
    clocks, dependencies, descriptions, documents, leftovers, lock, paths, ranks, sizes, unsafe_code,
};
use std::fmt;

/// One thing that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Name of the rule.
    pub rule: &'static str,
    /// Where, relative to the root of the repository.
    pub path: String,
    /// Line, from 1, where one line is to blame.
    pub line: Option<usize>,
    /// What is wrong, as a lower-case fragment.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.path)?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        write!(formatter, ": {} [{}]", self.message, self.rule)
    }
}

/// One rule of the house.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its name, as violations show it.
    pub name: &'static str,
    /// Finds everything that breaks it.
    pub check: fn(&Workspace) -> Vec<Violation>,
}

/// Every rule, in the order in which they run.
pub const RULES: &[Rule] = &[
    Rule { name: clocks::NAME, check: clocks::check },
    Rule { name: dependencies::NAME, check: dependencies::check },
    Rule { name: descriptions::NAME, check: descriptions::check },
    Rule { name: documents::NAME, check: documents::check },
    Rule { name: leftovers::NAME, check: leftovers::check },
    Rule { name: lock::NAME, check: lock::check },
    Rule { name: paths::NAME, check: paths::check },
    Rule { name: ranks::NAME, check: ranks::check },
    Rule { name: sizes::NAME, check: sizes::check },
    Rule { name: unsafe_code::NAME, check: unsafe_code::check },
];

/// Whether `text` holds `word` with no letter, digit or underscore on either side.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let inside = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(word).any(|(begin, _)| {
        let before = text.get(..begin).and_then(|before| before.chars().next_back());
        let after = text.get(begin + word.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(inside) && !after.is_some_and(inside)
    })
}
