//! zip archives (APPNOTE 6.3): JAR, wheel, APK. Read by their directory, as their users do; what no entry covers is
//! carved like any other bytes.

use super::directory::{Directory, Entry, LOCAL, LOCAL_LEN, damaged, u16_at};
use super::gaps::{self, Covered};
use super::look::{Input, Metered, ReadSeek, enter};
use crate::buffer::Buffer;
use crate::collect::Collector;
use std::io::{self, Read, SeekFrom};
use std::rc::Rc;

/// `head` is what the file begins with: the archive itself, or a program to which it is attached.
pub(super) fn look(
    directory: &Directory,
    head: &[u8],
    file: &mut dyn ReadSeek,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) -> io::Result<()> {
    let mut covered = Covered::default();
    for entry in directory.entries() {
        if collector.entries_left == 0 || collector.is_full() {
            collector.opaque("holds more entries than are looked into".to_owned());
            return Ok(());
        }
        match entry {
            Ok(entry) => look_at(&entry, file, &mut covered, collector, buffer),
            Err(error) => {
                collector.opaque(crate::file::reason_of(&error));
                break;
            }
        }
    }
    gaps::look(&mut covered, head, file, collector, buffer)
}

fn look_at(
    entry: &Entry,
    file: &mut dyn ReadSeek,
    covered: &mut Covered,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) {
    if entry.name.ends_with('/') {
        return;
    }
    let budget = Rc::clone(&collector.budget);
    let told = match (entry.flags & 1, entry.method) {
        (0, _) if entry.is_of_zip64 => Err("is of more than 4 GiB".to_owned()),
        (0, 0 | 8) => entry_data(file, entry.local).map_err(|error| error.to_string()),
        (0, other) => Err(format!("packed by method {other}, which is not read")),
        _ => Err("encrypted".to_owned()),
    };
    let data = match told {
        Ok(data) => data,
        Err(reason) => {
            collector.opaque(format!("its entry {} is not read: {reason}", entry.name));
            return;
        }
    };
    covered.add(entry.local, data.name_end);
    covered.add(data.begin, data.begin.saturating_add(entry.packed));
    let packed = (&mut *file).take(entry.packed);
    let mut data: Box<dyn Read + '_> = match entry.method {
        0 => Box::new(packed),
        _ => Box::new(Metered { reader: flate2::read::DeflateDecoder::new(packed), left: budget }),
    };
    enter(&entry.name, Input::Stream(&mut data), collector, buffer);
}

/// Where the name in the local header ends, and where the data begins.
struct LocalHeader {
    name_end: u64,
    begin: u64,
}

/// Moves to the data of the entry whose local header begins at `local`.
fn entry_data(file: &mut dyn ReadSeek, local: u64) -> io::Result<LocalHeader> {
    let mut header = [0; LOCAL_LEN];
    file.seek(SeekFrom::Start(local))?;
    file.read_exact(&mut header)?;
    if !header.starts_with(LOCAL) {
        return Err(damaged());
    }
    let name_end = local + LOCAL_LEN as u64 + u64::from(u16_at(&header, 26));
    let begin = name_end + u64::from(u16_at(&header, 28));
    file.seek(SeekFrom::Start(begin))?;
    Ok(LocalHeader { name_end, begin })
}
