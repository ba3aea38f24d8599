//! `notafter judge`: a saved record, judged again by this version.

use crate::args::Reports;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::records::Judged;
use crate::reports::{self, Page};
use notafter_core::compare;
use notafter_report::{Detail, terminal};
use std::path::Path;

pub(crate) fn run(
    path: &Path,
    against: Option<&Path>,
    reports: &Reports,
    detail: Detail,
    printer: &mut Printer,
) -> Result<Exit, Error> {
    let judged = Judged::saved(path, printer)?;
    let comparison = match against {
        Some(path) => {
            let production = Judged::saved(path, printer)?;
            let comparison = compare(judged.gated(), production.gated());
            Some(comparison.map_err(|source| Error::Incomparable { path: path.to_owned(), source })?)
        }
        None => None,
    };
    let (gated, comparison) = (judged.gated(), comparison.as_ref());
    let mut page = String::new();
    // A String takes everything that is written to it.
    _ = terminal::write_beside(&mut page, gated, comparison, detail, &printer.out_styles());
    match reports::write(reports, gated, comparison, printer)? {
        Page::Data => printer.data(&page)?,
        Page::Note => printer.note(&page),
    }
    Ok(judged.verdict.decision.into())
}
