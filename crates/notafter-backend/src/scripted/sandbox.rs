//! One scripted sandbox: the table's state while it is played.

use super::backend::{Call, LONGEST_SILENCE};
use super::script::{Life, Moment, PortAct, Script, Serve};
use crate::{
    ConnectFailure, Error, ExecOutcome, FileSpec, LaunchSpec, Log, MemoryFiles, Moved, ProcessMemory,
    Sandbox, SandboxSpec, ServiceState, StopReason, WitnessReport,
};
use notafter_core::{
    ClockReading, ClockWitness, Motion, Replacement, Restless, ServiceName, UnixTime, WitnessBasis,
};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

struct Launched {
    state: ServiceState,
    log: String,
    command: Option<Vec<String>>,
    next_pid: u32,
}

pub(super) struct ScriptedSandbox {
    script: Script,
    hosts: Vec<ServiceName>,
    shifted: bool,
    now: ClockReading,
    launched: BTreeMap<ServiceName, Launched>,
    report: WitnessReport,
    note: Box<dyn Fn(Call) + Send>,
}

impl ScriptedSandbox {
    pub(super) fn new(
        script: Script,
        spec: &SandboxSpec,
        native_now: ClockReading,
        note: Box<dyn Fn(Call) + Send>,
    ) -> Self {
        Self {
            script,
            hosts: spec.hosts.clone(),
            shifted: spec.clock.is_some(),
            now: spec.clock.as_ref().map_or(native_now, |clock| ClockReading::at(clock.start)),
            launched: BTreeMap::new(),
            report: WitnessReport::default(),
            note,
        }
    }

    fn known(&mut self, service: &ServiceName) -> Result<&mut Launched, Error> {
        self.launched.get_mut(service).ok_or_else(|| Error::UnknownService(service.clone()))
    }

    fn moment(&self) -> Moment {
        let running = self
            .launched
            .iter()
            .filter(|(_, launched)| launched.state == ServiceState::Running)
            .map(|(name, _)| name.clone())
            .collect();
        Moment { now: self.now, running }
    }

    fn witness(&mut self, service: &ServiceName, pid: u32, exe: &str) {
        if self.shifted {
            self.report.witnesses.push(ClockWitness {
                service: service.clone(),
                pid,
                exe: exe.to_owned(),
                basis: WitnessBasis::Exec,
            });
        }
    }

    /// The processes that never sleep.
    fn restless(&self) -> Vec<Restless> {
        let running = self.launched.iter().filter(|(_, launched)| launched.state == ServiceState::Running);
        let named =
            running.filter_map(|(name, _)| Some((name, self.script.services.get(name)?.spins.clone()?)));
        named
            .map(|(name, process)| Restless { service: name.clone(), pid: 2, process, at: self.now })
            .collect()
    }

    /// Lets every running service live through (`from`, now].
    fn play(&mut self, from: UnixTime, motion: Motion) -> u32 {
        let now = self.now.second;
        let mut woken = 0;
        for (name, launched) in &mut self.launched {
            let Some(service) = self.script.services.get(name) else { continue };
            if launched.state != ServiceState::Running {
                continue;
            }
            for line in service.says.range(from.plus_secs(1)..=now).map(|(_, line)| line) {
                write_line(&mut launched.log, line);
            }
            if motion == Motion::Step {
                continue;
            }
            if let Life::Ends { code, says } = service.watchdog.at(now) {
                write_line(&mut launched.log, says);
                launched.state = ServiceState::Ended { code: *code, at: self.now };
                woken += 1;
            }
        }
        woken
    }
}

impl Sandbox for ScriptedSandbox {
    fn launch(&mut self, spec: &LaunchSpec) -> Result<(), Error> {
        (self.note)(Call::Launch(spec.service.clone()));
        let Some(service) = self.script.services.get(&spec.service) else {
            return Err(Error::UnknownService(spec.service.clone()));
        };
        let starts = match &service.starts_again {
            Some(again) if self.launched.contains_key(&spec.service) => again,
            _ => &service.starts,
        };
        let mut log = String::new();
        let state = match (&spec.command, starts.at(self.now.second)) {
            (None, _) => ServiceState::Idle,
            (Some(_), Life::Runs) => {
                write_line(&mut log, &service.greeting);
                ServiceState::Running
            }
            (Some(_), Life::Ends { code, says }) => {
                write_line(&mut log, says);
                ServiceState::Ended { code: *code, at: self.now }
            }
            (Some(_), Life::Unstartable { reason }) => ServiceState::Unstartable { reason: reason.clone() },
        };
        let unproven = service.unproven.clone();
        let started = matches!(state, ServiceState::Running | ServiceState::Ended { .. });
        let launched = Launched { state, log, command: spec.command.clone(), next_pid: 3 };
        self.launched.insert(spec.service.clone(), launched);
        if started {
            let exe = spec.command.iter().flatten().next().cloned().unwrap_or_default();
            self.witness(&spec.service, 2, &exe);
        }
        if self.shifted {
            self.report.unproven.extend(unproven);
        }
        Ok(())
    }

    fn stop(&mut self, service: &ServiceName, reason: StopReason) -> Result<(), Error> {
        (self.note)(Call::Stop(service.clone()));
        let now = self.now;
        let launched = self.known(service)?;
        if launched.state == ServiceState::Running {
            let signal = match reason {
                StopReason::Restart { .. } => 15,
                StopReason::Teardown => 9,
            };
            launched.state = ServiceState::Ended { code: 128 + signal, at: now };
        }
        Ok(())
    }

    fn state(&mut self, service: &ServiceName) -> Result<ServiceState, Error> {
        self.known(service).map(|launched| launched.state.clone())
    }

    fn log(&mut self, service: &ServiceName) -> Result<Log, Error> {
        self.known(service)
            .map(|launched| Log { text: launched.log.clone(), written: launched.log.len() as u64 })
    }

    fn exec(
        &mut self,
        service: &ServiceName,
        command: &[String],
        _within: Duration,
    ) -> Result<ExecOutcome, Error> {
        (self.note)(Call::Exec { service: service.clone(), command: command.to_vec() });
        let moment = self.moment();
        let launched = self.known(service)?;
        let pid = launched.next_pid;
        let idle = launched.command.is_none();
        launched.next_pid += 1;
        if !idle && launched.state != ServiceState::Running {
            return Ok(ExecOutcome::Unstartable { reason: format!("{service} is not running") });
        }
        let run = self.script.services.get(service).and_then(|service| service.run.clone());
        let outcome = match run {
            Some(run) => run(command, &moment),
            None => ExecOutcome::Unstartable {
                reason: format!("{}: no such file", command.first().map_or("", String::as_str)),
            },
        };
        if !matches!(outcome, ExecOutcome::Unstartable { .. }) {
            self.witness(service, pid, command.first().map_or("", String::as_str));
        }
        Ok(outcome)
    }

    fn replace(
        &mut self,
        service: &ServiceName,
        replacement: Replacement,
        files: &[FileSpec],
    ) -> Result<(), Error> {
        let paths = files.iter().map(|file| file.path.clone()).collect();
        (self.note)(Call::Replace { service: service.clone(), replacement, paths });
        self.known(service).map(|_| ())
    }

    fn signal(&mut self, service: &ServiceName, number: i32) -> Result<ServiceState, Error> {
        (self.note)(Call::Signal { service: service.clone(), number });
        self.known(service).map(|launched| launched.state.clone())
    }

    fn memory(&mut self, service: &ServiceName) -> Result<Vec<ProcessMemory>, Error> {
        let launched = self.known(service)?;
        let (runs, exe) = (launched.state == ServiceState::Running, launched.command.clone());
        let held = self.script.services.get(service).and_then(|service| service.memory.clone());
        let Some(held) = held.filter(|_| runs) else { return Ok(Vec::new()) };
        let exe = exe.iter().flatten().next().cloned().unwrap_or_default();
        let memory = match held.at(self.now.second) {
            Ok(bytes) => process_files(bytes).map_err(|source| Error::Sandbox {
                action: format!("make the memory of {service}"),
                source,
            })?,
            Err(reason) => {
                return Ok(vec![ProcessMemory {
                    pid: 2,
                    exe,
                    memory: Err(io::Error::other(reason.clone())),
                }]);
            }
        };
        Ok(vec![ProcessMemory { pid: 2, exe, memory: Ok(memory) }])
    }

    fn connect(
        &mut self,
        _from: Option<&ServiceName>,
        host: &str,
        port: u16,
        within: Duration,
    ) -> Result<Result<TcpStream, ConnectFailure>, Error> {
        (self.note)(Call::Connect { host: host.to_owned(), port });
        let Some(name) = self.hosts.iter().find(|name| name.as_str() == host) else {
            return Ok(Err(ConnectFailure::UnknownHost(host.to_owned())));
        };
        let moment = self.moment();
        let act = self
            .script
            .services
            .get(name)
            .filter(|_| moment.running.contains(name))
            .and_then(|service| service.ports.get(&port))
            .map(|act| act.at(moment.now.second).clone());
        match act {
            None | Some(PortAct::Refuses) => Ok(Err(ConnectFailure::Refused)),
            Some(PortAct::Silent) => {
                std::thread::sleep(within.min(LONGEST_SILENCE));
                Ok(Err(ConnectFailure::TimedOut))
            }
            Some(PortAct::Serves(serve)) => serve_once(serve, moment).map(Ok).map_err(|source| {
                Error::Sandbox { action: format!("open a loopback connection to {host}"), source }
            }),
        }
    }

    fn now(&self) -> ClockReading {
        self.now
    }

    fn move_clock(&mut self, motion: Motion, to: UnixTime, _within: Duration) -> Result<Moved, Error> {
        (self.note)(Call::Move { motion, to });
        if !self.shifted {
            return Err(Error::Unsupported {
                backend: "scripted",
                what: "move the clock of a native sandbox".to_owned(),
            });
        }
        if to < self.now.second {
            return Err(Error::Unsupported {
                backend: "scripted",
                what: format!("move the clock back from {} to {to}", self.now),
            });
        }
        let from = self.now.second;
        self.now = ClockReading::at(to);
        let woken = self.play(from, motion);
        Ok(Moved { jumps: 1, woken, restless: self.restless() })
    }

    fn witnesses(&mut self) -> Result<WitnessReport, Error> {
        Ok(self.report.clone())
    }

    fn close(self: Box<Self>) -> Result<Vec<String>, Error> {
        Ok(self.script.leaves_behind.clone())
    }
}

impl Drop for ScriptedSandbox {
    fn drop(&mut self) {
        (self.note)(Call::Close);
    }
}

fn write_line(log: &mut String, line: &str) {
    if !line.is_empty() {
        log.push_str(line);
        log.push('\n');
    }
}

/// One mapping that holds `bytes`, as /proc would show it.
fn process_files(bytes: &[u8]) -> io::Result<MemoryFiles> {
    const BEGIN: u64 = 0x1_0000;
    const PAGE: u64 = 4_096;
    let pages = (bytes.len() as u64).div_ceil(PAGE).max(1);
    let (maps, mem, pagemap) = (tempfile::tempfile()?, tempfile::tempfile()?, tempfile::tempfile()?);
    let line = format!("{BEGIN:08x}-{:08x} rw-p 00000000 00:00 0 [heap]\n", BEGIN + pages * PAGE);
    maps.write_all_at(line.as_bytes(), 0)?;
    mem.set_len(BEGIN + pages * PAGE)?;
    mem.write_all_at(bytes, BEGIN)?;
    for page in 0..pages {
        pagemap.write_all_at(&(1_u64 << 63).to_le_bytes(), (BEGIN / PAGE + page) * 8)?;
    }
    Ok(MemoryFiles { maps, mem, pagemap })
}

/// A real loopback connection whose far end is served on a thread of its own.
fn serve_once(serve: Arc<Serve>, moment: Moment) -> std::io::Result<TcpStream> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    std::thread::Builder::new().name("scripted-service".to_owned()).spawn(move || serve(server, moment))?;
    Ok(client)
}
