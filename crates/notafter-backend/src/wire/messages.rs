//! The requests and their answers.

use super::Failure;
use crate::docker::{Address, View};
use crate::{FileLayout, VolumeContent};
use notafter_clock::{CanaryReport, Ledger, Survey};
use notafter_core::{ClockReading, Replacement, Restrictions, ServiceName, VolumeName, VolumeState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// What the keeper needs to set up.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Premises {
    /// Namespaces of the sandbox's own.
    Apart {
        /// A directory of the host in which the sandbox makes one of its own; none keeps throw-away data in memory.
        scratch: Option<PathBuf>,
        /// Everybody who is to be known in the network.
        hosts: Vec<Host>,
    },
    /// Containers of an engine.
    Containers(Lease),
    /// A deputy beside an engine elsewhere. [`KeeperReply::Posted`], and from then on bytes to and from the deputy.
    Deputy(Post),
    /// Directories that show who sees this machine's files: [`KeeperReply::Laid`]. They go with the conversation.
    Evidence {
        /// Where runs have their temporary files.
        disk: PathBuf,
    },
    /// The machine itself, and a house on it: see `traces`.
    Machine {
        /// Where the half on disk is to stand.
        disk: PathBuf,
    },
}

/// What a keeper needs to have containers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Lease {
    /// Where the engine answers.
    pub(crate) address: Address,
    /// What of this machine's files it sees.
    pub(crate) view: View,
    /// The version of its API, major and minor.
    pub(crate) api: (usize, usize),
    /// Whose the containers are, for their labels.
    pub(crate) owner: String,
    /// Id of an image with next to nothing in it.
    pub(crate) bare_image: String,
    /// What the engine's machine has.
    pub(crate) machine: Machine,
    /// Everybody who is to be known in the network.
    pub(crate) hosts: Vec<Host>,
    /// Where the half on disk of the house is to stand: see `traces`.
    pub(crate) disk: PathBuf,
}

/// What a keeper needs to have a deputy.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Post {
    /// Where the engine answers.
    pub(crate) address: Address,
    /// The version of its API, major and minor.
    pub(crate) api: (usize, usize),
    /// Whose the deputy is, for its label.
    pub(crate) owner: String,
    /// Id of the image that holds this program.
    pub(crate) image: String,
    /// The engine's socket, on its own machine.
    pub(crate) socket: PathBuf,
}

/// What the machine of an engine has, where it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) memory_bytes: Option<i64>,
    pub(crate) cpus: Option<i64>,
}

/// What a container is for: the first message that it hears.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Errand {
    /// To be the init of a service. With the descriptors of [`KeeperRequest::Launch`].
    Init(Box<Blueprint>),
    /// To hold the network of the sandbox, in which these hosts are known: [`KeeperReply::Ready`], and from then on
    /// [`KeeperRequest::Connect`].
    Network { hosts: Vec<Host> },
}

/// The last message of an init in a container: it ends because it was to, with this code.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Farewell {
    pub(crate) code: i32,
}

/// A host name inside and its address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Host {
    pub(crate) name: ServiceName,
    pub(crate) address: Ipv4Addr,
}

/// Where a root tree comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Tree {
    Empty,
    Host,
    /// An image of the engine; inside, its tree is the root already.
    Image {
        id: String,
        /// The same tree on the machine, where there is one.
        tree: Option<PathBuf>,
        /// Folders without anything of the image, over which memory is mounted: files in them are exchanged.
        in_memory: Vec<String>,
    },
    Unpacked(PathBuf),
}

/// A file to be laid in; its bytes follow those of the files before it in the memory file of the launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileHead {
    pub(crate) path: String,
    pub(crate) mode: u32,
    pub(crate) layout: FileLayout,
    pub(crate) len_bytes: usize,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VolumeHead {
    pub(crate) name: VolumeName,
    pub(crate) path: String,
    pub(crate) state: VolumeState,
    pub(crate) content: VolumeContent,
}

/// Everything that an init needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blueprint {
    pub(crate) service: ServiceName,
    pub(crate) tree: Tree,
    /// Host path and absolute path inside.
    pub(crate) binds: Vec<(PathBuf, String)>,
    pub(crate) command: Option<Vec<String>>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) user: Option<String>,
    pub(crate) workdir: String,
    /// Number of the signal that asks the main process to end.
    pub(crate) stop_signal: i32,
    pub(crate) files: Vec<FileHead>,
    pub(crate) volumes: Vec<VolumeHead>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) restrictions: Restrictions,
    /// Control groups that its processes enter, as many as descriptors of [`Luggage::groups`](super::Luggage).
    pub(crate) groups: usize,
}

impl Blueprint {
    /// Whether a file is at `path` that may be exchanged while the service runs.
    pub(crate) fn can_exchange(&self, path: &str) -> bool {
        self.files.iter().any(|head| head.path == path && head.layout != FileLayout::Plain)
    }
}

/// From the runner to the keeper.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum KeeperRequest {
    /// Ends everything, then itself: [`KeeperReply::Closed`].
    Close,
    /// [`KeeperReply::Connected`] with the socket, or [`KeeperReply::NotConnected`].
    Connect { from: Option<IpAddr>, to: SocketAddr, within: Duration },
    /// Ends an instance and removes its tree: [`KeeperReply::Ended`].
    End { instance: u32 },
    /// Starts an init: [`KeeperReply::Launched`]. With its [`Luggage`](super::Luggage).
    Launch { instance: u32, blueprint: Box<Blueprint> },
    /// The first request: [`KeeperReply::Unshared`].
    Open(Premises),
    /// The id maps are written: [`KeeperReply::Ready`].
    Mapped,
}

/// From the keeper to the runner; [`Self::Failed`] answers any request.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum KeeperReply {
    Closed {
        remarks: Vec<String>,
        /// How many inits had died before it ended them.
        lost: usize,
    },
    Connected,
    Ended {
        remarks: Vec<String>,
        /// Whether its init had died before.
        lost: bool,
    },
    Failed(Failure),
    /// These directories are there, and nobody else has made them.
    Laid {
        paths: Vec<PathBuf>,
    },
    /// The process id of the init, as the runner sees it.
    Launched {
        pid: i32,
    },
    NotConnected(NoConnection),
    /// The deputy runs; its room is this directory of the engine's machine.
    Posted {
        outside: PathBuf,
    },
    Ready {
        remarks: Vec<String>,
    },
    Unshared,
}

/// Why no connection came about.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum NoConnection {
    Other(String),
    Refused,
    TimedOut,
}

/// From the runner to an init.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum InitRequest {
    /// Kills the command that runs: [`InitReply::TimedOut`], or [`InitReply::Exited`] where it has just ended.
    Abandon,
    /// Waits for the command that runs: [`InitReply::Exited`] or [`InitReply::Runs`].
    Await { within: Duration },
    /// Runs the canary: [`InitReply::Canary`].
    Canary,
    /// Starts a command and waits for it: [`InitReply::Exited`], [`InitReply::Runs`], [`InitReply::Unstartable`]. With
    /// the pipe for its output. Until its end was told, only what moves the clock may be asked beside it.
    Exec { command: Vec<String>, within: Duration },
    /// The clock page was changed: [`InitReply::Woken`] once everything that is due by it has been woken.
    Jumped,
    /// [`InitReply::Ledger`].
    Ledger,
    /// Opens the memory of a process: [`InitReply::Memory`] or [`InitReply::Failed`].
    Memory { pid: u32 },
    /// [`InitReply::Processes`] or [`InitReply::Failed`].
    Processes,
    /// Exchanges files: [`InitReply::Replaced`] or [`InitReply::Failed`]. With the memory file of their bytes.
    Replace { replacement: Replacement, files: Vec<FileHead> },
    /// Sends a signal to the main process: [`InitReply::State`], as it stood before.
    Signal { number: i32 },
    /// [`InitReply::State`].
    State,
    /// Asks the main process to end and waits for it, `grace` at most: [`InitReply::State`].
    Stop { grace: Duration },
    /// [`InitReply::Surveyed`].
    Survey,
}

/// From an init to the runner. The first message comes unasked: [`Self::Failed`] or [`Self::Started`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum InitReply {
    Canary(CanaryReport),
    Exited {
        code: i32,
    },
    Failed(Failure),
    /// Empty without a shifted clock.
    Ledger(Ledger),
    /// With what lists its mappings, its memory, and what lists its pages.
    Memory,
    Processes(Vec<ProcessHead>),
    Replaced,
    /// The command has not ended.
    Runs,
    Started {
        remarks: Vec<String>,
    },
    State(MainState),
    /// Empty without a shifted clock.
    Surveyed(Survey),
    TimedOut,
    Unstartable {
        reason: String,
    },
    /// How many waits and timers ended.
    Woken {
        waits: u32,
    },
}

/// A process of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessHead {
    /// As the init sees it.
    pub(crate) pid: u32,
    /// Its executable, as the init sees it.
    pub(crate) exe: String,
}

/// How a main process stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MainState {
    Ended { code: i32, at: ClockReading },
    Idle,
    Running,
    Unstartable { reason: String },
}
