//! Dependencies between our crates fall strictly in rank, so that data flows one way.

use super::super::{DependencyKind, Source, Workspace};
use super::Violation;

pub(super) const NAME: &str = "ranks";

/// The rank of every crate under `crates/`; see ARCHITECTURE.md.
const RANKS: &[(&str, u8)] = &[
    ("notafter-core", 0),
    ("notafter-sys", 0),
    ("notafter-attest", 1),
    ("notafter-clock", 1),
    ("notafter-image", 1),
    ("notafter-pki", 1),
    ("notafter-report", 1),
    ("notafter-scenario", 1),
    ("notafter-backend", 2),
    ("notafter-inventory", 2),
    ("notafter-nextest", 2),
    ("notafter-probe", 2),
    ("notafter-runner", 3),
    ("notafter", 4),
];

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for member in workspace.members.iter().filter(|member| member.directory.starts_with("crates/")) {
        let mut report = |message| {
            let path = format!("{}/Cargo.toml", member.directory);
            violations.push(Violation { rule: NAME, path, line: None, message });
        };
        let Some(rank) = rank_of(&member.name) else {
            report(format!("{} has no rank; every crate under crates/ needs one", member.name));
            continue;
        };
        for dependency in member.dependencies.iter().filter(|dependency| dependency.source == Source::Path) {
            match rank_of(&dependency.name) {
                Some(below) if below < rank => {}
                Some(other) => report(format!(
                    "{} (rank {rank}) depends on {} (rank {other}); dependencies fall strictly in rank",
                    member.name, dependency.name
                )),
                // Tests may use what stands outside the product, such as fixtures.
                None if dependency.kind == DependencyKind::Development => {}
                None => report(format!("{} depends on {}, which has no rank", member.name, dependency.name)),
            }
        }
    }
    violations
}

fn rank_of(name: &str) -> Option<u8> {
    RANKS.iter().find(|(known, _)| *known == name).map(|(_, rank)| *rank)
}
