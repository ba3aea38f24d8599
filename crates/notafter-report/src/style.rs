//! The one place that knows colours. A style sheet is chosen once, by the binary; the text never depends on it.

use anstyle::{AnsiColor, Style};
use notafter_core::{Decision, Outcome};

/// What each kind of text looks like. Every style carries emphasis only: a report reads the same without it.
#[derive(Debug, Clone, Copy, Default)]
pub struct StyleSheet {
    /// The decision `allow`, a case that passed.
    pub allow: Style,
    /// The decision `block`, a case that failed.
    pub block: Style,
    /// The decision `inconclusive`, a case in which the gate could not look.
    pub inconclusive: Style,
    /// The rest of a headline, and what begins a section.
    pub heading: Style,
    /// Names of fields and columns.
    pub label: Style,
    /// What services wrote.
    pub quote: Style,
    /// Command lines to copy.
    pub command: Style,
}

impl StyleSheet {
    /// No colours at all: for files, pipes and `NO_COLOR`.
    #[must_use]
    pub const fn plain() -> Self {
        let none = Style::new();
        Self {
            allow: none,
            block: none,
            inconclusive: none,
            heading: none,
            label: none,
            quote: none,
            command: none,
        }
    }

    /// The 16 colours that every terminal has, for dark and light backgrounds alike.
    #[must_use]
    pub const fn ansi() -> Self {
        Self {
            allow: AnsiColor::Green.on_default().bold(),
            block: AnsiColor::Red.on_default().bold(),
            inconclusive: AnsiColor::Yellow.on_default().bold(),
            heading: Style::new().bold(),
            label: Style::new().dimmed(),
            quote: Style::new().italic(),
            command: AnsiColor::Cyan.on_default(),
        }
    }

    pub(crate) fn decision(&self, decision: Decision) -> Style {
        match decision {
            Decision::Allow => self.allow,
            Decision::Block => self.block,
            Decision::Inconclusive => self.inconclusive,
        }
    }

    pub(crate) fn outcome(&self, outcome: Option<Outcome>) -> Style {
        match outcome {
            Some(Outcome::Pass) => self.allow,
            Some(Outcome::Fail) => self.block,
            Some(Outcome::Error) => self.inconclusive,
            Some(Outcome::Skip) | None => self.label,
        }
    }
}
