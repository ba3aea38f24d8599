//! What goes over the stream between principal and deputy: messages, and behind some of them bytes in pieces.

use serde::{Serialize, de::DeserializeOwned};
use std::io::{self, Read, Write};

/// Longest message. A record with a large inventory is the largest.
const MAX_MESSAGE_BYTES: u32 = 256 << 20;
const PIECE_BYTES: usize = 256 << 10;

const MESSAGE: u8 = b'm';
const PIECE: u8 = b'p';
const END: u8 = b'e';

/// Sends a message.
pub(super) fn send(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_vec(message)?;
    frame(to, MESSAGE, &text)?;
    to.flush()
}

fn frame(to: &mut impl Write, kind: u8, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= MAX_MESSAGE_BYTES);
    let length = length.ok_or_else(|| invalid(format!("a message of {} bytes", bytes.len())))?;
    to.write_all(&[kind])?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(bytes)
}

/// The next message; `UnexpectedEof` at the end of the stream.
pub(super) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let (kind, length) = head(from)?;
    if kind != MESSAGE {
        return Err(invalid("bytes where a message was due".to_owned()));
    }
    let mut text = Vec::new();
    read_exactly(from, length, &mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

fn head(from: &mut impl Read) -> io::Result<(u8, u32)> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let [kind, length @ ..] = head;
    let length = u32::from_le_bytes(length);
    if length > MAX_MESSAGE_BYTES {
        return Err(invalid(format!("a message of {length} bytes")));
    }
    Ok((kind, length))
}

/// No more room is taken than bytes arrive.
fn read_exactly(from: &mut impl Read, length: u32, into: &mut Vec<u8>) -> io::Result<()> {
    match from.take(length.into()).read_to_end(into)? {
        read if read == length as usize => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn invalid(words: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, words)
}

/// Bytes that are sent in pieces, so many at most.
pub(super) struct Sending<'a, W: Write> {
    to: &'a mut W,
    piece: Vec<u8>,
    left: &'a mut u64,
}

impl<'a, W: Write> Sending<'a, W> {
    /// `left` is how many bytes may be sent, and counts down.
    pub(super) fn new(to: &'a mut W, left: &'a mut u64) -> Self {
        Self { to, piece: Vec::with_capacity(PIECE_BYTES), left }
    }

    /// Sends what is left, and that there is no more.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.send_piece()?;
        frame(self.to, END, &[])?;
        self.to.flush()
    }

    fn send_piece(&mut self) -> io::Result<()> {
        if !self.piece.is_empty() {
            frame(self.to, PIECE, &self.piece)?;
            self.piece.clear();
        }
        Ok(())
    }
}

impl<W: Write> Write for Sending<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE_BYTES - self.piece.len());
        *self.left = self.left.checked_sub(taken as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE_BYTES {
            self.send_piece()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // whoever finishes flushes
    }
}

/// Bytes that arrive in pieces.
pub(super) struct Arriving<'a, R: Read> {
    from: &'a mut R,
    piece: io::Cursor<Vec<u8>>,
    ended: bool,
}

impl<'a, R: Read> Arriving<'a, R> {
    pub(super) fn new(from: &'a mut R) -> Self {
        Self { from, piece: io::Cursor::default(), ended: false }
    }

    /// Reads what nobody wanted, so that the next message comes next.
    pub(super) fn finish(mut self) -> io::Result<()> {
        io::copy(&mut self, &mut io::sink()).map(|_| ())
    }
}

impl<R: Read> Read for Arriving<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.piece.read(into)?;
            if read > 0 || self.ended || into.is_empty() {
                return Ok(read);
            }
            match head(self.from)? {
                (PIECE, length) => {
                    let mut piece = Vec::new();
                    read_exactly(self.from, length, &mut piece)?;
                    self.piece = io::Cursor::new(piece);
                }
                (END, _) => self.ended = true,
                _ => return Err(invalid("a message where bytes were due".to_owned())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_bytes_arrive_in_their_order() {
        let mut stream = Vec::new();
        let bytes: Vec<u8> = (0..PIECE_BYTES * 2 + 7).map(|at| (at % 251) as u8).collect();
        let mut left = u64::MAX;
        send(&mut stream, &"first").unwrap();
        for sent in [&bytes[..], &[]] {
            let mut sending = Sending::new(&mut stream, &mut left);
            sending.write_all(sent).unwrap();
            sending.finish().unwrap();
        }
        send(&mut stream, &"second").unwrap();
        let mut from = stream.as_slice();
        assert_eq!(receive::<String>(&mut from).unwrap(), "first");
        let mut arrived = Vec::new();
        Arriving::new(&mut from).read_to_end(&mut arrived).unwrap();
        assert_eq!(arrived, bytes);
        Arriving::new(&mut from).finish().unwrap();
        assert_eq!(receive::<String>(&mut from).unwrap(), "second");
        assert_eq!(receive::<String>(&mut from).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn too_much_is_not_sent_and_nonsense_not_taken() {
        let (mut stream, mut left) = (Vec::new(), 3);
        let error = Sending::new(&mut stream, &mut left).write_all(b"four").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        for wrong in [&b"m\xff\xff\xff\xff"[..], b"p\x01\0\0\0x", b"m\x02\0\0\0{", b"m\x01\0\0\0{"] {
            assert!(receive::<String>(&mut &wrong[..]).is_err(), "{wrong:?}");
        }
        assert!(Arriving::new(&mut &b"m\x02\0\0\0\"\""[..]).finish().is_err());
    }
}
