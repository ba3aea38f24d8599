//! What is packed inside a program or firmware, and not behind it: the kernel in a boot image of Linux on x86
//! (Documentation/arch/x86/boot.rst), sections under LZMA in volumes of UEFI (Platform Initialization, volume 3, §3.2).

use super::directory::{u16_at, u32_at};
use super::leaf;
use super::look::{Input, enter};
use super::sniff::{Packing, packing};
use crate::buffer::Buffer;
use crate::collect::Collector;
use std::io::{self, Cursor};

const VOLUME: &[u8] = b"_FVH";
/// `EE4E5898-3914-4259-9D6E-DC7BD79403CF`: how sections under LZMA are marked.
const LZMA_SECTION: &[u8] = b"\x98\x58\x4e\xee\x14\x39\x59\x42\x9d\x6e\xdc\x7b\xd7\x94\x03\xcf";
/// Bytes of a section before its mark: three of its length, one of its kind; longer ones have four more.
const SHORT_HEADER: usize = 4;
/// Kind of a section with a mark.
const MARKED: u8 = 2;

/// Whether a file that begins so is a boot image of Linux.
pub(super) fn is_kernel(head: &[u8]) -> bool {
    head.starts_with(b"MZ") && head.get(0x202..0x206) == Some(b"HdrS")
}

/// Whether a file that begins so is firmware.
pub(super) fn is_firmware(head: &[u8]) -> bool {
    head.get(40..44) == Some(VOLUME)
}

/// Carves `bytes`, then looks into what is packed in them.
pub(super) fn look(bytes: &[u8], collector: &mut Collector<'_>, buffer: &mut Buffer) -> io::Result<()> {
    leaf::stream(&mut Cursor::new(bytes), 0, collector, buffer)?;
    if is_kernel(bytes) {
        look_at_kernel(bytes, collector, buffer);
    } else {
        look_at_sections(bytes, collector, buffer);
    }
    Ok(())
}

fn look_at_kernel(bytes: &[u8], collector: &mut Collector<'_>, buffer: &mut Buffer) {
    let sectors = usize::from(bytes.get(0x1f1).copied().unwrap_or_default());
    let field = |at| usize::try_from(u32_at(bytes, at)).unwrap_or(usize::MAX);
    let begin = field(0x248).saturating_add((sectors.max(1) + 1) * 512);
    let payload = bytes.get(begin..begin.saturating_add(field(0x24c))).unwrap_or_default();
    // The length of the kernel follows the stream, and would be taken for the beginning of another.
    let payload = &payload[..payload.len().saturating_sub(4)];
    if matches!(packing(payload), Packing::Plain) {
        collector.opaque("a kernel packed in a form that is not read".to_owned());
    } else {
        enter("(kernel)", Input::Stream(&mut Cursor::new(payload)), collector, buffer);
    }
}

fn look_at_sections(bytes: &[u8], collector: &mut Collector<'_>, buffer: &mut Buffer) {
    for at in memchr::memmem::find_iter(bytes, LZMA_SECTION) {
        let Some((section, len)) = section_before(bytes, at) else {
            continue; // a constant of the program that reads such sections
        };
        let begin = section + usize::from(u16_at(bytes, at + LZMA_SECTION.len()));
        let end = section.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
        let packed = bytes.get(begin..end).unwrap_or_default();
        if matches!(packing(packed), Packing::Lzma) {
            enter("(section)", Input::Stream(&mut Cursor::new(packed)), collector, buffer);
        } else {
            collector.opaque(format!("a packed section of firmware at {section} is not read"));
        }
    }
}

/// Where the section begins whose mark stands at `mark`, and its length.
fn section_before(bytes: &[u8], mark: usize) -> Option<(usize, u32)> {
    const LONG: u32 = 0x00ff_ffff;
    let begins = |header_len| {
        let begin = mark.checked_sub(header_len)?;
        (*bytes.get(begin + 3)? == MARKED).then_some((begin, u32_at(bytes, begin) & LONG))
    };
    let long = begins(SHORT_HEADER + 4).filter(|(_, len)| *len == LONG);
    match long {
        Some((begin, _)) => Some((begin, u32_at(bytes, begin + 4))),
        None => begins(SHORT_HEADER),
    }
}
