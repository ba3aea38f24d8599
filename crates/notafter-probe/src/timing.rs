//! Deadlines on the host's clock, kept on every read and write.

use notafter_core::UnixTime;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// When a look takes place and how long it may take.
#[derive(Clone, Copy)]
pub struct Timing<'a> {
    /// What the verifier takes as now: the candidate's clock when the look begins.
    pub now: UnixTime,
    /// Reads a monotonic clock of the host, from any origin.
    pub host: &'a dyn Fn() -> Duration,
    /// How long the look may take on that clock, connecting included.
    pub within: Duration,
    /// Called a few times a second while an answer is awaited.
    pub waiting: &'a dyn Fn(),
}

impl<'a> Timing<'a> {
    pub(crate) fn deadline(&self) -> Deadline<'a> {
        let ends = (self.host)().saturating_add(self.within);
        Deadline { host: self.host, ends, within: self.within, waiting: self.waiting }
    }
}

/// How long is waited between two calls of [`Timing::waiting`].
const PAUSE: Duration = Duration::from_millis(250);

/// The end of a look on the host's clock.
#[derive(Clone, Copy)]
pub(crate) struct Deadline<'a> {
    host: &'a dyn Fn() -> Duration,
    ends: Duration,
    within: Duration,
    waiting: &'a dyn Fn(),
}

impl Deadline<'_> {
    /// What is left; none once it is over.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        self.ends.checked_sub((self.host)()).filter(|left| !left.is_zero())
    }

    /// The same, or `limit` from now where that is sooner.
    pub(crate) fn no_longer_than(self, limit: Duration) -> Self {
        Self { ends: self.ends.min((self.host)().saturating_add(limit)), ..self }
    }

    /// How long the whole look may take.
    pub(crate) fn within(&self) -> Duration {
        self.within
    }
}

/// A TCP stream that keeps a deadline: every read and write ends by then, with [`io::ErrorKind::TimedOut`].
pub(crate) struct Timed<'a> {
    stream: &'a TcpStream,
    deadline: Deadline<'a>,
}

impl<'a> Timed<'a> {
    pub(crate) fn new(stream: &'a TcpStream, deadline: Deadline<'a>) -> Self {
        Self { stream, deadline }
    }

    fn until_done(
        &mut self,
        set_timeout: fn(&TcpStream, Option<Duration>) -> io::Result<()>,
        mut operation: impl FnMut(&mut &TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let left = self.deadline.remaining().ok_or(io::ErrorKind::TimedOut)?;
            // The kernel counts in microseconds, and takes zero as for ever.
            set_timeout(self.stream, Some(left.clamp(Duration::from_micros(1), PAUSE)))?;
            match operation(&mut self.stream) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (self.deadline.waiting)(),
                done => return done,
            }
        }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.until_done(TcpStream::set_read_timeout, |stream| stream.read(buffer))
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.until_done(TcpStream::set_write_timeout, |stream| stream.write(buffer))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
