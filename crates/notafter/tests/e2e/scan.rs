//! `notafter scan` as people and CI call it.

use crate::scene::Scene;

/// The token of RFC 7519 §3.1: it ends at 2011-03-22T18:43:00Z.
const TOKEN: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0\
                     dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

#[test]
fn a_bill_says_what_the_scan_says_when_it_is_read_again() {
    let scene = Scene::with("settings", &format!("TOKEN={TOKEN}\n"));
    let bill = scene.command(&["scan", "settings", "--format", "cyclonedx"]).output().unwrap();
    assert_eq!(bill.status.code(), Some(0));
    let text = String::from_utf8(bill.stdout).unwrap();
    assert!(!text.contains("eyJ"), "a token is a secret: {text}");
    std::fs::write(scene.path().join("bill.json"), text).unwrap();
    for arguments in [&["scan", "settings"][..], &["scan", "bill.json", "--cbom"]] {
        let csv = scene.run(&[arguments, &["--format", "csv"]].concat());
        let line = csv.lines().last().unwrap();
        let expected = "2011-03-22T18:43:00Z,,JWT,JWT iss=joe,";
        assert!(line.starts_with(expected) && line.contains(",settings,"), "{csv}");
    }
}

#[test]
fn presence_is_policy_where_it_is_asked_for() {
    let scene = Scene::with("settings", &format!("TOKEN={TOKEN}\n"));
    let code = |arguments: &[&str]| scene.command(arguments).output().unwrap().status.code();
    assert_eq!(code(&["scan", "settings"]), Some(0));
    assert_eq!(code(&["scan", "settings", "--fail-before", "2011-03-22T18:43:00Z"]), Some(1));
    assert_eq!(code(&["scan", "settings", "--fail-before", "2011-03-22T18:42:59Z"]), Some(0));
    assert_eq!(code(&["scan", "settings", "--count-anchors"]), Some(2), "it says how --fail-before counts");
}

#[test]
fn what_cannot_be_scanned_is_told_and_passes_nothing() {
    let scene = Scene::with("notes", "nothing");
    let told = |arguments: &[&str]| {
        let output = scene.run(&[&["scan"], arguments].concat());
        assert!(output.starts_with("exit 2"), "{output}");
        output
    };
    assert!(told(&["docker-archive:notes"]).contains("cannot scan the image notes"));
    assert!(told(&["notes", "--cbom"]).contains("the bill cannot be read"));
    assert!(told(&["--pid", "4294967295"]).contains("cannot read the memory of process 4294967295"));
    assert!(told(&["notes", "--password-env", "NOT_SET_ANYWHERE"]).contains("`NOT_SET_ANYWHERE` is not set"));
    assert!(told(&["notes", "--password-file", "missing"]).contains("missing cannot be read"));
}
