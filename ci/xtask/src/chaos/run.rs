//! Many rounds.

use super::random::Random;
use super::round::Round;
use super::{Ended, Ground, Kill};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Rounds that hit nothing, in a row, after which something must be wrong with the rounds.
const MOST_MISSES: u32 = 20;

/// What to do.
#[derive(Debug, Clone)]
pub struct Chaos {
    /// The tool.
    pub notafter: PathBuf,
    /// Where scenarios lie that are allowed when nothing disturbs them, and whose services name `${MARKER}`.
    pub scenarios: PathBuf,
    /// An empty directory.
    pub scratch: PathBuf,
    /// On what services stand.
    pub ground: Ground,
    /// How many kills must hit.
    pub kills: u32,
    /// Where the random numbers start.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Summary {
    /// How long the run takes when nothing disturbs it.
    pub undisturbed: Duration,
    /// For each kind of kill: hits, the exit codes with how often each came, and the longest time until nothing was
    /// left.
    pub kinds: BTreeMap<Kill, (u32, BTreeMap<i32, u32>, Duration)>,
    /// Rounds in which the run ended before the kill.
    pub too_late: u32,
}

/// Runs and disturbs the scenario until `kills` kills have hit; tells each round to `tell`.
///
/// # Errors
/// When a disturbed run allows or leaves something behind, and when the undisturbed one does not allow.
pub fn run(chaos: &Chaos, tell: &mut dyn FnMut(&str)) -> Result<Summary> {
    let mut random = Random::from_seed(chaos.seed);
    let mut number = 0_u32;
    let scenario = chaos.scenarios.join(chaos.ground.scenario());
    let tree = chaos.scratch.join("tree");
    chaos.ground.make_tree(&tree)?;
    let mut round = || {
        number += 1;
        Round {
            notafter: &chaos.notafter,
            scenario: &scenario,
            ground: chaos.ground,
            tree: &tree,
            directory: chaos.scratch.join(format!("round-{number}")),
            marker: format!("9{:07}{number:05}", std::process::id()),
        }
    };
    let mut summary = Summary { undisturbed: round().undisturbed()?, ..Summary::default() };
    let longest = u64::try_from(summary.undisturbed.as_micros()).context("a run of sane length")?;
    tell(&format!("seed {}: an undisturbed run takes {:?}", chaos.seed, summary.undisturbed));
    let (mut hits, mut misses) = (0, 0);
    while hits < chaos.kills {
        let kill = Kill::ALL[hits as usize % Kill::ALL.len()];
        let after = Duration::from_micros(random.below(longest));
        match round().disturbed(kill, after, random.below(1 << 16))? {
            Ended::TooLate => {
                summary.too_late += 1;
                misses += 1;
                if misses > MOST_MISSES {
                    bail!("{MOST_MISSES} runs in a row were over before {kill} could hit");
                }
            }
            Ended::Wrong(what) => bail!("kill {} of seed {}: {what}", hits + 1, chaos.seed),
            Ended::Clean { code, cleared } => {
                (hits, misses) = (hits + 1, 0);
                tell(&format!("{hits}: {kill} after {after:?}: exit {code}, nothing left after {cleared:?}"));
                let (count, codes, longest) = summary.kinds.entry(kill).or_default();
                *count += 1;
                *codes.entry(code).or_default() += 1;
                *longest = (*longest).max(cleared);
            }
        }
    }
    Ok(summary)
}
