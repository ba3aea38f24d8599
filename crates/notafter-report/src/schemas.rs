//! Reports against the public schemas of their formats, by tools that others wrote.
//!
//! The schemas lie in the source of crates that are fetched and never compiled. Without the tools a test says loudly that
//! it looks at nothing, and fails where everything is required.

use crate::{Format, sample};
use notafter_core::{RunRecord, Verdict};
use std::path::{Path, PathBuf};
use std::process::Command;

fn samples() -> [(&'static str, (RunRecord, Verdict)); 5] {
    [
        ("allow", sample::allow()),
        ("block", sample::block()),
        ("held", sample::held_works()),
        ("hostile", sample::hostile()),
        ("unshifted", sample::unshifted()),
    ]
}

/// A file in the source of a crate from outside.
fn schema(package: &str, file: &str) -> PathBuf {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .exec()
        .unwrap();
    let found = metadata.packages.iter().find(|known| known.name.as_str() == package);
    let path = found.unwrap().manifest_path.parent().unwrap().join(file).into_std_path_buf();
    assert!(path.is_file(), "{}", path.display());
    path
}

/// The first of these commands that works; where one has to, none is a failure.
fn tool(candidates: &[&[&str]]) -> Option<Command> {
    let mut found = None;
    for words in candidates {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        if command.output().is_ok_and(|output| output.status.success()) {
            found = Some(words[0]);
            break;
        }
    }
    let required = std::env::var("NOTAFTER_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(found.is_some() || !required, "required here: one of {candidates:?}");
    if found.is_none() {
        eprintln!("SKIPPED: none of {candidates:?} works here");
    }
    found.map(Command::new)
}

/// A Python that has this module; Debian's where another stands before it.
fn python(module: &str) -> Option<Command> {
    let import = format!("import {module}");
    tool(&[&["python3", "-c", &import], &["/usr/bin/python3", "-c", &import]])
}

#[track_caller]
fn accepts(command: &mut Command, what: &str) {
    let output = command.output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {said}");
}

fn written(
    directory: &Path,
    name: &str,
    format: Format,
    (record, verdict): &(RunRecord, Verdict),
) -> PathBuf {
    let path = directory.join(format!("{name}.{format}"));
    std::fs::write(&path, format.render(record, verdict).unwrap()).unwrap();
    path
}

#[test]
fn junit_is_what_the_schema_of_jenkins_says() {
    let schema = schema("junit-report", "tests/JUnit.xsd");
    let directory = tempfile::tempdir().unwrap();
    for (name, sample) in samples() {
        let Some(mut xmllint) = tool(&[&["xmllint", "--version"]]) else { return };
        let report = written(directory.path(), name, Format::Junit, &sample);
        accepts(xmllint.arg("--noout").arg("--schema").arg(&schema).arg(report), name);
    }
    // A check that cannot fail shows nothing.
    let bad = directory.path().join("bad.xml");
    std::fs::write(&bad, "<testsuites><testcase/></testsuites>").unwrap();
    let refused =
        Command::new("xmllint").arg("--noout").arg("--schema").arg(&schema).arg(bad).output().unwrap();
    assert!(!refused.status.success());
}

/// Validates the second file by the first; formats such as `uri` are looked at where Python knows them.
const VALIDATE: &str = "import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
kind = jsonschema.validators.validator_for(schema)
errors = list(kind(schema, format_checker=jsonschema.FormatChecker()).iter_errors(json.load(open(sys.argv[2]))))
for error in errors: print(error.json_path, error.message)
sys.exit(bool(errors))";

#[test]
fn sarif_is_what_its_schema_says() {
    let schema = schema("serde-sarif", "src/schema.json");
    let directory = tempfile::tempdir().unwrap();
    for (name, sample) in samples() {
        let Some(mut python) = python("jsonschema") else { return };
        let report = written(directory.path(), name, Format::Sarif, &sample);
        accepts(python.arg("-c").arg(VALIDATE).arg(&schema).arg(report), name);
    }
    let Some(mut python) = python("jsonschema") else { return };
    let bad = directory.path().join("bad.sarif");
    std::fs::write(&bad, "{ \"version\": \"2.1.0\", \"runs\": [{}] }").unwrap();
    assert!(!python.arg("-c").arg(VALIDATE).arg(&schema).arg(bad).output().unwrap().status.success());
}

/// RFC 5545 has no schema; another's reader says how many events it found, and that each has an end in UTC.
const READ_CALENDAR: &str = "import sys, icalendar
calendar = icalendar.Calendar.from_ical(open(sys.argv[1], 'rb').read())
events = [part for part in calendar.walk('VEVENT')]
assert len(events) == int(sys.argv[2]), len(events)
for event in events:
    assert event['UID'] and event['DTSTAMP'] and event['SUMMARY'] and event['DTSTART'].dt.tzinfo is not None
assert not any(part.errors for part in calendar.walk()), [part.errors for part in calendar.walk()]";

#[test]
fn calendars_are_read_by_others() {
    let directory = tempfile::tempdir().unwrap();
    let events = [("allow", "2"), ("block", "2"), ("held", "2"), ("hostile", "2"), ("unshifted", "0")];
    for ((name, sample), (_, count)) in samples().into_iter().zip(events) {
        let Some(mut python) = python("icalendar") else { return };
        let report = written(directory.path(), name, Format::Ical, &sample);
        accepts(python.arg("-c").arg(READ_CALENDAR).arg(report).arg(count), name);
    }
}

/// GitLab publishes no schema: each issue must have what its documentation asks for, and no two one fingerprint.
#[test]
fn code_quality_issues_have_what_gitlab_asks_for() {
    for (name, (record, verdict)) in samples() {
        let text = Format::Gitlab.render(&record, &verdict).unwrap();
        let issues: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(issues.len(), verdict.findings.len(), "{name}");
        let mut seen = std::collections::BTreeSet::new();
        for issue in issues {
            for field in ["description", "check_name", "fingerprint"] {
                assert!(issue[field].as_str().is_some_and(|text| !text.is_empty()), "{name}: {issue}");
            }
            assert!(seen.insert(issue["fingerprint"].to_string()), "{name}: {issue}");
            let severities = ["info", "minor", "major", "critical", "blocker"];
            assert!(severities.contains(&issue["severity"].as_str().unwrap()), "{name}: {issue}");
            assert!(
                issue["location"]["lines"]["begin"].as_u64().is_some_and(|line| line > 0),
                "{name}: {issue}"
            );
            let path = issue["location"]["path"].as_str().unwrap();
            assert!(!path.starts_with("./") && !path.starts_with('/'), "{name}: {issue}");
        }
    }
}

/// Does as `VALIDATE` does by the schema of CycloneDX 1.6. It refers to the lists of SPDX licences and to the schema of JSON
/// signatures, neither of which is here: a bill of ours has neither licences nor signatures, so they stand empty.
const VALIDATE_BILL: &str = "import json, sys, jsonschema, referencing
schema, bill = (json.load(open(path)) for path in sys.argv[1:])
def empty(uri): return referencing.Resource({'definitions': {'signature': {}}}, referencing.jsonschema.DRAFT7)
registry = referencing.Registry(retrieve=empty)
kind = jsonschema.validators.validator_for(schema)
errors = list(kind(schema, registry=registry, format_checker=jsonschema.FormatChecker()).iter_errors(bill))
for error in errors: print(error.json_path, error.message)
sys.exit(bool(errors))";

#[test]
fn bills_are_what_the_schema_of_cyclonedx_says() {
    let schema = schema("serde-cyclonedx", "schemas/cyclonedx_1_6.json");
    let directory = tempfile::tempdir().unwrap();
    for (name, sample) in samples() {
        let Some(mut python) = python("jsonschema, referencing.jsonschema") else { return };
        let report = written(directory.path(), name, Format::Cyclonedx, &sample);
        accepts(python.arg("-c").arg(VALIDATE_BILL).arg(&schema).arg(report), name);
    }
    let whole = Format::Cyclonedx.render(&sample::block().0, &sample::block().1).unwrap();
    for (old, new) in [
        ("\"certificate\",", "\"certificates\","),
        ("\"alg\": \"SHA-256\"", "\"alg\": \"SHA-257\""),
        ("\"bom-ref\"", "\"bomref\""),
    ] {
        assert!(whole.contains(old), "{old}: {whole}");
        let bad = directory.path().join("bad.json");
        std::fs::write(&bad, whole.replace(old, new)).unwrap();
        let Some(mut python) = python("jsonschema, referencing.jsonschema") else { return };
        let refused = python.arg("-c").arg(VALIDATE_BILL).arg(&schema).arg(bad).output().unwrap();
        assert!(!refused.status.success(), "{old}");
    }
}

type Spoil = fn(&mut serde_json::Value);

#[test]
fn records_are_what_their_schema_says() {
    let directory = tempfile::tempdir().unwrap();
    let schema = directory.path().join("schema.json");
    std::fs::write(&schema, crate::json::schema().to_string()).unwrap();
    for (name, sample) in samples() {
        let Some(mut python) = python("jsonschema") else { return };
        let report = written(directory.path(), name, Format::Json, &sample);
        accepts(python.arg("-c").arg(VALIDATE).arg(&schema).arg(report), name);
    }
    let (record, verdict) = sample::block();
    let whole = Format::Json.render(&record, &verdict).unwrap();
    let broken: [(&str, Spoil); 7] = [
        ("a newer version", |record| record["notafter_record"] = 3.into()),
        ("no verdict", |record| drop(record.as_object_mut().unwrap().remove("verdict"))),
        ("another word", |record| record["verdict"]["decision"] = "fine".into()),
        ("no instant", |record| record["record"]["started"] = "yesterday".into()),
        ("half a fingerprint", |record| {
            record["record"]["inventory"]["credentials"][0]["fingerprint"] = "0a".into();
        }),
        ("no name", |record| record["record"]["scenario"]["name"] = "a b".into()),
        ("no list", |record| record["record"]["cases"] = serde_json::json!({})),
    ];
    for (name, spoil) in broken {
        let mut record: serde_json::Value = serde_json::from_str(&whole).unwrap();
        spoil(&mut record);
        let path = directory.path().join("bad.json");
        std::fs::write(&path, record.to_string()).unwrap();
        assert!(crate::json::read(&record.to_string()).is_err(), "the reader refuses as well: {name}");
        let Some(mut python) = python("jsonschema") else { return };
        let refused = python.arg("-c").arg(VALIDATE).arg(&schema).arg(path).output().unwrap();
        assert!(!refused.status.success(), "{name}");
    }
    // What an older version wrote has fewer fields.
    let mut old: serde_json::Value = serde_json::from_str(&whole).unwrap();
    (old["notafter_record"], old["record"]["version"]) = (1.into(), 1.into());
    old["record"].as_object_mut().unwrap().remove("isolation");
    let path = directory.path().join("old.json");
    std::fs::write(&path, old.to_string()).unwrap();
    let Some(mut python) = python("jsonschema") else { return };
    accepts(python.arg("-c").arg(VALIDATE).arg(&schema).arg(path), "version 1");
}
