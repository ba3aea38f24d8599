//! One sandbox, as the runner holds it.

use super::addresses::{assign, resolve};
use super::arbiter::Arbiter;
use super::control_groups::ControlGroups;
use super::instance::{Instance, Parcel};
use super::keeper_link::KeeperLink;
use super::neighbours::listening_beside;
use super::place::Place;
use super::spawner::Spawner;
use super::tenancy::Tenancy;
use super::timepiece::{Timepiece, broken};
use crate::docker;
use crate::wire::{Host, KeeperReply, KeeperRequest, Luggage, NoConnection, Premises, Tree};
use crate::{
    Awaited, ConnectFailure, Error, ExecOutcome, FileSpec, HostClock, LaunchSpec, Log, Moved, ProcessMemory,
    RootTree, Sandbox, SandboxSpec, ServiceState, StopReason, Unproven, WitnessReport,
};
use notafter_clock::Pacer;
use notafter_core::{ClockReading, ClockWitness, Motion, Replacement, ServiceName, UnixTime, WitnessBasis};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How much longer than the connection itself its report may take, on the host's clock.
const SLACK: Duration = Duration::from_secs(5);

/// By how much wall time catches up: twice in a second, for timers of 0.4 s (MariaDB's).
const CATCHES_UP_BY: Duration = Duration::from_millis(450);

/// How long a command runs before wall time may catch up, and again until it has ended.
const HEARD_OF: Duration = Duration::from_millis(250);

/// How long nothing is busy before wall time catches up, on the host's clock.
const fn standstill(awaited: Awaited) -> Duration {
    match awaited {
        Awaited::Readiness => Duration::from_secs(2),
        // Many an answer takes two seconds by itself, and what comes after it would be late within its second.
        Awaited::Answer => Duration::from_secs(3),
    }
}

/// What is said where not every short wait could be stopped for.
const HURRIED: &str = "services waited briefly so often that time went on over some of their waits: a limit that was \
    pending then may have run out early";

/// Services on one network.
pub(crate) struct EmbeddedSandbox {
    keeper: KeeperLink,
    place: Place,
    /// Where throw-away data lies, for containers.
    disk: PathBuf,
    /// Where services have no namespaces.
    tenancy: Option<Tenancy>,
    /// None runs on the host's clock.
    timepiece: Option<Timepiece>,
    /// Everything that was found out about who saw the clock.
    evidence: WitnessReport,
    services: BTreeMap<ServiceName, Instance>,
    /// Services of which a process was seen never to sleep.
    restless: BTreeSet<ServiceName>,
    /// Whether anything was busy when [`Sandbox::catch_up`] last looked.
    was_busy: bool,
    /// What the arbiter has learnt of their waits.
    pacer: Pacer,
    hosts: Vec<Host>,
    host_clock: HostClock,
    launches: u32,
    remarks: Vec<String>,
    closed: bool,
    /// Keepers end with the thread that made them.
    _spawner: Arc<Spawner>,
}

impl EmbeddedSandbox {
    pub(crate) fn open(
        spawner: Arc<Spawner>,
        host_clock: HostClock,
        place: Place,
        spec: &SandboxSpec,
    ) -> Result<Self, Error> {
        let hosts = assign(&spec.hosts, &spec.aliases);
        let disk = spec.scratch.clone().unwrap_or_else(std::env::temp_dir);
        let tenancy = match place {
            Place::Containers(_) | Place::Namespaces => None,
            Place::Machine => Some(Tenancy::begin(spec.scratch.as_deref())?),
        };
        let premises = match (&place, &tenancy) {
            (Place::Containers(images), _) => Premises::Containers(images.lease(&hosts, &disk)?),
            (Place::Machine | Place::Namespaces, Some(tenancy)) => tenancy.premises(),
            (Place::Machine | Place::Namespaces, None) => {
                Premises::Apart { scratch: spec.scratch.clone(), hosts: hosts.clone() }
            }
        };
        let (keeper, mut remarks) = KeeperLink::open(&spawner, premises).inspect_err(|error| {
            // That it failed is what is being told.
            let _ = place.clear(tenancy.as_ref(), &disk, &[], was_lost(error));
        })?;
        remarks.extend(tenancy.iter().flat_map(Tenancy::remarks));
        let timepiece = match &spec.clock {
            Some(clock) => Some(Timepiece::new(clock)?),
            None => None,
        };
        Ok(Self {
            keeper,
            place,
            disk,
            tenancy,
            timepiece,
            evidence: WitnessReport::default(),
            services: BTreeMap::new(),
            restless: BTreeSet::new(),
            was_busy: false,
            pacer: Pacer::default(),
            hosts,
            host_clock,
            launches: 0,
            remarks,
            closed: false,
            _spawner: spawner,
        })
    }

    fn known(&mut self, service: &ServiceName) -> Result<&mut Instance, Error> {
        self.services.get_mut(service).ok_or_else(|| Error::UnknownService(service.clone()))
    }

    /// Takes down what proves, and what stands against, that every process of a service saw the shifted clock.
    fn take_evidence(&mut self, service: &ServiceName) -> Result<(), Error> {
        let Some(timepiece) = &self.timepiece else { return Ok(()) };
        let Some(instance) = self.services.get_mut(service) else { return Ok(()) };
        let Some(init) = instance.init else { return Ok(()) };
        let face = timepiece.face(service);
        let before = face.now();
        let canary = instance.canary()?;
        let ledger = instance.ledger()?;
        let mut found = WitnessReport::default();
        match canary.map(|report| report.defect(before, face.now())) {
            None => {}
            Some(Some(reason)) => {
                found.unproven.push(Unproven { service: service.clone(), pid: None, reason })
            }
            Some(None) => {
                let exe = "canary".to_owned();
                found.witnesses.push(ClockWitness {
                    service: service.clone(),
                    pid: 0,
                    exe,
                    basis: WitnessBasis::Canary,
                });
            }
        }
        for execution in ledger.executions {
            let pid = u32::try_from(execution.pid).unwrap_or(0);
            let service = service.clone();
            if execution.proven {
                let basis = WitnessBasis::Exec;
                found.witnesses.push(ClockWitness { service, pid, exe: execution.exe, basis });
            } else {
                let reason = format!("{} never asked for the clock page", execution.exe);
                found.unproven.push(Unproven { service, pid: Some(pid), reason });
            }
        }
        for fault in ledger.faults {
            let pid = u32::try_from(fault.pid).ok();
            found.unproven.push(Unproven { service: service.clone(), pid, reason: fault.reason });
        }
        timepiece.look_below(service, init, &mut found.witnesses, &mut found.unproven)?;
        let refused = ledger.refusals.into_iter().map(|refused| format!("{service} was refused {refused}"));
        let unseen = ledger.unseen.into_iter().map(|unseen| format!("{service}: {unseen}"));
        self.remark(refused.chain(unseen).collect());
        for witness in found.witnesses {
            if !self.evidence.witnesses.contains(&witness) {
                self.evidence.witnesses.push(witness);
            }
        }
        for gap in found.unproven {
            if !self.evidence.unproven.contains(&gap) {
                self.evidence.unproven.push(gap);
            }
        }
        Ok(())
    }

    /// Bounds what a service uses, where that is not the engine's business. What cannot be bounded is remarked.
    fn bounds(&mut self, spec: &LaunchSpec) -> ControlGroups {
        match self.place {
            Place::Machine | Place::Namespaces if spec.restrictions.has_limits() => {
                let (groups, unkept) = ControlGroups::make(&spec.restrictions);
                self.remark(unkept.into_iter().map(|words| format!("{}: {words}", spec.service)).collect());
                groups
            }
            Place::Containers(_) | Place::Machine | Place::Namespaces => ControlGroups::default(),
        }
    }

    /// Ends an instance with everything in it. The keeper reaps its init, so afterwards nothing is left.
    /// Returns whether the init had died before.
    fn end(&mut self, number: u32) -> Result<bool, Error> {
        match self.keeper.ask_soon(&KeeperRequest::End { instance: number }, &[])? {
            (KeeperReply::Ended { remarks, lost }, _) => {
                self.remark(remarks);
                Ok(lost)
            }
            _ => Err(self.keeper.lost("it answered something else")),
        }
    }

    /// Keeps each remark once: every launch from the same kind of tree makes the same ones.
    fn remark(&mut self, remarks: Vec<String>) {
        for remark in remarks {
            if !self.remarks.contains(&remark) {
                self.remarks.push(remark);
            }
        }
    }

    fn end_everything(&mut self) -> Result<(), Error> {
        if !std::mem::replace(&mut self.closed, true) {
            self.services.values_mut().for_each(Instance::hang_up);
            let closed = self.keeper.close();
            let inits: Vec<i32> = self.services.values().filter_map(|instance| instance.init).collect();
            let lost = closed.as_ref().is_err_and(was_lost);
            if let Err(error) = self.place.clear(self.tenancy.as_ref(), &self.disk, &inits, lost) {
                self.remarks.push(format!("something is left behind on the machine: {error}"));
            }
            let left = self.services.values_mut().flat_map(|instance| instance.bounds.clear()).collect();
            self.remark(left);
            self.remark(closed?);
        }
        Ok(())
    }
}

fn was_lost(error: &Error) -> bool {
    matches!(error, Error::Lost { .. })
}

impl Sandbox for EmbeddedSandbox {
    fn launch(&mut self, spec: &LaunchSpec) -> Result<(), Error> {
        if self.services.contains_key(&spec.service) {
            self.take_evidence(&spec.service)?;
        }
        if let Some(mut old) = self.services.remove(&spec.service) {
            old.hang_up();
            // On the machine's clock nothing was proven by it.
            let lost = self.end(old.number)?;
            self.remark(old.bounds.clear());
            if lost && self.timepiece.is_some() {
                return Err(Error::Lost {
                    reason: format!("the init of {} had died before it was started anew", spec.service),
                });
            }
        }
        // It tells services apart by their order.
        self.pacer = Pacer::default();
        let number = self.launches;
        self.launches += 1;
        let (mut instance, parcel) = Instance::prepare(number, spec, &self.hosts)?;
        let Parcel { mut blueprint, init_end, log_end, files } = parcel;
        let bounds = self.bounds(spec);
        if let Place::Containers(images) = &self.place {
            let tree = match &spec.root {
                RootTree::Empty | RootTree::Host => None,
                RootTree::Tree(path) => Some(path.clone()),
            };
            let in_memory = docker::in_memory(spec)?;
            blueprint.tree = Tree::Image { id: images.of(spec)?, tree, in_memory };
            blueprint.binds.clear();
        }
        let clock = match &self.timepiece {
            Some(timepiece) => {
                Some(timepiece.face(&spec.service).read_only().map_err(broken("hand over the clock"))?)
            }
            None => None,
        };
        let groups = bounds.doors().map_err(|source| Error::Sandbox {
            action: format!("open the control groups of {}", spec.service),
            source,
        })?;
        blueprint.groups = groups.len();
        let clock = clock.map(OwnedFd::from);
        let luggage = Luggage { channel: init_end, log: log_end, files, groups, clock };
        let request = KeeperRequest::Launch { instance: number, blueprint: Box::new(blueprint) };
        match self.keeper.ask_soon(&request, &luggage.fds())? {
            (KeeperReply::Launched { pid }, _) => instance.init = Some(pid),
            _ => return Err(self.keeper.lost("it answered something else")),
        }
        instance.bounds = bounds;
        // With our copies open, the end of the init and the end of its output would go unnoticed.
        drop(luggage);
        match instance.await_start() {
            Ok(remarks) => {
                self.remark(remarks);
                self.services.insert(spec.service.clone(), instance);
                Ok(())
            }
            Err(error) => {
                instance.hang_up();
                self.end(number)?; // that it failed is what is being told
                Err(error)
            }
        }
    }

    fn stop(&mut self, service: &ServiceName, reason: StopReason) -> Result<(), Error> {
        let now = self.now();
        self.take_evidence(service)?;
        let instance = self.known(service)?;
        let number = instance.number;
        if let StopReason::Restart { grace } = reason {
            instance.wind_down(grace)?;
        }
        let last = match instance.state()? {
            ServiceState::Running => ServiceState::Ended { code: 128 + 9, at: now },
            last => last,
        };
        instance.hang_up();
        if self.end(number)? {
            return Err(Error::Lost {
                reason: format!("the init of {service} had died before it was stopped"),
            });
        }
        let instance = self.known(service)?;
        instance.note_end(last);
        instance.init = None;
        let left = instance.bounds.clear();
        self.remark(left);
        Ok(())
    }

    fn state(&mut self, service: &ServiceName) -> Result<ServiceState, Error> {
        self.known(service)?.state()
    }

    fn log(&mut self, service: &ServiceName) -> Result<Log, Error> {
        self.known(service).map(|instance| instance.log())
    }

    fn exec(
        &mut self,
        service: &ServiceName,
        command: &[String],
        within: Duration,
    ) -> Result<ExecOutcome, Error> {
        let (mut command, mut outcome) = self.known(service)?.start(command, within, HEARD_OF)?;
        let mut waited = Duration::ZERO;
        loop {
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
            waited += HEARD_OF;
            self.catch_up(Awaited::Answer, waited)?;
            outcome = self.known(service)?.await_command(&mut command, HEARD_OF)?;
        }
    }

    fn replace(
        &mut self,
        service: &ServiceName,
        replacement: Replacement,
        files: &[FileSpec],
    ) -> Result<(), Error> {
        self.known(service)?.replace(replacement, files)
    }

    fn signal(&mut self, service: &ServiceName, number: i32) -> Result<ServiceState, Error> {
        self.known(service)?.signal(number)
    }

    fn memory(&mut self, service: &ServiceName) -> Result<Vec<ProcessMemory>, Error> {
        self.known(service)?.processes()
    }

    fn connect(
        &mut self,
        from: Option<&ServiceName>,
        host: &str,
        port: u16,
        within: Duration,
    ) -> Result<Result<TcpStream, ConnectFailure>, Error> {
        let Some(address) = resolve(&self.hosts, host) else {
            return Ok(Err(ConnectFailure::UnknownHost(host.to_owned())));
        };
        let from = match from {
            None => None,
            Some(service) => match resolve(&self.hosts, service.as_str()) {
                Some(address) => Some(address),
                None => return Err(Error::UnknownService(service.clone())),
            },
        };
        let to = SocketAddr::new(address, port);
        if let Some(tenancy) = &self.tenancy {
            let action = || format!("connect to {host}:{port}");
            let neighbour =
                tenancy.neighbour_at(to).map_err(|source| Error::Sandbox { action: action(), source })?;
            if let Some(neighbour) = neighbour {
                return Err(Error::Sandbox { action: action(), source: std::io::Error::other(neighbour) });
            }
        }
        let request = KeeperRequest::Connect { from, to, within };
        let (reply, mut fds) = self.keeper.ask(&request, &[], within.saturating_add(SLACK))?;
        match (reply, fds.pop()) {
            (KeeperReply::Connected, Some(socket)) => {
                let stream = TcpStream::from(socket);
                let ready = stream.set_nonblocking(false).and_then(|()| stream.set_nodelay(true));
                match ready {
                    Ok(()) => Ok(Ok(stream)),
                    Err(error) => Ok(Err(ConnectFailure::Other(error.to_string()))),
                }
            }
            (KeeperReply::NotConnected(reason), _) => Ok(Err(match reason {
                NoConnection::Other(words) => ConnectFailure::Other(words),
                NoConnection::Refused => ConnectFailure::Refused,
                NoConnection::TimedOut => ConnectFailure::TimedOut,
            })),
            _ => Err(self.keeper.lost("it answered something else")),
        }
    }

    fn listening(&mut self) -> Result<Option<BTreeSet<u16>>, Error> {
        let init = self.services.values().find_map(|instance| instance.init);
        match (&self.tenancy, init) {
            // On the machine's own network nothing tells whose they are.
            (Some(_), _) | (None, None) => Ok(None),
            (None, Some(init)) => listening_beside(init).map(Some).map_err(|source| Error::Sandbox {
                action: "see who listens in the sandbox".to_owned(),
                source,
            }),
        }
    }

    fn now(&self) -> ClockReading {
        match &self.timepiece {
            Some(timepiece) => timepiece.page.now(),
            None => (self.host_clock)(),
        }
    }

    fn move_clock(&mut self, motion: Motion, to: UnixTime, within: Duration) -> Result<Moved, Error> {
        let Some(timepiece) = &mut self.timepiece else {
            let what = "move the clock of a native sandbox".to_owned();
            return Err(Error::Unsupported { backend: "embedded", what });
        };
        let instances = self.services.values_mut().collect();
        let moved = Arbiter::new(timepiece, instances, &mut self.restless, &mut self.pacer)
            .travel(motion, to, within)?;
        if self.pacer.has_hurried() {
            self.remark(vec![HURRIED.to_owned()]);
        }
        Ok(moved)
    }

    fn catch_up(&mut self, awaited: Awaited, waited: Duration) -> Result<(), Error> {
        let Some(timepiece) = &mut self.timepiece else { return Ok(()) };
        let surveys = Instance::survey(self.services.values())?;
        let is_busy = surveys.iter().any(|survey| !survey.busy.is_empty());
        // Of what only looks at the clock now and then, one look in many finds something busy.
        if std::mem::replace(&mut self.was_busy, is_busy) && is_busy {
            timepiece.page.note_busy();
        }
        // What was busy before it was waited for, nobody has looked at.
        let after = standstill(awaited);
        if waited >= after
            && timepiece.page.catch_up(CATCHES_UP_BY, after).map_err(broken("let wall time catch up"))?
        {
            Instance::tell_jumped(self.services.values())?;
        }
        Ok(())
    }

    fn witnesses(&mut self) -> Result<WitnessReport, Error> {
        for service in self.services.keys().cloned().collect::<Vec<_>>() {
            self.take_evidence(&service)?;
        }
        Ok(self.evidence.clone())
    }

    fn close(mut self: Box<Self>) -> Result<Vec<String>, Error> {
        self.end_everything()?;
        Ok(std::mem::take(&mut self.remarks))
    }
}

impl Drop for EmbeddedSandbox {
    fn drop(&mut self) {
        // Whoever wants to know closes it; dead or alive, nothing of it stays.
        let _ = self.end_everything();
    }
}
