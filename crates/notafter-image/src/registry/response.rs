//! Responses: a head within bounds, and a body that is read as it comes.

use std::io::{self, BufRead, BufReader, Read};

/// Status line and fields together.
const MAX_HEAD_BYTES: u64 = 64 << 10;
/// Number of fields.
const MAX_FIELDS: usize = 256;
/// A line between chunks.
const MAX_CHUNK_LINE_BYTES: u64 = 4 << 10;
/// Interim responses (100 to 199) before the final one.
const MAX_INTERIM: usize = 8;

/// A final response.
pub(super) struct Response<R> {
    pub(super) status: u16,
    fields: Vec<(String, String)>,
    pub(super) body: Body<R>,
}

/// Whether a body follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
    Post,
}

impl<R: Read> Response<R> {
    /// Reads the head of what answers a request with this method.
    pub(super) fn read(wire: R, method: Method) -> io::Result<Self> {
        let mut wire = BufReader::with_capacity(1 << 17, wire);
        for _ in 0..=MAX_INTERIM {
            let (status, fields) = head(&mut wire)?;
            if (100..200).contains(&status) {
                continue;
            }
            let framing = match (status, method) {
                (204 | 304, _) | (_, Method::Head) => Framing::Length(0),
                _ => framing(&fields)?,
            };
            return Ok(Self { status, fields, body: Body { wire, framing } });
        }
        Err(nonsense("one interim response after the other"))
    }

    /// The values of the field `name`, in their order.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.fields.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        fields.map(|(_, value)| value.as_str())
    }
}

/// How a body says where it ends (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// Bytes of the chunk that are left; none before the next chunk's size.
    Chunked(Option<u64>),
    Length(u64),
    UntilClosed,
}

/// A body, on its way.
pub(super) struct Body<R> {
    wire: BufReader<R>,
    framing: Framing,
}

impl<R: Read> Body<R> {
    /// All of it, in `most` bytes at most; none where there is more.
    pub(super) fn whole(&mut self, most: u64) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        self.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= most).then_some(bytes))
    }

    fn some(&mut self, buffer: &mut [u8], left: u64) -> io::Result<usize> {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        match self.wire.read(&mut buffer[..most])? {
            0 if most > 0 => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it breaks off before its end"))
            }
            len => Ok(len),
        }
    }
}

impl<R: Read> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.framing {
            Framing::UntilClosed => self.wire.read(buffer),
            Framing::Length(left) => {
                let len = self.some(buffer, left)?;
                self.framing = Framing::Length(left - len as u64);
                Ok(len)
            }
            Framing::Chunked(Some(left)) => {
                let len = self.some(buffer, left)?;
                let left = left - len as u64;
                self.framing = Framing::Chunked(Some(left));
                if left == 0 {
                    if !matches!(line(&mut self.wire)?.as_slice(), b"\r\n" | b"\n") {
                        return Err(nonsense("a chunk that is longer than it says"));
                    }
                    self.framing = Framing::Chunked(None);
                }
                Ok(len)
            }
            Framing::Chunked(None) => {
                let line = line(&mut self.wire)?;
                match httparse::parse_chunk_size(&line) {
                    // What follows the last chunk is of no use here, and the connection is not used again.
                    Ok(httparse::Status::Complete((_, 0))) => {
                        self.framing = Framing::Length(0);
                        Ok(0)
                    }
                    Ok(httparse::Status::Complete((_, size))) => {
                        self.framing = Framing::Chunked(Some(size));
                        self.read(buffer)
                    }
                    Ok(httparse::Status::Partial) | Err(_) => Err(nonsense("a chunk without a size")),
                }
            }
        }
    }
}

fn head(wire: &mut impl BufRead) -> io::Result<(u16, Vec<(String, String)>)> {
    let mut bytes = Vec::new();
    let mut limited = wire.take(MAX_HEAD_BYTES);
    loop {
        let before = bytes.len();
        let len = limited.read_until(b'\n', &mut bytes)?;
        match &bytes[before..] {
            b"\r\n" | b"\n" => break,
            _ if len == 0 && limited.limit() == 0 => return Err(nonsense("a head that does not end")),
            _ if len == 0 => {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it breaks off within its head"));
            }
            _ => {}
        }
    }
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    match response.parse(&bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) | Err(_) => return Err(nonsense("no head of HTTP/1.1")),
    }
    let status = response.code.ok_or_else(|| nonsense("no status"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let fields = response.headers.iter().map(|field| (field.name.to_owned(), text(field.value)));
    Ok((status, fields.collect()))
}

fn framing(fields: &[(String, String)]) -> io::Result<Framing> {
    let of = |name: &'static str| fields.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
    if let Some((_, coding)) = of("transfer-encoding").next_back() {
        return match coding.eq_ignore_ascii_case("chunked") {
            true => Ok(Framing::Chunked(None)),
            false => Err(nonsense("a transfer coding that is unknown here")),
        };
    }
    let mut lengths = of("content-length").map(|(_, value)| {
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| value.parse::<u64>().ok()).flatten()
    });
    match lengths.next() {
        None => Ok(Framing::UntilClosed),
        Some(Some(first)) if lengths.all(|other| other == Some(first)) => Ok(Framing::Length(first)),
        Some(_) => Err(nonsense("a length that is no number, or two of them")),
    }
}

fn line(wire: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    wire.take(MAX_CHUNK_LINE_BYTES).read_until(b'\n', &mut line)?;
    match line.last() {
        Some(b'\n') => Ok(line),
        _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it breaks off between two chunks")),
    }
}

fn nonsense(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
