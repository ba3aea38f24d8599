//! Methods, in the frames that carry them.
//!
//! What must never happen here: a frame that costs more than its bounds.

use crate::look::said;
use std::io::{self, Read, Write};

/// What a connection begins with.
pub(super) const HEADER: &[u8] = b"AMQP\0\0\x09\x01";
/// Longest frame; those of a login take some hundred bytes.
const MOST_FRAME_BYTES: u32 = 128 * 1024;
/// Heartbeats before something is said.
const MOST_HEARTBEATS: usize = 64;
/// What every frame ends with.
const END: u8 = 0xce;
/// `connection.close` and its answer.
const CLOSE: Method = (10, 50);
const CLOSE_OK: Method = (10, 51);

/// Class and method.
pub(super) type Method = (u16, u16);

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The broker closed the connection, with this code and these words.
    Closes { code: u16, text: String },
    /// Not what the protocol says.
    Garbage(String),
    /// The wire broke, or it took too long.
    Wire(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Wire(error)
    }
}

/// Sends `method` with `arguments`.
pub(super) fn send(
    wire: &mut impl Write,
    channel: u16,
    method: Method,
    arguments: &[u8],
) -> Result<(), Trouble> {
    // None of what is sent is near that bound.
    let len = u32::try_from(arguments.len() + 4).unwrap_or(u32::MAX);
    let mut frame = zeroize::Zeroizing::new(vec![1]);
    frame.extend(channel.to_be_bytes());
    frame.extend(len.to_be_bytes());
    frame.extend(method.0.to_be_bytes());
    frame.extend(method.1.to_be_bytes());
    frame.extend(arguments);
    frame.push(END);
    wire.write_all(&frame)?;
    Ok(wire.flush()?)
}

/// The arguments of the next method, which must be `wanted`.
pub(super) fn expect(wire: &mut (impl Read + Write), wanted: Method) -> Result<Vec<u8>, Trouble> {
    let (method, arguments) = next(wire)?;
    match method {
        method if method == wanted => Ok(arguments),
        CLOSE => {
            _ = send(wire, 0, CLOSE_OK, &[]); // it may have gone by then
            Err(closes(&arguments))
        }
        (class, method) => Err(Trouble::Garbage(format!("it sends method {class}.{method}"))),
    }
}

fn closes(arguments: &[u8]) -> Trouble {
    let mut rest = arguments;
    match (number(&mut rest), short(&mut rest)) {
        (Some(code), Some(text)) => Trouble::Closes { code, text: said(text) },
        _ => Trouble::Garbage("it closes the connection and does not say why".to_owned()),
    }
}

fn next(wire: &mut impl Read) -> Result<(Method, Vec<u8>), Trouble> {
    for _ in 0..MOST_HEARTBEATS {
        let mut head = [0; 7];
        wire.read_exact(&mut head)?;
        let [kind, _, _, len @ ..] = head;
        if head.starts_with(b"AMQP") {
            return Err(Trouble::Garbage("it speaks another version of AMQP".to_owned()));
        }
        let len = u32::from_be_bytes(len);
        if !matches!(kind, 1 | 8) || len > MOST_FRAME_BYTES {
            return Err(Trouble::Garbage(format!("no frame of AMQP but {head:02x?}")));
        }
        let mut payload = Vec::new();
        wire.take(u64::from(len) + 1).read_to_end(&mut payload)?;
        if payload.len() != usize::try_from(len).unwrap_or(usize::MAX).saturating_add(1) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let mut rest = match payload.split_last() {
            Some((&END, rest)) => rest,
            _ => return Err(Trouble::Garbage("a frame without its end".to_owned())),
        };
        if kind == 1 {
            let (class, method) = (number(&mut rest), number(&mut rest));
            return match (class, method) {
                (Some(class), Some(method)) => Ok(((class, method), rest.to_vec())),
                _ => Err(Trouble::Garbage("a frame without a method".to_owned())),
            };
        }
    }
    Err(Trouble::Garbage("one heartbeat after the other".to_owned()))
}

/// Two bytes of `rest`.
pub(super) fn number(rest: &mut &[u8]) -> Option<u16> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u16::from_be_bytes(*bytes))
}

/// A short string of `rest`.
fn short<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, after) = rest.split_first()?;
    let (text, after) = after.split_at_checked(usize::from(*len))?;
    *rest = after;
    Some(text)
}

/// A long string of `rest`, or a table.
pub(super) fn long<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, after) = rest.split_first_chunk()?;
    let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
    let (text, after) = after.split_at_checked(len)?;
    *rest = after;
    Some(text)
}

/// Appends a short string; what is longer than one can be is cut.
pub(super) fn put_short(into: &mut Vec<u8>, text: &[u8]) {
    let len = u8::try_from(text.len()).unwrap_or(u8::MAX);
    into.push(len);
    into.extend(&text[..usize::from(len)]);
}

/// Appends a long string, or a table.
pub(super) fn put_long(into: &mut Vec<u8>, text: &[u8]) {
    into.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    into.extend(text);
}
