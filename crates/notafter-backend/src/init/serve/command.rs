//! A command beside the main process, of which the runner hears now and then until it ends.

use super::{End, Init, Wait};
use crate::wire::{Deadline, InitReply, MainState};
use rustix::process::{Pid, Signal};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// A command that was started.
pub(super) struct Command {
    pub(super) pid: Pid,
    /// Its exit code, once it is reaped.
    pub(super) ended: Option<i32>,
}

impl Init {
    pub(super) fn exec(
        &mut self,
        command: &[String],
        within: Duration,
        output: &OwnedFd,
    ) -> Result<InitReply, End> {
        match &self.main {
            Some(MainState::Ended { code, .. }) => {
                let reason =
                    format!("the main process of {} has ended with code {code}", self.blueprint.service);
                return Ok(InitReply::Unstartable { reason });
            }
            Some(MainState::Unstartable { reason }) => {
                return Ok(InitReply::Unstartable { reason: reason.clone() });
            }
            Some(MainState::Idle | MainState::Running) | None => {}
        }
        match self.spawn(command, output) {
            Ok(pid) => self.command = Some(Command { pid, ended: None }),
            Err(reason) => return Ok(InitReply::Unstartable { reason }),
        }
        self.await_command(within)
    }

    pub(super) fn await_command(&mut self, within: Duration) -> Result<InitReply, End> {
        let Some(Command { pid, ended }) = self.command else { return Err(End::Orphaned) };
        let waited = match ended {
            Some(code) => Wait::Ended(code),
            None => self.wait_for(pid, &Deadline::after(within)?)?,
        };
        Ok(match waited {
            Wait::Ended(code) => {
                self.command = None;
                InitReply::Exited { code }
            }
            Wait::TimedOut => InitReply::Runs,
        })
    }

    pub(super) fn abandon(&mut self) -> Result<InitReply, End> {
        match self.command.take() {
            None => Err(End::Orphaned),
            Some(Command { ended: Some(code), .. }) => Ok(InitReply::Exited { code }),
            Some(Command { pid, ended: None }) => {
                self.kill_session(pid)?;
                Ok(InitReply::TimedOut)
            }
        }
    }

    /// Kills a command with everything that it started and that did not leave its session.
    fn kill_session(&mut self, leader: Pid) -> Result<(), End> {
        // The leader goes first, so that it cannot react to the rest; until it is reaped, which happens only below,
        // its id cannot name another session.
        let _ = rustix::process::kill_process(leader, Signal::KILL);
        loop {
            let members = session_members(leader)?;
            if members.is_empty() {
                break;
            }
            for member in members {
                let _ = rustix::process::kill_process(member, Signal::KILL);
            }
        }
        self.wait_for_end(leader)
    }
}

/// The live processes of a session, its leader left out.
fn session_members(leader: Pid) -> io::Result<Vec<Pid>> {
    let mut members = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())) else {
            continue; // it has just ended
        };
        // proc_pid_stat(5): pid (comm) state ppid pgrp session …; comm may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
        let session = fields.get(3).and_then(|field| field.parse().ok()).and_then(Pid::from_raw);
        let is_zombie = matches!(fields.first(), Some(&("Z" | "X")));
        if pid != leader && session == Some(leader) && !is_zombie {
            members.push(pid);
        }
    }
    Ok(members)
}
