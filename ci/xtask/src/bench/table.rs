//! Markdown tables whose columns line up, so that a change of one figure is a diff of one line where it can be.

use anyhow::{Result, ensure};
use std::fmt;

/// A table with a heading; every row has as many cells as the heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(heading: &[&str]) -> Self {
        Self { heading: heading.iter().map(|cell| (*cell).to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When it does not have one cell per column, or when a cell holds `|` or a line break, which would end it.
    pub fn push(&mut self, row: Vec<String>) -> Result<()> {
        ensure!(
            row.len() == self.heading.len(),
            "a row of {} cells does not fit a table of {} columns",
            row.len(),
            self.heading.len()
        );
        if let Some(cell) = row.iter().find(|cell| cell.contains(['|', '\n'])) {
            anyhow::bail!("`{cell}` cannot stand in a table cell");
        }
        self.rows.push(row);
        Ok(())
    }

    fn width(&self, column: usize) -> usize {
        let cells = std::iter::once(&self.heading).chain(&self.rows).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = (0..self.heading.len()).map(|column| self.width(column)).collect();
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        for row in [&self.heading, &rule].into_iter().chain(&self.rows) {
            for (cell, width) in row.iter().zip(&widths) {
                write!(formatter, "| {cell:width$} ")?;
            }
            writeln!(formatter, "|")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["what", "×"]);
        table.push(vec!["clock read".to_owned(), "1.09".to_owned()]).unwrap();
        insta::assert_snapshot!(table, @r"
        | what       | ×    |
        | ---------- | ---- |
        | clock read | 1.09 |
        ");
    }

    #[test]
    fn a_row_that_does_not_fit_is_refused() {
        let mut table = Table::new(&["what", "×"]);
        assert!(table.push(vec!["one".to_owned()]).is_err());
        assert!(table.push(vec!["one|two".to_owned(), "1".to_owned()]).is_err());
        assert!(table.push(vec!["one\ntwo".to_owned(), "1".to_owned()]).is_err());
    }
}
