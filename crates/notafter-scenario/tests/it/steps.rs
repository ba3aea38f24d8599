//! Checks of several steps.

use crate::base::{edited, read};
use notafter_core::{CheckName, Probe, Scenario, Subject, Test};
use notafter_scenario::{Code, Palette};

const ANSWERS: &str = r#"    probe: { https: { url: "https://node:8443/", trust: root } }
    expect: { works: { status: 200 } }
"#;

/// The base, with `before` in its first check, whose probe asks for `path`.
fn with_steps(before: &str, path: &str) -> String {
    let probe = ANSWERS.replace("8443/", &format!("8443{path}"));
    edited(ANSWERS, &format!("    before: {before}\n{probe}"))
}

fn right(text: &str) -> Scenario {
    read(text).unwrap_or_else(|diagnostics| panic!("{}", diagnostics.render(Palette::Plain)))
}

#[test]
fn a_check_goes_its_steps_and_takes_along_what_they_capture() {
    let before = r#"
      - { probe: { http: { url: "http://node:80/login" } }, capture: { TOKEN: { json: /token } } }
      - probe: { exec: { service: db, command: [look, "{{TOKEN}}"] } }
        works: { exit: 3 }
        capture: { ROW: { matches: 'row (\d+)' } }"#;
    let scenario = right(&with_steps(before, "{{ROW}}?of={{TOKEN}}"));
    let check = scenario.check(&CheckName::new("answers").unwrap()).unwrap();
    let [login, row] = check.before.as_slice() else { panic!("{check:?}") };
    assert_eq!(login.capture["TOKEN"].subject, Subject::Json("/token".to_owned()));
    assert_eq!(row.works.exit, Some(3));
    assert_eq!(row.capture["ROW"].test, Test::Captured { pattern: Some(r"row (\d+)".to_owned()) });
    let Probe::Http { path, port: 8443, .. } = &check.probe else { panic!("{check:?}") };
    assert_eq!(path, "{{ROW}}?of={{TOKEN}}");
    assert_eq!(check.probes().map(Probe::target).collect::<Vec<_>>(), ["node", "db", "node"]);
}

/// Who must be turned away asks in every step in which the valid one shows itself.
#[test]
fn a_stranger_goes_the_same_steps() {
    let before = r#"
      - { probe: { https: { url: "https://node:8443/", trust: root, identity: site } } }
      - { probe: { https: { url: "https://node:8443/", trust: root } } }"#;
    let text = with_steps(before, "/").replace(
        "8443/\", trust: root } }\n    expect",
        "8443/\", trust: root, identity: site } }\n    refuses: [expired]\n    expect",
    );
    let scenario = right(&text);
    let check = scenario.check(&CheckName::new("answers-refuses-expired").unwrap()).unwrap();
    let shown: Vec<Option<&str>> =
        check.probes().map(|probe| probe.shown().next().map(|name| name.as_str())).collect();
    assert_eq!(shown, [Some("site.expired"), None, Some("site.expired")]);
}

#[test]
fn a_wrong_step_is_told_of() {
    let login = |rest: &str| format!("[{{ probe: {{ http: {{ url: \"http://node:80/\" }} }}{rest} }}]");
    let many = format!("[{}]", vec!["{ probe: { tcp: { address: \"node:80\" } } }"; 17].join(", "));
    for (before, path, code, told) in [
        ("[]".to_owned(), "/", Code::EmptyList, "there is no step here"),
        (many, "/", Code::OutOfRange, "17 steps, and a check takes 16 at most"),
        (login(""), "/{{ID}}", Code::UnknownValue, "no step captures `ID`"),
        (login(", capture: { IDS: { json: /id } }"), "/{{ID}}", Code::UnknownValue, "capture `IDS`"),
        (login(", capture: { a-b: { json: /id } }"), "/", Code::BadName, "cannot stand for what is captured"),
        (
            login(", capture: { ID: {} }"),
            "/",
            Code::MissingKey,
            "nothing says which part of the answer is meant",
        ),
        (
            login(", capture: { ID: { json: /id, header: X } }"),
            "/",
            Code::ConflictingKeys,
            "of a header or of the JSON",
        ),
        (login(", works: { exit: 0 }"), "/", Code::ExpectationMisfit, "`exit` says nothing about"),
        (
            login(", works: { same_as_control: {} }"),
            "/",
            Code::ExpectationMisfit,
            "compared with an earlier one",
        ),
        (
            "[{ probe: { tcp: { address: \"node:80\" } }, capture: { ID: { matches: a } } }]".to_owned(),
            "/",
            Code::ExpectationMisfit,
            "`capture` says nothing about a `tcp` probe",
        ),
        (
            "[{ probe: { log: { service: node, contains: a, every: 1h } } }]".to_owned(),
            "/",
            Code::ExpectationMisfit,
            "a step is over at once",
        ),
    ] {
        let diagnostics = read(&with_steps(&before, path)).unwrap_err();
        let rendered = diagnostics.render(Palette::Plain);
        let codes: Vec<Code> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, [code], "{rendered}");
        assert!(rendered.contains(told), "{told}: {rendered}");
    }
}
