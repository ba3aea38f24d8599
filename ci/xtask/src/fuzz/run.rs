//! Every target for its share of the time.

use super::corpus;
use super::mutate::{index, mutate};
use super::targets::{TARGETS, Target};
use crate::chaos::random::Random;
use crate::printer;
use crate::stopwatch::Stopwatch;
use anyhow::{Context, Result, bail, ensure};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

/// No input may keep a parser longer: a few attempts on a locked store take the longest.
const MAX_TIME: Duration = Duration::from_secs(20);

/// Mutates files for `seconds` in all, and gives them to the parsers. An input that fails is kept below `target/fuzz`.
///
/// # Errors
/// When a parser panics or takes too long, and when there is nothing to begin with.
pub fn chore(root: &Path, seconds: u64, seed: u64) -> Result<()> {
    let room = tempfile::tempdir().context("failed to make room")?;
    let (made, used) = (room.path().join("corpus"), room.path().join("used"));
    std::fs::create_dir(&made).and_then(|()| std::fs::create_dir(&used)).context("failed to make room")?;
    let files = corpus::make(&made)?;
    let share = Duration::from_secs(seconds) / u32::try_from(TARGETS.len()).unwrap_or(1);
    for target in &TARGETS {
        let begin: Vec<&(String, Vec<u8>)> = files.iter().filter(|(name, _)| (target.takes)(name)).collect();
        if begin.is_empty() {
            printer::text(&format!("SKIPPED: {}: no file to begin with\n", target.name));
            continue;
        }
        let mut random = Random::from_seed(seed);
        let watch = Stopwatch::start();
        let mut runs = 0_u64;
        while runs < begin.len() as u64 || watch.elapsed() < share {
            // Whole ones first: what they are not broken by tells nothing.
            let input = match usize::try_from(runs).ok().and_then(|run| begin.get(run)) {
                Some((_, whole)) => whole.clone(),
                None => mutate(begin[index(&mut random, begin.len())].1.clone(), &files, &mut random),
            };
            once(target, &input, &used, root)?;
            runs += 1;
        }
        ensure!(runs > 0, "{} never ran", target.name);
        printer::text(&format!("{}: {runs} inputs from {} files\n", target.name, begin.len()));
    }
    Ok(())
}

fn once(target: &Target, input: &[u8], used: &Path, root: &Path) -> Result<()> {
    let watch = Stopwatch::start();
    let ended = catch_unwind(AssertUnwindSafe(|| (target.run)(input, used)));
    let took = watch.elapsed();
    if ended.is_ok() && took <= MAX_TIME {
        return Ok(());
    }
    let folder = root.join("target/fuzz");
    std::fs::create_dir_all(&folder)?;
    let kept = folder.join(format!("{}-{}", target.name, input.len()));
    std::fs::write(&kept, input)?;
    let what = if ended.is_err() { "panicked".to_owned() } else { format!("took {} s", took.as_secs()) };
    bail!("{} {what}; the input is kept in {}", target.name, kept.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_that_panics_is_caught_and_its_input_is_kept() {
        let room = tempfile::tempdir().unwrap();
        let target = Target { name: "broken", takes: |_| true, run: |bytes, _| assert_ne!(bytes, b"bad") };
        assert!(once(&target, b"good", room.path(), room.path()).is_ok());
        let error = once(&target, b"bad", room.path(), room.path()).unwrap_err().to_string();
        assert!(error.starts_with("broken panicked"), "{error}");
        assert_eq!(std::fs::read(room.path().join("target/fuzz/broken-3")).unwrap(), b"bad");
    }
}
