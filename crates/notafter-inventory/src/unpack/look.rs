//! From a file down to what is not packed.

use super::sniff::{HEAD_LEN, Packing, packing};
use super::{ar, leaf, zip};
use crate::collect::Collector;
use crate::file::reason_of;
use std::cell::Cell;
use std::io::{self, Cursor, Read, Seek};
use std::rc::Rc;

/// Deeper archives in archives are opaque.
const MAX_DEPTH: usize = 8;
/// A zip archive inside another archive is held in memory, for its directory stands at its end; longer ones are
/// opaque.
const MAX_HELD_ZIP: u64 = 64 * 1024 * 1024;

pub(crate) trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

/// Where the bytes come from.
pub(crate) enum Input<'a> {
    /// A file, or bytes in memory.
    Seekable(&'a mut dyn ReadSeek),
    /// An entry of an archive, as it is unpacked.
    Stream(&'a mut dyn Read),
}

/// Looks into what `input` holds. What cannot be read is told to `collector`.
pub(crate) fn look_into(input: Input<'_>, collector: &mut Collector<'_>, buffer: &mut Vec<u8>) {
    if let Err(error) = look(input, collector, buffer) {
        collector.opaque(reason_of(&error));
    }
}

fn look(input: Input<'_>, collector: &mut Collector<'_>, buffer: &mut Vec<u8>) -> io::Result<()> {
    if collector.inside.len() > MAX_DEPTH {
        collector.opaque(format!("lies in more than {MAX_DEPTH} archives, one inside the other"));
        return Ok(());
    }
    let mut head = Vec::with_capacity(HEAD_LEN);
    match input {
        Input::Seekable(file) => {
            (&mut *file).take(HEAD_LEN as u64).read_to_end(&mut head)?;
            file.rewind()?;
            match packing(&head) {
                Packing::Zip => zip::look(file, collector, buffer),
                other => unpack(other, &head, file, collector, buffer),
            }
        }
        Input::Stream(stream) => {
            (&mut *stream).take(HEAD_LEN as u64).read_to_end(&mut head)?;
            let packing = packing(&head);
            let mut whole = Cursor::new(head.clone()).chain(stream);
            if packing != Packing::Zip {
                return unpack(packing, &head, &mut whole, collector, buffer);
            }
            let mut held = Vec::new();
            (&mut whole).take(MAX_HELD_ZIP + 1).read_to_end(&mut held)?;
            if held.len() as u64 > MAX_HELD_ZIP {
                let limit = MAX_HELD_ZIP / 1024 / 1024;
                collector.opaque(format!("a zip archive of more than {limit} MiB inside another archive"));
                return Ok(());
            }
            zip::look(&mut Cursor::new(held), collector, buffer)
        }
    }
}

fn unpack(
    packing: Packing,
    head: &[u8],
    reader: &mut dyn Read,
    collector: &mut Collector<'_>,
    buffer: &mut Vec<u8>,
) -> io::Result<()> {
    let budget = Rc::clone(&collector.budget);
    match packing {
        Packing::Ar => ar::look(reader, collector, buffer),
        Packing::Gzip => {
            let mut inner = Metered { reader: flate2::read::MultiGzDecoder::new(reader), left: budget };
            enter("(gzip)", Input::Stream(&mut inner), collector, buffer);
            Ok(())
        }
        Packing::Plain | Packing::Zip => leaf::look(head, reader, collector, buffer),
        Packing::Tar => look_into_tar(reader, collector, buffer),
        Packing::Unread(what) => {
            collector.opaque(format!("{what}, which is not read"));
            Ok(())
        }
        Packing::Xz => {
            let mut inner = Metered { reader: lzma_rust2::XzReader::new(reader, true), left: budget };
            enter("(xz)", Input::Stream(&mut inner), collector, buffer);
            Ok(())
        }
        Packing::Zstd => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(&mut *reader);
            let decoder = decoder.map_err(|error| io::Error::other(error.to_string()))?;
            let mut inner = Metered { reader: decoder, left: budget };
            enter("(zstd)", Input::Stream(&mut inner), collector, buffer);
            // The decoder ends with its frame, and what follows must not pass as nothing.
            if reader.read(&mut [0])? > 0 {
                collector.opaque("more follows the first Zstandard frame, which is not read".to_owned());
            }
            Ok(())
        }
    }
}

/// Looks into the entry `name` of what is looked at now.
pub(super) fn enter(name: &str, input: Input<'_>, collector: &mut Collector<'_>, buffer: &mut Vec<u8>) {
    let name = name.trim_start_matches("./").chars().filter(|character| !character.is_control()).collect();
    collector.inside.push(name);
    if collector.entries_left == 0 {
        collector.opaque("is one entry of archives too many".to_owned());
    } else {
        collector.entries_left -= 1;
        look_into(input, collector, buffer);
    }
    collector.inside.pop();
}

fn look_into_tar(
    reader: &mut dyn Read,
    collector: &mut Collector<'_>,
    buffer: &mut Vec<u8>,
) -> io::Result<()> {
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if collector.entries_left == 0 || collector.is_full() {
            collector.opaque("holds more entries than are looked into".to_owned());
            return Ok(());
        }
        if entry.header().entry_type().is_file() {
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            enter(&name, Input::Stream(&mut entry), collector, buffer);
        }
    }
    Ok(())
}

/// Counts what unpacking yields against what it may.
pub(super) struct Metered<R> {
    pub(super) reader: R,
    pub(super) left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        let left = self.left.get();
        if read as u64 > left {
            self.left.set(0);
            return Err(io::Error::other("unpacks to more bytes than one file may hold"));
        }
        self.left.set(left - read as u64);
        Ok(read)
    }
}
