//! Which pages of a mapping belong to the process alone (proc_pid_pagemap(5)).
//!
//! What lies in the files that a process has mapped is found in those files. Its own are the pages that it has written to;
//! of the addresses that it has reserved most hold none, in a Java or a Go program least of all.

use super::maps::Mapping;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const PAGE: u64 = 4_096;
const ENTRY_BYTES: usize = 8;
/// Entries that are read at a time.
const ENTRIES: usize = 64 * 1_024;
/// The page is in memory, or in swap; it is a page of a file, or shared.
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const OF_FILE: u64 = 1 << 61;
/// Pages that are nobody's between two that are the process's own: they are read too, as one read costs more.
const BRIDGED: u64 = 4;

/// Runs of pages of `mapping` that belong to the process alone, as addresses, in order.
pub(super) fn own(pagemap: &File, mapping: &Mapping, buffer: &mut Vec<u8>) -> io::Result<Vec<(u64, u64)>> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    let (mut page, end) = (mapping.begin / PAGE, mapping.end.div_ceil(PAGE));
    while page < end {
        let wanted = usize::try_from(end - page).unwrap_or(ENTRIES).min(ENTRIES);
        buffer.resize(wanted * ENTRY_BYTES, 0);
        let read = pagemap.read_at(buffer, page * ENTRY_BYTES as u64)? / ENTRY_BYTES;
        if read == 0 {
            break; // it has ended, or the mapping is gone
        }
        for (entry, at) in buffer.chunks_exact(ENTRY_BYTES).take(read).zip(page..) {
            let entry = u64::from_le_bytes(entry.try_into().unwrap_or_default());
            if entry & (PRESENT | SWAPPED) == 0 || entry & OF_FILE != 0 {
                continue;
            }
            let (begin, after) = (at * PAGE, (at + 1) * PAGE);
            match runs.last_mut() {
                Some((_, last)) if begin - *last <= BRIDGED * PAGE => *last = after,
                _ => runs.push((begin, after)),
            }
        }
        page += read as u64;
    }
    Ok(runs)
}
