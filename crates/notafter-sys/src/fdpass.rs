//! Descriptors over Unix sockets (SCM_RIGHTS, unix(7)).

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most descriptors that one message may carry.
pub const MAX_FDS: usize = 8;

/// Sends the beginning of `bytes` together with all of `fds`; returns how many bytes went.
///
/// # Errors
/// Those of sendmsg(2), `EPIPE` included (no signal is raised); `InvalidInput` for more than [`MAX_FDS`].
pub fn send(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if fds.len() > MAX_FDS || (!fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds))) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors for one message"));
    }
    rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(socket.as_fd(), &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)
    })
    .map_err(io::Error::from)
}

/// Receives at most `bytes.len()` bytes, and the descriptors that came with them (close-on-exec); (0, none) at the
/// end of the stream.
///
/// # Errors
/// Those of recvmsg(2); `InvalidData` where the peer sent more than [`MAX_FDS`] descriptors.
pub fn receive(socket: impl AsFd, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(
            socket.as_fd(),
            &mut [IoSliceMut::new(bytes)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )
    })?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message with too many descriptors"));
    }
    Ok((received.bytes, fds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_descriptor_arrives_with_its_bytes() {
        let (near, far) = UnixStream::pair().unwrap();
        let fd = crate::memfd::sealed("test", b"inside").unwrap();
        assert_eq!(send(&near, b"head", &[fd.as_fd()]).unwrap(), 4);
        drop(near);
        let mut bytes = [0; 16];
        let (len, mut fds) = receive(&far, &mut bytes).unwrap();
        assert_eq!((&bytes[..len], fds.len()), (&b"head"[..], 1));
        let inside = crate::memfd::contents(fds.remove(0), 16).unwrap();
        assert_eq!(inside, b"inside");
        assert_eq!(receive(&far, &mut bytes).unwrap().0, 0);
        let mut rest = Vec::new();
        assert_eq!(File::from(OwnedFd::from(far)).read_to_end(&mut rest).unwrap(), 0);
    }

    #[test]
    fn too_many_descriptors_are_refused_before_they_are_sent() {
        let (near, _far) = UnixStream::pair().unwrap();
        let fds = vec![near.as_fd(); MAX_FDS + 1];
        assert_eq!(send(&near, b"x", &fds).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
