//! tar archives, and whatever follows the end of one.

use super::leaf;
use super::look::{Input, Metered, enter, look_behind};
use crate::buffer::Buffer;
use crate::collect::Collector;
use crate::file::reason_of;
use std::io::{self, Cursor, Read};
use std::rc::Rc;

const BLOCK_LEN: usize = 512;

pub(super) fn look(
    reader: &mut dyn Read,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) -> io::Result<()> {
    let mut reader = Recent { reader, last: Vec::with_capacity(BLOCK_LEN) };
    let ended = each_entry(&mut reader, collector, buffer);
    let Recent { reader, last } = reader;
    let Err(error) = ended else {
        // A zero block ends the archive. What follows is no part of it, and no reader of tar would tell.
        return look_behind(reader, collector, buffer);
    };
    collector.opaque(reason_of(&error));
    // Carved, and not looked into: it would begin as this archive does.
    leaf::stream(&mut Cursor::new(last).chain(reader), 0, collector, buffer).map(|_| ())
}

fn each_entry(reader: &mut Recent<'_>, collector: &mut Collector<'_>, buffer: &mut Buffer) -> io::Result<()> {
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if collector.entries_left == 0 || collector.is_full() {
            collector.opaque("holds more entries than are looked into".to_owned());
            return Ok(());
        }
        let kind = entry.header().entry_type();
        // Data of any other kind of entry is kept by nobody who unpacks it, but it lies there.
        if kind.is_dir() || entry.size() == 0 {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if kind.is_gnu_sparse() {
            let left = Rc::clone(&collector.budget); // a hole costs nothing to write, and time to read
            enter(&name, Input::Stream(&mut Metered { reader: entry, left }), collector, buffer);
        } else {
            enter(&name, Input::Stream(&mut entry), collector, buffer);
        }
    }
    Ok(())
}

/// Keeps the block that was read last: where it is no header, what is no archive begins with it.
struct Recent<'a> {
    reader: &'a mut dyn Read,
    last: Vec<u8>,
}

impl Read for Recent<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        let kept = &buffer[read.saturating_sub(BLOCK_LEN)..read];
        let surplus = (self.last.len() + kept.len()).saturating_sub(BLOCK_LEN);
        self.last.drain(..surplus);
        self.last.extend_from_slice(kept);
        Ok(read)
    }
}
