//! What every back end promises. One suite of behaviour tests runs on each.

use crate::Error;
use notafter_core::{
    ClockReading, ClockWitness, FileTimes, Isolation, Motion, Replacement, Restless, Restrictions,
    ServiceName, UnixTime, VolumeName, VolumeState,
};
use notafter_image::{Bind, RootTree};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

/// Makes sandboxes.
pub trait Backend {
    /// The name that reports show, such as `embedded`.
    fn name(&self) -> &'static str;

    /// What keeps the services of its sandboxes apart from the machine.
    fn isolation(&self) -> Isolation;

    /// Makes an empty sandbox: a network without a way out, and a clock.
    ///
    /// # Errors
    /// [`Error::Sandbox`] with the cause and, where the user can mend it, the way out.
    fn open(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, Error>;
}

/// A shifted clock, as a sandbox begins with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockSpec {
    /// Where wall time stands when the services start.
    pub start: UnixTime,
    /// Whose clock the times of files are on.
    pub file_times: FileTimes,
    /// Whose clock differs from that of the others, and by how much.
    pub skew: Option<Skew>,
}

/// A service whose wall time is not that of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skew {
    /// Which.
    pub service: ServiceName,
    /// By how many seconds its clock is ahead; negative where it is behind.
    pub ahead: i64,
}

impl From<UnixTime> for ClockSpec {
    /// Times of files are the machine's.
    fn from(start: UnixTime) -> Self {
        Self { start, file_times: FileTimes::Real, skew: None }
    }
}

/// What a sandbox is made from.
#[derive(Debug, Clone)]
pub struct SandboxSpec {
    /// Every host name inside: each service's. All resolve inside the sandbox and nowhere else.
    pub hosts: Vec<ServiceName>,
    /// Further names, each of the host behind it.
    pub aliases: Vec<(ServiceName, ServiceName)>,
    /// The clock of its services; none runs natively, on the host's clock, with no engine.
    pub clock: Option<ClockSpec>,
    /// What the file system of the host offers for throw-away data; none lets the back end choose (memory).
    pub scratch: Option<PathBuf>,
}

/// A file that is laid into the root tree. Never logged: it may be a private key.
#[derive(Clone)]
pub struct FileSpec {
    /// Absolute path inside.
    pub path: String,
    /// Its bytes.
    pub contents: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
    /// How it lies there.
    pub layout: FileLayout,
}

/// How a file lies in its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileLayout {
    /// As itself, at its very path on every back end: it is exchanged while the service runs.
    Exchanged,
    /// By links, as the kubelet lays out a volume: `tls.crt` leads to `..data/tls.crt`, and `..data` to a directory.
    Linked,
    /// As itself or, in containers, by a link to it: nobody exchanges it.
    Plain,
}

impl std::fmt::Debug for FileSpec {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "FileSpec({}, {} bytes)", self.path, self.contents.len())
    }
}

/// A volume and where it appears.
#[derive(Debug, Clone)]
pub struct VolumeMount {
    /// Equal names within one sandbox are one volume.
    pub name: VolumeName,
    /// Absolute path inside.
    pub path: String,
    /// Whether a launch empties it.
    pub state: VolumeState,
    /// What is in it while no service has written to it.
    pub content: VolumeContent,
}

/// What is in a volume at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum VolumeContent {
    /// Nothing; it belongs to the service's user.
    Empty,
    /// What the root tree has there, with its owner.
    OfImage,
}

/// Everything that a back end needs to start one service.
#[derive(Debug, Clone)]
pub struct LaunchSpec {
    /// Its name and host name.
    pub service: ServiceName,
    /// Its root tree.
    pub root: RootTree,
    /// Host files that appear in it.
    pub binds: Vec<Bind>,
    /// Command and arguments; none starts no main process: a place for `exec` alone, always [`ServiceState::Idle`].
    pub command: Option<Vec<String>>,
    /// Its whole environment, secrets included.
    pub env: BTreeMap<String, String>,
    /// `user` or `user:group`, as names of the image or numbers; none is root inside.
    pub user: Option<String>,
    /// Working directory.
    pub workdir: String,
    /// Number of the signal with which [`StopReason::Restart`] begins; none is SIGTERM.
    pub stop_signal: Option<i32>,
    /// Files laid into the root tree.
    pub files: Vec<FileSpec>,
    /// Writable directories.
    pub volumes: Vec<VolumeMount>,
    /// What it may use and do at most. A limit that cannot be kept is told of by [`Sandbox::close`]; any other
    /// restriction that cannot be kept is an error of the launch.
    pub restrictions: Restrictions,
}

impl LaunchSpec {
    /// A service without a main process, for which nothing is laid in and nothing restricted, with root and `/`.
    #[must_use]
    pub fn idle(service: ServiceName, root: RootTree) -> Self {
        Self {
            service,
            root,
            binds: Vec::new(),
            command: None,
            env: BTreeMap::new(),
            user: None,
            workdir: "/".to_owned(),
            stop_signal: None,
            files: Vec::new(),
            volumes: Vec::new(),
            restrictions: Restrictions::default(),
        }
    }
}

/// How the main process of a service stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceState {
    /// It has ended.
    Ended {
        /// Exit code; 128 + the signal's number where a signal ended it.
        code: i32,
        /// When, on the candidate's clock.
        at: ClockReading,
    },
    /// It has none: the service is a place for commands.
    Idle,
    /// It runs.
    Running,
    /// Its command could not be started.
    Unstartable {
        /// Why, as a lower-case fragment such as `/usr/bin/nginx: no such file`.
        reason: String,
    },
}

/// Why a service is stopped; decides the signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// An operator restarts it: its stop signal, then SIGKILL after the grace period (host's clock).
    Restart {
        /// How long it may take to end by itself.
        grace: Duration,
    },
    /// The case is over: SIGKILL.
    Teardown,
}

/// What a service wrote to standard output and error, in the order of arrival.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Everything kept so far: the first and the last mebibyte, with a line that says so where bytes were dropped.
    pub text: String,
    /// Bytes written so far, dropped ones included.
    pub written: u64,
}

/// How much of a command's output is kept.
pub const KEPT_OUTPUT_BYTES: usize = 64 << 10;

/// How a command inside a service ended.
#[derive(Debug, Clone)]
pub enum ExecOutcome {
    /// It ended by itself.
    Exited {
        /// Exit code; 128 + the signal's number where a signal ended it.
        code: i32,
        /// What it wrote to standard output and error, the last [`KEPT_OUTPUT_BYTES`].
        output: String,
    },
    /// It was killed when its time was up (host's clock).
    TimedOut {
        /// What it had written, the last 64 KiB.
        output: String,
    },
    /// It could not be started.
    Unstartable {
        /// Why, as a lower-case fragment.
        reason: String,
    },
}

/// Why no connection came about; an observation, not an error of the back end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectFailure {
    /// Nothing listens there.
    #[error("connection refused")]
    Refused,
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The name is no service of the scenario.
    #[error("{0} is no host of this scenario")]
    UnknownHost(String),
    /// Another error of connect(2).
    #[error("{0}")]
    Other(String),
}

/// What a motion of the clock did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// Jumps that it took.
    pub jumps: u32,
    /// Waits and timers that completed because they were due.
    pub woken: u32,
    /// Processes that it did not wait for, because they never slept. A motion waits for everything to rest before it
    /// begins, between its jumps, and at its end; in a sandbox each process is told of once.
    pub restless: Vec<Restless>,
}

/// A process without proof, or a call that the engine does not handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven {
    /// The service.
    pub service: ServiceName,
    /// Process id inside the service's pid namespace, where known.
    pub pid: Option<u32>,
    /// What is missing, as a lower-case fragment.
    pub reason: String,
}

/// A live process and its memory.
#[derive(Debug)]
pub struct ProcessMemory {
    /// Process id inside the service's pid namespace.
    pub pid: u32,
    /// Its executable, as the service sees it.
    pub exe: String,
    /// What its memory can be read through, or why that could not be opened: that it has just ended
    /// ([`io::ErrorKind::NotFound`], or no such process) is no gap.
    pub memory: Result<MemoryFiles, io::Error>,
}

/// The files of one process in /proc, readable by whoever holds them.
#[derive(Debug)]
pub struct MemoryFiles {
    /// proc_pid_maps(5).
    pub maps: File,
    /// proc_pid_mem(5).
    pub mem: File,
    /// proc_pid_pagemap(5).
    pub pagemap: File,
}

/// Every proof since the sandbox was opened, and everything that lacks one.
#[derive(Debug, Clone, Default)]
pub struct WitnessReport {
    /// The proofs.
    pub witnesses: Vec<ClockWitness>,
    /// What lacks one; empty only if every process of every service and every command is proven.
    pub unproven: Vec<Unproven>,
}

/// What of a service is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// That it is ready.
    Readiness,
    /// The answer to a question, a line of its log, the end of a command in it.
    Answer,
}

/// Services on one network and one clock. Dropping it ends everything in it.
///
/// Wall time stands still in a shifted sandbox except while [`Sandbox::move_clock`] runs, and within its second at
/// [`Sandbox::catch_up`] and while [`Sandbox::exec`] waits.
pub trait Sandbox {
    /// Starts a service, anew where it ran before; volumes that are carried keep their content.
    ///
    /// # Errors
    /// Where the sandbox cannot be made ready for it; a command that cannot start shows in [`Sandbox::state`].
    fn launch(&mut self, spec: &LaunchSpec) -> Result<(), Error>;

    /// Ends every process of a service.
    ///
    /// # Errors
    /// [`Error::UnknownService`], or where the sandbox is lost.
    fn stop(&mut self, service: &ServiceName, reason: StopReason) -> Result<(), Error>;

    /// How its main process stands.
    ///
    /// # Errors
    /// [`Error::UnknownService`], or where the sandbox is lost.
    fn state(&mut self, service: &ServiceName) -> Result<ServiceState, Error>;

    /// What it wrote since its last launch.
    ///
    /// # Errors
    /// [`Error::UnknownService`].
    fn log(&mut self, service: &ServiceName) -> Result<Log, Error>;

    /// Runs a command inside a service, under the same clock and with its environment and user.
    ///
    /// # Errors
    /// [`Error::UnknownService`], or where the sandbox is lost.
    fn exec(
        &mut self,
        service: &ServiceName,
        command: &[String],
        within: Duration,
    ) -> Result<ExecOutcome, Error>;

    /// Exchanges files of a service under its running processes. The launch laid them in as [`FileLayout::Exchanged`]. With
    /// [`Replacement::SymlinkSwap`] they are all the files of their folders, laid in as [`FileLayout::Linked`].
    ///
    /// # Errors
    /// [`Error::UnknownService`], [`Error::Sandbox`] where a file cannot be replaced so, or where the sandbox is lost.
    fn replace(
        &mut self,
        service: &ServiceName,
        replacement: Replacement,
        files: &[FileSpec],
    ) -> Result<(), Error>;

    /// Sends a signal to the main process of a service, and says how that process stood just before.
    ///
    /// # Errors
    /// [`Error::UnknownService`], or where the sandbox is lost.
    fn signal(&mut self, service: &ServiceName, number: i32) -> Result<ServiceState, Error>;

    /// Its live processes and their memory, as it stands whenever it is read.
    ///
    /// # Errors
    /// [`Error::UnknownService`], [`Error::Sandbox`] where they cannot be listed, or where the sandbox is lost.
    fn memory(&mut self, service: &ServiceName) -> Result<Vec<ProcessMemory>, Error>;

    /// Opens a TCP connection to a service from the place of `from` in the network, or from beside the services.
    /// The stream is usable from the calling process.
    ///
    /// # Errors
    /// Where the sandbox is lost; a connection that does not come about is the inner error.
    fn connect(
        &mut self,
        from: Option<&ServiceName>,
        host: &str,
        port: u16,
        within: Duration,
    ) -> Result<Result<TcpStream, ConnectFailure>, Error>;

    /// TCP ports on which services listen; none where the back end cannot tell.
    ///
    /// # Errors
    /// Where the sandbox is lost.
    fn listening(&mut self) -> Result<Option<BTreeSet<u16>>, Error> {
        Ok(None)
    }

    /// What the candidate's clock shows.
    fn now(&self) -> ClockReading;

    /// Moves the clock to `to` and holds it there.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a native sandbox; where the motion did not arrive within `within` (host's clock)
    /// or the sandbox is lost.
    fn move_clock(&mut self, motion: Motion, to: UnixTime, within: Duration) -> Result<Moved, Error>;

    /// Lets wall time go on by less than half a second, within the second on which it stands, where nothing was busy
    /// for a while: to be called again and again while `awaited` is waited for, with how long it has been, on the host's
    /// clock. A service that measures a pause by the wall clock, as MariaDB's timers do, gets on then. Does nothing where
    /// that second is used up, and in a native sandbox.
    ///
    /// # Errors
    /// Where the sandbox is lost.
    fn catch_up(&mut self, awaited: Awaited, waited: Duration) -> Result<(), Error> {
        let _ = (awaited, waited);
        Ok(())
    }

    /// Sweeps the live processes and returns every proof and every gap since the sandbox was opened.
    ///
    /// # Errors
    /// Where the sandbox is lost. In a native sandbox the report is empty.
    fn witnesses(&mut self) -> Result<WitnessReport, Error>;

    /// Ends everything and says what could not be cleaned or enforced, as lower-case fragments.
    ///
    /// # Errors
    /// [`Error::Lost`] where a part of the sandbox was gone already: nobody can say since when.
    fn close(self: Box<Self>) -> Result<Vec<String>, Error>;
}
