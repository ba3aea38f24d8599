//! The only place that prints. Data goes to standard output, everything else to standard error.
//!
//! What must never happen here: a reader that went away changing the exit code of the process.

use crate::error::{Error, causes};
use notafter_report::StyleSheet;
use notafter_scenario::Palette;
use std::io::{self, IsTerminal, Write};

/// Columns of the line that a terminal overwrites: it must not wrap.
const STATUS_COLUMNS: usize = 78;
const CLEAR_LINE: &str = "\r\x1b[K";

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Colour {
    /// Even into a file or a pipe.
    Always,
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Not at all.
    Never,
}

impl Colour {
    fn suits(self, terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                terminal && !is_set("NO_COLOR") && !is_dumb
            }
        }
    }
}

/// Where output goes, and in which colours.
pub(crate) struct Printer {
    out_styles: StyleSheet,
    err_styles: StyleSheet,
    err_palette: Palette,
    err_is_terminal: bool,
    /// Whether a status line stands at the end of standard error.
    status: bool,
}

impl Printer {
    pub(crate) fn new(colour: Colour) -> Self {
        let sheet = |coloured| if coloured { StyleSheet::ansi() } else { StyleSheet::plain() };
        let err_is_terminal = io::stderr().is_terminal();
        let err_coloured = colour.suits(err_is_terminal);
        Self {
            out_styles: sheet(colour.suits(io::stdout().is_terminal())),
            err_styles: sheet(err_coloured),
            err_palette: if err_coloured { Palette::Coloured } else { Palette::Plain },
            err_is_terminal,
            status: false,
        }
    }

    /// Styles for what goes to standard output.
    pub(crate) fn out_styles(&self) -> StyleSheet {
        self.out_styles
    }

    /// Styles for what goes to standard error.
    pub(crate) fn err_styles(&self) -> StyleSheet {
        self.err_styles
    }

    /// Writes data to standard output. A reader that has gone away is no error: it saw what it wanted.
    ///
    /// # Errors
    /// [`Error::Output`] where it cannot be written for another reason, such as a full disk.
    pub(crate) fn data(&mut self, text: &str) -> Result<(), Error> {
        self.clear_status();
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(source) => Err(Error::Output { source }),
            Ok(()) => Ok(()),
        }
    }

    /// Writes whole lines to standard error. Where nobody can read them, nobody misses them.
    pub(crate) fn note(&mut self, text: &str) {
        self.clear_status();
        _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Shows where things stand on a line that the next output overwrites; on terminals alone.
    pub(crate) fn status(&mut self, text: &str) {
        if !self.err_is_terminal {
            return;
        }
        let line: String = text.chars().filter(|char| !char.is_control()).take(STATUS_COLUMNS).collect();
        _ = io::stderr().lock().write_all(format!("{CLEAR_LINE}{line}").as_bytes());
        self.status = !line.is_empty();
    }

    /// Tells why there is nothing to tell: the error and its causes, each once.
    pub(crate) fn error(&mut self, error: &Error) {
        let text = match error {
            Error::Scenario(notafter_scenario::Error::Invalid(diagnostics)) => {
                diagnostics.render(self.err_palette)
            }
            _ => {
                let style = self.err_styles.block;
                let mut text = format!("{style}error{style:#}: {}\n", printable(&error.to_string()));
                for cause in causes(error) {
                    text.push_str(&format!("  because: {}\n", printable(&cause.to_string())));
                }
                if let Some(help) = error.help() {
                    text.push_str(&format!("  help: {help}\n"));
                }
                text
            }
        };
        self.note(&text);
    }

    fn clear_status(&mut self) {
        if std::mem::take(&mut self.status) {
            _ = io::stderr().lock().write_all(CLEAR_LINE.as_bytes());
        }
    }
}

/// Messages carry texts of the world outside; line breaks may stay, other controls must not reach the terminal.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for char in text.trim_end().chars() {
        match char {
            '\n' => printable.push_str("\n    "),
            _ if char.is_control() => printable.extend(char.escape_debug()),
            _ => printable.push(char),
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_from_outside_cannot_steer_the_terminal() {
        assert_eq!(printable("one\ntwo\x1b[2J\u{9b}3\n"), "one\n    two\\u{1b}[2J\\u{9b}3");
    }
}
