//! The one long-lived thread that starts keepers: their tie to the runner (`PR_SET_PDEATHSIG`) follows the thread
//! that made them, and a worker thread may end before its sandbox does.

use crate::keeper::ARGUMENT;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// How often a keeper that was hung up on is looked for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

type Order = (OwnedFd, Sender<io::Result<Child>>);

/// Ends with its last owner; so do the keepers that it made.
#[derive(Debug)]
pub(crate) struct Spawner {
    orders: Sender<Order>,
}

impl Spawner {
    /// `executable` is a program that calls [`crate::run_if_sandbox`].
    pub(crate) fn start(executable: &Path) -> io::Result<Self> {
        let (orders, inbox) = channel::<Order>();
        let executable: PathBuf = executable.to_owned();
        let work = move || {
            while let Ok((socket, answer)) = inbox.recv() {
                // The asker may have given up; the child then ends at the end of its socket.
                let _ = answer.send(start_keeper(&executable, socket));
            }
        };
        std::thread::Builder::new().name("sandbox-spawner".to_owned()).stack_size(256 << 10).spawn(work)?;
        Ok(Self { orders })
    }

    /// Starts a keeper that talks over `socket`.
    pub(crate) fn spawn(&self, socket: OwnedFd) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that starts sandboxes is gone");
        let (answer, outcome) = channel();
        self.orders.send((socket, answer)).map_err(|_| gone())?;
        outcome.recv().map_err(|_| gone())?
    }
}

fn start_keeper(executable: &Path, socket: OwnedFd) -> io::Result<Child> {
    Command::new(executable)
        .arg(ARGUMENT)
        .arg(std::process::id().to_string())
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}

/// Waits for the end of a keeper that was hung up on. One that takes longer than `patience`, which is measured in looks and
/// is the least that it has, is killed.
///
/// # Errors
/// Those of wait(2).
pub(crate) fn farewell(child: &mut Child, patience: Duration) -> io::Result<ExitStatus> {
    for _ in 0..patience.as_millis() / BETWEEN_LOOKS.as_millis() {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    let _ = child.kill(); // it may have ended just now
    child.wait()
}
