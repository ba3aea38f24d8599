//! The back end itself: deals out one script per sandbox and keeps a list of what was asked.

use super::sandbox::ScriptedSandbox;
use super::script::Script;
use crate::{Backend, Error, Sandbox, SandboxSpec};
use notafter_core::{ClockReading, Isolation, Motion, Replacement, ServiceName, UnixTime};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One thing that was asked of a scripted sandbox, for tests that look at the order of things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// The sandbox was closed or dropped.
    Close,
    /// A connection.
    Connect {
        /// Host name.
        host: String,
        /// Port.
        port: u16,
    },
    /// A command inside a service.
    Exec {
        /// The service.
        service: ServiceName,
        /// The command.
        command: Vec<String>,
    },
    /// A launch.
    Launch(ServiceName),
    /// A motion.
    Move {
        /// How.
        motion: Motion,
        /// Where to.
        to: UnixTime,
    },
    /// A sandbox was opened, on this clock.
    Open(Option<UnixTime>),
    /// Files were exchanged.
    Replace {
        /// The service.
        service: ServiceName,
        /// How.
        replacement: Replacement,
        /// Which.
        paths: Vec<String>,
    },
    /// A signal was sent.
    Signal {
        /// The service.
        service: ServiceName,
        /// Its number.
        number: i32,
    },
    /// A service was stopped.
    Stop(ServiceName),
}

type Deal = dyn Fn(usize, &SandboxSpec) -> Script + Send + Sync;

/// Plays a script in every sandbox that it opens.
#[derive(Clone)]
pub struct Scripted {
    deal: Arc<Deal>,
    native_now: ClockReading,
    calls: Arc<Mutex<(usize, Vec<Call>)>>,
}

impl Scripted {
    /// `deal` makes the script of each sandbox from its number (from 0, in the order of opening) and its spec;
    /// `native_now` is what a native sandbox shows as the host's time.
    #[must_use]
    pub fn new(
        native_now: UnixTime,
        deal: impl Fn(usize, &SandboxSpec) -> Script + Send + Sync + 'static,
    ) -> Self {
        Self {
            deal: Arc::new(deal),
            native_now: ClockReading::at(native_now),
            calls: Arc::new(Mutex::new((0, Vec::new()))),
        }
    }

    /// Everything that was asked so far, in order, over all sandboxes.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.calls).1.clone()
    }
}

impl Backend for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn isolation(&self) -> Isolation {
        Isolation::Namespaces
    }

    fn open(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, Error> {
        let number = {
            let mut calls = lock(&self.calls);
            calls.1.push(Call::Open(spec.clock.as_ref().map(|clock| clock.start)));
            calls.0 += 1;
            calls.0 - 1
        };
        let script = (self.deal)(number, spec);
        if let Some(reason) = &script.refuses_to_open {
            return Err(Error::Sandbox {
                action: "open the scripted sandbox".to_owned(),
                source: std::io::Error::other(reason.clone()),
            });
        }
        let calls = Arc::clone(&self.calls);
        let note = move |call| lock(&calls).1.push(call);
        Ok(Box::new(ScriptedSandbox::new(script, spec, self.native_now, Box::new(note))))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Longest time that a silent port keeps its caller waiting for real; tests give short limits anyway.
pub(super) const LONGEST_SILENCE: Duration = Duration::from_secs(5);
