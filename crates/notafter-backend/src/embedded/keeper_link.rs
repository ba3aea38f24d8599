//! The runner's side of a keeper.

use super::maps;
use super::refusal;
use super::spawner::{Spawner, farewell};
use crate::Error;
use crate::wire::{Channel, KeeperReply, KeeperRequest, Premises};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Child;
use std::time::Duration;

/// How long a keeper may take for anything but connecting, on the host's clock.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a keeper without namespaces may take to end everything by itself.
const FAREWELL: Duration = Duration::from_secs(10);

/// A keeper and the conversation with it. Dropping it kills the keeper.
#[derive(Debug)]
pub(super) struct KeeperLink {
    child: Child,
    channel: Channel,
    /// Whether what it keeps ends with it by force of namespaces; else it must be let end that itself.
    is_apart: bool,
}

impl KeeperLink {
    /// Starts a keeper and waits until it is ready; returns its remarks as well.
    pub(super) fn open(spawner: &Spawner, premises: Premises) -> Result<(Self, Vec<String>), Error> {
        let failed = |action: &str| {
            let action = action.to_owned();
            move |source: io::Error| Error::Sandbox { action, source }
        };
        let (ours, theirs) = Channel::pair().map_err(failed("make a socket"))?;
        let child = spawner.spawn(theirs.into()).map_err(failed("start the sandbox process"))?;
        let is_apart = matches!(premises, Premises::Apart { .. });
        let mut link = Self { child, channel: ours, is_apart };
        match link.ask(&KeeperRequest::Open(premises), &[], PATIENCE) {
            Ok(_) => {}
            Err(Error::Sandbox { action, source }) => return Err(refused(action, &source)),
            Err(error) => return Err(error),
        }
        if is_apart {
            maps::write(link.child.id())
                .map_err(|source| refused("map the users of the sandbox".to_owned(), &source))?;
        }
        match link.ask(&KeeperRequest::Mapped, &[], PATIENCE) {
            Ok((KeeperReply::Ready { remarks }, _)) => Ok((link, remarks)),
            Ok(_) => Err(link.lost("it answered something else")),
            Err(Error::Sandbox { action, source })
                if is_apart && matches!(source.kind(), io::ErrorKind::PermissionDenied) =>
            {
                Err(refused(action, &source))
            }
            Err(error) => Err(error),
        }
    }

    /// One request and its answer, which is never [`KeeperReply::Failed`].
    pub(super) fn ask(
        &mut self,
        request: &KeeperRequest,
        fds: &[BorrowedFd<'_>],
        patience: Duration,
    ) -> Result<(KeeperReply, Vec<OwnedFd>), Error> {
        let outcome = self
            .channel
            .set_patience(Some(patience))
            .and_then(|()| self.channel.send(request, fds))
            .and_then(|()| self.channel.receive::<KeeperReply>());
        match outcome {
            Ok((KeeperReply::Failed(failure), _)) => Err(failure.into()),
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.lost(&gone_or(&error))),
        }
    }

    /// The same within the usual time.
    pub(super) fn ask_soon(
        &mut self,
        request: &KeeperRequest,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(KeeperReply, Vec<OwnedFd>), Error> {
        self.ask(request, fds, PATIENCE)
    }

    /// Ends what is left of it, which after a failure holds no promise any more, and says what is known.
    pub(super) fn lost(&mut self, what: &str) -> Error {
        self.kill();
        let mut last_words = String::new();
        if let Some(stderr) = self.child.stderr.take() {
            // The writer is dead, and so are the inits; a bound all the same.
            let _ = rustix::io::ioctl_fionbio(stderr.as_fd(), true);
            let _ = stderr.take(4096).read_to_string(&mut last_words);
        }
        let last_words = last_words.trim();
        let reason =
            if last_words.is_empty() { what.to_owned() } else { format!("{what}; it said: {last_words}") };
        Error::Lost { reason }
    }

    /// Lets it end everything and itself; returns what it could not clean.
    ///
    /// # Errors
    /// [`Error::Lost`] where it, or an init, was gone before.
    pub(super) fn close(&mut self) -> Result<Vec<String>, Error> {
        let closed = match self.ask_soon(&KeeperRequest::Close, &[]) {
            Ok((KeeperReply::Closed { remarks, lost: 0 }, _)) => Ok(remarks),
            Ok((KeeperReply::Closed { lost, .. }, _)) => {
                Err(self.lost(&format!("the init of {lost} of its services had died")))
            }
            Ok(_) => Err(self.lost("it answered something else")),
            Err(error) => Err(error),
        };
        self.kill();
        closed
    }

    fn kill(&mut self) {
        let patience = if self.is_apart { Duration::ZERO } else { FAREWELL };
        if !self.is_apart {
            self.channel.hang_up();
        }
        let _ = farewell(&mut self.child, patience); // it fails only where it is dead and reaped already
    }
}

impl Drop for KeeperLink {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A peer that is gone, or the error itself.
pub(super) fn gone_or(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
            "its process is gone".to_owned()
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it does not answer".to_owned(),
        _ => error.to_string(),
    }
}

fn refused(action: String, error: &io::Error) -> Error {
    Error::Sandbox { action, source: io::Error::other(refusal::explain(error)) }
}
