//! A candidate beside the build that is in production.

use super::outage::{SCENARIO, without_offsets};
use super::runs::can_run;
use super::scene::{SOUND, Scene, shown};
use insta::assert_snapshot;
use std::fs;

/// The exit code of a build of 2018 beside another, and what the report says of that one.
fn beside(candidate: &str, production: &str) -> String {
    let candidate = format!("sgsn-mme={candidate}");
    let arguments = ["gate", SCENARIO, "--candidate", &candidate, "--against", production, "--quiet"];
    section(&Scene::new().run(&arguments))
}

/// The exit code, the first line, and the section about production.
fn section(text: &str) -> String {
    let exit = text.lines().next().unwrap_or_default();
    let headline = text.lines().nth(2).unwrap_or_default();
    let section = text.split_once("\nagainst: ").map_or(text, |(_, after)| after);
    let section = section.split_once("\n\n").map_or(section, |(section, _)| section);
    without_offsets(&format!("{exit}\n{headline}\nagainst: {section}"))
}

#[test]
fn a_candidate_that_breaks_by_what_production_bears_has_a_new_bomb() {
    if !can_run() {
        return;
    }
    assert_snapshot!(beside("1.14", "1.16"), @r"
    exit 1
    block: sgsn-mme 1.14 breaks on 2018-12-06T04:30:00Z, 35 d 4 h after start;
    against: sgsn-mme 1.16, in production: allow; nothing breaks through
             2020-11-01T00:00:00Z
      new          sgsn-mme breaks at 2018-12-06T04:30:00Z: CN=sgsn-mme software
                   ends at 2018-12-06T04:29:59Z (breaks-in-window)
    ");
}

#[test]
fn a_candidate_that_bears_what_production_breaks_by_has_it_defused() {
    if !can_run() {
        return;
    }
    assert_snapshot!(beside("1.16", "1.14"), @r"
    exit 0
    allow: sgsn-mme 1.16 passes every check through 2020-11-01T00:00:00Z, the end of
    against: sgsn-mme 1.14, in production: block; sgsn-mme breaks at
             2018-12-06T04:30:00Z: CN=sgsn-mme software ends at 2018-12-06T04:29:59Z
      defused      in production sgsn-mme breaks at 2018-12-06T04:30:00Z:
                   CN=sgsn-mme software ends at 2018-12-06T04:29:59Z
                   (breaks-in-window)
    ");
}

#[test]
fn a_certificate_that_was_renewed_and_ends_in_the_same_second_is_the_same_bomb() {
    if !can_run() {
        return;
    }
    assert_snapshot!(beside("1.15", "1.14"), @r"
    exit 1
    block: sgsn-mme 1.15 breaks on 2018-12-06T04:30:00Z, 35 d 4 h after start;
    against: sgsn-mme 1.14, in production: block; sgsn-mme breaks at
             2018-12-06T04:30:00Z: CN=sgsn-mme software ends at 2018-12-06T04:29:59Z
      the same     sgsn-mme breaks at 2018-12-06T04:30:00Z: CN=sgsn-mme software
                   ends at 2018-12-06T04:29:59Z (breaks-in-window)
    ");
}

#[test]
fn where_neither_breaks_there_is_no_difference() {
    if !can_run() {
        return;
    }
    assert_snapshot!(beside("1.15.1", "1.16"), @r"
    exit 0
    allow: sgsn-mme 1.15.1 passes every check through 2020-11-01T00:00:00Z, the end
    against: sgsn-mme 1.16, in production: allow; nothing breaks through
             2020-11-01T00:00:00Z
      no difference nothing blocks either build
    ");
}

#[test]
fn saved_records_come_to_the_same_bytes() {
    if !can_run() {
        return;
    }
    let scene = Scene::new();
    let forms = ["json", "markdown", "html", "text", "sarif", "junit"];
    let reports = |when: &str| -> Vec<String> {
        forms.iter().flat_map(|form| ["--report".to_owned(), format!("{form}={when}.{form}")]).collect()
    };
    let run = |arguments: &[&str], reports: &[String]| {
        let arguments: Vec<&str> =
            arguments.iter().copied().chain(reports.iter().map(String::as_str)).collect();
        let output = scene.command(&arguments).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), shown(&output))
    };
    let gate =
        ["gate", SCENARIO, "--candidate", "sgsn-mme=1.15", "--against", "1.14", "--quiet", "--keep", "kept"];
    let (code, first, told) = run(&gate, &reports("now"));
    assert_eq!(code, Some(1), "{told}");
    let judge = ["judge", "kept/record.json", "--against", "kept/against/record.json"];
    let (code, later, told) = run(&judge, &reports("later"));
    assert_eq!((code, &later), (Some(1), &first), "{told}");
    for form in forms {
        let read = |when: &str| fs::read_to_string(scene.path().join(format!("{when}.{form}"))).unwrap();
        assert!(read("now") == read("later"), "{form}");
    }
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(scene.path().join("later.json")).unwrap()).unwrap();
    assert_eq!(json["against"]["production"]["build"], "1.14");
    assert_eq!(json["against"]["differences"][0]["is"], "same");
    super::records::assert_is_record(&scene, &scene.path().join("later.json"));

    // The record of production serves the next candidate, without another run.
    let next = ["gate", SCENARIO, "--candidate", "sgsn-mme=1.16", "--against", "kept/against/record.json"];
    let (code, page, told) = run(&next, &[]);
    assert_eq!(code, Some(0), "{told}");
    assert!(page.contains("\nagainst: sgsn-mme 1.14, in production: block; "), "{told}");
    assert!(page.contains("\n  defused "), "{told}");
    assert!(!told.contains("in production: sgsn-mme 1.14\n"), "it ran again: {told}");
}

/// One service that sleeps, whose builds are called so; `bad` cannot be judged, for it never starts.
fn sleepers() -> Scene {
    let text = SOUND
        .replace("support: 1y", "support: 5d")
        .replace(
            "services:",
            "builds:\n  good: { command: [sleep, \"1000000\"] }\n  bad: { command: [\"false\"] }\nservices:",
        )
        .replace("    command: [sleep, \"1000000\"]\n", "");
    Scene::with("scenario.yaml", &text)
}

#[test]
fn a_build_in_production_that_cannot_be_judged_leaves_the_verdict_and_nothing_is_called_new() {
    if !can_run() {
        return;
    }
    let gate = ["gate", "scenario.yaml", "--quiet"];
    let good = ["--candidate", "sleeper=good", "--against", "bad"];
    assert_snapshot!(section(&sleepers().run(&[&gate[..], &good].concat())), @r"
    exit 0
    allow: sleeper good passes every check through 2030-01-06T00:00:00Z, the end of
    against: sleeper bad, in production: inconclusive; sleeper fails in control,
             where no boundary is crossed
      not compared the gate could not look at the build in production, so nothing is
                   called new or defused
    ");
    let bad = ["--candidate", "sleeper=bad", "--against", "good"];
    assert_snapshot!(section(&sleepers().run(&[&gate[..], &bad].concat())), @r"
    exit 3
    inconclusive: sleeper bad is not cleared for release: sleeper fails in control,
    against: sleeper good, in production: allow; nothing breaks through
             2030-01-06T00:00:00Z
      not compared the gate could not look at the candidate, so nothing is called
                   new or defused
    ");
}

#[test]
fn a_build_in_production_that_is_not_there_is_named_before_anything_runs() {
    let scene = sleepers();
    let gate = ["gate", "scenario.yaml", "--candidate", "sleeper=good", "--against"];
    assert_snapshot!(scene.run(&[&gate[..], &["1.13"]].concat()), @r"
    exit 2
    --- stderr
    error[undefined-build]: the command line chooses build `1.13`, and there is none
     --> scenario.yaml:5:12
      |
    5 | candidate: sleeper
      |            ^^^^^^^
      |
      = help: the builds are `good`, `bad`; an image would do as well, supported now: `host`, `rootfs:PATH`, `binary:PATH`, `cargo:PACKAGE/BIN`, `docker-archive:PATH`, `oci-archive:PATH`, `oci:PATH`, `dir:PATH`, `docker-daemon:NAME:TAG`, `docker://NAME:TAG`, `NAME:TAG`
    ");
    assert_snapshot!(scene.run(&[&gate[..], &["rootfs:no-such-tree"]].concat()), @r"
    exit 2
    --- stderr
    error: scenario.yaml:10:3: an image of the scenario cannot be had
      because: rootfs:no-such-tree: there is no ./no-such-tree
    ");
    assert_snapshot!(scene.run(&[&gate[..], &["no-such-record.json"]].concat()), @r"
    exit 2
    --- stderr
    error: no-such-record.json cannot be read
      because: No such file or directory (os error 2)
    ");
    assert_snapshot!(scene.run(&[&gate[..], &["good", "--case", "walk"]].concat()), @r"
    exit 2
    --- stderr
    error: the argument '--against <BUILD_OR_IMAGE_OR_RECORD>' cannot be used with '--case <ID>'

    Usage: notafter gate --candidate <NAME=BUILD_OR_IMAGE> --against <BUILD_OR_IMAGE_OR_RECORD> <SCENARIO>

    For more information, try '--help'.
    ");
}

#[test]
fn a_record_of_another_time_or_another_scenario_is_refused() {
    let scene = Scene::new();
    let record = super::records::forged(&scene);
    let write = |name: &str, text: String| fs::write(scene.path().join(name), text).unwrap();
    write("scenario.yaml", SOUND.replace("start: 2030-01-01", "start: 2030-02-01"));
    write("production.json", record.clone());
    assert_snapshot!(scene.run(&["gate", "scenario.yaml", "--against", "production.json"]), @r"
    exit 2
    --- stderr
    note: the verdict was allow when the record was saved, and is inconclusive as this version judges
    error: production.json cannot be held against
      because: its simulated time begins at 2030-01-01T00:00:00Z, and here at 2030-02-01T00:00:00Z
      help: simulated time begins at the moment of each run where the scenario names no `start:`; name one there (`--start` with --compose), or give the build in place of its record
    ");
    write("scenario.yaml", SOUND.replace("alive: { service: sleeper }", "tcp: { address: \"sleeper:1\" }"));
    assert_snapshot!(scene.run(&["gate", "scenario.yaml", "--against", "production.json"]), @r"
    exit 2
    --- stderr
    note: the verdict was allow when the record was saved, and is inconclusive as this version judges
    error: production.json cannot be held against
      because: its checks are not those of this scenario
    ");
    write("candidate.json", record.replace("\"name\": \"sound\"", "\"name\": \"other\""));
    assert_snapshot!(scene.run(&["judge", "candidate.json", "--against", "production.json"]), @r"
    exit 2
    --- stderr
    note: the verdict was allow when the record was saved, and is inconclusive as this version judges
    note: the verdict was allow when the record was saved, and is inconclusive as this version judges
    error: production.json cannot be held against
      because: it is of scenario sound, and this one is other
    ");
}
