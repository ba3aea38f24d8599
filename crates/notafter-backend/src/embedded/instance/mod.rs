//! The runner's side of one launched service.

mod command;

use super::control_groups::ControlGroups;
use super::keeper_link::gone_or;
use super::log::LogReader;
use crate::wire::Host;
use crate::wire::{
    Blueprint, Channel, FileHead, InitReply, InitRequest, MainState, ProcessHead, Tree, VolumeHead,
};
use crate::{Error, FileSpec, LaunchSpec, Log, MemoryFiles, ProcessMemory, RootTree, ServiceState};
use notafter_clock::{CanaryReport, Ledger, Survey};
use notafter_core::{Replacement, ServiceName};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// How long an init may take to build its tree and to answer, on the host's clock.
const PATIENCE: Duration = Duration::from_secs(20);
/// What asks a main process to end where its image names no other signal.
const SIGTERM: i32 = 15;

/// One launch of a service. Ending it is the keeper's business.
#[derive(Debug)]
pub(super) struct Instance {
    /// Its number among the launches of the sandbox.
    pub(super) number: u32,
    /// Process id of its init on the host, once it is started.
    pub(super) init: Option<i32>,
    pub(super) service: ServiceName,
    /// What keeps its limits.
    pub(super) bounds: ControlGroups,
    /// To its init; none once it is ended.
    channel: Option<Channel>,
    log: LogReader,
    /// How its main process stood at the end.
    last: ServiceState,
}

/// What goes to the keeper for a launch.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) blueprint: Blueprint,
    pub(super) init_end: OwnedFd,
    pub(super) log_end: OwnedFd,
    pub(super) files: OwnedFd,
}

impl Instance {
    /// Both sides of a launch that the keeper has not heard of yet.
    pub(super) fn prepare(number: u32, spec: &LaunchSpec, hosts: &[Host]) -> Result<(Self, Parcel), Error> {
        let failed =
            |source| Error::Sandbox { action: format!("prepare the launch of {}", spec.service), source };
        let (ours, theirs) = Channel::pair().map_err(failed)?;
        let (log, log_end) = LogReader::start().map_err(failed)?;
        let files = in_memory(&spec.files).map_err(failed)?;
        let blueprint = blueprint(spec, hosts);
        let service = spec.service.clone();
        let last = ServiceState::Idle;
        let instance = Self {
            number,
            init: None,
            service,
            bounds: ControlGroups::default(),
            channel: Some(ours),
            log,
            last,
        };
        Ok((instance, Parcel { blueprint, init_end: theirs.into(), log_end, files }))
    }

    /// Waits until the init has built its tree; returns its remarks.
    pub(super) fn await_start(&mut self) -> Result<Vec<String>, Error> {
        match self.receive(PATIENCE)? {
            InitReply::Started { remarks } => Ok(remarks),
            InitReply::Failed(failure) => {
                let mut failure = failure;
                failure.action = format!("{} for {}", failure.action, self.service);
                Err(failure.into())
            }
            _ => Err(self.confused()),
        }
    }

    pub(super) fn state(&mut self) -> Result<ServiceState, Error> {
        if self.channel.is_none() {
            return Ok(self.last.clone());
        }
        match self.ask(&InitRequest::State)? {
            Some(InitReply::State(state)) => Ok(service_state(state)),
            _ => Err(self.confused()),
        }
    }

    /// Exchanges files under its processes.
    pub(super) fn replace(&mut self, replacement: Replacement, files: &[FileSpec]) -> Result<(), Error> {
        let failed =
            |source| Error::Sandbox { action: format!("hand over new files for {}", self.service), source };
        let contents = in_memory(files).map_err(failed)?;
        self.send(&InitRequest::Replace { replacement, files: heads(files) }, Some(contents))?;
        match self.receive(PATIENCE)? {
            InitReply::Replaced => Ok(()),
            InitReply::Failed(mut failure) => {
                failure.action = format!("{} of {}", failure.action, self.service);
                Err(failure.into())
            }
            _ => Err(self.confused()),
        }
    }

    /// Sends a signal to the main process; how that stood before.
    pub(super) fn signal(&mut self, number: i32) -> Result<ServiceState, Error> {
        match self.ask(&InitRequest::Signal { number })? {
            None => Ok(self.last.clone()),
            Some(InitReply::State(state)) => Ok(service_state(state)),
            Some(_) => Err(self.confused()),
        }
    }

    /// Asks the main process to end and waits for it.
    pub(super) fn wind_down(&mut self, grace: Duration) -> Result<(), Error> {
        if self.channel.is_none() {
            return Ok(());
        }
        self.send(&InitRequest::Stop { grace }, None)?;
        match self.receive(grace.saturating_add(PATIENCE))? {
            InitReply::State(state) => {
                self.last = service_state(state);
                Ok(())
            }
            _ => Err(self.confused()),
        }
    }

    /// Ends the conversation. The init then ends by itself, with everything in it; any other end of it would be one
    /// that nobody here asked for.
    pub(super) fn hang_up(&mut self) {
        self.channel = None;
    }

    /// Forgets the init, whose end the keeper has seen; `last` is how the main process stood then.
    pub(super) fn note_end(&mut self, last: ServiceState) {
        self.channel = None;
        self.last = last;
    }

    /// Tells the inits of all these that the clock page was changed; how many waits ended because of it.
    pub(super) fn tell_jumped<'all>(all: impl Iterator<Item = &'all Self> + Clone) -> Result<u32, Error> {
        all.clone().try_for_each(|instance| instance.tell(&InitRequest::Jumped))?;
        all.map(Self::woken).sum()
    }

    /// The answer to [`InitRequest::Jumped`]: how many waits ended because of it.
    fn woken(&self) -> Result<u32, Error> {
        match self.hear()? {
            None => Ok(0),
            Some(InitReply::Woken { waits }) => Ok(waits),
            Some(_) => Err(self.confused()),
        }
    }

    /// Who waits for what in each of these, in their order.
    pub(super) fn survey<'all>(all: impl Iterator<Item = &'all Self> + Clone) -> Result<Vec<Survey>, Error> {
        all.clone().try_for_each(|instance| instance.tell(&InitRequest::Survey))?;
        all.map(Self::surveyed).collect()
    }

    /// The answer to [`InitRequest::Survey`].
    fn surveyed(&self) -> Result<Survey, Error> {
        match self.hear()? {
            None => Ok(Survey::default()),
            Some(InitReply::Surveyed(survey)) => Ok(survey),
            Some(_) => Err(self.confused()),
        }
    }

    /// What its supervisor did and met.
    pub(super) fn ledger(&mut self) -> Result<Ledger, Error> {
        match self.ask(&InitRequest::Ledger)? {
            None => Ok(Ledger::default()),
            Some(InitReply::Ledger(ledger)) => Ok(ledger),
            Some(_) => Err(self.confused()),
        }
    }

    /// What the canary saw beside its main process.
    pub(super) fn canary(&mut self) -> Result<Option<CanaryReport>, Error> {
        match self.ask(&InitRequest::Canary)? {
            None => Ok(None),
            Some(InitReply::Canary(report)) => Ok(Some(report)),
            Some(InitReply::Failed(failure)) => Err(failure.into()),
            Some(_) => Err(self.confused()),
        }
    }

    /// One request and its answer; none where the init is ended.
    fn ask(&mut self, request: &InitRequest) -> Result<Option<InitReply>, Error> {
        self.tell(request)?;
        self.hear()
    }

    /// A request, unless the init is ended.
    fn tell(&self, request: &InitRequest) -> Result<(), Error> {
        if self.channel.is_none() { Ok(()) } else { self.send(request, None) }
    }

    /// The answer to the last request; none where the init is ended.
    fn hear(&self) -> Result<Option<InitReply>, Error> {
        if self.channel.is_none() { Ok(None) } else { self.receive(PATIENCE).map(Some) }
    }

    /// Its processes with their memory, as far as that can be opened; none where the init is ended.
    pub(super) fn processes(&mut self) -> Result<Vec<ProcessMemory>, Error> {
        let heads = match self.ask(&InitRequest::Processes)? {
            None => return Ok(Vec::new()),
            Some(InitReply::Processes(heads)) => heads,
            Some(InitReply::Failed(failure)) => return Err(failure.into()),
            Some(_) => return Err(self.confused()),
        };
        let mut found = Vec::with_capacity(heads.len());
        for ProcessHead { pid, exe } in heads {
            self.send(&InitRequest::Memory { pid }, None)?;
            let memory = match self.receive_with(PATIENCE)? {
                (InitReply::Memory, fds) => {
                    let Ok([maps, mem, pagemap]) = <[OwnedFd; 3]>::try_from(fds) else {
                        return Err(self.confused());
                    };
                    let (maps, mem, pagemap) = (File::from(maps), File::from(mem), File::from(pagemap));
                    Ok(MemoryFiles { maps, mem, pagemap })
                }
                (InitReply::Failed(failure), _) => Err(io::Error::from(failure)),
                _ => return Err(self.confused()),
            };
            found.push(ProcessMemory { pid, exe, memory });
        }
        Ok(found)
    }

    pub(super) fn log(&self) -> Log {
        self.log.log()
    }

    fn send(&self, request: &InitRequest, fd: Option<OwnedFd>) -> Result<(), Error> {
        let fds: Vec<_> = fd.iter().map(AsFd::as_fd).collect();
        let channel = self.channel.as_ref().ok_or_else(|| self.lost("it is ended"))?;
        channel.send(request, &fds).map_err(|error| self.lost(&gone_or(&error)))
    }

    fn receive(&self, patience: Duration) -> Result<InitReply, Error> {
        self.receive_with(patience).map(|(reply, _)| reply)
    }

    fn receive_with(&self, patience: Duration) -> Result<(InitReply, Vec<OwnedFd>), Error> {
        let channel = self.channel.as_ref().ok_or_else(|| self.lost("it is ended"))?;
        let outcome = channel.set_patience(Some(patience)).and_then(|()| channel.receive());
        outcome.map_err(|error| self.lost(&gone_or(&error)))
    }

    fn lost(&self, what: &str) -> Error {
        Error::Lost { reason: format!("the init of {}: {what}", self.service) }
    }

    fn confused(&self) -> Error {
        self.lost("it answered something else")
    }
}

fn service_state(state: MainState) -> ServiceState {
    match state {
        MainState::Ended { code, at } => ServiceState::Ended { code, at },
        MainState::Idle => ServiceState::Idle,
        MainState::Running => ServiceState::Running,
        MainState::Unstartable { reason } => ServiceState::Unstartable { reason },
    }
}

fn blueprint(spec: &LaunchSpec, hosts: &[Host]) -> Blueprint {
    Blueprint {
        service: spec.service.clone(),
        tree: match &spec.root {
            RootTree::Empty => Tree::Empty,
            RootTree::Host => Tree::Host,
            RootTree::Tree(path) => Tree::Unpacked(path.clone()),
        },
        binds: spec.binds.iter().map(|bind| (bind.source.clone(), bind.target.clone())).collect(),
        command: spec.command.clone(),
        env: spec.env.clone(),
        user: spec.user.clone(),
        workdir: spec.workdir.clone(),
        stop_signal: spec.stop_signal.unwrap_or(SIGTERM),
        files: heads(&spec.files),
        volumes: spec
            .volumes
            .iter()
            .map(|volume| VolumeHead {
                name: volume.name.clone(),
                path: volume.path.clone(),
                state: volume.state,
                content: volume.content,
            })
            .collect(),
        hosts: hosts.to_vec(),
        restrictions: spec.restrictions.clone(),
        groups: 0,
    }
}

fn heads(files: &[FileSpec]) -> Vec<FileHead> {
    let head = |file: &FileSpec| FileHead {
        path: file.path.clone(),
        mode: file.mode,
        layout: file.layout,
        len_bytes: file.contents.len(),
    };
    files.iter().map(head).collect()
}

/// The bytes of all of them, in memory that nobody can change.
fn in_memory(files: &[FileSpec]) -> io::Result<OwnedFd> {
    let contents: Vec<u8> = files.iter().flat_map(|file| file.contents.iter().copied()).collect();
    notafter_sys::memfd::sealed("notafter-files", &contents)
}
