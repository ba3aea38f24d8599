//! The build that is in production, below the candidate's own verdict.

use crate::against::{lines, production, verdict};
use crate::page::Page;
use notafter_core::{Comparison, RunRecord};
use std::fmt;

pub(super) fn write(page: &mut Page<'_>, record: &RunRecord, comparison: &Comparison) -> fmt::Result {
    let text = format!("{}, in production: {}", production(comparison), verdict(comparison));
    page.section_with("against", &text)?;
    lines(record, comparison).iter().try_for_each(|line| page.field(line.label, &line.text))
}
