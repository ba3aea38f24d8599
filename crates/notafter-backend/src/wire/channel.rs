//! Frames over a Unix stream socket: a length, JSON, and descriptors.

use serde::{Serialize, de::DeserializeOwned};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Longest frame; a launch carries its files in a memory file beside it, so frames stay small.
const MAX_FRAME_BYTES: u32 = 4 << 20;

/// One end of a conversation.
#[derive(Debug)]
pub(crate) struct Channel(UnixStream);

impl Channel {
    /// Two ends that talk to each other.
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        UnixStream::pair().map(|(one, other)| (Self(one), Self(other)))
    }

    /// How long one [`Self::receive`] may wait for bytes, on the host's clock; none waits for ever.
    pub(crate) fn set_patience(&self, patience: Option<Duration>) -> io::Result<()> {
        self.0.set_read_timeout(patience.map(|patience| patience.max(Duration::from_millis(1))))
    }

    /// Ends the conversation for both sides.
    pub(crate) fn hang_up(&self) {
        let _ = self.0.shutdown(std::net::Shutdown::Both); // the peer may be gone
    }

    pub(crate) fn send<T: Serialize>(&self, message: &T, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut frame = vec![0; 4];
        serde_json::to_writer(&mut frame, message)?;
        let length = u32::try_from(frame.len() - 4).ok().filter(|length| *length <= MAX_FRAME_BYTES);
        let length = length.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("a message of {} bytes", frame.len()))
        })?;
        frame[..4].copy_from_slice(&length.to_le_bytes());
        let sent = notafter_sys::fdpass::send(&self.0, &frame, fds)?;
        (&self.0).write_all(&frame[sent..])
    }

    /// The next message and what came with it; `UnexpectedEof` where the peer is gone.
    pub(crate) fn receive<T: DeserializeOwned>(&self) -> io::Result<(T, Vec<OwnedFd>)> {
        let mut head = [0; 4];
        let (got, fds) = notafter_sys::fdpass::receive(&self.0, &mut head)?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (&self.0).read_exact(&mut head[got..])?;
        let length = u32::from_le_bytes(head);
        if length > MAX_FRAME_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a message of {length} bytes")));
        }
        let mut frame = vec![0; length as usize];
        (&self.0).read_exact(&mut frame)?;
        Ok((serde_json::from_slice(&frame)?, fds))
    }
}

impl From<OwnedFd> for Channel {
    fn from(fd: OwnedFd) -> Self {
        Self(UnixStream::from(fd))
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> Self {
        channel.0.into()
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_whole_with_its_descriptors() {
        let (near, far) = Channel::pair().unwrap();
        let fd = notafter_sys::memfd::sealed("test", b"inside").unwrap();
        near.send(&"word", &[fd.as_fd()]).unwrap();
        let (word, fds) = far.receive::<String>().unwrap();
        assert_eq!((word.as_str(), fds.len()), ("word", 1));
    }

    #[test]
    fn a_gone_peer_a_silent_peer_and_a_babbling_peer_are_told_apart() {
        let (near, far) = Channel::pair().unwrap();
        near.set_patience(Some(Duration::from_millis(1))).unwrap();
        assert_eq!(near.receive::<String>().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        (&far.0).write_all(&u32::MAX.to_le_bytes()).unwrap();
        assert_eq!(near.receive::<String>().unwrap_err().kind(), io::ErrorKind::InvalidData);
        drop(far);
        assert_eq!(near.receive::<String>().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
