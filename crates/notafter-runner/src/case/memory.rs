//! What the processes of a case hold in memory: looked at before the clock first leaves the instant at which they were
//! launched, and before they end.
//!
//! What must never happen here: a case that may not be believed because a memory could not be read; that it could not be
//! read going untold; reading that takes more time than what it is about.

use super::run::{CaseRun, harness};
use super::services::Standing;
use crate::host_clock::Stopwatch;
use notafter_backend::{Error, MemoryFiles, ProcessMemory};
use notafter_core::{CaseClock, CaseError, Credential, Event, MemoryRead, ProcessRead, ServiceName};
use notafter_inventory::{ProcessFiles, scan_memory};
use std::io;
use std::time::Duration;

/// No more is read of one process, in bytes.
const MAX_PROCESS_BYTES: u64 = 256 << 20;
/// No process is begun with once reading has taken so long in one case, on the host's clock.
const MAX_CASE: Duration = Duration::from_secs(2);
/// More processes of one service are told of and not read.
const MAX_PROCESSES: usize = 256;
/// What the kernel says of a process that has ended meanwhile.
const NO_SUCH_PROCESS: i32 = 3;

impl CaseRun<'_> {
    /// Reads those services that were launched and not read since; `step` is the index of the one that comes next.
    pub(super) fn read_unread(&mut self, step: usize) -> Result<(), CaseError> {
        let unread: Vec<ServiceName> =
            self.standing.keys().filter(|name| !self.read.contains(*name)).cloned().collect();
        self.read_memory(step, &unread)
    }

    /// Reads all of them.
    pub(super) fn read_every_memory(&mut self, step: usize) -> Result<(), CaseError> {
        let all: Vec<ServiceName> = self.standing.keys().cloned().collect();
        self.read_memory(step, &all)
    }

    /// Reads what runs of `services`. On the machine's own clock nothing of it would say anything of another.
    pub(super) fn read_memory(&mut self, step: usize, services: &[ServiceName]) -> Result<(), CaseError> {
        if self.case.clock == CaseClock::Native {
            return Ok(());
        }
        for service in services {
            if self.standing.get(service) != Some(&Standing::Ready) {
                continue;
            }
            self.read.insert(service.clone());
            let at = self.sandbox.now();
            let watch = Stopwatch::start();
            let (processes, found) = match self.sandbox.memory(service) {
                Ok(processes) => self.look_into(service, processes, &watch),
                Err(Error::Sandbox { source, .. }) => (vec![unlisted(&source)], Vec::new()),
                Err(error) => return Err(harness(&error)),
            };
            self.reading += watch.elapsed();
            let read = MemoryRead { service: service.clone(), step, at, processes };
            let case = self.case.id.clone();
            self.emit(Event::MemoryRead { case, read, found });
        }
        Ok(())
    }

    fn look_into(
        &self,
        service: &ServiceName,
        processes: Vec<ProcessMemory>,
        watch: &Stopwatch,
    ) -> (Vec<ProcessRead>, Vec<Credential>) {
        let (mut read, mut found) = (Vec::new(), Vec::new());
        for (index, process) in processes.into_iter().enumerate() {
            let ProcessMemory { pid, exe, memory } = process;
            let mut one = ProcessRead { pid, exe, read_bytes: 0, gap: None, held: Vec::new() };
            let spent = self.reading + watch.elapsed() > MAX_CASE;
            let scanned = memory.and_then(|MemoryFiles { maps, mem, pagemap }| match (spent, index) {
                (true, _) => Err(io::Error::other("reading had taken too long already")),
                (false, MAX_PROCESSES..) => Err(io::Error::other("there are too many processes")),
                (false, _) => {
                    scan_memory(&ProcessFiles { maps, mem, pagemap }, pid, service, MAX_PROCESS_BYTES)
                }
            });
            match scanned {
                Ok(held) => {
                    one.read_bytes = held.read_bytes;
                    one.gap = (held.left_bytes > 0).then(|| partly(held.read_bytes, held.left_bytes));
                    one.held = held.credentials.iter().map(|it| it.fingerprint).collect();
                    found.extend(held.credentials);
                }
                Err(error) if has_ended(&error) => continue,
                Err(error) => one.gap = Some(unread(&error)),
            }
            read.push(one);
        }
        (read, found)
    }
}

fn has_ended(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(NO_SUCH_PROCESS)
}

/// What stands for the processes of a service that cannot be listed.
fn unlisted(error: &io::Error) -> ProcessRead {
    let (pid, exe) = (0, "its processes".to_owned());
    ProcessRead { pid, exe, read_bytes: 0, gap: Some(unread(error)), held: Vec::new() }
}

fn unread(error: &io::Error) -> String {
    let text = error.to_string();
    let reason = text.split(" (os error").next().unwrap_or_default();
    format!("could not be read, and what ends there alone is not known: {}", reason.to_lowercase())
}

fn partly(read_bytes: u64, left_bytes: u64) -> String {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    format!(
        "was read in part, {} of {} MiB; what ends in the rest alone is not known",
        mib(read_bytes),
        mib(read_bytes + left_bytes)
    )
}
