//! Rotations under running services: picked up in time in each way of replacing files, or the report says why not.

use super::edited::{Gated, gate};
use notafter_core::{Decision, Evidence, FindingCode, RotationProblem};

pub(super) const DAY: i64 = 86_400;

pub(super) fn allows(gated: &Gated, rotations: usize) {
    let Gated { text, record, verdict } = gated;
    assert_eq!(verdict.decision, Decision::Allow, "{text}");
    let walk = record.cases.iter().find(|case| case.case.id.as_str() == "walk").unwrap();
    assert_eq!(walk.rotated.len(), rotations, "{text}");
    let ends = |name| record.scenario.credential(name).unwrap().x509.not_after;
    let needed = ends(&record.scenario.rotations[0].replaces) < record.scenario.horizon;
    let told = verdict.findings.iter().any(|finding| finding.code == FindingCode::RotationNeeded);
    assert_eq!(told, needed, "{text}");
    let brought = &record.scenario.rotations[rotations - 1].brings;
    let mut shown = walk.observations.iter().flat_map(|look| look.served.first());
    assert!(shown.any(|leaf| leaf.declared.as_ref() == Some(brought)), "{text}");
}

/// A window with one rotation, 60 days after its start.
pub(super) const ONE: (&str, &str) = ("support: 1y", "support: 100d");

#[test]
fn nginx_takes_what_is_swapped_when_it_is_reloaded() {
    let Some(gated) = gate("nginx-rotation", "nginx", &[], &[]) else { return };
    allows(&gated, 6);
    assert_eq!(gated.record.cases.len(), 4, "{}", gated.text);
}

#[test]
fn each_way_of_replacing_files_is_seen_by_one_that_looks_at_their_path() {
    for way in ["rename", "symlink-swap", "truncate-write", "unlink-create"] {
        let Some(gated) = gate("python-rotation", "python3", &[("REPLACE", way)], &[]) else { return };
        allows(&gated, 1);
    }
}

#[test]
fn a_file_that_is_renamed_over_is_missed_by_one_that_keeps_the_old_open() {
    let watching =
        |way| gate("python-rotation", "python3", &[("WATCH", "descriptor"), ("REPLACE", way)], &[]);
    let (Some(written), Some(renamed)) = (watching("truncate-write"), watching("rename")) else { return };
    allows(&written, 1);
    assert_eq!(renamed.worst().code, FindingCode::RotationNotPickedUp, "{}", renamed.text);
    assert_eq!(renamed.first_fail(), 60 * DAY + 61, "{}", renamed.text);
}

#[test]
fn nginx_that_nobody_reloads_goes_on_showing_the_old_certificate() {
    let unserved = "    served: { by: \"site:8443\", within: 30s }\n";
    let Some(told) = gate("nginx-rotation", "nginx", &[("RELOAD", "true")], &[ONE]) else { return };
    assert_eq!(told.verdict.decision, Decision::Block, "{}", told.text);
    assert_eq!(told.worst().code, FindingCode::RotationNotPickedUp, "{}", told.text);
    assert_eq!(told.first_fail(), 60 * DAY + 31, "{}", told.text);

    // Where the scenario asks for nothing on the wire, it is seen when the old one ends.
    let Some(late) = gate("nginx-rotation", "nginx", &[("RELOAD", "true")], &[ONE, (unserved, "")]) else {
        return;
    };
    assert_eq!(late.worst().code, FindingCode::BreaksInWindow, "{}", late.text);
    assert_eq!(late.first_fail(), 90 * DAY - 3_600 + 1, "{}", late.text);
    assert!(late.text.contains("rotation site-renewal"), "{}", late.text);
}

#[test]
fn what_is_wrong_with_a_rotation_is_told() {
    let every = "every: 60d                                   # issued anew 60, 120, … days after the start";
    let site = "  site: { x509:";
    let other = "  other-root: { x509: { ca: root, subject: \"CN=Other Root\", validity: { from: \"start - 1y\", until: \"support.end + 5y\" } } }\n  \
                 other: { x509: { issuer: other-root, subject: \"CN=site\", dns: [site], usage: [server], validity: { from: start, until: \"support.end + 1d\" } } }\n  \
                 site: { x509:";
    let late = [ONE, (every, "at: site.not_after + 2d")];
    let wrong = [ONE, (every, "at: +60d\n    to: other"), (site, other)];
    // In force from the next day on.
    let next = "  next: { x509: { issuer: root, subject: \"CN=site\", dns: [site], usage: [server], validity: { from: \"start + 61d\", for: 90d } } }\n  \
                site: { x509:";
    let early = [ONE, (every, "at: +60d\n    to: next"), (site, next)];
    let mismatch = [ONE, (every, "at: +60d\n    files: [/etc/site/tls/tls.crt]")];
    let problem = |gated: &Gated| {
        let evidence = gated.worst().evidence.iter();
        let mut problems = evidence.filter_map(|evidence| match evidence {
            Evidence::Rotation { problems, .. } => problems.first().cloned(),
            _ => None,
        });
        problems.next().unwrap_or_else(|| panic!("{}", gated.text))
    };
    let gated = |edits: &[(&str, &str)]| gate("nginx-rotation", "nginx", &[], edits);
    let Some(found) = gated(&late) else { return };
    assert!(matches!(problem(&found), RotationProblem::TooLate { .. }), "{}", found.text);
    assert_eq!(found.first_fail(), 90 * DAY - 3_600 + 1, "{}", found.text);

    let found = gated(&wrong).unwrap();
    assert!(matches!(problem(&found), RotationProblem::WrongChain { .. }), "{}", found.text);
    assert_eq!(found.first_fail(), 60 * DAY, "{}", found.text);

    let found = gated(&early).unwrap();
    assert!(matches!(problem(&found), RotationProblem::NotYetValid { .. }), "{}", found.text);
    assert_eq!(found.first_fail(), 60 * DAY, "{}", found.text);

    let found = gated(&mismatch).unwrap();
    assert_eq!(found.verdict.decision, Decision::Block, "{}", found.text);
    assert!(matches!(problem(&found), RotationProblem::KeyMismatch { .. }), "{}", found.text);
}

#[test]
fn postgresql_takes_a_new_certificate_on_sighup_and_on_nothing_else() {
    // Short of the end of the old one: the postmaster wakes every minute, and that would be another day to walk.
    let window = [("support: 100d", "support: 61d")];
    let gated = |signal| gate("postgres-rotation", "postgres", &[("RELOAD_SIGNAL", signal)], &window);
    let (Some(told), Some(untold)) = (gated("HUP"), gated("WINCH")) else { return };
    allows(&told, 1);
    assert_eq!(untold.worst().code, FindingCode::RotationNotPickedUp, "{}", untold.text);
    assert_eq!(untold.first_fail(), 60 * DAY + 61, "{}", untold.text);
}
