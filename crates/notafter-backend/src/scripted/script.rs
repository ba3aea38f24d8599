//! The table: what each service does, by the instant on the candidate's clock.

use crate::{ExecOutcome, Unproven};
use notafter_core::{ClockReading, ServiceName, UnixTime};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::TcpStream;
use std::sync::Arc;

/// A value that depends on where the candidate's clock stands.
#[derive(Debug, Clone)]
pub struct ByInstant<T> {
    first: T,
    later: BTreeMap<UnixTime, T>,
}

impl<T> ByInstant<T> {
    /// The same at every instant.
    #[must_use]
    pub fn always(value: T) -> Self {
        Self { first: value, later: BTreeMap::new() }
    }

    /// `value` from the second `at` on (inclusive), until a later entry.
    #[must_use]
    pub fn from(mut self, at: UnixTime, value: T) -> Self {
        self.later.insert(at, value);
        self
    }

    /// The value at `at`.
    #[must_use]
    pub fn at(&self, at: UnixTime) -> &T {
        self.later.range(..=at).next_back().map_or(&self.first, |(_, value)| value)
    }
}

/// How a main process fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Life {
    /// It ends, after writing `says` where that is not empty.
    Ends {
        /// Exit code.
        code: i32,
        /// One line for its log.
        says: String,
    },
    /// It runs.
    Runs,
    /// Its command cannot be started; while it runs already, the same as [`Life::Runs`].
    Unstartable {
        /// Why, as a lower-case fragment.
        reason: String,
    },
}

/// What an act can know about the scene.
#[derive(Debug, Clone)]
pub struct Moment {
    /// Where the candidate's clock stands.
    pub now: ClockReading,
    /// The services whose main process runs.
    pub running: BTreeSet<ServiceName>,
}

/// The service's side of one accepted connection; called on a thread of its own. Closing is dropping.
pub type Serve = dyn Fn(TcpStream, Moment) + Send + Sync;

/// How a command ends.
pub type Run = dyn Fn(&[String], &Moment) -> ExecOutcome + Send + Sync;

/// What a port does while its service runs.
#[derive(Clone)]
pub enum PortAct {
    /// Connections are refused, as where nothing listens.
    Refuses,
    /// Connections are accepted and served over real loopback sockets.
    Serves(Arc<Serve>),
    /// No answer comes until the time is up.
    Silent,
}

impl PortAct {
    /// Accepts, and serves each connection with `serve`.
    #[must_use]
    pub fn serving(serve: impl Fn(TcpStream, Moment) + Send + Sync + 'static) -> Self {
        Self::Serves(Arc::new(serve))
    }
}

impl fmt::Debug for PortAct {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Refuses => "Refuses",
            Self::Serves(_) => "Serves(..)",
            Self::Silent => "Silent",
        })
    }
}

/// One service of the table. The default runs for ever, has no open port and no command.
#[derive(Clone)]
pub struct ScriptedService {
    /// One line that it writes whenever it starts to run; empty: none.
    pub greeting: String,
    /// What happens at a launch, by the instant of the launch.
    pub starts: ByInstant<Life>,
    /// The same for the second and later launches in one sandbox, where state that the first left behind matters.
    pub starts_again: Option<ByInstant<Life>>,
    /// What its watchdog does when time elapses past an instant; a mere wall step does not wake it.
    pub watchdog: ByInstant<Life>,
    /// Its ports while it runs; any other port refuses.
    pub ports: BTreeMap<u16, ByInstant<PortAct>>,
    /// Lines that it writes when the clock reaches an instant while it runs, by whichever motion.
    pub says: BTreeMap<UnixTime, String>,
    /// How commands inside end; none: nothing can be started.
    pub run: Option<Arc<Run>>,
    /// The name of a process of it that never sleeps.
    pub spins: Option<String>,
    /// What its main process holds in memory while it runs, or why that cannot be read; none: it has no process to see.
    pub memory: Option<ByInstant<Result<Vec<u8>, String>>>,
    /// Processes that this service leaves without a proof of the shifted clock.
    pub unproven: Vec<Unproven>,
}

impl Default for ScriptedService {
    fn default() -> Self {
        Self {
            greeting: String::new(),
            starts: ByInstant::always(Life::Runs),
            starts_again: None,
            watchdog: ByInstant::always(Life::Runs),
            ports: BTreeMap::new(),
            says: BTreeMap::new(),
            run: None,
            spins: None,
            memory: None,
            unproven: Vec::new(),
        }
    }
}

impl ScriptedService {
    /// Sets what a port does.
    #[must_use]
    pub fn port(mut self, port: u16, act: ByInstant<PortAct>) -> Self {
        self.ports.insert(port, act);
        self
    }

    /// Sets how commands end.
    #[must_use]
    pub fn runs(mut self, run: impl Fn(&[String], &Moment) -> ExecOutcome + Send + Sync + 'static) -> Self {
        self.run = Some(Arc::new(run));
        self
    }
}

impl fmt::Debug for ScriptedService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ScriptedService")
            .field("starts", &self.starts)
            .field("watchdog", &self.watchdog)
            .field("ports", &self.ports)
            .finish_non_exhaustive()
    }
}

/// The whole table of one sandbox.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// The services that can be launched; launching any other is an error.
    pub services: BTreeMap<ServiceName, ScriptedService>,
    /// Why the sandbox cannot be opened at all.
    pub refuses_to_open: Option<String>,
    /// What could not be cleaned, as [`crate::Sandbox::close`] reports it.
    pub leaves_behind: Vec<String>,
}

impl Script {
    /// Adds a service.
    #[must_use]
    pub fn with(mut self, name: &ServiceName, service: ScriptedService) -> Self {
        self.services.insert(name.clone(), service);
        self
    }
}
