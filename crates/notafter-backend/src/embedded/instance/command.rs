//! A command beside the main process, from its start until its end was told.

use super::{Instance, PATIENCE};
use crate::wire::{Deadline, InitReply, InitRequest};
use crate::{Error, ExecOutcome, KEPT_OUTPUT_BYTES};
use rustix::event::{PollFd, PollFlags, poll};
use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// A command that was started: what it writes, and how long it may go on.
#[derive(Debug)]
pub(in crate::embedded) struct Command {
    output: OwnedFd,
    tail: Tail,
    ends: Deadline,
}

impl Instance {
    /// Starts `command`, which may take `within`, and hears of it for the first time after `pause`, or at its end.
    pub(in crate::embedded) fn start(
        &self,
        command: &[String],
        within: Duration,
        pause: Duration,
    ) -> Result<(Command, Option<ExecOutcome>), Error> {
        let failed = |source| Error::Sandbox { action: "run a command".to_owned(), source };
        let (output, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
            .map_err(|errno| failed(errno.into()))?;
        rustix::io::ioctl_fionbio(&output, true).map_err(|errno| failed(errno.into()))?;
        let ends = Deadline::after(within).map_err(failed)?;
        let mut started = Command { output, tail: Tail::default(), ends };
        if self.channel.is_none() {
            let reason = format!("{} is stopped", self.service);
            return Ok((started, Some(ExecOutcome::Unstartable { reason })));
        }
        let request = InitRequest::Exec { command: command.to_vec(), within: pause.min(within) };
        self.send(&request, Some(writer))?;
        let outcome = self.hear_of(&mut started, pause)?;
        Ok((started, outcome))
    }

    /// Hears of `command` again after `pause`, or at its end. At the end of its time it is ended.
    pub(in crate::embedded) fn await_command(
        &self,
        command: &mut Command,
        pause: Duration,
    ) -> Result<Option<ExecOutcome>, Error> {
        let left = command.ends.left();
        let request = match left.is_zero() {
            true => InitRequest::Abandon,
            false => InitRequest::Await { within: pause.min(left) },
        };
        self.send(&request, None)?;
        self.hear_of(command, pause)
    }

    fn hear_of(&self, command: &mut Command, pause: Duration) -> Result<Option<ExecOutcome>, Error> {
        self.drain_until_answered(command, pause)?;
        let reply = self.receive(PATIENCE)?;
        // What was written before the end is in the pipe; what a process left behind writes later is not awaited.
        command.tail.drain(&command.output);
        let output = command.tail.text();
        Ok(Some(match reply {
            InitReply::Runs => return Ok(None),
            InitReply::Exited { code } => ExecOutcome::Exited { code, output },
            InitReply::TimedOut => ExecOutcome::TimedOut { output },
            InitReply::Unstartable { reason } => ExecOutcome::Unstartable { reason },
            InitReply::Failed(failure) => return Err(failure.into()),
            _ => return Err(self.confused()),
        }))
    }

    /// Keeps the pipe empty until the init has something to say.
    fn drain_until_answered(&self, command: &mut Command, pause: Duration) -> Result<(), Error> {
        let Some(channel) = &self.channel else { return Ok(()) };
        let failed = |source| Error::Sandbox { action: "wait for a command".to_owned(), source };
        let silent = Deadline::after(pause.saturating_add(PATIENCE)).map_err(failed)?;
        let mut open = true;
        loop {
            let mut polled = vec![PollFd::new(channel, PollFlags::IN), PollFd::new(&silent, PollFlags::IN)];
            if open {
                polled.push(PollFd::new(&command.output, PollFlags::IN));
            }
            match poll(&mut polled, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(self.lost(&io::Error::from(errno).to_string())),
            }
            let ready: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
            if ready.get(2) == Some(&true) {
                open = command.tail.drain(&command.output);
            }
            if ready[0] {
                return Ok(());
            }
            if ready[1] {
                return Err(self.lost("it does not answer"));
            }
        }
    }
}

/// The end of a command's output.
#[derive(Debug, Default)]
struct Tail(VecDeque<u8>);

impl Tail {
    /// Takes what is in the pipe; false at the end of the stream.
    fn drain(&mut self, reader: &OwnedFd) -> bool {
        let mut buffer = [0; 16 << 10];
        loop {
            match rustix::io::read(reader, &mut buffer[..]) {
                Ok(0) => return false,
                Ok(len) => {
                    self.0.extend(&buffer[..len]);
                    let surplus = self.0.len().saturating_sub(KEPT_OUTPUT_BYTES);
                    self.0.drain(..surplus);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return true,
                Err(_) => return false,
            }
        }
    }

    fn text(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
