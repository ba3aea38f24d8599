//! Saved records, judged again by this version.

use crate::error::Error;
use crate::printer::Printer;
use notafter_core::{Gated, RunRecord, Verdict};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A record and what it is judged as.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) record: RunRecord,
    pub(crate) verdict: Verdict,
}

impl Judged {
    /// Judges `record`.
    pub(crate) fn of(record: RunRecord) -> Self {
        let verdict = notafter_core::judge(&record);
        Self { record, verdict }
    }

    /// Reads the record at `path`, and says where it was judged otherwise when it was saved.
    ///
    /// # Errors
    /// [`Error::Record`], [`Error::RecordUnreadable`].
    pub(crate) fn saved(path: &Path, printer: &mut Printer) -> Result<Self, Error> {
        let text = read(path).map_err(|source| Error::RecordUnreadable { path: path.to_owned(), source })?;
        let (record, stored) = notafter_report::json::read(&text)
            .map_err(|source| Error::Record { path: path.to_owned(), source })?;
        let judged = Self::of(record);
        if judged.verdict.decision != stored.decision {
            printer.note(&format!(
                "note: the verdict was {} when the record was saved, and is {} as this version judges\n",
                stored.decision, judged.verdict.decision
            ));
        }
        Ok(judged)
    }

    pub(crate) fn gated(&self) -> Gated<'_> {
        Gated { record: &self.record, verdict: &self.verdict }
    }
}

/// One byte more than a record may have is enough to see that it is too large.
fn read(path: &Path) -> std::io::Result<String> {
    let limit = notafter_report::json::MAX_LEN_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| std::io::Error::other("not UTF-8 text"))
}
