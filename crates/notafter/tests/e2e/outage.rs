//! The scenario that this gate was made for: the outage of 6 December 2018, build by build.

use super::needs::repository;
use super::runs::can_run;
use super::scene::{Scene, shown};
use insta::assert_snapshot;

pub(super) const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/o2-ericsson-2018");

/// One build's exit code and report.
fn gate(build: &str) -> (Option<i32>, String) {
    let candidate = format!("sgsn-mme={build}");
    let output =
        Scene::new().command(&["gate", SCENARIO, "--candidate", &candidate, "--quiet"]).output().unwrap();
    (output.status.code(), shown(&output))
}

/// Fingerprints, serial numbers, lengths and offsets differ from build to build; all are written in these digits.
fn without_digits(picture: &str) -> String {
    let mut masked = String::new();
    for part in picture.split_inclusive(|char: char| !char.is_ascii_hexdigit()) {
        let (digits, rest) = part.split_at(part.len() - part.chars().next_back().map_or(0, char::len_utf8));
        masked.push_str(if digits.is_empty() { "" } else { "x" });
        masked.push_str(rest);
    }
    masked
}

#[test]
fn the_picture_in_the_readme_is_of_such_a_report() {
    if !can_run() {
        return;
    }
    let scenario = ["gate", "scenarios/o2-ericsson-2018", "--candidate", "sgsn-mme=1.14"];
    let arguments = [&scenario[..], &["--color", "always", "--quiet"]].concat();
    let output = Scene::new().command(&arguments).current_dir(repository()).output().unwrap();
    let picture = xtask::picture::render(&String::from_utf8(output.stdout).unwrap());
    let shown = std::fs::read_to_string(repository().join("docs/report.svg")).unwrap();
    assert_eq!(without_digits(&picture), without_digits(&shown));
}

/// Where the linker puts the certificate is its own affair.
pub(super) fn without_offsets(text: &str) -> String {
    let mut parts = text.split("+0x");
    let mut redacted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        redacted.push_str("+OFFSET");
        redacted.push_str(part.trim_start_matches(|char: char| char.is_ascii_hexdigit()));
    }
    redacted
}

#[test]
fn the_incident_comes_out_as_told() {
    if !can_run() {
        return;
    }
    let text = Scene::new().run(&["replay", SCENARIO]);
    assert_snapshot!(without_offsets(&text), @r"
    exit 0
    --- stdout
    1.14    block  2018-12-06T04:30:00Z  CN=sgsn-mme software (sgsn-mme:/sgsn-mme-1-14+OFFSET)  as told
    1.15    block  2018-12-06T04:30:00Z  CN=sgsn-mme software (sgsn-mme:/sgsn-mme-1-15+OFFSET)  as told
    1.15.1  allow  -                     nothing breaks  as told
    1.16    allow  -                     nothing breaks; noted: expired-embedded-credential  as told
    ");
}

#[test]
fn a_broken_build_blocks_and_names_what_falls_with_it() {
    if !can_run() {
        return;
    }
    let (code, text) = gate("1.14");
    assert_eq!(code, Some(1), "{text}");
    for part in [
        "block: sgsn-mme 1.14 breaks on 2018-12-06T04:30:00Z, 35 d 4 h after start",
        "because: CN=sgsn-mme software ends at 2018-12-06T04:29:59Z",
        "lies in      sgsn-mme:/sgsn-mme-1-14, ",
        "falls with it: 3 other services and 4 of 4 checks",
        "stands for giffgaff, Lyca and Tesco Mobile",
        "stands for Transport for London",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn a_mended_build_is_allowed() {
    if !can_run() {
        return;
    }
    for build in ["1.15.1", "1.16"] {
        let (code, text) = gate(build);
        assert_eq!(code, Some(0), "{text}");
    }
}

#[test]
fn the_case_that_shows_it_best_shows_it_alone() {
    if !can_run() {
        return;
    }
    let candidate = ["--candidate", "sgsn-mme=1.14"];
    let case = ["--case", "cold-2018-12-06T043000Z", "--quiet"];
    let arguments = [["gate", SCENARIO].as_slice(), &candidate, &case].concat();
    let text = Scene::new().run(&arguments);
    assert!(
        text.starts_with(
            "exit 1\n--- stdout\ncase cold-2018-12-06T043000Z fails; one case alone is no verdict\n"
        ),
        "{text}"
    );
    assert!(text.contains("software certificate CN=sgsn-mme software has expired"), "{text}");
}
