//! The clock of a shifted sandbox, and the look from outside at who is under it.

use crate::{ClockSpec, Error, Skew, Unproven};
use notafter_clock::{ClockPage, Face, Gap, Sweep};
use notafter_core::{ClockWitness, ServiceName, WitnessBasis};
use notafter_sys::processes::{descendants, field};
use std::time::Duration;

/// Looks at a process before its gap is believed: one that is just being started shows gaps for a moment, which on a busy
/// machine may last as long as its init waits for a processor. One that is gone after so many looks was not just being
/// started.
const LOOKS: u32 = 60;
const LOOKS_AT_START: u32 = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(4);

/// A clock page and the sweep that looks for it.
#[derive(Debug)]
pub(super) struct Timepiece {
    pub(super) page: ClockPage,
    /// The service with a page of its own, and the number of that.
    skewed: Option<(ServiceName, usize)>,
    sweep: Sweep,
}

impl Timepiece {
    /// A clock whose wall time stands still where it begins.
    pub(super) fn new(clock: &ClockSpec) -> Result<Self, Error> {
        let mut page = ClockPage::held_at(clock.start, clock.file_times).map_err(broken("make the clock"))?;
        let skewed = match &clock.skew {
            Some(Skew { service, ahead }) => {
                Some((service.clone(), page.skew(*ahead).map_err(broken("make the clock"))?))
            }
            None => None,
        };
        let sweep = Sweep::new().map_err(broken("prepare the sweep"))?;
        Ok(Self { page, skewed, sweep })
    }

    /// The page that the processes of `service` see.
    pub(super) fn face(&self, service: &ServiceName) -> &Face {
        match &self.skewed {
            Some((skewed, number)) if skewed == service => self.page.skewed(*number),
            _ => self.page.face(),
        }
    }

    /// Looks at every process below `init`, an init of this sandbox, by process ids of the host.
    pub(super) fn look_below(
        &self,
        service: &ServiceName,
        init: i32,
        witnesses: &mut Vec<ClockWitness>,
        unproven: &mut Vec<Unproven>,
    ) -> Result<(), Error> {
        for pid in descendants(init)
            .map_err(|source| Error::Sandbox { action: format!("list the processes of {service}"), source })?
        {
            match self.look(pid, self.face(service)) {
                None => {}
                Some(Ok(())) => witnesses.push(ClockWitness {
                    service: service.clone(),
                    pid: pid_inside(pid).unwrap_or(0),
                    exe: exe(pid),
                    basis: WitnessBasis::Sweep,
                }),
                Some(Err(gap)) => unproven.push(Unproven {
                    service: service.clone(),
                    pid: pid_inside(pid),
                    reason: format!("{}: {gap}", exe(pid)),
                }),
            }
        }
        Ok(())
    }

    fn look(&self, pid: i32, face: &Face) -> Option<Result<(), Gap>> {
        let mut last = self.sweep.look(pid, face);
        for looks in 1..LOOKS {
            if !matches!(last, Some(Err(_))) {
                break;
            }
            std::thread::sleep(BETWEEN_LOOKS);
            match self.sweep.look(pid, face) {
                None if looks >= LOOKS_AT_START => break,
                next => last = next,
            }
        }
        last
    }
}

/// An error of the clock engine as one of the sandbox.
pub(super) fn broken(action: &'static str) -> impl Fn(notafter_clock::Error) -> Error {
    move |error| Error::Sandbox { action: action.to_owned(), source: std::io::Error::other(error) }
}

/// The process id in the innermost pid namespace.
fn pid_inside(pid: i32) -> Option<u32> {
    field(pid, "NSpid")?.split_ascii_whitespace().last()?.parse().ok()
}

fn exe(pid: i32) -> String {
    let link = std::fs::read_link(format!("/proc/{pid}/exe"));
    link.map_or_else(|_| "?".to_owned(), |path| path.to_string_lossy().into_owned())
}
