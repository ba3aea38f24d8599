//! Reads the little of ELF that a vDSO has: one loadable segment, a dynamic section, a symbol table.
//!
//! The image comes from the kernel, yet every offset in it is checked: this parser is fuzzed.

use crate::arch::VDSO_PREFIX;
use std::ops::Range;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const SYMBOL_LEN: usize = 24;
/// A vDSO has about twenty symbols; more than this is no vDSO.
const MAX_SYMBOLS: u32 = 512;

/// Why an image cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VdsoError {
    /// The kernel maps no vDSO into this process (`vdso=0` on its command line).
    #[error("the kernel maps no vDSO")]
    Absent,
    /// It is not the ELF image that was expected.
    #[error("the vDSO is not readable as an ELF image: {0}")]
    Malformed(&'static str),
    /// It has no room for the wrapper.
    #[error("the vDSO has no room for {needed} bytes of code")]
    NoRoom {
        /// Length of the wrapper.
        needed: usize,
    },
    /// The clock page is one page of 4 KiB, which this kernel cannot map by itself.
    #[error("the kernel's pages are {len} bytes long: clocks are shifted where they are 4096")]
    Pages {
        /// Length of a page.
        len: usize,
    },
    /// It lacks a symbol that the wrapper stands on.
    #[error("the vDSO exports no {0}")]
    NoSymbol(&'static str),
}

/// One entry of the dynamic symbol table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Its name, such as `__vdso_clock_gettime`.
    pub name: String,
    /// Where its code begins, from the start of the image.
    pub value: usize,
    /// Length of its code.
    pub size: usize,
    /// Where `st_value` is stored in the image; `st_size` follows it.
    pub entry: usize,
}

/// A parsed image; offsets are from its start.
#[derive(Debug, Clone)]
pub struct VdsoImage {
    /// The dynamic symbols.
    pub symbols: Vec<Symbol>,
    /// The bytes behind the end of its only segment, up to the end of the mapping.
    pub spare: Range<usize>,
}

impl VdsoImage {
    /// Parses the mapped bytes of a vDSO.
    ///
    /// # Errors
    /// [`VdsoError::Malformed`] for anything that is not the image of a 64-bit little-endian shared object.
    pub fn parse(bytes: &[u8]) -> Result<Self, VdsoError> {
        let reader = Reader(bytes);
        if bytes.get(..6) != Some(b"\x7fELF\x02\x01") {
            return Err(VdsoError::Malformed("no 64-bit little-endian header"));
        }
        let headers = reader.index(0x20, "program headers")?;
        let count = reader.u16(0x38)?;
        let mut dynamic = None;
        let mut load_end = None;
        for index in 0..usize::from(count) {
            let header = headers + index * 56;
            let offset = reader.index(header + 8, "segment offset")?;
            let len = reader.index(header + 32, "segment length")?;
            let end = offset.checked_add(len).filter(|end| *end <= bytes.len());
            let end = end.ok_or(VdsoError::Malformed("a segment leaves the image"))?;
            match reader.u32(header)? {
                PT_DYNAMIC => dynamic = Some(offset..end),
                PT_LOAD => load_end = Some(end),
                _ => {}
            }
        }
        let dynamic = dynamic.ok_or(VdsoError::Malformed("no dynamic section"))?;
        let load_end = load_end.ok_or(VdsoError::Malformed("no loadable segment"))?;
        let (mut strings, mut symbols, mut hash) = (None, None, None);
        for entry in dynamic.step_by(16) {
            let value = reader.index(entry + 8, "dynamic value")?;
            match reader.u64(entry)? {
                0 => break,
                DT_HASH => hash = Some(value),
                DT_STRTAB => strings = Some(value),
                DT_SYMTAB => symbols = Some(value),
                _ => {}
            }
        }
        let strings = strings.ok_or(VdsoError::Malformed("no string table"))?;
        let symbols = symbols.ok_or(VdsoError::Malformed("no symbol table"))?;
        let hash = hash.ok_or(VdsoError::Malformed("no DT_HASH"))?;
        let count = reader.u32(hash.checked_add(4).ok_or(VdsoError::Malformed("hash table"))?)?;
        if count > MAX_SYMBOLS {
            return Err(VdsoError::Malformed("too many symbols"));
        }
        let symbols = (0..count as usize)
            .map(|index| {
                let symbol =
                    symbols.checked_add(index * SYMBOL_LEN).ok_or(VdsoError::Malformed("symbol table"))?;
                let name = strings.checked_add(reader.u32(symbol)? as usize);
                let name = reader.text(name.ok_or(VdsoError::Malformed("symbol name"))?)?;
                let value = reader.index(symbol + 8, "symbol value")?;
                let size = reader.index(symbol + 16, "symbol size")?;
                Ok(Symbol { name, value, size, entry: symbol + 8 })
            })
            .collect::<Result<_, VdsoError>>()?;
        Ok(Self { symbols, spare: load_end..bytes.len() })
    }

    /// The symbols of this name, with or without the prefix of this architecture.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Symbol> {
        self.symbols
            .iter()
            .filter(move |symbol| symbol.name.strip_prefix(VDSO_PREFIX).unwrap_or(&symbol.name) == name)
    }
}

struct Reader<'bytes>(&'bytes [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], VdsoError> {
        let bytes = at.checked_add(N).and_then(|end| self.0.get(at..end));
        bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(VdsoError::Malformed("it ends too early"))
    }

    fn u16(&self, at: usize) -> Result<u16, VdsoError> {
        Ok(u16::from_le_bytes(self.array(at)?))
    }

    fn u32(&self, at: usize) -> Result<u32, VdsoError> {
        Ok(u32::from_le_bytes(self.array(at)?))
    }

    fn u64(&self, at: usize) -> Result<u64, VdsoError> {
        Ok(u64::from_le_bytes(self.array(at)?))
    }

    fn index(&self, at: usize, what: &'static str) -> Result<usize, VdsoError> {
        let value = usize::try_from(self.u64(at)?).map_err(|_| VdsoError::Malformed(what))?;
        // Some fields hold tags or flags, not offsets; none that is used lies beyond an image of 64 KiB.
        if value > 1 << 32 { Err(VdsoError::Malformed(what)) } else { Ok(value) }
    }

    fn text(&self, at: usize) -> Result<String, VdsoError> {
        let rest = self.0.get(at..).ok_or(VdsoError::Malformed("a name leaves the image"))?;
        let len = rest
            .iter()
            .take(64)
            .position(|byte| *byte == 0)
            .ok_or(VdsoError::Malformed("a name has no end"))?;
        Ok(String::from_utf8_lossy(&rest[..len]).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_an_error_and_never_a_panic() {
        assert!(VdsoImage::parse(&[]).is_err());
        let mut bytes = vec![0xff; 8192];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        assert!(VdsoImage::parse(&bytes).is_err());
    }
}
