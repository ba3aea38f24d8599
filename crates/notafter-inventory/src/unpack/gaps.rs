//! What lies before, between and behind the entries of an archive: the signing block of an APK, a program to which
//! the archive is attached, what somebody appended.

use super::directory::LOCAL;
use super::leaf;
use super::look::ReadSeek;
use crate::buffer::Buffer;
use crate::collect::Collector;
use std::io::{self, Read, SeekFrom};

/// Shorter gaps, in bytes, hold nothing that counts: padding and the descriptors that follow an entry's data.
const MIN_GAP: u64 = 64;

/// Ranges of a file that entries cover.
#[derive(Default)]
pub(super) struct Covered(Vec<(u64, u64)>);

impl Covered {
    /// Adds `begin..end`.
    pub(super) fn add(&mut self, begin: u64, end: u64) {
        match self.0.last_mut() {
            Some(last) if last.1 == begin => last.1 = end,
            _ => self.0.push((begin, end)),
        }
    }

    /// The ranges of `0..len` that nothing covers, in order.
    fn gaps(&mut self, len: u64) -> Vec<(u64, u64)> {
        self.0.sort_unstable();
        let mut gaps = Vec::new();
        let mut at = 0;
        for &(begin, end) in &self.0 {
            if begin > at {
                gaps.push((at, begin.min(len)));
            }
            at = at.max(end);
        }
        gaps.push((at, len));
        gaps.retain(|(begin, end)| end.saturating_sub(*begin) >= MIN_GAP);
        gaps
    }
}

/// Carves what of `file` is not covered. An entry that stands there is told: no directory names it.
pub(super) fn look(
    covered: &mut Covered,
    head: &[u8],
    file: &mut dyn ReadSeek,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) -> io::Result<()> {
    let len = file.seek(SeekFrom::End(0))?;
    let mut unnamed = false;
    for (begin, end) in covered.gaps(len) {
        file.seek(SeekFrom::Start(begin))?;
        let mut gap = Spotting { reader: (&mut *file).take(end - begin), matched: 0, found: false };
        collector.shape = if begin == 0 { leaf::shape(head) } else { crate::collect::Shape::Other };
        leaf::stream(&mut gap, begin, collector, buffer)?;
        // A program may hold the magic as a constant: every tool that reads zip does.
        unnamed |= gap.found && begin > 0;
    }
    if unnamed {
        collector.opaque("its directory does not name every entry; those are not read".to_owned());
    }
    Ok(())
}

/// Looks for the head of an entry in what passes through.
struct Spotting<R> {
    reader: R,
    /// Bytes of the head that stood at the end of what passed last.
    matched: usize,
    found: bool,
}

impl<R: Read> Read for Spotting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        let passed = &buffer[..read];
        if !self.found {
            let begins = passed.iter().zip(&LOCAL[self.matched..]).take_while(|(a, b)| a == b).count();
            let goes_on = self.matched > 0 && self.matched + begins == LOCAL.len();
            self.found = goes_on || memchr::memmem::find(passed, LOCAL).is_some();
            self.matched = (1..LOCAL.len()).rev().find(|len| passed.ends_with(&LOCAL[..*len])).unwrap_or(0);
        }
        Ok(read)
    }
}
