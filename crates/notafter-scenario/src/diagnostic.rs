//! What is wrong, where, and how to mend it.

use crate::{Code, Source};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use notafter_core::SourceLocation;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

/// Diagnostics beyond this many are counted, not kept.
const MAX_KEPT: usize = 50;

/// A range of bytes in the text of a scenario, end exclusive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) begin: usize,
    pub(crate) end: usize,
}

/// A diagnostic in the making: where it points is not yet a line.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    code: Code,
    span: Option<Span>,
    message: String,
    label: Option<String>,
    context: Vec<(Span, String)>,
    help: Option<String>,
}

impl Draft {
    pub(crate) fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { span: Some(span), ..Self::unplaced(code, message) }
    }

    /// One whose place the caller fills in.
    pub(crate) fn unplaced(code: Code, message: impl Into<String>) -> Self {
        Self { code, span: None, message: message.into(), label: None, context: Vec::new(), help: None }
    }

    /// Points to `span` where it pointed nowhere.
    pub(crate) fn or_at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }

    /// What stands beside the marked text.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Another place that explains this one.
    pub(crate) fn context(mut self, span: Span, label: impl Into<String>) -> Self {
        self.context.push((span, label.into()));
        self
    }

    /// What to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Where diagnostics collect while the reading goes on.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    drafts: RefCell<Vec<Draft>>,
    dropped: std::cell::Cell<usize>,
}

impl Sink {
    pub(crate) fn report(&self, draft: Draft) {
        let mut drafts = self.drafts.borrow_mut();
        if drafts.len() < MAX_KEPT {
            drafts.push(draft);
        } else {
            self.dropped.set(self.dropped.get() + 1);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.drafts.borrow().is_empty()
    }

    /// Everything reported so far, in the order of the file.
    pub(crate) fn into_diagnostics(self, source: &Source, lines: &Lines) -> Diagnostics {
        let mut drafts = self.drafts.into_inner();
        drafts.sort_by_key(|draft| draft.span);
        let text: Arc<str> = quotable(&source.text).into();
        let located = |draft| Diagnostic::new(draft, source, lines, Arc::clone(&text));
        let list = drafts.into_iter().map(located).collect();
        Diagnostics { list, dropped: self.dropped.get(), file: source.file.clone() }
    }
}

/// Where the lines of a text begin.
#[derive(Debug)]
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// The place of a byte, which need not begin a character.
    pub(crate) fn locate(&self, source: &Source, byte: usize) -> SourceLocation {
        let byte = source.text.floor_char_boundary(byte);
        let line = self.0.partition_point(|begin| *begin <= byte).max(1);
        let begin = self.0[line - 1];
        let column = source.text[begin..byte].chars().count() + 1;
        let clamp = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        SourceLocation { file: source.file.clone(), line: clamp(line), column: clamp(column) }
    }
}

/// One thing wrong with a scenario file.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// What kind of thing; stable.
    pub code: Code,
    /// What is wrong, as a lower-case fragment without a final period.
    pub message: String,
    /// Where.
    pub location: SourceLocation,
    /// What to do about it, where that is known.
    pub help: Option<String>,
    span: Span,
    label: Option<String>,
    context: Vec<(Span, String)>,
    /// The file as snippets quote it.
    text: Arc<str>,
}

impl Diagnostic {
    fn new(draft: Draft, source: &Source, lines: &Lines, text: Arc<str>) -> Self {
        let fit = |span: Span| {
            let begin = source.text.floor_char_boundary(span.begin);
            Span { begin, end: source.text.floor_char_boundary(span.end).max(begin) }
        };
        let span = fit(draft.span.unwrap_or_default());
        Self {
            code: draft.code,
            message: printable(&draft.message),
            location: lines.locate(source, span.begin),
            help: draft.help.as_deref().map(printable),
            span,
            label: draft.label.as_deref().map(printable),
            context: draft.context.iter().map(|(span, label)| (fit(*span), printable(label))).collect(),
            text,
        }
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mark = |kind: AnnotationKind, span: Span, label: Option<&str>| {
            kind.span(span.begin..span.end).label(label.map(str::to_owned))
        };
        let snippet = Snippet::source(&*self.text)
            .path(self.location.file.as_str())
            .annotation(mark(AnnotationKind::Primary, self.span, self.label.as_deref()))
            .annotations(
                self.context.iter().map(|(span, label)| mark(AnnotationKind::Context, *span, Some(label))),
            );
        let group = Level::ERROR.primary_title(&self.message).id(self.code.as_str()).element(snippet);
        let group = match &self.help {
            Some(help) => group.element(Level::HELP.message(help)),
            None => group,
        };
        renderer.render(&[group])
    }
}

/// The text of a file as snippets may quote it. annotate-snippets replaces control characters of ASCII; those that
/// ISO 6429 adds beyond give way to a character of the same length, so that spans stay right.
fn quotable(text: &str) -> String {
    text.replace(|char: char| ('\u{80}'..='\u{9f}').contains(&char), "\u{bf}")
}

/// Control characters of a hostile file must not reach the terminal.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for char in text.chars() {
        let hides =
            matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if char.is_control() || hides {
            printable.extend(char.escape_debug());
        } else {
            printable.push(char);
        }
    }
    printable
}

/// Whether rendered diagnostics carry terminal colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// ANSI colours.
    Coloured,
    /// Text alone.
    Plain,
}

/// Everything that is wrong with a scenario and the files that it names; never empty.
#[derive(Debug, Clone)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    dropped: usize,
    file: String,
}

impl Diagnostics {
    /// The same with what is wrong with further files.
    pub(crate) fn with(mut self, others: Vec<Self>) -> Self {
        for other in others {
            self.list.extend(other.list);
            self.dropped += other.dropped;
        }
        self
    }

    /// Each of them, file by file and in the order of each.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// How many were found, those beyond the first 50 included.
    #[must_use]
    pub fn found(&self) -> usize {
        self.list.len() + self.dropped
    }

    /// All of them for a reader, each with its code, its place and the lines around it.
    #[must_use]
    pub fn render(&self, palette: Palette) -> String {
        let renderer = match palette {
            Palette::Coloured => Renderer::styled(),
            Palette::Plain => Renderer::plain(),
        };
        let mut rendered: Vec<String> =
            self.list.iter().map(|diagnostic| diagnostic.render(&renderer)).collect();
        if self.dropped > 0 {
            rendered.push(format!("and {} more in {}", self.dropped, printable(&self.file)));
        }
        rendered.join("\n\n") + "\n"
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.list.first() else {
            return write!(formatter, "{} is no scenario", self.file);
        };
        write!(formatter, "{}: {} [{}]", first.location, first.message, first.code)?;
        match self.found() - 1 {
            0 => Ok(()),
            more => write!(formatter, ", and {more} more"),
        }
    }
}

impl std::error::Error for Diagnostics {}
