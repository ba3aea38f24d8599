//! The loop of an init: one request at a time, children reaped in between.

mod command;

use self::command::Command;
use super::engine::{Engine, Happening, Program};
use super::launch::{self, Ground, Site};
use super::members::Members;
use super::memory;
use super::own_tree;
use super::plain::plain_words;
use super::replace;
use crate::HostClock;
use crate::wire::{
    Attempt, Blueprint, Channel, Deadline, Failure, FileHead, InitReply, InitRequest, Luggage, MainState,
    Tree,
};
use notafter_clock::{Ledger, Survey};
use notafter_core::{ClockReading, Replacement};
use notafter_sys::fork;
use notafter_sys::mounts::Access;
use rustix::process::{Pid, Signal};
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// Longest total of the files of one launch.
const MAX_FILES_BYTES: u64 = 256 << 20;

/// How long the rest of a message may take once its beginning is there.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an init is born with.
#[derive(Debug)]
pub(crate) struct Birth {
    pub(crate) blueprint: Blueprint,
    pub(crate) site: Site,
    pub(crate) luggage: Luggage,
    /// At its end of stream the keeper is gone.
    pub(crate) keeper_lives: OwnedFd,
    /// What time it is on the host.
    pub(crate) host_clock: HostClock,
}

/// Why an init ends.
enum End {
    /// The runner or the keeper is gone, or talks nonsense: everything here must go too.
    Orphaned,
    /// A system call failed that never should.
    Broken(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// Runs the init until the runner or the keeper is gone. Returning ends the process; with it ends, or before it has
/// ended, every process of the service. The code says nothing that anybody reads.
pub(crate) fn run(birth: Birth) -> i32 {
    let started = start(birth);
    let mut init = match started {
        Ok(init) => init,
        Err((channel, failure)) => {
            let _ = channel.send(&InitReply::Failed(failure), &[]);
            return 125;
        }
    };
    let end = init.serve();
    init.members.end();
    match end {
        Ok(()) | Err(End::Orphaned) => 0,
        Err(End::Broken(error)) => {
            // Standard error leads to the runner, which quotes it when it misses this process.
            let words = format!("the init of {} failed: {error}", init.blueprint.service);
            let _ = io::Write::write_all(&mut io::stderr(), words.as_bytes());
            125
        }
    }
}

fn start(birth: Birth) -> Result<Init, (Channel, Failure)> {
    let Birth { blueprint, site, luggage, keeper_lives, host_clock } = birth;
    let Luggage { channel, log, files, groups, clock } = luggage;
    let channel = Channel::from(channel);
    let members = match (&blueprint.tree, &site.house) {
        (Tree::Image { .. }, _) => Members::OfContainer,
        (_, None) => Members::OfNamespace,
        (_, Some(_)) => Members::BelowInit,
    };
    let prepared = channel.set_patience(Some(PATIENCE)).doing(|| "listen to the runner".to_owned());
    match prepared.and_then(|()| prepare(&blueprint, &site, members, files, clock)) {
        Ok((ground, engine, null)) => Ok(Init {
            members,
            channel,
            keeper_lives,
            engine,
            log,
            groups,
            null,
            ground,
            blueprint,
            host_clock,
            main: None,
            pid: None,
            command: None,
        }),
        Err(failure) => Err((channel, failure)),
    }
}

type Prepared = (Result<Ground, String>, Engine, File);

fn prepare(
    blueprint: &Blueprint,
    site: &Site,
    members: Members,
    files: OwnedFd,
    clock: Option<OwnedFd>,
) -> Result<Prepared, Failure> {
    members.gather()?;
    fork::forbid_inspection().doing(|| "protect the init".to_owned())?;
    if let Members::OfNamespace = members {
        rustix::system::sethostname(blueprint.service.as_str().as_bytes())
            .doing(|| "set the host name".to_owned())?;
    }
    let contents = notafter_sys::memfd::contents(files, MAX_FILES_BYTES)
        .doing(|| "read the files of the service".to_owned())?;
    // The root tree that is entered next need not hold it.
    let binary = File::open("/proc/self/exe").doing(|| "open this program".to_owned())?;
    let ground = launch::enter(blueprint, site, &contents)?;
    let engine = Engine::new(clock, binary)?;
    // An unknown user leaves the init in the old root, and without anything to run there.
    let null = File::open("/dev/null").doing(|| "open /dev/null".to_owned())?;
    Ok((ground, engine, null))
}

struct Init {
    members: Members,
    channel: Channel,
    keeper_lives: OwnedFd,
    engine: Engine,
    log: OwnedFd,
    /// Where its processes enter their control groups.
    groups: Vec<OwnedFd>,
    null: File,
    ground: Result<Ground, String>,
    blueprint: Blueprint,
    host_clock: HostClock,
    /// How the main process stands; none before it is started.
    main: Option<MainState>,
    /// The main process while it runs.
    pid: Option<Pid>,
    /// The command beside it that the runner has not heard the end of.
    command: Option<Command>,
}

/// What a wait came to.
enum Wait {
    Ended(i32),
    TimedOut,
}

const KEEPER: usize = 0;
const RUNNER: usize = 1;
const DEADLINE: usize = 2;

impl Init {
    fn serve(&mut self) -> Result<(), End> {
        self.start_main();
        let remarks = self.ground.as_ref().map(|ground| ground.remarks.clone()).unwrap_or_default();
        self.answer(&InitReply::Started { remarks })?;
        loop {
            for happening in self.turn(None)? {
                match happening {
                    Happening::Ended { pid, code } => self.note_end(pid, code),
                    Happening::Readable(KEEPER) => return Err(End::Orphaned),
                    Happening::Readable(_) => self.serve_request()?,
                }
            }
        }
    }

    fn turn(&mut self, deadline: Option<&Deadline>) -> Result<Vec<Happening>, End> {
        let mut fds: Vec<BorrowedFd<'_>> = vec![self.keeper_lives.as_fd(), self.channel.as_fd()];
        fds.extend(deadline.map(AsFd::as_fd));
        Ok(self.engine.turn(&fds, None)?)
    }

    fn serve_request(&mut self) -> Result<(), End> {
        let (request, mut fds) = self.channel.receive::<InitRequest>().map_err(|_| End::Orphaned)?;
        let mut handed: Vec<OwnedFd> = Vec::new();
        let reply = match request {
            InitRequest::Abandon => self.abandon()?,
            InitRequest::Await { within } => self.await_command(within)?,
            InitRequest::Canary => self.canary()?,
            InitRequest::Exec { command, within } => {
                let output = fds.pop().ok_or(End::Orphaned)?;
                self.exec(&command, within, &output)?
            }
            InitRequest::Jumped => match self.engine.supervisor() {
                Some(supervisor) => InitReply::Woken { waits: supervisor.jumped().map_err(broken)? },
                None => InitReply::Woken { waits: 0 },
            },
            InitRequest::Ledger => InitReply::Ledger(match self.engine.supervisor() {
                Some(supervisor) => supervisor.audit().map_err(broken)?,
                None => Ledger::default(),
            }),
            InitRequest::Memory { pid } => match memory::open(pid) {
                Ok(files) => {
                    handed.extend(files);
                    InitReply::Memory
                }
                Err(failure) => InitReply::Failed(failure),
            },
            InitRequest::Processes => match memory::processes() {
                Ok(processes) => InitReply::Processes(processes),
                Err(failure) => InitReply::Failed(failure),
            },
            InitRequest::Replace { replacement, files } => {
                let contents = fds.pop().ok_or(End::Orphaned)?;
                match self.replace(replacement, &files, contents) {
                    Ok(()) => InitReply::Replaced,
                    Err(failure) => InitReply::Failed(failure),
                }
            }
            InitRequest::Signal { number } => {
                let before = self.state();
                if let Some(pid) = self.pid {
                    // One that ends this moment is told of as one that runs; its end shows at the next look.
                    let _ = notafter_sys::signals::send(pid.as_raw_nonzero().get(), number);
                }
                InitReply::State(before)
            }
            InitRequest::State => InitReply::State(self.state()),
            InitRequest::Stop { grace } => self.stop(grace)?,
            InitRequest::Survey => InitReply::Surveyed(match self.engine.supervisor() {
                Some(supervisor) => supervisor.survey().map_err(broken)?,
                None => Survey::default(),
            }),
        };
        self.answer_with(&reply, &handed)
    }

    fn answer(&self, reply: &InitReply) -> Result<(), End> {
        self.answer_with(reply, &[])
    }

    fn answer_with(&self, reply: &InitReply, handed: &[OwnedFd]) -> Result<(), End> {
        let fds: Vec<BorrowedFd<'_>> = handed.iter().map(AsFd::as_fd).collect();
        self.channel.send(reply, &fds).map_err(|_| End::Orphaned)
    }

    fn state(&self) -> MainState {
        self.main.clone().unwrap_or(MainState::Idle)
    }

    fn start_main(&mut self) {
        let Some(command) = self.blueprint.command.clone() else { return };
        let log = match self.log.try_clone() {
            Ok(log) => log,
            Err(error) => {
                self.main = Some(MainState::Unstartable { reason: error.to_string() });
                return;
            }
        };
        self.main = Some(match self.spawn(&command, &log) {
            Ok(pid) => {
                self.pid = Some(pid);
                MainState::Running
            }
            Err(reason) => MainState::Unstartable { reason },
        });
    }

    fn spawn(&mut self, command: &[String], output: &OwnedFd) -> Result<Pid, String> {
        let ground = self.ground.as_ref().map_err(Clone::clone)?;
        let argv = c_strings(command.iter().cloned())?;
        if argv.is_empty() {
            return Err("the command is empty".to_owned());
        }
        let env = c_strings(ground.env.iter().map(|(name, value)| format!("{name}={value}")))?;
        let path = ground.env.iter().find(|(name, _)| name == "PATH").map_or("", |(_, value)| value);
        let workdir = &self.blueprint.workdir;
        // In another root only the new process can see it, and says so itself.
        if ground.root.is_none()
            && let Err(error) = std::fs::metadata(workdir)
        {
            return Err(format!("working directory {workdir}: {}", plain_words(error)));
        }
        // Or /dev/stdout could not be opened again by the service's user.
        let identity = &ground.identity;
        if !identity.shows_as {
            let (uid, gid) =
                (rustix::fs::Uid::from_raw(identity.uid), rustix::fs::Gid::from_raw(identity.gid));
            rustix::fs::fchown(output, Some(uid), Some(gid))
                .map_err(|error| format!("cannot hand over its output: {error}"))?;
        }
        self.engine.spawn(&Program {
            root: ground.root.as_deref(),
            argv: &argv,
            env: &env,
            path,
            workdir: &self.blueprint.workdir,
            identity,
            filter: &ground.filter,
            groups: &self.groups,
            stdin: self.null.as_fd(),
            output: output.as_fd(),
        })
    }

    /// The end of a process. With the main process ends everything beside it, as in a container.
    fn note_end(&mut self, pid: Pid, code: i32) {
        if self.pid == Some(pid) {
            self.pid = None;
            self.main = Some(MainState::Ended { code, at: self.now() });
            self.members.kill();
        }
        if let Some(command) = self.command.as_mut().filter(|command| command.pid == pid) {
            command.ended = Some(code);
        }
    }

    fn now(&mut self) -> ClockReading {
        match self.engine.supervisor() {
            Some(supervisor) => supervisor.now(),
            None => (self.host_clock)(),
        }
    }

    fn replace(
        &self,
        replacement: Replacement,
        files: &[FileHead],
        contents: OwnedFd,
    ) -> Result<(), Failure> {
        let ground = self.ground.as_ref().map_err(|reason| Failure::new("replace files", reason.clone()))?;
        if let Some(head) = files.iter().find(|head| !self.blueprint.can_exchange(&head.path)) {
            let why = "it was not laid in to be exchanged";
            return Err(Failure::new(format!("replace {}", head.path), why));
        }
        let contents = notafter_sys::memfd::contents(contents, MAX_FILES_BYTES)
            .doing(|| "read the new files of the service".to_owned())?;
        // Where there is one user, everything is that user's.
        let identity = &ground.identity;
        let owner = identity.groups.as_ref().map_or((0, 0), |_| (identity.uid, identity.gid));
        let files: Vec<(&FileHead, &[u8])> = launch::files(files, &contents).collect();
        // From outside, as an operator does it: what the service may not change stands open for this moment.
        own_tree::set_access(&ground.sealed, Access::ReadWrite)?;
        let replaced = replace::replace(ground.root.as_deref(), replacement, &files, owner);
        own_tree::set_access(&ground.sealed, Access::ReadOnly)?;
        replaced
    }

    fn canary(&mut self) -> Result<InitReply, End> {
        Ok(match self.engine.canary() {
            None => InitReply::Failed(Failure::new("run the canary", "this sandbox has no shifted clock")),
            Some(Ok(report)) => InitReply::Canary(report),
            Some(Err(error)) => InitReply::Failed(Failure::new("run the canary", error.to_string())),
        })
    }

    fn stop(&mut self, grace: std::time::Duration) -> Result<InitReply, End> {
        if let Some(pid) = self.pid {
            let deadline = Deadline::after(grace)?;
            let _ = notafter_sys::signals::send(pid.as_raw_nonzero().get(), self.blueprint.stop_signal);
            if let Wait::TimedOut = self.wait_for(pid, &deadline)? {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
                self.wait_for_end(pid)?;
            }
        }
        Ok(InitReply::State(self.state()))
    }

    /// Waits until `pid` has ended or the deadline is over. No request may come meanwhile.
    fn wait_for(&mut self, pid: Pid, deadline: &Deadline) -> Result<Wait, End> {
        loop {
            let mut outcome = None;
            for happening in self.turn(Some(deadline))? {
                match happening {
                    Happening::Ended { pid: ended, code } => {
                        self.note_end(ended, code);
                        if ended == pid {
                            outcome = Some(Wait::Ended(code));
                        }
                    }
                    Happening::Readable(KEEPER | RUNNER) => return Err(End::Orphaned),
                    Happening::Readable(DEADLINE) => outcome = outcome.or(Some(Wait::TimedOut)),
                    Happening::Readable(_) => {}
                }
            }
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
        }
    }

    fn wait_for_end(&mut self, pid: Pid) -> Result<(), End> {
        loop {
            for happening in self.turn(None)? {
                match happening {
                    Happening::Ended { pid: ended, code } => {
                        self.note_end(ended, code);
                        if ended == pid {
                            return Ok(());
                        }
                    }
                    Happening::Readable(_) => return Err(End::Orphaned),
                }
            }
        }
    }
}

fn broken(error: notafter_clock::Error) -> End {
    End::Broken(io::Error::other(error))
}

fn c_strings(strings: impl Iterator<Item = String>) -> Result<Vec<CString>, String> {
    strings
        .map(|text| CString::new(text).map_err(|_| "a zero byte in the command or environment".to_owned()))
        .collect()
}
