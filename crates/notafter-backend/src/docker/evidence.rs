//! Evidence of what an engine sees of this machine's files: directories that were made just now where runs make theirs.
//!
//! What must never happen here: a directory that outlives the runner. So a keeper has them, and each takes them away when the
//! other is killed.

use crate::embedded::{Spawner, farewell};
use crate::traces::raze_abandoned;
use crate::wire::{Channel, KeeperReply, KeeperRequest, Premises};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

/// How long the keeper may take to lay them, or to take them away.
const PATIENCE: Duration = Duration::from_secs(20);

/// The directories, for as long as this lives.
#[derive(Debug)]
pub(super) struct Evidence {
    child: Child,
    channel: Channel,
    disk: PathBuf,
    paths: Vec<PathBuf>,
    /// Whether nothing is there any more.
    is_withdrawn: bool,
}

impl Evidence {
    /// Lays it.
    ///
    /// # Errors
    /// Where that cannot be done here.
    pub(super) fn lay(spawner: &Spawner) -> io::Result<Self> {
        let disk = std::env::temp_dir();
        let (ours, theirs) = Channel::pair()?;
        let child = spawner.spawn(theirs.into())?;
        let premises = Premises::Evidence { disk: disk.clone() };
        let mut evidence = Self { child, channel: ours, disk, paths: Vec::new(), is_withdrawn: false };
        evidence.channel.set_patience(Some(PATIENCE))?;
        evidence.channel.send(&KeeperRequest::Open(premises), &[])?;
        match evidence.channel.receive::<KeeperReply>()?.0 {
            KeeperReply::Laid { paths } => evidence.paths = paths,
            KeeperReply::Failed(failure) => return Err(failure.into()),
            _ => return Err(io::Error::other("the keeper of the directories answered something else")),
        }
        Ok(evidence)
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path)
    }

    /// Takes it away.
    ///
    /// # Errors
    /// Where its keeper was gone before.
    pub(super) fn withdraw(mut self) -> io::Result<()> {
        match self.end() {
            true => Ok(()),
            false => Err(io::Error::other("the process that kept directories for the engine was killed")),
        }
    }

    /// Whether the keeper ended as it was to.
    fn end(&mut self) -> bool {
        self.is_withdrawn = true;
        self.channel.hang_up();
        let ended = farewell(&mut self.child, PATIENCE).is_ok_and(|status| status.success());
        if !ended {
            raze_abandoned(&self.disk); // the keeper is dead now, whatever it left
        }
        ended
    }
}

impl Drop for Evidence {
    fn drop(&mut self) {
        if !self.is_withdrawn {
            self.end();
        }
    }
}
