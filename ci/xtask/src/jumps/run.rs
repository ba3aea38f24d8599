//! The jumps, one after the other.

use super::crowd::{Crowd, Said};
use crate::chaos::random::Random;
use crate::stopwatch::Stopwatch;
use anyhow::{Context, Result, bail, ensure};
use notafter_backend::{Backend as _, Embedded, Sandbox, SandboxSpec, ServiceState};
use notafter_core::{ClockReading, Motion, Pace, ServiceName, UnixTime};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

/// Where the clock stands at the start: 2030-01-01T00:00:00Z.
const START: i64 = 1_893_456_000;
/// The longest time that elapses at once: shorter leaps are one jump each.
const LONGEST_LEAP: u64 = 599;
/// How far the wall clock is set, ahead or back.
const FARTHEST_STEP: u64 = 86_400;
/// How long a motion may take, on the host's clock.
const PATIENCE: Duration = Duration::from_secs(60);
/// How late a wait may end, on the host's clock, counted from the end of the motion that made it due.
const LATEST: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(2);
/// Of so many jumps one wakes every waiter at least: none waits for longer than 15 minutes.
const JUMPS_TO_A_WAKE: u32 = 40;

/// What to do.
#[derive(Debug)]
pub struct Jumps<'run> {
    /// Makes the sandbox.
    pub backend: &'run Embedded,
    /// The program of `fixtures/guests/crowd.c`.
    pub guest: &'run Path,
    /// How many jumps.
    pub count: u32,
    /// Where the random numbers start.
    pub seed: u64,
    /// How many processes beside the sandbox keep a processor busy each.
    pub spinners: usize,
    /// How one waiter misbehaves: `skip`, `early` or `die`.
    pub sabotage: Option<&'run str>,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Waiters of both services.
    pub waiters: u64,
    /// How often they woke, all together.
    pub wakes: u64,
    /// How often that one woke that woke least often.
    pub least: u64,
    /// The longest time from the end of a motion until nothing was overdue, on the host's clock.
    pub latest: Duration,
    /// Processes and programs that were proven to be under the clock.
    pub proven: usize,
}

/// Moves the clock of two crowds `count` times.
///
/// # Errors
/// Where a wake-up is lost, comes early or late, a process ends, one lacks proof, or the services do not show the same
/// instant.
pub fn run(jumps: &Jumps<'_>, tell: &mut dyn FnMut(&str)) -> Result<Told> {
    let services = [ServiceName::new("left")?, ServiceName::new("right")?];
    let clock = Some(UnixTime::clamped(START));
    let spec = SandboxSpec {
        hosts: services.to_vec(),
        aliases: Vec::new(),
        clock: clock.map(Into::into),
        scratch: None,
    };
    let mut sandbox = jumps.backend.open(&spec)?;
    let sabotages = [None, jumps.sabotage];
    let mut crowds = Vec::new();
    for (numbered, sabotage) in (0..).zip(&services).zip(sabotages) {
        crowds.push(Crowd::start(&mut *sandbox, numbered, jumps.guest, sabotage)?);
    }
    let load = Load::start(jumps)?;
    let mut random = Random::from_seed(jumps.seed);
    let mut told = Told::default();
    for number in 1..=jumps.count {
        let (motion, to) = draw(&mut random, sandbox.now().second);
        let jump = || format!("jump {number} of seed {} ({motion:?} to {to})", jumps.seed);
        sandbox.move_clock(motion, to, PATIENCE).with_context(jump)?;
        let said = await_wakes(&mut crowds, &mut told).with_context(jump)?;
        show_same_instant(&mut crowds, sandbox.now()).with_context(jump)?;
        if number.is_multiple_of(500) || number == jumps.count {
            let wakes: u64 = said.iter().map(|said| said.wakes).sum();
            tell(&format!("{number}: {wakes} wake-ups, the latest after {:?}", told.latest));
        }
        told.waiters = said.iter().map(|said| said.waiters).sum();
        told.wakes = said.iter().map(|said| said.wakes).sum();
        told.least = said.iter().map(|said| said.least).min().unwrap_or(0);
    }
    drop(load);
    let expected = u64::from(jumps.count / JUMPS_TO_A_WAKE);
    ensure!(told.least >= expected, "a waiter woke {} times in {} jumps", told.least, jumps.count);
    told.proven = proof(&mut *sandbox, &services)?;
    sandbox.close()?;
    Ok(told)
}

/// Seven of ten let time elapse, two set the clock ahead, one sets it back.
fn draw(random: &mut Random, now: UnixTime) -> (Motion, UnixTime) {
    let kind = random.below(10);
    let by = 1 + random.below(if kind < 7 { LONGEST_LEAP } else { FARTHEST_STEP });
    let by = i64::try_from(by).unwrap_or(1);
    match kind {
        0..7 => (Motion::Elapse(Pace::Leap), now.plus_secs(by)),
        7 | 8 => (Motion::Step, now.plus_secs(by)),
        _ => (Motion::Step, now.plus_secs(-by)),
    }
}

/// Waits until nothing is overdue.
fn await_wakes(crowds: &mut [Crowd], told: &mut Told) -> Result<Vec<Said>> {
    let watch = Stopwatch::start();
    loop {
        let late = watch.elapsed();
        let said = crowds.iter_mut().map(Crowd::ask).collect::<Result<Vec<Said>>>()?;
        for said in &said {
            said.is_sound()?;
        }
        match said.iter().find(|said| said.overdue > 0) {
            None => {
                told.latest = told.latest.max(late);
                return Ok(said);
            }
            Some(said) if late > LATEST => {
                bail!("{} waits are not over {late:?} after they were due ({})", said.overdue, said.who);
            }
            Some(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Wall time is held, so all must show the very same; their monotonic clocks run between the answers.
fn show_same_instant(crowds: &mut [Crowd], now: ClockReading) -> Result<()> {
    let watch = Stopwatch::start();
    let mut earlier: Option<Said> = None;
    for crowd in crowds {
        let said = crowd.ask()?;
        let expected = (now.second.as_secs(), now.nanos);
        ensure!(said.wall == expected, "{} shows {:?}, not {expected:?}", crowd.service, said.wall);
        if let Some(earlier) = &earlier {
            let apart = said.mono - earlier.mono;
            let took = i64::try_from(watch.elapsed().as_nanos())?;
            ensure!((0..=took).contains(&apart), "monotonic clocks are {apart} ns apart after {took} ns");
        }
        earlier = Some(said);
    }
    Ok(())
}

fn proof(sandbox: &mut dyn Sandbox, services: &[ServiceName]) -> Result<usize> {
    for service in services {
        let state = sandbox.state(service)?;
        ensure!(state == ServiceState::Running, "{service} does not run any more: {state:?}");
    }
    let report = sandbox.witnesses()?;
    if let Some(gap) = report.unproven.first() {
        bail!("{}: {}", gap.service, gap.reason);
    }
    Ok(report.witnesses.len())
}

/// Processes that keep a processor busy each, until this is dropped.
struct Load(Vec<Child>);

impl Load {
    fn start(jumps: &Jumps<'_>) -> Result<Self> {
        let mut load = Self(Vec::new());
        for _ in 0..jumps.spinners {
            load.0.push(Command::new(jumps.guest).arg("spin").spawn().context("failed to start a spinner")?);
        }
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It ends only by this, and is a child until it is waited for.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
