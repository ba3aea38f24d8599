//! The files that a Compose project is made of, and what is wrong with each.

use crate::decode::{Node, read_with};
use crate::diagnostic::{Diagnostics, Draft, Lines, Sink, Span};
use crate::source::{Entry, Files, plain};
use crate::{Code, MAX_BYTES, Source};
use notafter_core::SourceLocation;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::interpolate::interpolate;
use crate::variables::Lookup;

/// Files of one project, those of `extends` and `env_file` included.
const MAX_FILES: usize = 64;

/// A place in one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    file: usize,
    pub(crate) span: Span,
}

#[derive(Debug)]
struct Opened {
    /// Relative to the scenario's directory.
    path: PathBuf,
    source: Source,
    lines: Lines,
    sink: Sink,
}

/// The files that were opened so far.
pub(crate) struct Folder<'a> {
    files: &'a dyn Files,
    /// The scenario's directory; all paths below are relative to it.
    directory: PathBuf,
    opened: RefCell<Vec<Rc<Opened>>>,
}

impl<'a> Folder<'a> {
    pub(crate) fn new(files: &'a dyn Files, directory: PathBuf) -> Self {
        Self { files, directory, opened: RefCell::default() }
    }

    /// Opens the text file at `path`; the number by which places name it.
    ///
    /// # Errors
    /// Why it cannot be had, as a lower-case fragment.
    pub(crate) fn open(&self, path: &Path) -> Result<usize, String> {
        let mut opened = self.opened.borrow_mut();
        let path = plain(path);
        if let Some(at) = opened.iter().position(|known| known.path == path) {
            return Ok(at);
        }
        let shown = path.display();
        if opened.len() >= MAX_FILES {
            return Err(format!("`{shown}` is one file too many: a project has {MAX_FILES} at most"));
        }
        let whole = self.directory.join(&path);
        let bytes =
            self.files.read(&whole, MAX_BYTES).map_err(|error| format!("cannot read `{shown}`: {error}"))?;
        let text = String::from_utf8(bytes).map_err(|_| format!("`{shown}` is not UTF-8 text"))?;
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        let file = plain(&whole).display().to_string();
        let lines = Lines::of(&text);
        let source = Source::new(file, text, directory);
        opened.push(Rc::new(Opened { path, source, lines, sink: Sink::default() }));
        Ok(opened.len() - 1)
    }

    /// Whether something is at `path`, and what.
    pub(crate) fn look(&self, path: &Path) -> std::io::Result<Entry> {
        self.files.look(&self.directory.join(path))
    }

    /// The nodes of an opened file; what is wrong with its YAML is reported.
    pub(crate) fn nodes(&self, file: usize, lookup: Lookup<'_>) -> Option<Node> {
        let opened = self.opened(file);
        let expand = |text: &str, left: usize| interpolate(text, lookup, left);
        read_with(&opened.source, &expand, &opened.sink)
    }

    pub(crate) fn text(&self, file: usize) -> String {
        self.opened(file).source.text.clone()
    }

    /// The directory of an opened file.
    pub(crate) fn around(&self, file: usize) -> PathBuf {
        self.opened(file).source.directory.clone()
    }

    pub(crate) fn at(&self, file: usize, span: Span) -> At {
        At { file, span }
    }

    pub(crate) fn report(&self, at: At, code: Code, message: impl Into<String>) {
        self.report_draft(at, Draft::unplaced(code, message));
    }

    pub(crate) fn report_draft(&self, at: At, draft: Draft) {
        self.opened(at.file).sink.report(draft.or_at(at.span));
    }

    pub(crate) fn locate(&self, at: At) -> SourceLocation {
        let opened = self.opened(at.file);
        opened.lines.locate(&opened.source, at.span.begin)
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.opened.borrow().iter().all(|opened| opened.sink.is_empty())
    }

    /// What is wrong, file by file.
    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostics> {
        let opened = self.opened.into_inner().into_iter().filter(|opened| !opened.sink.is_empty());
        opened
            .filter_map(Rc::into_inner)
            .map(|Opened { source, lines, sink, .. }| sink.into_diagnostics(&source, &lines))
            .collect()
    }

    fn opened(&self, file: usize) -> Rc<Opened> {
        Rc::clone(&self.opened.borrow()[file])
    }
}
