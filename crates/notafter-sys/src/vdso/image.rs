//! The patched vDSO: this machine's own image with the clock entries pointing at the wrapper.
//!
//! # Safety
//! Unsafe code reads this process's own vDSO, whose address and extent the kernel gives (getauxval(3),
//! /proc/self/maps).
#![allow(unsafe_code, reason = "the vDSO is memory that the kernel mapped, not a Rust object")]

use super::parse::{VdsoError, VdsoImage};
use crate::arch::{self, Linked};
use crate::page::PAGE_LEN;
use std::ops::Range;

/// No vDSO is larger.
pub const VDSO_MAX: usize = 1 << 16;

/// What to write into a process so that its clock reads go through the wrapper. The same for every process of a
/// boot, but for the address at which its program begins.
#[derive(Debug, Clone)]
pub struct PatchedVdso {
    bytes: Vec<u8>,
    /// The bytes that differ from the kernel's image.
    changed: Range<usize>,
    /// The pages at its beginning that hold every changed byte and the function that the wrapper calls.
    decisive_len: usize,
    program: usize,
    entry: usize,
    ask: Range<usize>,
}

impl PatchedVdso {
    /// Patches a copy of this process's vDSO.
    ///
    /// # Errors
    /// [`VdsoError`] where the kernel has none or one that is not understood, or its pages have another length than the
    /// clock page.
    pub fn of_this_kernel() -> Result<Self, VdsoError> {
        let len = rustix::param::page_size();
        if len != PAGE_LEN {
            return Err(VdsoError::Pages { len });
        }
        Self::patch(&own_vdso()?)
    }

    fn patch(original: &[u8]) -> Result<Self, VdsoError> {
        let image = VdsoImage::parse(original)?;
        let wrapper = arch::wrapper();
        let len = wrapper.code.len();
        let called = image.named("clock_gettime").next().ok_or(VdsoError::NoSymbol("clock_gettime"))?;
        let (target, called_end) = (called.value, called.value + called.size);
        // The body of gettimeofday is not needed any more, and shares its page with the symbol table: one page to
        // copy on write instead of two. Behind the segment is the second choice.
        let body = image.named("gettimeofday").map(|symbol| symbol.value..symbol.value + symbol.size);
        let at = body
            .chain([image.spare.clone()])
            .map(|room| room.start.next_multiple_of(16)..room.end)
            .find(|room| room.end <= original.len() && room.start + len <= room.end)
            .ok_or(VdsoError::NoRoom { needed: len })?
            .start;
        let mut bytes = original.to_vec();
        bytes[at..at + len].copy_from_slice(wrapper.code);
        (wrapper.link)(&mut bytes[at..at + len], Linked { at, target, image_len: original.len() })?;
        for (name, entry) in wrapper.replaced {
            for symbol in image.named(name) {
                let value = (at + entry) as u64;
                bytes[symbol.entry..symbol.entry + 8].copy_from_slice(&value.to_le_bytes());
            }
        }
        let differs = |index: &usize| bytes[*index] != original[*index];
        let first = (0..bytes.len()).find(differs).unwrap_or(at);
        let last = (0..bytes.len()).rfind(differs).unwrap_or(at);
        // The program's address is written too, though it is zero here and might be zero there.
        let changed = first.min(at + wrapper.program)..(last + 1).max(at + wrapper.program + 8);
        let ask = at + wrapper.ask.start..at + wrapper.ask.end;
        let decisive_len = changed.end.max(called_end).next_multiple_of(4096).min(bytes.len());
        Ok(Self { bytes, changed, decisive_len, program: at + wrapper.program, entry: ask.start, ask })
    }

    /// Length of the image, and so of its mapping.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Never: a vDSO has a header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Where the changed bytes begin, from the start of the image, and those bytes for a program that begins at
    /// address `program`.
    #[must_use]
    pub fn patch_for(&self, program: u64) -> (u64, Vec<u8>) {
        let mut bytes = self.bytes[self.changed.clone()].to_vec();
        let slot = self.program - self.changed.start;
        bytes[slot..slot + 8].copy_from_slice(&program.to_le_bytes());
        (self.changed.start as u64, bytes)
    }

    /// Whether `bytes`, a whole image read from a process, are this patched image; the program's address may be any.
    #[must_use]
    pub fn matches(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.bytes.len() && self.begins_with(bytes)
    }

    /// How many bytes at the beginning of the image decide what a clock reads.
    #[must_use]
    pub fn decisive_len(&self) -> usize {
        self.decisive_len
    }

    /// Whether `bytes`, the beginning of an image read from a process, are that of this patched image; the program's
    /// address may be any.
    #[must_use]
    pub fn begins_with(&self, bytes: &[u8]) -> bool {
        let slot = self.program..self.program + 8;
        let own = self.bytes.get(..bytes.len());
        bytes.len() >= slot.end
            && own.is_some_and(|own| {
                own[..slot.start] == bytes[..slot.start] && own[slot.end..] == bytes[slot.end..]
            })
    }

    /// Where a program under this image begins instead: maps the clock page, then goes on. From the image's start.
    #[must_use]
    pub fn entry(&self) -> u64 {
        self.entry as u64
    }

    /// Whether an instruction pointer at this distance from the image's start is the entry's request for the page.
    #[must_use]
    pub fn is_request(&self, offset: u64) -> bool {
        usize::try_from(offset).is_ok_and(|offset| self.ask.start < offset && offset <= self.ask.end)
    }
}

/// A copy of this process's vDSO.
fn own_vdso() -> Result<Vec<u8>, VdsoError> {
    let maps = std::fs::read_to_string("/proc/self/maps").map_err(|_| VdsoError::Absent)?;
    let line = maps.lines().find(|line| line.ends_with("[vdso]")).ok_or(VdsoError::Absent)?;
    let range = line.split(' ').next().and_then(|range| range.split_once('-'));
    let parse = |text| u64::from_str_radix(text, 16).ok();
    let (start, end) =
        range.and_then(|(start, end)| Some((parse(start)?, parse(end)?))).ok_or(VdsoError::Absent)?;
    let len = usize::try_from(end - start).unwrap_or(usize::MAX);
    if len > VDSO_MAX {
        return Err(VdsoError::Malformed("it is larger than 64 KiB"));
    }
    // SAFETY: /proc/self/maps just said that the vDSO is mapped readable there, and nothing unmaps or writes it.
    Ok(unsafe { std::slice::from_raw_parts(start as *const u8, len) }.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_image_is_patched_in_one_range() {
        let original = own_vdso().unwrap();
        let patched = PatchedVdso::of_this_kernel().unwrap();
        let (start, bytes) = patched.patch_for(0x1234_5678);
        let mut written = original.clone();
        let start = usize::try_from(start).unwrap();
        written[start..start + bytes.len()].copy_from_slice(&bytes);
        assert!(patched.matches(&written));
        assert!(patched.begins_with(&written[..patched.decisive_len()]));
        assert!(!patched.begins_with(&original[..patched.decisive_len()]) && !patched.begins_with(&[]));
        assert!(!patched.matches(&original));
        let image = VdsoImage::parse(&written).unwrap();
        let moved = image.named("clock_gettime").next().unwrap().value;
        assert_ne!(moved, VdsoImage::parse(&original).unwrap().named("clock_gettime").next().unwrap().value);
        written[moved] ^= 1;
        assert!(!patched.matches(&written), "a changed wrapper is not the patched image");
    }
}
