//! Every code is produced by one mistake, and one mistake produces one diagnostic.

use crate::base::{BASE, edited, read, read_with};
use notafter_scenario::{Code, Diagnostics, MAX_BYTES, Palette};
use std::collections::BTreeSet;

/// A mistake: its code, what it replaces in the base, and by what.
const MISTAKES: &[(Code, &str, &str)] = &[
    (Code::BadAddress, "dns: [node]", "dns: [\"no de\"]"),
    (Code::BadDuration, "budget: 60s", "budget: 60sec"),
    (Code::BadFileName, "/etc/node/tls.pem: { chain: site }", "/etc/node/: { a/tls.pem: { chain: site } }"),
    (Code::BadFingerprint, "code: flaky", "fingerprint: 00ff"),
    (Code::NotWaivable, "code: flaky", "code: unshifted"),
    (Code::BadInstant, "start: 2018-11-01T00:00:00Z", "start: 2018-11-01"),
    (Code::BadLimit, "needs: [db]", "needs: [db]\n    mem_limit: 512 megabytes"),
    (Code::BadName, "name: base", "name: \"the base\""),
    (Code::BadPercentage, "100%", "101%"),
    (Code::BadPattern, "status: 200", "matches: '('"),
    (Code::BadPointer, "status: 200", "json: { \"$.items[0].name\": up }"),
    (Code::BadPort, "port: 5432", "port: 65536"),
    (Code::BadSubject, "CN=node", "node"),
    (Code::BadText, "reason: known", "reason: \" \""),
    (Code::BadUrl, "https://node:8443/", "http://node:8443/"),
    (Code::BadVariable, "MODE: fast", "MODE: \"${}\""),
    (Code::BudgetNotPositive, "budget: 60s", "budget: 0s"),
    (Code::DwellNotPositive, "budget: 60s", "dwell: 0s"),
    (Code::ConflictingKeys, "needs: [db]", "image: host"),
    (Code::ControlIsItself, "control: answers", "control: stranger-refused"),
    (Code::CredentialCycle, "from: \"issued - 1h\", for: 90d", "from: start, until: \"site.not_after + 1d\""),
    (Code::DependencyCycle, "image: host", "image: host\n    needs: [node]"),
    (Code::DuplicateEntry, "needs: [db]", "needs: [db, db]"),
    (Code::DuplicateKey, "budget: 60s", "name: again"),
    (
        Code::DuplicatePath,
        "/etc/node/tls.key: {",
        "/etc/node/: { tls.pem: { chain: site } }\n      /etc/node/tls.key: {",
    ),
    (Code::DurationNotPositive, "within: 5s", "within: 0s"),
    (Code::EmptyCommand, "[/bin/true]", "[]"),
    (Code::EmptyExpectation, "{ works: { status: 200 } }", "[]"),
    (Code::EmptyList, "probe: { tls:", "connections: []\n    probe: { tls:"),
    (
        Code::EmptySpan,
        "{ works: { status: 200 } }",
        "[{ through: site.not_after, works: {} }, { after: site.not_after, through: site.not_before, works: {} }]",
    ),
    (Code::EmptyValidity, "for: 90d", "until: \"issued - 2h\""),
    (
        Code::ExpectationGap,
        "{ works: { status: 200 } }",
        "[{ through: site.not_after, works: {} }, { after: site.not_after + 1d, works: {} }]",
    ),
    (Code::ExpectationMisfit, "works: { status: 200 }", "works: { exit: 0 }"),
    (
        Code::ExpectationOverlap,
        "{ works: { status: 200 } }",
        "[{ through: site.not_after, works: {} }, { after: site.not_after - 1d, works: {} }]",
    ),
    (Code::InstantOutOfRange, "support: 2y", "support: 9000y"),
    (
        Code::IssuerCycle,
        "ca: root, subject: \"CN=Root\"",
        "ca: intermediate, issuer: root, subject: \"CN=Root\"",
    ),
    (Code::MissingImage, "    image: host\n", ""),
    (Code::MissingKey, "candidate: node\n", ""),
    (Code::MissingTrust, "address: \"node:8443\", trust: root", "address: \"node:8443\""),
    (Code::ModeNotOctal, "\"0400\"", "\"0900\""),
    (Code::NotACa, "url: \"https://node:8443/\", trust: root", "url: \"https://node:8443/\", trust: site"),
    (Code::NotBuilt, "needs: [db]", "health: none\n    needs: [db]"),
    (Code::NotYaml, "needs: [db]", "needs: [db"),
    (Code::OutOfRange, "status: 200", "status: 20"),
    (Code::PathNotAbsolute, "path: /var/cache/node", "path: var/cache/node"),
    (Code::PathNotPlain, "path: /var/cache/node", "path: /var/../cache"),
    (Code::PortTaken, "port: 5432", "port: 8443"),
    (
        Code::RotationMisfit,
        "policy:\n",
        "rotations:\n  site-renewal: { credential: site, at: +3y, replace: rename }\n\npolicy:\n",
    ),
    (Code::SupportNotPositive, "support: 2y", "support: 0d"),
    (Code::UndefinedBuild, "build: \"1.14\"", "build: \"1.16\""),
    (Code::UndefinedCheck, "falls: [answers]", "falls: [answer]"),
    (Code::UndefinedCredential, "chain: site", "chain: sight"),
    (Code::UndefinedService, "needs: [db]", "needs: [database]"),
    (Code::UndefinedVariable, "MODE: fast", "MODE: \"${SPEED}\""),
    (Code::UnknownHost, "address: \"node:8443\"", "address: \"nod:8443\""),
    (Code::UnknownKey, "    command: [/usr/sbin/db", "    comand: [/usr/sbin/db"),
    (Code::UnknownValue, "state: fresh", "state: frehs"),
    (Code::UnsupportedImage, "image: host", "image: \"tarball:db.tar\""),
    (Code::UnsupportedVersion, "notafter: 1", "notafter: 2"),
    (Code::VerifyOffWithTrust, "address: \"node:8443\"", "address: \"node:8443\", verify: off"),
    (Code::WaiverWithoutOwner, "owner: ops, ", ""),
    (Code::WindowInThePast, "support: 2y", "support: 2018-10-01T00:00:00Z"),
    (Code::WrongType, "within: 5s", "within: 5"),
];

/// Mistakes that are more than one edit of the base.
fn larger_mistakes() -> Vec<(Code, Result<notafter_core::Scenario, Diagnostics>)> {
    let without_builds = {
        let (head, rest) = BASE.split_once("builds:").unwrap();
        let (_, rest) = rest.split_once("credentials:").unwrap();
        let (rest, _) = rest.split_once("replay:").unwrap();
        format!("{head}credentials:{rest}")
    };
    let without_checks = {
        let (head, _) = BASE.split_once("checks:").unwrap();
        format!("{head}checks: {{}}\n")
    };
    let never_works = edited("works: { status: 200 }", "rejected: { control: db-lives }");
    vec![
        (Code::CandidateMismatch, read_with(BASE, Some("db=1.14"))),
        (Code::ControlNeverWorks, read(&never_works)),
        (Code::EmptyChecks, read(&without_checks)),
        (Code::MissingCandidateImage, read(&without_builds)),
        (Code::TooLarge, read(&" ".repeat(MAX_BYTES + 1))),
        (Code::UndefinedBuild, read_with(BASE, Some("node=1.16"))),
        (Code::UnsupportedImage, read_with(BASE, Some("node=containers-storage:node:1.16"))),
    ]
}

fn codes(diagnostics: &Diagnostics) -> Vec<Code> {
    diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn the_base_itself_is_right() {
    if let Err(diagnostics) = read(BASE) {
        panic!("{}", diagnostics.render(Palette::Plain));
    }
}

#[test]
fn one_mistake_is_one_diagnostic() {
    let mut surprises = Vec::new();
    for (code, from, to) in MISTAKES {
        let diagnostics = read(&edited(from, to)).expect_err(code.as_str());
        let rendered = diagnostics.render(Palette::Plain);
        if codes(&diagnostics) != [*code] {
            surprises.push(format!("{code} expected:\n{rendered}"));
        }
        insta::assert_snapshot!(code.as_str(), rendered);
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

#[test]
fn larger_mistakes_are_one_diagnostic_too() {
    for (index, (code, result)) in larger_mistakes().into_iter().enumerate() {
        let diagnostics = result.expect_err(code.as_str());
        assert_eq!(codes(&diagnostics), [code], "{diagnostics}");
        if code == Code::TooLarge {
            continue; // its snippet is a mebibyte of nothing
        }
        insta::assert_snapshot!(format!("larger-{index}-{code}"), diagnostics.render(Palette::Plain));
    }
}

#[test]
fn every_code_is_produced_by_a_test() {
    let mut produced: BTreeSet<Code> = MISTAKES.iter().map(|mistake| mistake.0).collect();
    produced.extend(larger_mistakes().into_iter().map(|mistake| mistake.0));
    produced.extend(crate::compose::codes());
    produced.extend(crate::policy::codes());
    let missing: Vec<&Code> = Code::ALL.iter().filter(|code| !produced.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn codes_are_kebab_case_and_unique() {
    let texts: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(texts.len(), Code::ALL.len());
    assert!(texts.iter().all(|text| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let text = edited("support: 2y", "suport: 2y")
        .replace("needs: [db]", "needs: [dbb]")
        .replace("port: 5432", "port: five")
        .replace("\"0400\"", "\"9\"")
        .replace("issuer: root", "issuer: rot")
        .replace("status: 200", "status: \"ok\"");
    let diagnostics = read(&text).unwrap_err();
    insta::assert_snapshot!(diagnostics.render(Palette::Plain));
}

#[test]
fn colours_change_nothing_but_the_colours() {
    let diagnostics = read(&edited("support: 2y", "support: 0d")).unwrap_err();
    let coloured = diagnostics.render(Palette::Coloured);
    assert!(coloured.contains("\u{1b}["));
    assert!(coloured.contains("support-not-positive"));
    assert!(!diagnostics.render(Palette::Plain).contains('\u{1b}'));
}

#[test]
fn a_diagnostic_in_one_line() {
    let diagnostics = read(&edited("budget: 60s", "budget: 0s\nx: 1")).unwrap_err();
    insta::assert_snapshot!(diagnostics, @"scenario.yaml:6:9: this leaves no time at all [budget-not-positive], and 1 more");
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let text = edited("name: base", "name: \"\\e[31mred\\u202e\"\n\u{9b}31m: 1");
    if let Err(diagnostics) = read(&text) {
        let plain = diagnostics.render(Palette::Plain);
        assert!(plain.chars().all(|char| !char.is_control() || char == '\n'), "{plain:?}");
    }
}

/// Who writes a list where a map belongs is told what stands in the map.
#[test]
fn a_list_in_place_of_a_map_names_the_keys_of_the_map() {
    for (from, to, help) in [
        ("ready: { tcp: { port: 5432 } }", "ready: { exec: [/bin/true] }", "write `{ command: … }`"),
        ("ready: { tcp: { port: 5432 } }", "ready: [tcp]", "its keys are `tcp`, `exec`, `log` and `within`"),
    ] {
        let text = read(&edited(from, to)).unwrap_err().render(Palette::Plain);
        assert!(text.contains("expected a map, found a list") && text.contains(help), "{text}");
    }
}
