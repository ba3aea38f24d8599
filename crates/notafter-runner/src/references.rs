//! What answers are compared with: what was read at the first look of the run.

use notafter_core::{CheckName, Reading, Test};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Readings of first looks, by check. A run begins with a control, so they are what holds where nothing has ended.
#[derive(Debug, Default)]
pub(crate) struct References(Mutex<BTreeMap<CheckName, Vec<Reading>>>);

impl References {
    /// Takes `readings` for those of the first look at `check`, unless there are such already.
    pub(crate) fn keep(&self, check: &CheckName, readings: &[Reading]) {
        let compared = readings.iter().filter(|reading| is_compared(reading));
        let compared: Vec<Reading> = compared.cloned().collect();
        if !compared.is_empty() {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(check.clone()).or_insert(compared);
        }
    }

    /// What `reading` is compared with; none at the first look, and where its test compares nothing.
    pub(crate) fn of(&self, check: &CheckName, reading: &Reading) -> Option<String> {
        if !is_compared(reading) {
            return None;
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut first = known.get(check)?.iter();
        first.find(|first| first.assertion == reading.assertion)?.saw.clone()
    }
}

fn is_compared(reading: &Reading) -> bool {
    matches!(reading.assertion.test, Test::SameAsControl { .. })
}
