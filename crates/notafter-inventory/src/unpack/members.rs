//! Compressed streams that may stand one behind the other: members of gzip (RFC 1952 §2.2), frames of Zstandard
//! (RFC 8878 §3.1) and LZ4, members of lzip, streams of bzip2 and xz. Together they are one stream; what follows the last
//! one is kept.

use super::lzip::{self, Member};
use super::xz::{self, Watched};
use lzma_rust2::XzReader;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io::{self, BufRead, Read};

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Bzip2,
    Gzip,
    Lz4,
    Lzip,
    Xz,
    Zstd,
}

const BZIP2: &[u8] = b"BZh";
/// The frame of LZ4, and the one before it, which kernels still take.
const LZ4: [&[u8]; 2] = [b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18"];
const GZIP: &[u8] = b"\x1f\x8b\x08";
/// What may stand between two streams of xz (The .xz File Format 1.2.1, §2.2), as often as it takes.
const XZ_PADDING: &[u8] = &[0; 4];
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
/// The last three bytes of the magic of a frame to be skipped, of LZ4 too; the first is 0x50 to 0x5f.
const ZSTD_SKIPPED: &[u8] = b"\x2a\x4d\x18";

/// Reads members until something else stands where one would begin.
pub(crate) struct Members<'a> {
    form: Form,
    state: State<'a>,
}

enum State<'a> {
    Between(Source<'a>),
    Bzip2(Box<bzip2::bufread::BzDecoder<Source<'a>>>),
    Gzip(Box<flate2::bufread::GzDecoder<Source<'a>>>),
    Lz4(Box<lz4_flex::frame::FrameDecoder<Source<'a>>>),
    Lzip(Box<Member<Source<'a>>>),
    Xz(Box<XzReader<Watched<Source<'a>>>>),
    Zstd(Box<StreamingDecoder<Source<'a>, FrameDecoder>>),
    /// Something else follows, or the stream is damaged.
    Ended(Source<'a>),
    /// A frame could not even begin.
    Lost,
}

impl<'a> Members<'a> {
    pub(crate) fn new(form: Form, reader: &'a mut dyn Read) -> Self {
        Self { form, state: State::Between(Source::new(reader)) }
    }

    /// What follows; none while the last member is not read to its end.
    pub(super) fn into_rest(self) -> Option<Source<'a>> {
        match self.state {
            State::Ended(source) => Some(source),
            State::Between(_)
            | State::Bzip2(_)
            | State::Gzip(_)
            | State::Lost
            | State::Lz4(_)
            | State::Lzip(_)
            | State::Xz(_)
            | State::Zstd(_) => None,
        }
    }

    /// Goes on where a member may begin.
    fn begin(&mut self, mut source: Source<'a>) -> io::Result<()> {
        let head = source.peek(8)?;
        let skipped = matches!(self.form, Form::Lz4 | Form::Zstd)
            && head.get(1..4) == Some(ZSTD_SKIPPED)
            && head[0] >> 4 == 5;
        if skipped {
            let len = head.get(4..8).and_then(|len| len.try_into().ok()).map_or(0, u32::from_le_bytes);
            io::copy(&mut (&mut source).take(8 + u64::from(len)), &mut io::sink())?;
            self.state = State::Between(source);
        } else if self.form == Form::Bzip2 && head.starts_with(BZIP2) {
            self.state = State::Bzip2(Box::new(bzip2::bufread::BzDecoder::new(source)));
        } else if self.form == Form::Lz4 && LZ4.iter().any(|magic| head.starts_with(magic)) {
            self.state = State::Lz4(Box::new(lz4_flex::frame::FrameDecoder::new(source)));
        } else if self.form == Form::Gzip && head.starts_with(GZIP) {
            self.state = State::Gzip(Box::new(flate2::bufread::GzDecoder::new(source)));
        } else if self.form == Form::Lzip && head.starts_with(lzip::MAGIC) {
            self.state = State::Lzip(Box::new(Member::begin(source)?));
        } else if self.form == Form::Xz && head.starts_with(xz::MAGIC) {
            self.state = State::Xz(Box::new(xz::decoder(source)));
        } else if self.form == Form::Xz && head.starts_with(XZ_PADDING) {
            source.consume(XZ_PADDING.len());
            self.state = State::Between(source);
        } else if self.form == Form::Zstd && head.starts_with(ZSTD) {
            let decoder = StreamingDecoder::new(source);
            let decoder = decoder.map_err(|error| io::Error::other(error.to_string()))?;
            self.state = State::Zstd(Box::new(decoder));
        } else {
            self.state = State::Ended(source);
        }
        Ok(())
    }
}

impl Read for Members<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match &mut self.state {
                State::Between(_) => Ok(0),
                State::Bzip2(decoder) => decoder.read(buffer),
                State::Gzip(decoder) => decoder.read(buffer),
                State::Lz4(decoder) => decoder.read(buffer),
                State::Lzip(member) => member.read(buffer),
                State::Xz(decoder) => decoder.read(buffer),
                State::Zstd(decoder) => decoder.read(buffer),
                State::Ended(_) | State::Lost => return Ok(0),
            };
            let goes_on = matches!(read, Ok(0)) && !buffer.is_empty();
            if matches!(read, Ok(1..)) || buffer.is_empty() {
                return read;
            }
            let source = match std::mem::replace(&mut self.state, State::Lost) {
                State::Between(source) | State::Ended(source) => source,
                State::Bzip2(decoder) => decoder.into_inner(),
                State::Gzip(decoder) => decoder.into_inner(),
                State::Lz4(decoder) => decoder.into_inner(),
                State::Lzip(member) => member.into_inner(),
                State::Xz(decoder) => decoder.into_inner().into_inner(),
                State::Zstd(decoder) => decoder.into_inner(),
                State::Lost => return Ok(0),
            };
            if !goes_on {
                self.state = State::Ended(source);
                return read;
            }
            self.begin(source)?;
        }
    }
}

/// A reader that can be looked into a few bytes ahead.
pub(super) struct Source<'a> {
    reader: &'a mut dyn Read,
    held: Box<[u8]>,
    begin: usize,
    end: usize,
}

impl<'a> Source<'a> {
    fn new(reader: &'a mut dyn Read) -> Self {
        Self { reader, held: vec![0; 64 * 1024].into_boxed_slice(), begin: 0, end: 0 }
    }

    /// The next `len` bytes, or as many as there are.
    fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        if self.end - self.begin < len {
            self.held.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
            while self.end < len {
                match self.reader.read(&mut self.held[self.end..])? {
                    0 => break,
                    read => self.end += read,
                }
            }
        }
        Ok(&self.held[self.begin..self.end.min(self.begin + len)])
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.begin == self.end {
            (self.begin, self.end) = (0, self.reader.read(&mut self.held)?);
        }
        Ok(&self.held[self.begin..self.end])
    }

    fn consume(&mut self, amount: usize) {
        self.begin = self.end.min(self.begin + amount);
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let held = self.fill_buf()?;
        let len = held.len().min(buffer.len());
        buffer[..len].copy_from_slice(&held[..len]);
        self.consume(len);
        Ok(len)
    }
}
