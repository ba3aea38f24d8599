//! What the headers of an executable say: where it ends, for what follows was attached to it, and where a section lies.

use super::directory::{u16_at, u32_at, u64_at};
use super::look::ReadSeek;
use std::io::{self, Read, SeekFrom};

pub(super) const ELF_MAGIC: &[u8] = b"\x7fELF";
const PE_MAGIC: &[u8] = b"MZ";
/// As many sections as are read; programs have some dozens.
const MAX_SECTIONS: u16 = 4_096;
/// Names of sections beyond this are not read, in bytes.
const MAX_NAMES: u64 = 1024 * 1024;

/// Whether a file that begins so is a program that something may be attached to.
pub(super) fn is_program(head: &[u8]) -> bool {
    head.starts_with(ELF_MAGIC) || head.starts_with(PE_MAGIC)
}

/// Whether it is a program or library of Windows, by both of its magics.
pub(super) fn is_pe(head: &[u8]) -> bool {
    let at = usize::try_from(u32_at(head, 0x3c)).unwrap_or(usize::MAX);
    head.starts_with(PE_MAGIC) && head.get(at..).is_some_and(|rest| rest.starts_with(b"PE\0\0"))
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

/// The end of the last section, segment or header table (elf(5)).
fn elf_end(head: &[u8], file: &mut dyn ReadSeek) -> io::Result<Option<u64>> {
    let Some(elf) = Elf::new(head) else { return Ok(None) };
    let mut end = 0_u64;
    for (table, is_section) in [(elf.segments(), false), (elf.sections(), true)] {
        let rows = elf.rows(table, file)?;
        if !rows.is_empty() {
            end = end.max(table.at.saturating_add(rows.len() as u64));
        }
        for row in rows.chunks_exact(table.row_len.max(1)) {
            let range = match is_section {
                true => elf.section_range(row),
                false => Some((elf.word(row, 8, 4), elf.word(row, 32, 16))),
            };
            if let Some((at, size)) = range {
                end = end.max(at.saturating_add(size));
            }
        }
    }
    Ok((end > 0).then_some(end))
}

/// The contents of the section `name` of an ELF file; none where there is none, or it is longer than `most` bytes.
pub(super) fn section(file: &mut dyn ReadSeek, name: &[u8], most: u64) -> io::Result<Option<Vec<u8>>> {
    let head = bytes_at(file, 0, 64)?;
    let Some(elf) = Elf::new(&head).filter(|_| head.starts_with(ELF_MAGIC)) else { return Ok(None) };
    let table = elf.sections();
    let rows = elf.rows(table, file)?;
    let rows: Vec<&[u8]> = rows.chunks_exact(table.row_len.max(1)).collect();
    let Some((names, len)) = rows.get(elf.names_index()).and_then(|row| elf.section_range(row)) else {
        return Ok(None);
    };
    let names = bytes_at(file, names, usize::try_from(len.min(MAX_NAMES)).unwrap_or(0))?;
    let is_it = |row: &&&[u8]| {
        let rest = names.get(u32_at(row, 0) as usize..).unwrap_or_default();
        rest.starts_with(name) && rest.get(name.len()) == Some(&0)
    };
    let found = rows.iter().find(is_it).and_then(|row| elf.section_range(row));
    match found.filter(|(_, len)| *len <= most) {
        Some((at, len)) => bytes_at(file, at, usize::try_from(len).unwrap_or(0)).map(Some),
        None => Ok(None),
    }
}

/// The header of an ELF file (elf(5)), little-endian as every machine that is scanned.
#[derive(Clone, Copy)]
struct Elf<'a> {
    head: &'a [u8],
    is_64: bool,
}

/// Where rows of a header table lie.
#[derive(Clone, Copy)]
struct Table {
    at: u64,
    row_len: usize,
    rows: u16,
}

impl<'a> Elf<'a> {
    /// `head` is what the file begins with.
    fn new(head: &'a [u8]) -> Option<Self> {
        match (head.get(4), head.get(5)) {
            (Some(2), Some(1)) => Some(Self { head, is_64: true }),
            (Some(1), Some(1)) => Some(Self { head, is_64: false }),
            _ => None,
        }
    }

    /// An address or an offset in a structure, at this place in 64-bit files and at that one in others.
    fn word(self, bytes: &[u8], at_64: usize, at_32: usize) -> u64 {
        if self.is_64 { u64_at(bytes, at_64) } else { u64::from(u32_at(bytes, at_32)) }
    }

    fn half(self, at_64: usize, at_32: usize) -> u16 {
        u16_at(self.head, if self.is_64 { at_64 } else { at_32 })
    }

    fn segments(self) -> Table {
        let at = self.word(self.head, 32, 28);
        Table { at, row_len: self.half(54, 42).into(), rows: self.half(56, 44) }
    }

    fn sections(self) -> Table {
        let at = self.word(self.head, 40, 32);
        Table { at, row_len: self.half(58, 46).into(), rows: self.half(60, 48) }
    }

    /// Which section holds the names of the others.
    fn names_index(self) -> usize {
        self.half(62, 50).into()
    }

    /// The rows of a table, one behind the other; none where there is none.
    fn rows(self, table: Table, file: &mut dyn ReadSeek) -> io::Result<Vec<u8>> {
        if table.at == 0 || table.rows == 0 {
            return Ok(Vec::new());
        }
        bytes_at(file, table.at, table.row_len * usize::from(table.rows.min(MAX_SECTIONS)))
    }

    /// Where the contents of a section lie and how long they are; none where they lie in memory alone.
    fn section_range(self, row: &[u8]) -> Option<(u64, u64)> {
        const NOBITS: u32 = 8;
        (u32_at(row, 4) != NOBITS).then(|| (self.word(row, 24, 16), self.word(row, 32, 20)))
    }
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
