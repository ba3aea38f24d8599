//! Times of files: the kernel stamps them by its own clock, and the history of the clock page tells what a guest's
//! clock showed then.

use crate::nanos::Nanos;
use notafter_sys::page::{Change, SharedPage, Wall};
use std::io;

/// The history of a clock page, as far as it was read.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    /// In the order in which they were made.
    changes: Vec<Change>,
}

impl Stamps {
    /// Reads what was added to the history.
    pub(crate) fn follow(&mut self, page: &SharedPage) -> io::Result<()> {
        self.changes.extend(page.changes_after(self.changes.len())?);
        Ok(())
    }

    /// What the clock showed when the kernel stamped a file with `stamp`. None for what was stamped before the
    /// page was made, and for a stamp from after `now`, the kernel's CLOCK_REALTIME: some program has set that.
    pub(crate) fn shown(&self, stamp: Nanos, now: Nanos) -> Option<Nanos> {
        let later = self.changes.partition_point(|change| Nanos::from(change.since) <= stamp);
        let change = self.changes[..later].last().filter(|_| stamp <= now)?;
        Some(match change.wall {
            Wall::Held(wall) => wall.into(),
            Wall::Offset(offset) => stamp + offset.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notafter_sys::page::Timespec;

    #[test]
    fn a_stamp_shows_as_what_the_clock_showed_then() {
        let at = |secs| Timespec { secs, nanos: 0 };
        let change = |since, wall| Change { since: at(since), wall };
        let stamps = Stamps {
            changes: vec![
                change(1_000, Wall::Held(at(50_000))),
                change(1_010, Wall::Held(at(60_000))),
                change(1_010, Wall::Held(at(70_000))),
                change(1_020, Wall::Offset(at(-500))),
            ],
        };
        let shown = |secs| stamps.shown(Nanos::from_secs(secs), Nanos::from_secs(1_030));
        for (stamp, expected) in [
            (999, None),
            (1_000, Some(50_000)),
            (1_009, Some(50_000)),
            (1_010, Some(70_000)),
            (1_020, Some(520)),
            (1_030, Some(530)),
            (1_031, None),
            (50_000, None),
        ] {
            assert_eq!(shown(stamp), expected.map(Nanos::from_secs), "{stamp}");
        }
    }
}
