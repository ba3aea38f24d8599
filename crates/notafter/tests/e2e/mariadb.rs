//! MariaDB: a password that expires, in sessions that are new and in one that stays open.

use super::needs::{can_run_with, repository};
use super::scene::{Scene, shown};
use notafter_core::{Connection, CredentialKind, Decision};

const PROGRAMS: [&str; 2] = ["mariadbd", "mariadb-install-db"];

#[test]
fn a_password_that_expires_blocks_to_the_second_and_one_that_never_does_is_allowed() {
    if !can_run_with(&PROGRAMS) {
        return;
    }
    let path = repository().join("scenarios/mariadb-login");
    let text = Scene::new().run(&["replay", path.to_str().unwrap()]);
    assert!(text.starts_with("exit 0\n"), "{text}");
}

#[test]
fn the_account_is_named_and_an_open_session_goes_on() {
    if !can_run_with(&PROGRAMS) {
        return;
    }
    let (scene, path) = (Scene::new(), repository().join("scenarios/mariadb-login"));
    let gate = ["gate", path.to_str().unwrap(), "--candidate", "db=broken", "--report", "json=record.json"];
    let text = shown(&scene.command(&gate).output().unwrap());
    let json = std::fs::read_to_string(scene.path().join("record.json")).unwrap_or_else(|_| panic!("{text}"));
    for secret in ["app-password", "reports-password"] {
        assert!(!json.contains(secret), "a password is on record");
    }
    let (record, verdict) = notafter_report::json::read(&json).unwrap();
    assert_eq!(verdict.decision, Decision::Block, "{text}");
    let worst = &verdict.findings[0];
    let culprit = record.inventory.find(worst.culprit.unwrap()).unwrap();
    assert_eq!((culprit.kind, culprit.subject.as_str()), (CredentialKind::SqlRole, "app@db:3306"), "{text}");
    let still: Vec<_> = worst.still_working.iter().map(|(check, over)| (check.as_str(), *over)).collect();
    assert!(still.contains(&("sessions", Connection::Held)), "{text}");
    assert!(worst.seen.as_ref().unwrap().contains("ERROR 1820"), "{text}");
    assert!(record.cases.len() <= 8, "{} launches", record.cases.len());
}
