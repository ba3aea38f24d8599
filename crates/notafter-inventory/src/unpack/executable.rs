//! Where an executable ends by its own headers: what follows was attached to it.

use super::directory::{u16_at, u32_at, u64_at};
use super::look::ReadSeek;
use std::io::{self, Read, SeekFrom};

pub(super) const ELF_MAGIC: &[u8] = b"\x7fELF";
const PE_MAGIC: &[u8] = b"MZ";
/// As many sections as are read; programs have some dozens.
const MAX_SECTIONS: u16 = 4_096;

/// Whether a file that begins so is a program that something may be attached to.
pub(super) fn is_program(head: &[u8]) -> bool {
    head.starts_with(ELF_MAGIC) || head.starts_with(PE_MAGIC)
}

/// Whether the headers carry the mark of UPX.
pub(super) fn is_packed_by_upx(head: &[u8]) -> bool {
    head.starts_with(ELF_MAGIC) && memchr::memmem::find(head, b"UPX!").is_some()
}

/// Whether the headers name the section of a kernel (UAPI.5, unified kernel image).
pub(super) fn is_unified_kernel(head: &[u8]) -> bool {
    head.starts_with(PE_MAGIC) && memchr::memmem::find(head, b".linux\0\0").is_some()
}

/// Where the program ends in its file, in bytes; none where its headers do not say.
pub(super) fn end(file: &mut dyn ReadSeek) -> io::Result<Option<u64>> {
    let head = bytes_at(file, 0, 64)?;
    if head.starts_with(ELF_MAGIC) { elf_end(&head, file) } else { pe_end(&head, file) }
}

/// The end of the last section, segment or header table (elf(5)), little-endian as every machine that is scanned.
fn elf_end(head: &[u8], file: &mut dyn ReadSeek) -> io::Result<Option<u64>> {
    let is_64 = match (head.get(4), head.get(5)) {
        (Some(2), Some(1)) => true,
        (Some(1), Some(1)) => false,
        _ => return Ok(None),
    };
    let word = |bytes: &[u8], at_64: usize, at_32: usize| {
        if is_64 { u64_at(bytes, at_64) } else { u64::from(u32_at(bytes, at_32)) }
    };
    let half = |at_64, at_32| u16_at(head, if is_64 { at_64 } else { at_32 });
    let (segments, sections) = (word(head, 32, 28), word(head, 40, 32));
    let (segment_len, segment_count) = (half(54, 42), half(56, 44));
    let (section_len, section_count) = (half(58, 46), half(60, 48));
    let mut end = 0_u64;
    for (table, len, count, is_section) in
        [(segments, segment_len, segment_count, false), (sections, section_len, section_count, true)]
    {
        if table == 0 || count == 0 {
            continue;
        }
        let table_len = usize::from(len) * usize::from(count.min(MAX_SECTIONS));
        end = end.max(table.saturating_add(table_len as u64));
        let rows = bytes_at(file, table, table_len)?;
        for row in rows.chunks_exact(usize::from(len).max(1)) {
            const NOBITS: u32 = 8;
            if is_section && u32_at(row, 4) == NOBITS {
                continue;
            }
            let (at, size) = match is_section {
                true => (word(row, 24, 16), word(row, 32, 20)),
                false => (word(row, 8, 4), word(row, 32, 16)),
            };
            end = end.max(at.saturating_add(size));
        }
    }
    Ok((end > 0).then_some(end))
}

/// The end of the last section (PE format, Microsoft). Certificates of Authenticode, which follow, are carved anyway.
fn pe_end(head: &[u8], file: &mut dyn ReadSeek) -> io::Result<Option<u64>> {
    let at = u64::from(u32_at(head, 0x3c));
    let coff = bytes_at(file, at, 24)?;
    if !coff.starts_with(b"PE\0\0") {
        return Ok(None);
    }
    let count = u16_at(&coff, 6).min(MAX_SECTIONS);
    let table = at + 24 + u64::from(u16_at(&coff, 20));
    let rows = bytes_at(file, table, usize::from(count) * 40)?;
    let ends = rows.chunks_exact(40).map(|row| u64::from(u32_at(row, 20)) + u64::from(u32_at(row, 16)));
    Ok(ends.max())
}

/// Up to `len` bytes; fewer where the file ends.
fn bytes_at(file: &mut dyn ReadSeek, at: u64, len: usize) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    (&mut *file).take(len as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
