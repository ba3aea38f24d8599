//! One member of lzip (its format is told in the manual, "File format"): a header of six bytes, a stream of LZMA that tells
//! its own end, and a trailer.

use super::xz::MAX_DICTIONARY;
use lzma_rust2::LzmaReader;
use std::io::{self, Read};

pub(super) const MAGIC: &[u8] = b"LZIP";
/// What lzip has always used: bits of context of literals, of their position, and of the position.
const PROPERTIES: (u32, u32, u32) = (3, 0, 2);

/// A member that is being decoded.
pub(super) struct Member<R> {
    decoder: LzmaReader<R>,
    unpacked_len: u64,
    has_ended: bool,
}

impl<R: Read> Member<R> {
    /// Begins with the header.
    pub(super) fn begin(mut reader: R) -> io::Result<Self> {
        let mut header = [0; 6];
        reader.read_exact(&mut header)?;
        let [.., version, size] = header;
        if version != 1 {
            return Err(io::Error::other("an lzip file of a version that is not read"));
        }
        let dictionary = dictionary(size).filter(|len| u64::from(*len) <= MAX_DICTIONARY);
        let dictionary = dictionary.ok_or_else(|| io::Error::other("its dictionary is too large"))?;
        let (context, literal, position) = PROPERTIES;
        let decoder = LzmaReader::new(reader, u64::MAX, context, literal, position, dictionary, None)?;
        Ok(Self { decoder, unpacked_len: 0, has_ended: false })
    }

    /// What follows, once the member was read to its end.
    pub(super) fn into_inner(self) -> R {
        self.decoder.into_inner()
    }
}

impl<R: Read> Read for Member<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.has_ended || buffer.is_empty() {
            return Ok(0);
        }
        let read = self.decoder.read(buffer)?;
        self.unpacked_len += read as u64;
        if read == 0 {
            self.has_ended = true;
            // The sum of the data, its length, and the length of the member.
            let mut trailer = [0; 20];
            self.decoder.inner_mut().read_exact(&mut trailer)?;
            if !trailer[4..12].iter().eq(&self.unpacked_len.to_le_bytes()) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the lzip file is damaged"));
            }
        }
        Ok(read)
    }
}

/// A power of two, less some sixteenths of it; `None` for more than 512 MiB or less than 4 KiB.
fn dictionary(size: u8) -> Option<u32> {
    let whole = 1_u32.checked_shl(u32::from(size & 31))?;
    let len = whole - whole / 16 * u32::from(size >> 5);
    (4096..=512 << 20).contains(&len).then_some(len)
}

#[cfg(test)]
mod tests {
    use super::dictionary;

    #[test]
    fn sizes_of_dictionaries_are_those_of_the_manual() {
        assert_eq!(dictionary(0xd3), Some(320 << 10));
        assert_eq!(dictionary(0x0c), Some(4096));
        assert_eq!(dictionary(0x1d), Some(512 << 20));
        for size in [0x0b, 0x2c, 0x1e, 0xff] {
            assert_eq!(dictionary(size), None, "{size:#x}");
        }
    }
}
