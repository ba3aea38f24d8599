//! Streams that may be compressed, and limits on what comes out of them.

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::rc::Rc;

/// How a stream is compressed, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Plain,
    Zstd,
}

impl Packing {
    pub(crate) fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A skippable frame, 0x184D2A50 to 0x184D2A5F (RFC 8878 §3.1.2).
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// What `reader` holds, unpacked where it is gzip or Zstandard.
pub(crate) fn decoded<'a>(mut reader: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut head = Vec::with_capacity(4);
    reader.by_ref().take(4).read_to_end(&mut head)?;
    let packing = Packing::of(&head);
    let whole = BufReader::with_capacity(1 << 17, Cursor::new(head).chain(reader));
    Ok(match packing {
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(whole)),
        Packing::Plain => Box::new(whole),
        Packing::Zstd => Box::new(ZstdFrames::new(whole)),
    })
}

/// All frames of a Zstandard stream, one after the other; layers that can be fetched in parts have a frame per part.
struct ZstdFrames<R> {
    reader: R,
    decoder: FrameDecoder,
    inside: bool,
}

impl<R: BufRead> ZstdFrames<R> {
    fn new(reader: R) -> Self {
        Self { reader, decoder: FrameDecoder::new(), inside: false }
    }

    /// Whether another frame begins; skippable ones are skipped.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.reader.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.reader) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(&mut self.reader.by_ref().take(u64::from(length)), &mut io::sink())?;
                }
                Err(error) => return Err(invalid(&error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            if !self.inside {
                self.inside = self.next_frame()?;
                if !self.inside {
                    return Ok(0);
                }
            }
            while self.decoder.can_collect() < buffer.len() && !self.decoder.is_finished() {
                let lacking = buffer.len() - self.decoder.can_collect();
                self.decoder
                    .decode_blocks(&mut self.reader, BlockDecodingStrategy::UptoBytes(lacking))
                    .map_err(|error| invalid(&error))?;
            }
            match self.decoder.read(buffer)? {
                0 => self.inside = false,
                len => return Ok(len),
            }
        }
        Ok(0)
    }
}

fn invalid(error: &FrameDecoderError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

/// Lets through as many bytes as are left, then fails.
pub(crate) struct Metered<R> {
    reader: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Metered<R> {
    pub(crate) fn new(reader: R, left: Rc<Cell<u64>>) -> Self {
        Self { reader, left }
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left.get()).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the headers of an entry are too long"));
        }
        let len = self.reader.read(&mut buffer[..most])?;
        self.left.set(self.left.get() - len as u64);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn zstd(text: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Uncompressed)
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        decoded(bytes)?.read_to_end(&mut all).map(|_| all)
    }

    #[test]
    fn streams_are_decoded_by_what_they_begin_with() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"text").unwrap();
        let gzip = gzip.finish().unwrap();
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let two_frames = [skippable.clone(), zstd(b"te"), skippable, zstd(b"xt")].concat();
        for bytes in [&b"text"[..], &gzip, &zstd(b"text"), &two_frames] {
            assert_eq!(read(bytes).unwrap(), b"text");
        }
        assert_eq!(read(b"").unwrap(), b"");
        assert!(read(&zstd(b"text")[..7]).is_err());
        assert!(read(&gzip[..12]).is_err());
    }

    #[test]
    fn no_more_is_read_than_is_left() {
        let left = Rc::new(Cell::new(3));
        let mut reader = Metered::new(&b"abcdef"[..], Rc::clone(&left));
        let mut three = [0; 3];
        reader.read_exact(&mut three).unwrap();
        assert!(reader.read(&mut three).is_err());
        left.set(9);
        assert_eq!(reader.read(&mut three).unwrap(), 3);
    }
}
