//! A page of 80 columns.

use super::escape::escape;
use crate::StyleSheet;
use anstyle::Style;
use std::fmt;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of a page.
pub(crate) const WIDTH: usize = 80;
/// Where the values of fields begin: a fingerprint of 64 digits still fits behind it.
const VALUE_COLUMN: usize = 15;

/// A sink that takes laid-out text alone. Whatever it is given is escaped; styles come from its sheet.
pub(crate) struct Page<'a> {
    sink: &'a mut dyn fmt::Write,
    pub(crate) styles: &'a StyleSheet,
}

impl<'a> Page<'a> {
    pub(crate) fn new(sink: &'a mut dyn fmt::Write, styles: &'a StyleSheet) -> Self {
        Self { sink, styles }
    }

    /// An empty line.
    pub(crate) fn blank(&mut self) -> fmt::Result {
        self.sink.write_char('\n')
    }

    /// One line as it is, however long.
    pub(crate) fn line(&mut self, pieces: &[(Style, &str)]) -> fmt::Result {
        for (style, text) in pieces {
            self.piece(*style, &escape(text))?;
        }
        self.sink.write_char('\n')
    }

    /// `name: text`, in bold and wrapped, with the name in its own style.
    pub(crate) fn headline(&mut self, style: Style, name: &str, text: &str) -> fmt::Result {
        let hang = name.width() + 2;
        let heading = self.styles.heading;
        for (index, line) in wrap(&escape(text), WIDTH.saturating_sub(hang)).iter().enumerate() {
            if index == 0 {
                self.piece(style, &escape(name))?;
                self.sink.write_str(": ")?;
            } else {
                self.pad(hang)?;
            }
            self.piece(heading, line)?;
            self.sink.write_char('\n')?;
        }
        Ok(())
    }

    /// `name:` after an empty line: the beginning of a section.
    pub(crate) fn section(&mut self, name: &str) -> fmt::Result {
        self.blank()?;
        self.line(&[(self.styles.heading, name), (self.styles.heading, ":")])
    }

    /// `name: text` after an empty line: a section that begins with its sum.
    pub(crate) fn section_with(&mut self, name: &str, text: &str) -> fmt::Result {
        self.blank()?;
        self.headline(self.styles.heading, name, text)
    }

    /// A label and its value, wrapped under itself. An empty label continues the field above.
    pub(crate) fn field(&mut self, label: &str, value: &str) -> fmt::Result {
        self.item(VALUE_COLUMN, label, 0, value)
    }

    /// A field of a numbered list: `1. first`, wrapped under its text.
    pub(crate) fn numbered(&mut self, label: &str, number: usize, value: &str) -> fmt::Result {
        self.item(VALUE_COLUMN, label, 3, &format!("{number}. {value}"))
    }

    /// A label and its value at `column`; lines of the value after the first stand `hang` columns further in.
    pub(crate) fn item(&mut self, column: usize, label: &str, hang: usize, value: &str) -> fmt::Result {
        let label = escape(label);
        let style = self.styles.label;
        for (index, line) in wrap(&escape(value), WIDTH.saturating_sub(column + hang)).iter().enumerate() {
            if index == 0 && !label.is_empty() {
                self.pad(2)?;
                self.piece(style, &label)?;
                self.pad(column.saturating_sub(2 + label.width()).max(1))?;
            } else {
                self.pad(if index == 0 { column } else { column + hang })?;
            }
            self.sink.write_str(line)?;
            self.sink.write_char('\n')?;
        }
        Ok(())
    }

    /// Wrapped text; lines after the first stand `hang` columns further in.
    pub(crate) fn paragraph(&mut self, indent: usize, hang: usize, text: &str) -> fmt::Result {
        let lines = wrap(&escape(text), WIDTH.saturating_sub(indent + hang));
        for (index, line) in lines.iter().enumerate() {
            self.pad(if index == 0 { indent } else { indent + hang })?;
            self.sink.write_str(line)?;
            self.sink.write_char('\n')?;
        }
        Ok(())
    }

    /// A line that somebody else wrote, behind a bar so that it cannot pass for the report's own.
    pub(crate) fn quote(&mut self, text: &str) -> fmt::Result {
        let text = escape(text);
        let room = WIDTH - 4;
        let lines = if text.width() <= room { vec![text.clone().into_owned()] } else { wrap(&text, room) };
        let style = self.styles.quote;
        for line in lines {
            self.sink.write_str(if line.is_empty() { "  |" } else { "  | " })?;
            self.piece(style, &line)?;
            self.sink.write_char('\n')?;
        }
        Ok(())
    }

    /// A command line to copy: its words stay whole, and a line that goes on says so to the shell.
    pub(crate) fn command(&mut self, words: &[String]) -> fmt::Result {
        let style = self.styles.command;
        let mut line = String::new();
        let mut indent = 2;
        for (index, word) in words.iter().enumerate() {
            let word = escape(word);
            let goes_on = if index + 1 == words.len() { 0 } else { " \\".len() };
            if !line.is_empty() && indent + line.width() + 1 + word.width() + goes_on > WIDTH {
                self.pad(indent)?;
                self.piece(style, &format!("{line} \\"))?;
                self.sink.write_char('\n')?;
                line.clear();
                indent = 6;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
        self.pad(indent)?;
        self.piece(style, &line)?;
        self.sink.write_char('\n')
    }

    fn pad(&mut self, columns: usize) -> fmt::Result {
        write!(self.sink, "{:columns$}", "")
    }

    fn piece(&mut self, style: Style, text: &str) -> fmt::Result {
        write!(self.sink, "{}{text}{}", style.render(), style.render_reset())
    }
}

/// Lines of at most `width` columns, broken at spaces. A word that is wider than a line is broken anywhere: the
/// terminal would do the same, and begin the rest at the margin, where only the report itself may speak.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let wide = word.width();
        if used > 0 && used + 1 + wide > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        if used + wide <= width {
            line.push_str(word);
            used += wide;
            continue;
        }
        for char in word.chars() {
            let wide = char.width().unwrap_or(0);
            if used > 0 && used + wide > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(char);
            used += wide;
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_breaks_at_spaces_where_it_can() {
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrap("a toolongword b", 4), ["a", "tool", "ongw", "ord", "b"]);
        assert_eq!(wrap("検証 検証", 5), ["検証", "検証"]);
        assert_eq!(wrap("検証", 3), ["検", "証"]);
    }

    #[test]
    fn nothing_leaves_a_page_unescaped() {
        let bad = "x\u{1b}[2J\ny";
        let mut text = String::new();
        let styles = StyleSheet::plain();
        let mut page = Page::new(&mut text, &styles);
        page.line(&[(Style::new(), bad)]).unwrap();
        page.headline(Style::new(), bad, bad).unwrap();
        page.section(bad).unwrap();
        page.field(bad, bad).unwrap();
        page.paragraph(2, 2, bad).unwrap();
        page.quote(bad).unwrap();
        page.command(&[bad.to_owned()]).unwrap();
        assert!(!text.contains('\u{1b}'), "{text}");
        assert_eq!(text.lines().count(), 8, "{text}");
    }

    #[test]
    fn long_commands_go_on_in_a_way_that_shells_understand() {
        let mut text = String::new();
        let words =
            ["notafter", "gate", &"p".repeat(50), "--candidate a=b", "--case walk"].map(str::to_owned);
        Page::new(&mut text, &StyleSheet::plain()).command(&words).unwrap();
        assert_eq!(
            text,
            format!("  notafter gate {} \\\n      --candidate a=b --case walk\n", "p".repeat(50))
        );
    }
}
