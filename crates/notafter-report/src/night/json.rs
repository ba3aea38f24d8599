//! What the history holds, for machines.

use crate::Error;
use notafter_core::{Earlier, NightHead};
use serde::Serialize;

/// Version of the form; raised when old readers could no longer read it.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Written<'a> {
    notafter_history: u32,
    nights: &'a [NightHead],
    entries: &'a [Earlier],
}

/// Nights and entries as JSON, with nothing that could harm a terminal.
///
/// # Errors
/// [`Error::Unwritable`].
pub fn json(nights: &[NightHead], entries: &[Earlier]) -> Result<String, Error> {
    crate::json::safe(&Written { notafter_history: VERSION, nights, entries })
}
