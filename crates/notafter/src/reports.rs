//! Reports in every form that was asked for.

use crate::args::Reports;
use crate::error::Error;
use crate::printer::Printer;
use notafter_core::{Comparison, Gated};
use std::fs;

/// Where the report for people goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// Standard output, as data.
    Data,
    /// Standard error: another report stands on standard output.
    Note,
}

/// Writes every report of `reports`.
///
/// # Errors
/// [`Error::Render`], [`Error::ReportUnwritable`] or [`Error::Output`].
pub(crate) fn write(
    reports: &Reports,
    gated: Gated<'_>,
    comparison: Option<&Comparison>,
    printer: &mut Printer,
) -> Result<Page, Error> {
    let mut page = Page::Data;
    for target in &reports.targets {
        let text = target.format.render_beside(gated, comparison).map_err(Error::Render)?;
        match &target.path {
            Some(path) => fs::write(path, text)
                .map_err(|source| Error::ReportUnwritable { path: path.clone(), source })?,
            None => {
                page = Page::Note;
                printer.data(&text)?;
            }
        }
    }
    Ok(page)
}
