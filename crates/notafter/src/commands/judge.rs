//! `notafter judge`: a saved record, judged again by this version.

use crate::args::Reports;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::reports::{self, Page};
use notafter_report::Detail;
use std::fs::File;
use std::io::Read;
use std::path::Path;

pub(crate) fn run(
    path: &Path,
    reports: &Reports,
    detail: Detail,
    printer: &mut Printer,
) -> Result<Exit, Error> {
    let text = read(path).map_err(|source| Error::RecordUnreadable { path: path.to_owned(), source })?;
    let (record, stored) = notafter_report::json::read(&text)
        .map_err(|source| Error::Record { path: path.to_owned(), source })?;
    let verdict = notafter_core::judge(&record);
    if verdict.decision != stored.decision {
        printer.note(&format!(
            "note: the verdict was {} when the record was saved, and is {} as this version judges\n",
            stored.decision, verdict.decision
        ));
    }
    let mut page = String::new();
    // A String takes everything that is written to it.
    _ = notafter_report::terminal::write(&mut page, &record, &verdict, detail, &printer.out_styles());
    match reports::write(reports, &record, &verdict, printer)? {
        Page::Data => printer.data(&page)?,
        Page::Note => printer.note(&page),
    }
    Ok(verdict.decision.into())
}

/// One byte more than a record may have is enough to see that it is too large.
fn read(path: &Path) -> std::io::Result<String> {
    let limit = notafter_report::json::MAX_LEN_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| std::io::Error::other("not UTF-8 text"))
}
