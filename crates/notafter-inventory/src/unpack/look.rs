//! From a file down to what is not packed.

use super::directory::Directory;
use super::members::{Form, Members};
use super::sniff::{HEAD_LEN, Packing, packing};
use super::{ar, attached, cpio, firmware, keybox, leaf, rpm, tar, zip};
use crate::buffer::Buffer;
use crate::collect::{Collector, Shape};
use crate::file::reason_of;
use crate::owners::{MAX_LABEL_LEN, is_label, label};
use std::cell::Cell;
use std::io::{self, Cursor, Read, Seek};
use std::rc::Rc;

/// Deeper archives in archives are opaque.
const MAX_DEPTH: usize = 8;
/// A zip archive inside another archive is held in memory, for its directory stands at its end, and so is a script,
/// which may go on as an archive; longer ones are opaque, and carved.
const MAX_HELD: u64 = 64 * 1024 * 1024;
/// Memory that one stream of LZMA may take: what its best preset needs, and some room.
pub(super) const MAX_LZMA_KIB: u32 = 80 * 1024;

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
pub(crate) fn look_into(input: Input<'_>, collector: &mut Collector<'_>, buffer: &mut Buffer) {
    if let Err(error) = look(input, collector, buffer) {
        collector.opaque(reason_of(&error));
    }
}

fn look(input: Input<'_>, collector: &mut Collector<'_>, buffer: &mut Buffer) -> io::Result<()> {
    if collector.inside.len() > MAX_DEPTH {
        collector.opaque(format!("lies in more than {MAX_DEPTH} archives, one inside the other"));
        return Ok(());
    }
    collector.shape = Shape::Other; // until its first bytes say more
    let mut head = Vec::with_capacity(HEAD_LEN);
    match input {
        Input::Seekable(file) => {
            (&mut *file).take(HEAD_LEN as u64).read_to_end(&mut head)?;
            file.rewind()?;
            look_at_file(&head, file, collector, buffer)
        }
        Input::Stream(stream) => {
            (&mut *stream).take(HEAD_LEN as u64).read_to_end(&mut head)?;
            let packing = packing(&head);
            let is_script = head.starts_with(b"#!");
            let mut whole = Cursor::new(head.clone()).chain(stream);
            if packing != Packing::Zip && !is_script {
                let unpacked = unpack(packing, &head, &mut whole, collector, buffer);
                if unpacked.is_err() {
                    leaf::stream(&mut whole, 0, collector, buffer)?; // what the decoder left is no archive
                }
                return unpacked;
            }
            let mut held = Vec::new();
            (&mut whole).take(MAX_HELD + 1).read_to_end(&mut held)?;
            if held.len() as u64 > MAX_HELD {
                let limit = MAX_HELD / 1024 / 1024;
                let what = if is_script { "a script" } else { "a zip archive" };
                collector.opaque(format!("{what} of more than {limit} MiB inside another archive"));
                leaf::stream(&mut Cursor::new(held).chain(whole), 0, collector, buffer)?;
                return Ok(());
            }
            look_at_file(&head, &mut Cursor::new(held), collector, buffer)
        }
    }
}

/// A file whose packing turns out to be another than its first bytes say is carved as it stands, beside the note.
fn look_at_file(
    head: &[u8],
    file: &mut dyn ReadSeek,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) -> io::Result<()> {
    let looked = match packing(head) {
        Packing::Plain => return attached::look(head, file, collector, buffer),
        Packing::Zip => {
            Directory::read(file).and_then(|directory| zip::look(&directory, head, file, collector, buffer))
        }
        other => unpack(other, head, file, collector, buffer),
    };
    if looked.is_err() {
        file.rewind()?;
        leaf::stream(file, 0, collector, buffer)?;
    }
    looked
}

pub(super) fn unpack(
    packing: Packing,
    head: &[u8],
    reader: &mut dyn Read,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) -> io::Result<()> {
    match packing {
        Packing::Ar => ar::look(reader, collector, buffer),
        Packing::Bzip2 => look_into_members(Form::Bzip2, "(bzip2)", reader, collector, buffer),
        Packing::Cpio => cpio::look(reader, collector, buffer),
        Packing::Firmware => hold(reader, collector, buffer, firmware::look),
        Packing::Gzip => look_into_members(Form::Gzip, "(gzip)", reader, collector, buffer),
        Packing::Keybox => hold(reader, collector, buffer, |bytes, collector, _| {
            keybox::look(bytes, collector);
            Ok(())
        }),
        Packing::Lz4 => look_into_members(Form::Lz4, "(lz4)", reader, collector, buffer),
        Packing::Lzip => look_into_members(Form::Lzip, "(lzip)", reader, collector, buffer),
        Packing::Lzma => {
            let left = Rc::clone(&collector.budget);
            let decoder = lzma_rust2::LzmaReader::new_mem_limit(reader, MAX_LZMA_KIB, None)?;
            enter("(lzma)", Input::Stream(&mut Metered { reader: decoder, left }), collector, buffer);
            Ok(())
        }
        Packing::Plain | Packing::Zip => {
            let window = leaf::look(head, reader, collector, buffer)?;
            attached::tell(head, buffer.first(window), collector);
            Ok(())
        }
        Packing::Rpm => rpm::look(reader, collector, buffer),
        Packing::Tar => tar::look(reader, collector, buffer),
        Packing::Unread(what) => Err(io::Error::other(format!("{what}, which is not read"))),
        Packing::Xz => look_into_members(Form::Xz, "(xz)", reader, collector, buffer),
        Packing::Zstd => look_into_members(Form::Zstd, "(zstd)", reader, collector, buffer),
    }
}

/// Hands what `reader` yields to `look` as a whole. What is too long for that is opaque, and carved.
fn hold(
    reader: &mut dyn Read,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
    look: impl FnOnce(&[u8], &mut Collector<'_>, &mut Buffer) -> io::Result<()>,
) -> io::Result<()> {
    let mut held = Vec::new();
    (&mut *reader).take(MAX_HELD + 1).read_to_end(&mut held)?;
    if held.len() as u64 <= MAX_HELD {
        return look(&held, collector, buffer);
    }
    collector
        .opaque(format!("more than {} MiB, of which what is packed is not read", MAX_HELD / 1024 / 1024));
    leaf::stream(&mut Cursor::new(held).chain(reader), 0, collector, buffer).map(|_| ())
}

fn look_into_members(
    form: Form,
    name: &str,
    reader: &mut dyn Read,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) -> io::Result<()> {
    let mut members = Members::new(form, reader);
    let mut first = [0];
    let read = members.read(&mut first)?; // an error here: it only begins like one
    let whole = Cursor::new(&first[..read]).chain(&mut members);
    let mut inner = Metered { reader: whole, left: Rc::clone(&collector.budget) };
    enter(name, Input::Stream(&mut inner), collector, buffer);
    members.into_rest().map_or(Ok(()), |mut rest| look_behind(&mut rest, collector, buffer))
}

/// Looks into what follows the end of an archive; zeros that fill a record or a block are nothing.
pub(crate) fn look_behind(
    reader: &mut dyn Read,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) -> io::Result<()> {
    let mut chunk = [0; 8192];
    loop {
        let read = reader.read(&mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        if let Some(first) = chunk[..read].iter().position(|byte| *byte != 0) {
            let mut rest = Cursor::new(&chunk[first..read]).chain(&mut *reader);
            enter("(behind the archive)", Input::Stream(&mut rest), collector, buffer);
            return Ok(());
        }
    }
}

/// Looks into the entry `name` of what is looked at now.
pub(super) fn enter(name: &str, input: Input<'_>, collector: &mut Collector<'_>, buffer: &mut Buffer) {
    let name: String =
        name.trim_start_matches("./").chars().filter(|character| !character.is_control()).collect();
    let is_label = is_label(&name);
    collector.inside.push(name);
    if collector.entries_left == 0 {
        collector.opaque("is one entry of archives too many".to_owned());
    } else {
        collector.entries_left -= 1;
        match input {
            Input::Stream(stream) if is_label => look_at_label(stream, collector, buffer),
            input => look_into(input, collector, buffer),
        }
    }
    collector.inside.pop();
}

/// Reads what an archive says of itself, then looks into it as into any entry.
fn look_at_label(stream: &mut dyn Read, collector: &mut Collector<'_>, buffer: &mut Buffer) {
    let mut text = Vec::new();
    let read = (&mut *stream).take(MAX_LABEL_LEN).read_to_end(&mut text);
    if let Err(error) = read {
        collector.opaque(reason_of(&error));
        return;
    }
    let (name, archive) = collector.inside.split_last().map_or(("", &[][..]), |(name, rest)| (name, rest));
    if let Some(package) = label(name, &text) {
        // The record of a Debian package lies in an archive of its own, beside that of its files.
        let record = archive.iter().position(|entry| entry.starts_with("control.tar"));
        let archive = archive[..record.unwrap_or(archive.len())].to_vec();
        collector.add_label(archive, package);
    }
    look_into(Input::Stream(&mut Cursor::new(text).chain(stream)), collector, buffer);
}

/// Counts what unpacking yields against what it may.
pub(crate) struct Metered<R> {
    pub(crate) reader: R,
    pub(crate) left: Rc<Cell<u64>>,
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
