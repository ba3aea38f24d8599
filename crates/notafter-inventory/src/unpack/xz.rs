//! One stream of xz (The .xz File Format 1.2.1), with a bound on what decoding it takes.
//!
//! The decoder makes room for whatever dictionary a block names, up to 4 GiB, and a stream may have many blocks. So its
//! framing is followed beside the decoder, which tells the header of a block before the decoder has it whole.

use lzma_rust2::XzReader;
use std::io::{self, Read};

/// The largest dictionary: what the best preset takes.
pub(super) const MAX_DICTIONARY: u64 = 64 * 1024 * 1024;
pub(super) const MAGIC: &[u8] = b"\xfd7zXZ\0";
const STREAM_HEADER_LEN: usize = 12;
/// Of a chunk of LZMA: its first byte, and both its lengths.
const CHUNK_HEADER_LEN: usize = 5;
const LZMA2: u64 = 0x21;
/// Lengths of the check behind a block, by the kind of check (§2.1.1.2).
const CHECK_LENS: [u64; 16] = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

/// Decodes the stream that `reader` begins with, and reads nothing behind it.
pub(super) fn decoder<R: Read>(reader: R) -> XzReader<Watched<R>> {
    XzReader::new(Watched { reader, framing: Framing::default() }, false)
}

/// What the decoder reads through.
pub(super) struct Watched<R> {
    reader: R,
    framing: Framing,
}

impl<R> Watched<R> {
    pub(super) fn into_inner(self) -> R {
        self.reader
    }
}

impl<R: Read> Read for Watched<R> {
    /// Fills `buffer` but at the end: the decoder takes a short read within padding for the end of the file.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        self.framing.follow(&buffer[..filled])?;
        Ok(filled)
    }
}

/// How far the framing of a stream was followed.
#[derive(Debug, Default)]
struct Framing {
    next: Part,
    /// What was read of that part, and what is to be skipped before it.
    held: Vec<u8>,
    skip: u64,
    check_len: u64,
    /// Length of the data of this block so far.
    data_len: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Part {
    #[default]
    StreamHeader,
    /// The first byte of a block header, or of the index.
    Block,
    BlockHeader {
        len: usize,
    },
    /// The first byte of a chunk of LZMA2.
    Chunk,
    Stored,
    Packed,
    /// Index and footer, which have no dictionary.
    Rest,
}

impl Framing {
    fn follow(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() && self.next != Part::Rest {
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            self.skip -= skipped as u64;
            bytes = &bytes[skipped..];
            let (taken, rest) = bytes.split_at(bytes.len().min(self.wanted() - self.held.len()));
            self.held.extend_from_slice(taken);
            bytes = rest;
            if self.skip == 0 && self.held.len() == self.wanted() {
                self.step()?;
            }
        }
        Ok(())
    }

    /// Length of the next part.
    fn wanted(&self) -> usize {
        match self.next {
            Part::StreamHeader => STREAM_HEADER_LEN,
            Part::Block | Part::Chunk => 1,
            Part::BlockHeader { len } => len,
            Part::Stored => 3,
            Part::Packed => CHUNK_HEADER_LEN,
            Part::Rest => 0,
        }
    }

    /// Goes on behind a part that is there as a whole.
    fn step(&mut self) -> io::Result<()> {
        let first = self.held[0];
        self.next = match self.next {
            Part::StreamHeader => {
                self.check_len = CHECK_LENS[usize::from(self.held[7] & 15)];
                Part::Block
            }
            Part::Block if first == 0 => Part::Rest,
            Part::Block => return self.widen(Part::BlockHeader { len: (usize::from(first) + 1) * 4 }),
            Part::BlockHeader { .. } => {
                let dictionary = dictionary(&self.held).ok_or_else(damaged)?;
                if dictionary > MAX_DICTIONARY {
                    let [named, most] = [dictionary, MAX_DICTIONARY].map(|len| len / 1024 / 1024);
                    let reason =
                        format!("its dictionary of {named} MiB is larger than the {most} MiB which are read");
                    return Err(io::Error::other(reason));
                }
                self.data_len = 0;
                Part::Chunk
            }
            Part::Chunk => match first {
                0 => {
                    self.data_len += 1;
                    self.skip = self.data_len.next_multiple_of(4) - self.data_len + self.check_len;
                    Part::Block
                }
                1 | 2 => return self.widen(Part::Stored),
                3..=0x7f => return Err(damaged()),
                0x80.. => return self.widen(Part::Packed),
            },
            Part::Stored => self.data(self.held[1..3].try_into().ok(), 0),
            // A byte with properties stands before the data of some, and does not count as such.
            Part::Packed => self.data(self.held[3..5].try_into().ok(), u64::from(first >= 0xc0)),
            Part::Rest => Part::Rest,
        };
        self.held.clear();
        Ok(())
    }

    /// What was read is the begin of a longer part.
    fn widen(&mut self, part: Part) -> io::Result<()> {
        self.next = part;
        Ok(())
    }

    /// The data of a chunk, whose length less one stands in its header.
    fn data(&mut self, len: Option<[u8; 2]>, more: u64) -> Part {
        self.skip = len.map_or(0, |len| u64::from(u16::from_be_bytes(len)) + 1) + more;
        self.data_len += self.held.len() as u64 + self.skip;
        Part::Chunk
    }
}

/// The dictionary that a block header names (§3.1, §5.3.1), in bytes.
fn dictionary(header: &[u8]) -> Option<u64> {
    let flags = *header.get(1)?;
    let mut rest = header.get(2..)?;
    for flag in [0x40, 0x80] {
        if flags & flag != 0 {
            number(&mut rest)?;
        }
    }
    for last in (0..=flags & 3).rev().map(|left| left == 0) {
        let (id, len) = (number(&mut rest)?, number(&mut rest)?);
        let (properties, behind) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        rest = behind;
        match (last, id == LZMA2, properties) {
            (true, true, [40]) => return Some(u64::from(u32::MAX)),
            (true, true, [bits @ 0..40]) => return Some((2 | u64::from(bits & 1)) << (bits / 2 + 11)),
            (false, false, _) => {}
            _ => return None,
        }
    }
    None
}

/// A number of several bytes, seven bits in each, the lowest first (§1.2).
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let len = bytes.iter().take(9).position(|byte| byte & 0x80 == 0)? + 1;
    let (number, rest) = bytes.split_at(len);
    *bytes = rest;
    Some(number.iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f)))
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the xz stream is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;
    use lzma_rust2::{XzOptions, XzWriter};
    use std::io::Write;
    use std::num::NonZeroU64;

    /// Bytes that pack to chunks of both kinds.
    fn sample() -> Vec<u8> {
        let mut state = 1_u32;
        let noise = (0..200_000).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        });
        noise.chain(std::iter::repeat_n(b'a', 300_000)).collect()
    }

    fn packed(bytes: &[u8], dictionary: u32, block: Option<u64>) -> Vec<u8> {
        let mut options = XzOptions::with_preset(1);
        options.lzma_options.dict_size = dictionary;
        options.set_block_size(block.and_then(NonZeroU64::new));
        let mut writer = XzWriter::new(Vec::new(), options).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    /// Yields a few bytes at a time.
    struct Dripping<'a>(&'a [u8]);

    impl Read for Dripping<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = buffer.len().min(3);
            self.0.read(&mut buffer[..len])
        }
    }

    #[test]
    fn the_framing_is_followed_through_blocks_and_chunks_however_the_bytes_come() {
        let sample = sample();
        for block in [None, Some(10_001), Some(150_000)] {
            let packed = packed(&sample, 1 << 12, block);
            for mut reader in [Box::new(&packed[..]) as Box<dyn Read>, Box::new(Dripping(&packed))] {
                let mut decoder = decoder(&mut reader);
                let mut unpacked = Vec::new();
                decoder.read_to_end(&mut unpacked).unwrap();
                assert!(unpacked == sample, "{block:?}");
                assert_eq!(decoder.into_inner().framing.next, Part::Rest, "{block:?}");
            }
        }
    }

    #[test]
    fn a_dictionary_that_is_too_large_is_told_in_whatever_block_it_stands() {
        let small = packed(&sample(), 1 << 12, Some(150_000));
        // A header of 12 bytes whose sum does not matter: it is told before the decoder has it whole.
        let header = |size| [2, 0, 0x21, 1, size, 0, 0, 0, 0, 0, 0, 0];
        for (begin, unpacked_len) in [(12, 0), (second_block(&small), 150_000)] {
            let bytes = [&small[..begin], &header(29)].concat();
            let mut unpacked = Vec::new();
            let error = decoder(&bytes[..]).read_to_end(&mut unpacked).unwrap_err();
            assert_eq!(
                error.to_string(),
                "its dictionary of 96 MiB is larger than the 64 MiB which are read"
            );
            assert_eq!(unpacked.len(), unpacked_len);
        }
        assert_eq!(dictionary(&header(28)), Some(MAX_DICTIONARY));
    }

    /// Where the second block begins.
    fn second_block(bytes: &[u8]) -> usize {
        let mut framing = Framing::default();
        let mut blocks = 0;
        for (at, byte) in bytes.iter().enumerate() {
            if framing.skip == 0 && framing.next == Part::Block && framing.held.is_empty() {
                blocks += 1;
                if blocks == 2 {
                    return at;
                }
            }
            framing.follow(&[*byte]).unwrap();
        }
        panic!("there is one block alone");
    }

    #[test]
    fn numbers_and_filters_that_lie_are_refused() {
        let mut endless = &[0xff; 20][..];
        assert_eq!(number(&mut endless), None);
        assert_eq!(number(&mut &[0x80, 0x01][..]), Some(128));
        // LZMA2 alone; behind a filter for x86; not as the last; with a size beyond the header; of a size that there is not.
        for (header, expected) in [
            (&[2, 0, 0x21, 1, 22][..], Some(8 << 20)),
            (&[2, 1, 4, 0, 0x21, 1, 23], Some(12 << 20)),
            (&[2, 1, 0x21, 1, 22, 4, 0], None),
            (&[2, 0, 0x21, 9, 22], None),
            (&[2, 0, 0x21, 1, 41], None),
            (&[2, 0, 4, 0], None),
            (&[2], None),
        ] {
            assert_eq!(dictionary(header), expected, "{header:?}");
        }
    }
}
