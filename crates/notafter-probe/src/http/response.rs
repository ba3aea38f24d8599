//! What comes back, read within bounds.

use notafter_core::HttpMethod;
use std::io::{self, Read};

/// Status line and fields together.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Number of fields.
const MAX_FIELDS: usize = 256;
/// Interim responses (100 to 199) before the final one.
const MAX_INTERIM: usize = 8;
/// How much of a body is read; what lies beyond is left unread, and the connection with it.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// How much of a body is kept.
const KEPT_BODY_BYTES: usize = 1024;
/// Everything of one answer on the wire: chunks of one byte each would otherwise make the bounds above worthless.
const MAX_WIRE_BYTES: usize = 4 * 1024 * 1024;
/// A line between chunks.
const MAX_CHUNK_LINE_BYTES: usize = 4 * 1024;

/// A final response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names and values of its fields, in their order.
    pub(crate) headers: Vec<(String, String)>,
    /// At most `KEPT_BODY_BYTES`, cut between characters.
    pub(crate) body: String,
    /// All of the body that was read.
    pub(crate) whole: String,
    /// Whether there may be more of it.
    pub(crate) is_cut: bool,
    /// Whether the connection stands at the end of the response and stays open.
    pub(crate) reusable: bool,
}

#[derive(Debug)]
pub(super) enum Failure {
    /// The connection was closed before the first byte.
    Closed,
    Io(io::Error),
    Nonsense(String),
}

impl Failure {
    fn nonsense(reason: impl Into<String>) -> Self {
        Self::Nonsense(reason.into())
    }
}

pub(super) fn read_response(wire: &mut dyn Read, method: HttpMethod) -> Result<Response, Failure> {
    let mut source = Source { wire, buffer: Vec::new(), taken: 0, read: 0 };
    for _ in 0..=MAX_INTERIM {
        let head = source.head()?;
        if !(100..200).contains(&head.status) || head.status == 101 {
            return finish(&mut source, head, method);
        }
    }
    Err(Failure::nonsense("it sends one interim response after the other"))
}

fn finish(source: &mut Source<'_>, head: Head, method: HttpMethod) -> Result<Response, Failure> {
    let mut body = Body::default();
    let framing = match (head.status, method) {
        (101 | 204 | 304, _) | (_, HttpMethod::Head) => Framing::Length(0),
        (
            _,
            HttpMethod::Delete | HttpMethod::Get | HttpMethod::Patch | HttpMethod::Post | HttpMethod::Put,
        ) => head.framing,
    };
    let complete = match framing {
        Framing::Chunked => source.chunked(&mut body)?,
        Framing::Length(length) => source.exactly(length, &mut body)?,
        Framing::UntilClosed => {
            source.until_closed(&mut body)?;
            false
        }
    };
    // Bytes behind the end of the response answer nothing that was asked.
    let reusable = complete && head.keep_alive && head.status != 101 && source.pending().is_empty();
    let is_cut = body.is_full();
    let (body, whole) = (body.to_text(), String::from_utf8_lossy(&body.read).into_owned());
    Ok(Response { status: head.status, headers: head.fields, body, whole, is_cut, reusable })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Chunked,
    Length(u64),
    UntilClosed,
}

struct Head {
    status: u16,
    fields: Vec<(String, String)>,
    framing: Framing,
    keep_alive: bool,
}

/// Parses a whole head.
fn parse_head(bytes: &[u8]) -> Result<Head, Failure> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    match response.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Failure::nonsense("its head does not end")),
        Err(error) => return Err(Failure::nonsense(error.to_string())),
    }
    let (Some(status), Some(version)) = (response.code, response.version) else {
        return Err(Failure::nonsense("its head has no status"));
    };
    let mut keep_alive = version == 1;
    let mut length = None;
    let mut coding = None;
    for field in response.headers.iter() {
        let value = std::str::from_utf8(field.value).unwrap_or_default().trim();
        if field.name.eq_ignore_ascii_case("connection") {
            for option in value.split(',').map(str::trim) {
                if option.eq_ignore_ascii_case("close") {
                    keep_alive = false;
                } else if option.eq_ignore_ascii_case("keep-alive") {
                    keep_alive = true;
                }
            }
        } else if field.name.eq_ignore_ascii_case("content-length") {
            let given = digits(value).ok_or_else(|| Failure::nonsense("its Content-Length is no number"))?;
            if length.is_some_and(|earlier| earlier != given) {
                return Err(Failure::nonsense("it has two Content-Lengths"));
            }
            length = Some(given);
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            coding = Some(value.to_ascii_lowercase());
        }
    }
    let framing = match (coding.as_deref(), length) {
        (Some(coding), _) if coding.ends_with("chunked") => Framing::Chunked,
        (None, Some(length)) => Framing::Length(length),
        (Some(_), _) | (None, None) => Framing::UntilClosed,
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let fields = response.headers.iter().map(|field| (field.name.to_owned(), text(field.value))).collect();
    Ok(Head { status, fields, framing, keep_alive })
}

/// `u64::from_str` would take a sign, too.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// What of a body has been read.
#[derive(Default)]
struct Body {
    read: Vec<u8>,
}

impl Body {
    fn add(&mut self, bytes: &[u8]) {
        self.read.extend_from_slice(bytes);
    }

    fn is_full(&self) -> bool {
        self.read.len() >= MAX_BODY_BYTES
    }

    /// Its beginning.
    fn to_text(&self) -> String {
        let kept = &self.read[..self.read.len().min(KEPT_BODY_BYTES)];
        // A character cut in two would otherwise grow: its replacement takes three bytes.
        let cut = match std::str::from_utf8(kept) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => kept.len(),
        };
        let mut text = String::from_utf8_lossy(&kept[..cut]).into_owned();
        let end = (0..=text.len().min(KEPT_BODY_BYTES)).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text
    }
}

/// Bytes from the wire, and those read ahead.
struct Source<'a> {
    wire: &'a mut dyn Read,
    buffer: Vec<u8>,
    /// How many bytes of `buffer` are used up.
    taken: usize,
    /// Bytes read from the wire so far.
    read: usize,
}

impl Source<'_> {
    fn pending(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }

    /// Reads more; none at the end of the connection.
    fn fill(&mut self) -> Result<Option<()>, Failure> {
        if self.read > MAX_WIRE_BYTES {
            return Err(Failure::nonsense(format!("it takes more than {MAX_WIRE_BYTES} bytes on the wire")));
        }
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let mut block = [0; 8 * 1024];
        match self.wire.read(&mut block) {
            Ok(0) => Ok(None),
            // A TLS peer that forgets to say goodbye: where it matters, the message is seen to break off.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Ok(read) => {
                self.read += read;
                self.buffer.extend_from_slice(&block[..read]);
                Ok(Some(()))
            }
            Err(error) => Err(Failure::Io(error)),
        }
    }

    fn head(&mut self) -> Result<Head, Failure> {
        let mut searched = 0;
        loop {
            if !could_be_http(self.pending()) {
                return Err(Failure::nonsense("it does not begin with HTTP/1"));
            }
            // The end is looked for where it can newly be, so that a service that drips bytes costs no more.
            if let Some(end) = end_of_head(self.pending(), searched) {
                let head = parse_head(&self.pending()[..end])?;
                self.taken += end;
                return Ok(head);
            }
            searched = self.pending().len().saturating_sub(3);
            if self.pending().len() > MAX_HEAD_BYTES {
                return Err(Failure::nonsense(format!("its head is longer than {MAX_HEAD_BYTES} bytes")));
            }
            let started = !self.pending().is_empty();
            match self.fill() {
                Ok(Some(())) => {}
                Ok(None) if started => return Err(Failure::nonsense("it breaks off within its head")),
                Ok(None) => return Err(Failure::Closed),
                Err(Failure::Io(error)) if started && is_reset(&error) => {
                    return Err(Failure::nonsense("it breaks off within its head"));
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Reads `length` bytes into `body`; false where the rest lies beyond the bound.
    fn exactly(&mut self, length: u64, body: &mut Body) -> Result<bool, Failure> {
        let mut left = length;
        while left > 0 {
            if body.is_full() {
                return Ok(false);
            }
            if self.pending().is_empty() && self.fill()?.is_none() {
                return Err(Failure::nonsense(format!("it breaks off, {left} bytes before its end")));
            }
            let take = self.pending().len().min(usize::try_from(left).unwrap_or(usize::MAX));
            body.add(&self.pending()[..take]);
            self.taken += take;
            left -= take as u64;
        }
        Ok(true)
    }

    fn until_closed(&mut self, body: &mut Body) -> Result<(), Failure> {
        loop {
            let pending = self.pending().len();
            body.add(&self.buffer[self.taken..]);
            self.taken += pending;
            if body.is_full() || self.fill()?.is_none() {
                return Ok(());
            }
        }
    }

    /// Reads a chunked body (RFC 9112 §7.1); false where the rest lies beyond the bound.
    fn chunked(&mut self, body: &mut Body) -> Result<bool, Failure> {
        loop {
            let line = self.line()?;
            let size = match httparse::parse_chunk_size(&line) {
                Ok(httparse::Status::Complete((_, size))) => size,
                Ok(httparse::Status::Partial) | Err(_) => {
                    return Err(Failure::nonsense("a chunk has no size"));
                }
            };
            if size == 0 {
                break;
            }
            if !self.exactly(size, body)? {
                return Ok(false);
            }
            if !matches!(self.line()?.as_slice(), b"\r\n" | b"\n") {
                return Err(Failure::nonsense("a chunk is longer than it says"));
            }
        }
        let mut trailer = 0;
        loop {
            let line = self.line()?;
            trailer += line.len();
            if matches!(line.as_slice(), b"\r\n" | b"\n") {
                return Ok(true);
            }
            if trailer > MAX_HEAD_BYTES {
                return Err(Failure::nonsense("its trailer does not end"));
            }
        }
    }

    /// The next line, its end included.
    fn line(&mut self) -> Result<Vec<u8>, Failure> {
        loop {
            if let Some(end) = self.pending().iter().position(|byte| *byte == b'\n') {
                let line = self.pending()[..=end].to_vec();
                self.taken += line.len();
                return Ok(line);
            }
            if self.pending().len() > MAX_CHUNK_LINE_BYTES {
                return Err(Failure::nonsense("a line between its chunks does not end"));
            }
            if self.fill()?.is_none() {
                return Err(Failure::nonsense("it breaks off between two chunks"));
            }
        }
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted)
}

fn could_be_http(bytes: &[u8]) -> bool {
    // Empty lines before the status line are skipped by lenient clients, and so by httparse.
    let text =
        bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).map_or(&[][..], |at| &bytes[at..]);
    let begin = b"HTTP/1.";
    let compared = text.len().min(begin.len());
    text[..compared] == begin[..compared]
}

/// Where the head ends, if an empty line follows any byte from `from` on.
fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    (from..bytes.len()).find_map(|at| {
        let rest = &bytes[at..];
        if rest.starts_with(b"\n\r\n") {
            Some(at + 3)
        } else if rest.starts_with(b"\n\n") {
            Some(at + 2)
        } else {
            None
        }
    })
}
