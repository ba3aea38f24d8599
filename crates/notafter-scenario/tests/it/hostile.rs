//! Text that nobody wrote in good faith: it must be refused, soon and by name.

use crate::base::{BASE, edited, read};
use notafter_scenario::{Code, Diagnostics, Palette};
use proptest::prelude::*;
use std::fmt::Write;

fn codes(diagnostics: &Diagnostics) -> Vec<Code> {
    diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn alias_bombs_are_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    assert_eq!(codes(&read(&text).unwrap_err()), [Code::NotYaml]);
}

#[test]
fn long_texts_are_not_multiplied() {
    let long = "x".repeat(500_000);
    let rows = vec![format!("[{}]", ["*a"; 9].join(", ")); 9].join(", ");
    assert_eq!(codes(&read(&format!("a: &a {long}\nb: [{rows}]")).unwrap_err()), [Code::NotYaml]);
    let list = format!("a: &a [{}]\n", vec!["\"${LONG}\""; 200].join(", "));
    assert_eq!(codes(&read(&list).unwrap_err()).first(), Some(&Code::BadVariable));
}

#[test]
fn deep_nesting_is_refused() {
    let depth = 100_000;
    for text in [
        format!("a: {}{}", "[".repeat(depth), "]".repeat(depth)),
        format!("a: {}", "{b: ".repeat(depth)),
        (0..1_000).fold(String::new(), |text, level| text + &" ".repeat(level) + "a:\n"),
        "- ".repeat(depth),
    ] {
        assert_eq!(codes(&read(&text).unwrap_err()), [Code::NotYaml]);
    }
}

#[test]
fn too_many_nodes_are_refused() {
    let text = format!("a: [{}]", "1,".repeat(200_000));
    assert_eq!(codes(&read(&text).unwrap_err()), [Code::NotYaml]);
}

#[test]
fn many_mistakes_are_counted_and_not_all_shown() {
    let text = (0..5_000).fold(BASE.to_owned(), |text, index| text + &format!("unknown{index}: 1\n"));
    let diagnostics = read(&text).unwrap_err();
    assert_eq!((diagnostics.iter().count(), diagnostics.found()), (50, 5_000));
    assert!(diagnostics.render(Palette::Plain).ends_with("and 4950 more in scenario.yaml\n"));
}

#[test]
fn long_chains_of_services_and_credentials_need_no_stack() {
    let mut services = String::new();
    let mut credentials = String::new();
    for index in 1..2_000 {
        let before = index - 1;
        writeln!(services, "  s{index}: {{ image: host, needs: [s{before}] }}").unwrap();
        let validity = format!("{{ from: c{before}.not_before, until: c{before}.not_after }}");
        writeln!(credentials, "  c{index}: {{ x509: {{ ca: intermediate, issuer: c{before}, subject: CN=c, validity: {validity} }} }}").unwrap();
    }
    let services = format!("services:\n  s0: {{ image: host }}\n{services}");
    let root = "  c0: { x509: { ca: root, subject: CN=c, validity: { from: start, for: 1y } } }\n";
    let text = edited("services:\n", &services)
        .replace("credentials:\n", &format!("credentials:\n{root}{credentials}"));
    let scenario = read(&text).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    assert_eq!(scenario.services.len(), 2_002);
    assert_eq!(scenario.credentials[1_999].x509.not_after, scenario.credentials[0].x509.not_after);
}

#[test]
fn odd_documents_are_refused_and_placed() {
    for (text, code) in [
        ("", Code::WrongType),
        ("~", Code::WrongType),
        ("[]", Code::WrongType),
        ("a: 1\n---\nb: 2\n", Code::NotYaml),
        ("? [a]\n: b\n", Code::NotYaml),
        ("*x", Code::NotYaml),
        ("a: !!python/object x", Code::NotYaml),
        ("a:\n\tb: 1", Code::NotYaml),
        ("a: \"\u{0}\"", Code::NotYaml),
    ] {
        let diagnostics = read(text).unwrap_err();
        assert_eq!(diagnostics.iter().next().map(|first| first.code), Some(code), "{text:?}: {diagnostics}");
        assert!(!diagnostics.render(Palette::Plain).is_empty());
    }
}

fn refused_or_right(text: &str) {
    if let Err(diagnostics) = read(text) {
        assert!(diagnostics.found() > 0, "refused without a reason");
        assert!(!diagnostics.render(Palette::Plain).is_empty());
        assert!(!diagnostics.render(Palette::Coloured).is_empty());
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        refused_or_right(&text);
    }

    #[test]
    fn text_that_looks_like_yaml_never_panics(text in "[a-z0-9:{}\\[\\],&*!|>'\"#%@\\-?. \n\u{feff}é\\$]{0,200}") {
        refused_or_right(&text);
    }

    #[test]
    fn a_damaged_scenario_never_panics(
        begin in 0..BASE.len(), len in 0..40_usize, insert in "[a-z0-9:{}\\[\\],\"'&* \n.+\\-é\\$]{0,12}",
    ) {
        let end = (begin + len).min(BASE.len());
        refused_or_right(&format!("{}{insert}{}", &BASE[..begin], &BASE[end..]));
    }

    #[test]
    fn a_replaced_value_never_panics(value in "\\PC{0,24}") {
        for place in ["2018-11-01T00:00:00Z", "2y", "60s", "\"issued - 1h\"", "\"https://node:8443/\"", "\"0400\"", "8443", "100%"] {
            refused_or_right(&BASE.replacen(place, &format!("{value:?}"), 1));
        }
    }
}
