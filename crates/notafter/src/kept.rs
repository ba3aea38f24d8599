//! The part of `--keep` that is rendered: the runner wrote logs and chains there already.

use crate::error::Error;
use notafter_core::{Comparison, Gated};
use notafter_report::{Detail, Format, StyleSheet, terminal};
use std::fs;
use std::path::Path;

/// Writes `record.json` (the record with its verdict), `verdict.json`, `plan.txt` and `report.txt` into `directory`.
///
/// # Errors
/// [`Error::ReportUnwritable`], or [`Error::Render`].
pub(crate) fn write(
    directory: &Path,
    gated: Gated<'_>,
    comparison: Option<&Comparison>,
) -> Result<(), Error> {
    let Gated { record, verdict } = gated;
    let styles = StyleSheet::plain();
    let cases: Vec<_> = record.cases.iter().map(|case| case.case.clone()).collect();
    let (mut plan, mut report) = (String::new(), String::new());
    // A String takes everything that is written to it.
    _ = notafter_report::plan::write(&mut plan, record, &cases, &styles);
    _ = terminal::write_beside(&mut report, gated, comparison, Detail::Full, &styles);
    let json = Format::Json.render_beside(gated, comparison).map_err(Error::Render)?;
    let mut verdict = serde_json::to_string_pretty(verdict)
        .map_err(|error| Error::Render(notafter_report::Error::Unwritable(error)))?;
    verdict.push('\n');
    for (name, text) in [
        ("plan.txt", plan.as_str()),
        ("record.json", &json),
        ("report.txt", &report),
        ("verdict.json", &verdict),
    ] {
        let path = directory.join(name);
        fs::write(&path, text).map_err(|source| Error::ReportUnwritable { path, source })?;
    }
    Ok(())
}
