//! Runs the steps, one after the other.

use super::{Action, Step, Tools, steps};
use crate::{corpus, fuzz, printer, stopwatch::Stopwatch, tidy};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Runs everything that CI runs and stops at the first failure.
///
/// The summary of durations comes before the last step, whose own summary is to be the last thing printed.
///
/// # Errors
/// When a step fails or cannot be started.
pub fn run(root: &Path) -> Result<()> {
    let steps = steps(&Tools::detect().complete());
    let mut durations: Vec<(&str, Option<Duration>)> = Vec::new();
    for (number, step) in (1..).zip(&steps) {
        if number == steps.len() && number > 1 {
            printer::progress(&format!("\n{}", summary(&durations)));
        }
        printer::progress(&format!("\n=== {number}/{} {}", steps.len(), step.name));
        let stopwatch = Stopwatch::start();
        let ran = execute(root, step).with_context(|| format!("step {}", step.name))?;
        durations.push((step.name, ran.then(|| stopwatch.elapsed())));
    }
    Ok(())
}

/// Whether the step ran.
fn execute(root: &Path, step: &Step) -> Result<bool> {
    match &step.action {
        Action::Run { command, environment } => {
            let Some((program, arguments)) = command.split_first() else { bail!("it names no program") };
            // A path with a slash is meant from the root, wherever this was called.
            let program = if program.contains('/') { root.join(program) } else { program.into() };
            let mut child = Command::new(&program);
            child.args(arguments).envs(environment.iter().copied()).current_dir(root);
            let status = child.status().with_context(|| format!("failed to start {}", program.display()))?;
            if !status.success() {
                bail!("`{}` failed: {status}", command.join(" "));
            }
            Ok(true)
        }
        Action::Skip { why } => {
            printer::progress(&format!("!!! SKIPPED {}: {why}", step.name));
            Ok(false)
        }
        Action::Tidy => tidy::run(root).map(|()| true),
        Action::Corpus(names) => {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            corpus::chore(root, &names, false).map(|()| true)
        }
        Action::Fuzz(seconds) => fuzz::chore(root, *seconds, 1).map(|()| true),
    }
}

fn summary(durations: &[(&str, Option<Duration>)]) -> String {
    let line = |(name, took): &(&str, Option<Duration>)| match took {
        Some(took) => format!("{name:9} {:7.1} s", took.as_secs_f64()),
        None => format!("{name:9} skipped"),
    };
    durations.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(words: &[&str]) -> Step {
        let command = words.iter().map(|word| (*word).to_owned()).collect();
        Step { name: "a", action: Action::Run { command, environment: vec![("GREETING", "good day")] } }
    }

    fn here() -> &'static Path {
        Path::new(".")
    }

    #[test]
    fn a_failing_program_fails_its_step() {
        let error = execute(here(), &step(&["sh", "-c", "exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "`sh -c exit 3` failed: exit status: 3");
        assert!(execute(here(), &step(&["sh", "-c", "exit 0"])).unwrap());
    }

    #[test]
    fn a_program_that_is_not_there_fails_its_step() {
        let error = execute(here(), &step(&["no-such-program-anywhere"])).unwrap_err();
        assert_eq!(error.to_string(), "failed to start no-such-program-anywhere");
    }

    #[test]
    fn a_step_gets_its_environment() {
        assert!(execute(here(), &step(&["sh", "-c", "test \"$GREETING\" = 'good day'"])).unwrap());
    }

    #[test]
    fn the_summary_tells_what_was_skipped() {
        let durations = [("clippy", Some(Duration::from_millis(12_340))), ("miri", None)];
        insta::assert_snapshot!(summary(&durations), @r"
        clippy       12.3 s
        miri      skipped
        ");
    }
}
