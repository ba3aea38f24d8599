//! Tables that fit the page: where a row is too wide, its first cell gets a line of its own.

use super::escape::escape;
use super::layout::{Page, WIDTH};
use anstyle::Style;
use std::fmt;
use unicode_width::UnicodeWidthStr;

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) align: Align,
}

/// A row: one cell for each column, and a remark on the line below.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub(crate) cells: Vec<(Style, String)>,
    pub(crate) remark: Option<String>,
}

/// A table, indented by two.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

const INDENT: usize = 2;
const GAP: usize = 2;
/// Where the other cells begin when the first one has a line of its own.
const STACKED: usize = 4;

impl Table {
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, mut row: Row) {
        for (_, cell) in &mut row.cells {
            *cell = escape(cell).into_owned();
        }
        self.rows.push(row);
    }

    pub(crate) fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let widths = self.widths();
        let total = INDENT + widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        let stacked = total > WIDTH;
        let label = page.styles.label;
        let titles: Vec<(Style, String)> =
            self.columns.iter().map(|column| (label, column.title.to_owned())).collect();
        self.write_row(page, &widths, &titles, stacked)?;
        for row in &self.rows {
            self.write_row(page, &widths, &row.cells, stacked)?;
            if let Some(remark) = &row.remark {
                page.paragraph(STACKED, 0, remark)?;
            }
        }
        Ok(())
    }

    fn widths(&self) -> Vec<usize> {
        (0..self.columns.len())
            .map(|index| {
                let cells =
                    self.rows.iter().filter_map(|row| row.cells.get(index)).map(|cell| cell.1.width());
                cells.chain([self.columns[index].title.width()]).max().unwrap_or(0)
            })
            .collect()
    }

    fn write_row(
        &self,
        page: &mut Page<'_>,
        widths: &[usize],
        cells: &[(Style, String)],
        stacked: bool,
    ) -> fmt::Result {
        let plain = Style::new();
        let mut pieces: Vec<(Style, String)> = vec![(plain, " ".repeat(INDENT))];
        let last = cells.len().saturating_sub(1);
        for (index, (style, cell)) in cells.iter().enumerate() {
            if stacked && index == 1 {
                write_line(page, &pieces)?;
                pieces = vec![(plain, " ".repeat(STACKED))];
            }
            let room = " ".repeat(widths[index].saturating_sub(cell.width()));
            let alone = stacked && index == 0;
            match self.columns[index].align {
                Align::Right => pieces.extend([(plain, room), (*style, cell.clone())]),
                Align::Left if index == last || alone => pieces.push((*style, cell.clone())),
                Align::Left => pieces.extend([(*style, cell.clone()), (plain, room)]),
            }
            if index != last && !alone {
                pieces.push((plain, " ".repeat(GAP)));
            }
        }
        write_line(page, &pieces)
    }
}

fn write_line(page: &mut Page<'_>, pieces: &[(Style, String)]) -> fmt::Result {
    let pieces: Vec<(Style, &str)> = pieces.iter().map(|(style, text)| (*style, text.as_str())).collect();
    page.line(&pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StyleSheet;

    fn rendered(first: &str) -> String {
        let mut table = Table::new(&[
            Column { title: "id", align: Align::Left },
            Column { title: "n", align: Align::Right },
            Column { title: "why", align: Align::Left },
        ]);
        for (id, n) in [(first, "1"), ("b", "22")] {
            let cells = [id, n, "because"].map(|cell| (Style::new(), cell.to_owned())).to_vec();
            table.push(Row { cells, remark: None });
        }
        let mut text = String::new();
        table.write(&mut Page::new(&mut text, &StyleSheet::plain())).unwrap();
        text
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        assert_eq!(rendered("aaa"), "  id    n  why\n  aaa   1  because\n  b    22  because\n");
    }

    #[test]
    fn a_row_that_does_not_fit_is_stacked() {
        let wide = "x".repeat(75);
        assert_eq!(
            rendered(&wide),
            format!("  id\n     n  why\n  {wide}\n     1  because\n  b\n    22  because\n")
        );
    }
}
