//! Archives behind a program: self-extracting installers, executable JARs, programs that carry their own files.

use super::directory::Directory;
use super::look::{ReadSeek, unpack};
use super::sniff::{HEAD_LEN, Packing, packing};
use super::{executable, leaf, zip};
use crate::buffer::Buffer;
use crate::collect::Collector;
use crate::file::reason_of;
use crate::owners;
use std::io::{self, Cursor, Read, SeekFrom};

/// Beginnings of what may stand behind the lines of a script.
const IN_SCRIPTS: &[&[u8]] =
    &[b"\n\x1f\x8b\x08", b"\n\xfd7zXZ\0", b"\n\x28\xb5\x2f\xfd", b"\nBZh", b"\n7z\xbc\xaf\x27\x1c"];
/// A script that goes on with an archive says so in its first bytes.
const MAX_SCRIPT: u64 = 1024 * 1024;
/// What the loader of PyInstaller looks for at the end of its program, and how far from the end.
const PYINSTALLER: &[u8] = b"MEI\x0c\x0b\x0a\x0b\x0e";
const TAIL_LEN: u64 = 8_192;

/// Looks into a file that is not packed from its first byte on.
pub(super) fn look(
    head: &[u8],
    file: &mut dyn ReadSeek,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) -> io::Result<()> {
    let is_program = executable::is_program(head) || head.starts_with(b"#!");
    let directory = match Directory::at_end(file) {
        Ok(None) if is_program => Directory::read(file).ok(), // its magic may be a constant of the program
        Ok(found) => found,
        Err(error) => {
            collector.opaque(reason_of(&error));
            None
        }
    };
    if let Some(directory) = directory.filter(|directory| directory.entries().next().is_some()) {
        return zip::look(&directory, head, file, collector, buffer);
    }
    file.rewind()?;
    leaf::look(head, file, collector, buffer)?;
    if !is_program {
        return Ok(());
    }
    tell_packed(head, collector);
    name_crate(file, collector)?;
    let begin = if head.starts_with(b"#!") { behind_script(file)? } else { executable::end(file)? };
    if let Some(begin) = begin {
        look_behind(begin, file, collector, buffer)?;
    }
    Ok(())
}

/// Notes the crate that a Rust program says it was built from.
fn name_crate(program: &mut dyn ReadSeek, collector: &mut Collector<'_>) -> io::Result<()> {
    let section = executable::section(program, owners::SECTION, owners::MAX_PACKED)?;
    if let Some(package) = section.and_then(|section| owners::crate_of(&section)) {
        collector.add_label(collector.inside.clone(), package);
    }
    Ok(())
}

fn look_behind(
    begin: u64,
    file: &mut dyn ReadSeek,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) -> io::Result<()> {
    let len = file.seek(SeekFrom::End(0))?;
    if begin >= len {
        return Ok(());
    }
    file.seek(SeekFrom::Start(len.saturating_sub(TAIL_LEN).max(begin)))?;
    let mut tail = Vec::new();
    (&mut *file).take(TAIL_LEN).read_to_end(&mut tail)?;
    if tell_pyinstaller(&tail, collector) {
        return Ok(());
    }
    file.seek(SeekFrom::Start(begin))?;
    let mut head = Vec::with_capacity(HEAD_LEN);
    (&mut *file).take(HEAD_LEN as u64).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(begin))?;
    match packing(&head) {
        Packing::Firmware | Packing::Plain | Packing::Zip => Ok(()), // carved already; an archive in zip would have its directory
        found => unpack(found, &head, file, collector, buffer),
    }
}

/// Says what is attached to a program that came as a stream and cannot be looked into again; `tail` is its end.
pub(super) fn tell(head: &[u8], tail: &[u8], collector: &mut Collector<'_>) {
    if !executable::is_program(head) {
        return;
    }
    tell_packed(head, collector);
    if tail.starts_with(head) {
        // All of it is there. What its own headers say wrongly tells nothing.
        let _ = name_crate(&mut Cursor::new(tail), collector);
    }
    if matches!(Directory::at_end(&mut Cursor::new(tail)), Ok(Some(_)) | Err(_)) {
        collector
            .opaque("a zip archive is attached to it, which is not read inside another archive".to_owned());
    }
    tell_pyinstaller(&tail[tail.len().saturating_sub(TAIL_LEN as usize)..], collector);
}

/// What the headers say of a program that unpacks more than it shows.
fn tell_packed(head: &[u8], collector: &mut Collector<'_>) {
    if executable::is_unified_kernel(head) {
        collector.opaque("a unified kernel image, whose kernel is not unpacked".to_owned());
    }
    if executable::is_packed_by_upx(head) {
        collector.opaque("packed by UPX, which is not read".to_owned());
    }
}

fn tell_pyinstaller(tail: &[u8], collector: &mut Collector<'_>) -> bool {
    let found = memchr::memmem::find(tail, PYINSTALLER).is_some();
    if found {
        collector.opaque("carries files packed by PyInstaller, which are not read".to_owned());
    }
    found
}

/// Where an archive begins behind the lines of a script.
fn behind_script(file: &mut dyn ReadSeek) -> io::Result<Option<u64>> {
    file.rewind()?;
    let mut text = Vec::new();
    (&mut *file).take(MAX_SCRIPT).read_to_end(&mut text)?;
    let found = IN_SCRIPTS.iter().filter_map(|magic| memchr::memmem::find(&text, magic)).min();
    Ok(found.map(|at| at as u64 + 1))
}
