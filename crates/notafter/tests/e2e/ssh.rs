//! OpenSSH: certificates of hosts and users, judged by sshd and by ssh themselves.

use super::needs::{can_run_with, repository};
use super::scene::{Scene, shown};
use notafter_core::{CredentialKind, Decision, RunRecord, UnixTime, Verdict};
use std::process::Command;

/// Gates with certificates that end then; none where the machine lacks something.
fn gated(host_until: &str, user_until: &str) -> Option<(RunRecord, Verdict, String)> {
    if !can_run_with(&["sshd", "ssh", "ssh-keygen"]) {
        return None;
    }
    let scene = Scene::new();
    let folder = repository().join("scenarios/ssh-certificates");
    let keys = scene.path().join("keys");
    let made = Command::new(folder.join("keys")).arg(&keys).args([host_until, user_until]).output().unwrap();
    assert!(made.status.success(), "{}", shown(&made));
    let mut command = scene.command(&["gate", folder.to_str().unwrap(), "--report", "json=record.json"]);
    let text = shown(&command.env("SSH_KEYS", &keys).output().unwrap());
    let json = std::fs::read_to_string(scene.path().join("record.json")).unwrap_or_else(|_| panic!("{text}"));
    assert!(!json.contains("PRIVATE KEY"), "a private key is on record");
    let (record, verdict) = notafter_report::json::read(&json).unwrap();
    Some((record, verdict, text))
}

/// `valid before` is the first second in which OpenSSH refuses.
fn blocks(host_until: &str, user_until: &str, subject: &str, says: &str) {
    let Some((record, verdict, text)) = gated(host_until, user_until) else { return };
    assert_eq!(verdict.decision, Decision::Block, "{text}");
    let worst = &verdict.findings[0];
    let first_fail = UnixTime::parse("2030-04-01T00:00:00Z").unwrap();
    assert_eq!(worst.bracket.unwrap().first_fail, first_fail, "{text}");
    assert!(worst.bracket.unwrap().is_exact(), "{text}");
    let culprit = record.inventory.find(worst.culprit.unwrap()).unwrap();
    assert_eq!((culprit.kind, culprit.subject.as_str()), (CredentialKind::SshCertificate, subject), "{text}");
    assert!(worst.seen.as_ref().unwrap().contains(says), "{text}");
    assert!(text.contains("in the very second of its valid"), "{text}");
}

const ENDS: &str = "20300401000000Z";
const LASTS: &str = "20340401000000Z";

#[test]
fn sshd_blocks_where_the_certificate_of_a_user_ends() {
    blocks(LASTS, ENDS, "SSH user certificate demo user", "Permission denied");
}

#[test]
fn ssh_blocks_where_the_certificate_of_a_host_ends() {
    blocks(ENDS, LASTS, "SSH host certificate demo host", "Certificate invalid: expired");
}

#[test]
fn openssh_allows_certificates_that_last() {
    let Some((_, verdict, text)) = gated(LASTS, LASTS) else { return };
    assert_eq!(verdict.decision, Decision::Allow, "{text}");
}
