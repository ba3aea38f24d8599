//! Scenarios of the repository, gated with other words in their files.

use super::needs::{can_run_with, repository};
use super::scene::{Scene, shown};
use notafter_core::{Finding, RunRecord, Verdict};

/// What the gate wrote.
pub(super) struct Gated {
    pub(super) text: String,
    pub(super) record: RunRecord,
    pub(super) verdict: Verdict,
}

impl Gated {
    pub(super) fn worst(&self) -> &Finding {
        self.verdict.findings.first().unwrap_or_else(|| panic!("nothing was found: {}", self.text))
    }

    /// Seconds from the start of the scenario to the first failing one.
    pub(super) fn first_fail(&self) -> i64 {
        let bracket = self.worst().bracket.unwrap_or_else(|| panic!("{}", self.text));
        assert!(bracket.is_exact(), "{}", self.text);
        bracket.first_fail.secs_since(self.record.scenario.start.instant())
    }
}

/// Gates a scenario of the repository with other words in its files; none where the machine lacks a program.
pub(super) fn gate(
    scenario: &str,
    program: &str,
    env: &[(&str, &str)],
    edits: &[(&str, &str)],
) -> Option<Gated> {
    can_run_with(&[program]).then(|| gated(&laid_out(scenario, edits), env, &[]))
}

/// The files of a scenario of the repository, with other words in them.
pub(super) fn laid_out(scenario: &str, edits: &[(&str, &str)]) -> Scene {
    let scene = Scene::new();
    scene.open_to_others();
    let from = repository().join("scenarios").join(scenario);
    let mut found = vec![false; edits.len()];
    for entry in std::fs::read_dir(&from).unwrap() {
        let entry = entry.unwrap();
        let mut text = std::fs::read_to_string(entry.path()).unwrap();
        for ((old, new), found) in edits.iter().zip(&mut found) {
            *found |= text.contains(old);
            text = text.replace(old, new);
        }
        std::fs::write(scene.path().join(entry.file_name()), text).unwrap();
    }
    assert!(found.iter().all(|found| *found), "{edits:?}");
    scene
}

/// Gates what is laid out, with these variables and more arguments.
pub(super) fn gated(scene: &Scene, env: &[(&str, &str)], more: &[&str]) -> Gated {
    let arguments = [&["gate", "scenario.yaml", "--report", "json=record.json"], more].concat();
    let output = scene.command(&arguments).envs(env.iter().copied()).output().unwrap();
    let text = shown(&output);
    let json = std::fs::read_to_string(scene.path().join("record.json")).unwrap_or_else(|_| panic!("{text}"));
    let (record, verdict) = notafter_report::json::read(&json).unwrap();
    Gated { text, record, verdict }
}
