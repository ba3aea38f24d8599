//! One HTTP/2 connection without a runtime: what the library wants to send is written, what comes is put before it.
//!
//! The library stands between two ends of a pipe in memory, and is turned by hand after every read. So the connection
//! under it stays one with deadlines, whose TLS has the time of the case.
//!
//! What must never happen here: an answer that costs more than its bounds, or waiting without a deadline.

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use std::io::{self, Read, Write};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// What the pipe holds in each direction.
const PIPE_BYTES: usize = 64 * 1024;
/// How much one answer may take on the wire, whatever frames it consists of.
const MOST_WIRE_BYTES: usize = 1024 * 1024;
/// How much may come over a connection on which nothing was asked: what it is answered with stays in the pipe.
const MOST_IDLE_BYTES: usize = PIPE_BYTES / 2;
/// How large the fields of one answer may be.
const MOST_HEADER_BYTES: u32 = 16 * 1024;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Session {
    requests: SendRequest<Bytes>,
    connection: Connection<DuplexStream, Bytes>,
    /// The near end of the pipe; the library has the far one.
    near: DuplexStream,
    /// Whether the library is done with the connection.
    over: bool,
}

/// Why nothing came of what was asked.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The service closed the connection.
    Closed,
    /// Reading or writing failed.
    Io(io::Error),
    /// What came is no HTTP/2, or ends the stream or the connection; as a lower-case fragment.
    Protocol(String),
}

impl From<h2::Error> for Trouble {
    fn from(error: h2::Error) -> Self {
        Self::Protocol(format!("HTTP/2: {error}"))
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

impl Session {
    pub(super) fn begin() -> Result<Self, Trouble> {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let mut builder = Builder::new();
        builder.enable_push(false).max_header_list_size(MOST_HEADER_BYTES);
        // The client's preface fits into the pipe, so that this is ready at once.
        let Poll::Ready(begun) = pin!(builder.handshake(far)).poll(&mut now()) else {
            return Err(Trouble::Protocol("HTTP/2 does not begin".to_owned()));
        };
        let (requests, connection) = begun?;
        Ok(Self { requests, connection, near, over: false })
    }

    /// To send requests with; they are sent, and answers come, while the connection is turned.
    pub(super) fn requests(&self) -> SendRequest<Bytes> {
        self.requests.clone()
    }

    /// Turns the connection over `wire` until `answer` is there.
    pub(super) fn turn_until<T>(
        &mut self,
        answer: impl Future<Output = T>,
        wire: &mut (impl Read + Write),
    ) -> Result<T, Trouble> {
        let mut answer = pin!(answer);
        let mut buffer = [0; 4096];
        let mut heard = 0;
        loop {
            let turned = self.turn_and_send(wire);
            // An answer may be whole although the connection has come to its end.
            if let Poll::Ready(answer) = answer.as_mut().poll(&mut now()) {
                self.turn_and_send(wire)?;
                return Ok(answer);
            }
            turned?;
            // What has just been asked goes out before the reading begins.
            self.turn_and_send(wire)?;
            if self.over {
                return Err(Trouble::Closed);
            }
            if heard > MOST_WIRE_BYTES {
                let reason = format!("it takes more than {MOST_WIRE_BYTES} bytes on the wire");
                return Err(Trouble::Protocol(reason));
            }
            let read = wire.read(&mut buffer)?;
            if read == 0 {
                return Err(Trouble::Closed);
            }
            heard += read;
            self.hear(&buffer[..read])?;
        }
    }

    /// Takes what has come over an idle connection; whether requests may still be sent over it.
    ///
    /// What the library has to say to that is sent with the next request.
    pub(crate) fn overhear(&mut self, wire: &mut impl Read) -> Result<bool, Trouble> {
        let mut buffer = [0; 4096];
        let mut heard = 0;
        loop {
            match wire.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    heard += read;
                    self.hear(&buffer[..read])?;
                    self.turn()?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
            if heard > MOST_IDLE_BYTES {
                return Ok(false);
            }
        }
        let ready = self.requests.poll_ready(&mut now());
        Ok(!self.over && !matches!(ready, Poll::Ready(Err(_))))
    }

    /// Puts `bytes` before the library, which takes everything whenever it is turned.
    fn hear(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        match Pin::new(&mut self.near).poll_write(&mut now(), bytes) {
            Poll::Ready(Ok(written)) if written == bytes.len() => Ok(()),
            Poll::Ready(Err(_)) => Err(Trouble::Closed),
            Poll::Ready(Ok(_)) | Poll::Pending => {
                Err(Trouble::Protocol("HTTP/2: more than can be taken".to_owned()))
            }
        }
    }

    fn turn(&mut self) -> Result<(), Trouble> {
        if !self.over
            && let Poll::Ready(ended) = Pin::new(&mut self.connection).poll(&mut now())
        {
            self.over = true;
            ended?;
        }
        Ok(())
    }

    /// Turns the connection until it has nothing more to send.
    fn turn_and_send(&mut self, wire: &mut impl Write) -> Result<(), Trouble> {
        let mut buffer = [0; 4096];
        loop {
            let turned = self.turn();
            let mut to_send = ReadBuf::new(&mut buffer);
            let taken = Pin::new(&mut self.near).poll_read(&mut now(), &mut to_send)?;
            if taken.is_pending() || to_send.filled().is_empty() {
                return turned;
            }
            wire.write_all(to_send.filled())?;
            wire.flush()?;
        }
    }
}

/// What wakes nobody: everything is asked again after every read.
fn now() -> Context<'static> {
    Context::from_waker(Waker::noop())
}
