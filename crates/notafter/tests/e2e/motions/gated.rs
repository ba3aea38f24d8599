//! A scenario of the repository, gated.

use crate::needs::repository;
use crate::scene::{Scene, shown};
use notafter_core::{CaseRecord, Credential, Decision, Finding, FindingCode, Outcome, RunRecord, Verdict};
use std::path::Path;
use std::process::Command;

/// Builds the tree of the Go service.
pub(super) fn go_tree(directory: &Path) {
    let built = Command::new(repository().join("fixtures/elapse/build")).arg(directory).output().unwrap();
    assert!(built.status.success(), "{}", shown(&built));
}

/// What the gate wrote.
pub(super) struct Gated {
    pub(super) code: Option<i32>,
    pub(super) text: String,
    pub(super) record: RunRecord,
    pub(super) verdict: Verdict,
}

/// Gates a scenario of the repository.
pub(super) fn gate(scenario: &str, more: &[&str], variables: &[(&str, &Path)]) -> Gated {
    let path = repository().join("scenarios").join(scenario);
    gate_in(&Scene::new(), path.to_str().unwrap(), more, variables)
}

/// Gates a scenario that a test wrote.
pub(super) fn gate_text(scenario: &str) -> Gated {
    gate_under(scenario, None)
}

/// Gates a scenario that a test wrote, with a policy beside it.
pub(super) fn gate_under(scenario: &str, policy: Option<&str>) -> Gated {
    let scene = Scene::with("scenario.yaml", scenario);
    if let Some(policy) = policy {
        std::fs::write(scene.path().join("notafter.toml"), policy).unwrap();
    }
    gate_in(&scene, "scenario.yaml", &[], &[])
}

fn gate_in(scene: &Scene, path: &str, more: &[&str], variables: &[(&str, &Path)]) -> Gated {
    let usual = ["gate", path, "--report", "json=record.json"];
    let mut command = scene.command(&[usual.as_slice(), more].concat());
    command.envs(variables.iter().copied());
    let output = command.output().unwrap();
    let text = shown(&output);
    let json = std::fs::read_to_string(scene.path().join("record.json")).unwrap_or_else(|_| panic!("{text}"));
    let (record, verdict) = notafter_report::json::read(&json).unwrap();
    Gated { code: output.status.code(), text, record, verdict }
}

impl Gated {
    /// Says that the gate came to this, with the exit code that CI acts upon.
    #[track_caller]
    pub(super) fn is(&self, decision: Decision, code: FindingCode) -> &Finding {
        let exit = match decision {
            Decision::Allow => 0,
            Decision::Block => 1,
            Decision::Inconclusive => 3,
        };
        assert_eq!((self.code, self.verdict.decision), (Some(exit), decision), "{}", self.text);
        let first = self.verdict.findings.first();
        first.filter(|finding| finding.code == code).unwrap_or_else(|| panic!("{}", self.text))
    }

    #[track_caller]
    pub(super) fn outcome(&self, case: &str) -> Option<Outcome> {
        self.case(case).outcome
    }

    #[track_caller]
    pub(super) fn case(&self, id: &str) -> &CaseRecord {
        let found = self.record.cases.iter().find(|case| case.case.id.as_str() == id);
        found.unwrap_or_else(|| panic!("no case {id}: {}", self.text))
    }

    #[track_caller]
    pub(super) fn culprit(&self, finding: &Finding) -> &Credential {
        let culprit = finding.culprit.and_then(|culprit| self.record.inventory.find(culprit));
        culprit.unwrap_or_else(|| panic!("no culprit: {}", self.text))
    }
}
