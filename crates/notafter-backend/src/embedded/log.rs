//! What a service writes, kept in bounded memory.

use crate::Log;
use rustix::event::{PollFd, PollFlags, poll};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// How much is kept from the beginning, and as much again from the end.
const KEPT_BYTES: usize = 1 << 20;

/// The first and the last bytes of a stream.
#[derive(Debug, Default)]
struct Ends {
    first: Vec<u8>,
    last: std::collections::VecDeque<u8>,
    written: u64,
}

impl Ends {
    fn push(&mut self, bytes: &[u8]) {
        self.written += bytes.len() as u64;
        let (first, rest) = bytes.split_at(bytes.len().min(KEPT_BYTES - self.first.len()));
        self.first.extend_from_slice(first);
        self.last.extend(rest);
        let surplus = self.last.len().saturating_sub(KEPT_BYTES);
        self.last.drain(..surplus);
    }

    fn text(&self) -> String {
        let kept = (self.first.len() + self.last.len()) as u64;
        let mut text = String::from_utf8_lossy(&self.first).into_owned();
        if self.written > kept {
            if !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&format!("[{} bytes dropped here]\n", self.written - kept));
        }
        let last: Vec<u8> = self.last.iter().copied().collect();
        text.push_str(&String::from_utf8_lossy(&last));
        text
    }
}

/// The reading end of a pipe and what has come out of it. Whoever holds the lock may read, so that asking for the log
/// sees everything written before.
#[derive(Debug)]
struct Stream {
    pipe: OwnedFd,
    ends: Mutex<Ends>,
}

impl Stream {
    /// Takes what is there; false at the end of the stream.
    fn drain(&self) -> io::Result<bool> {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = [0; 64 << 10];
        loop {
            match rustix::io::read(&self.pipe, &mut buffer[..]) {
                Ok(0) => return Ok(false),
                Ok(len) => ends.push(&buffer[..len]),
                Err(rustix::io::Errno::AGAIN) => return Ok(true),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Reads a pipe on a thread of its own until its end, so that the writer never has to wait.
#[derive(Debug)]
pub(super) struct LogReader {
    stream: Arc<Stream>,
    thread: Option<JoinHandle<()>>,
}

impl LogReader {
    /// Starts to read; returns the writing end as well.
    pub(super) fn start() -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&reader, true)?;
        let stream = Arc::new(Stream { pipe: reader, ends: Mutex::default() });
        let its = Arc::clone(&stream);
        let thread =
            std::thread::Builder::new().name("log".to_owned()).stack_size(256 << 10).spawn(move || {
                loop {
                    let mut polled = [PollFd::new(&its.pipe, PollFlags::IN)];
                    match poll(&mut polled, None) {
                        Ok(_) | Err(rustix::io::Errno::INTR) => {}
                        Err(_) => return,
                    }
                    if !its.drain().unwrap_or(false) {
                        return;
                    }
                }
            })?;
        Ok((Self { stream, thread: Some(thread) }, writer))
    }

    /// Everything written so far.
    pub(super) fn log(&self) -> Log {
        // An error of read(2) loses nothing that was read before; the end of the stream is none.
        let _ = self.stream.drain();
        let ends = self.stream.ends.lock().unwrap_or_else(PoisonError::into_inner);
        Log { text: ends.text(), written: ends.written }
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        // It ends by itself with the last writer; waiting here would hang on one that was left behind.
        drop(self.thread.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;

    #[test]
    fn the_first_and_the_last_mebibyte_are_kept() {
        let mut ends = Ends::default();
        ends.push(b"first\n");
        for _ in 0..3 {
            ends.push(&vec![b'x'; KEPT_BYTES]);
        }
        ends.push(b"\nlast\n");
        let text = ends.text();
        assert!(text.starts_with("first\nxxx") && text.ends_with("xxx\nlast\n"));
        assert!(text.contains(&format!("\n[{} bytes dropped here]\n", KEPT_BYTES + 12)));
        assert_eq!(ends.written, 3 * KEPT_BYTES as u64 + 12);
    }

    #[test]
    fn what_was_written_before_asking_is_there() {
        let (reader, writer) = LogReader::start().unwrap();
        let mut writer = File::from(writer);
        for round in 1..=100 {
            writer.write_all(b"line\n").unwrap();
            assert_eq!(reader.log().written, 5 * round);
        }
    }
}
