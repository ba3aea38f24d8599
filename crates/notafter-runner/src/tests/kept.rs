//! Secrets, inventories, and what is kept for a reader.

use super::scene::{
    at_once, backend, case, check, exec, location, look, name, restart, run_cases, scenario, script,
    with_node,
};
use crate::{Blame, Error, Options};
use notafter_backend::ExecOutcome;
use notafter_backend::scripted::{ByInstant, Life, ScriptedService};
use notafter_core::{
    CredentialName, CredentialSpec, EnvValue, Event, GeneratedX509, KeyAlgorithm, MountedFile, MountedSource,
    Origin, Scenario, X509Issuer,
};
use std::path::Path;

fn with_credential(mut scenario: Scenario) -> Scenario {
    let root = CredentialName::new("root").unwrap();
    scenario.credentials.push(CredentialSpec {
        name: root.clone(),
        x509: GeneratedX509 {
            subject: "CN=Root".to_owned(),
            issuer: X509Issuer::Root,
            cross_signs: None,
            dns: Vec::new(),
            ip: Vec::new(),
            usage: Vec::new(),
            key: KeyAlgorithm::P256,
            not_before: super::scene::start().plus_secs(-86_400),
            not_after: super::scene::edge(),
        },
        location: location(),
    });
    let file = |path: &str, source| MountedFile {
        path: path.to_owned(),
        source,
        mode: 0o644,
        folder: None,
        location: location(),
    };
    scenario.services[1].files = vec![
        file("/etc/node/ca.pem", MountedSource::Certificate(root.clone())),
        file("/etc/node/ca.key", MountedSource::Key(root)),
        file("/etc/node/conf", MountedSource::Content("x = 1".to_owned())),
    ];
    scenario
}

fn attaches() -> notafter_core::Check {
    check("attaches", exec("phone", &["/phone"]))
}

#[test]
fn declared_credentials_are_in_the_inventory_with_the_places_where_they_are_mounted() {
    let cases = vec![case("walk", vec![look(&["attaches"])])];
    let scenario = with_credential(scenario(vec![attaches()]));
    let ran = run_cases(&scenario, &backend(script()), &at_once(), cases).unwrap();
    let Event::InventoryLearnt { inventory } = &ran.events[0] else { panic!("{:?}", ran.events[0]) };
    let [root] = inventory.credentials.as_slice() else { panic!("{inventory:?}") };
    assert_eq!(root.origin, Origin::Declared(CredentialName::new("root").unwrap()));
    assert_eq!(root.not_after, super::scene::edge());
    let places: Vec<_> =
        root.places.iter().map(|place| (place.service.as_str(), place.path.as_str())).collect();
    assert_eq!(places, [("node", "/etc/node/ca.pem")]);
}

#[test]
fn a_missing_file_of_a_service_is_told_with_its_place() {
    let mut scenario = with_credential(scenario(vec![attaches()]));
    scenario.services[1].files[2].source = MountedSource::Source("no-such.conf".into());
    let error = run_cases(&scenario, &backend(script()), &at_once(), Vec::new()).err().unwrap();
    assert_eq!(error.to_string(), "scenario.yaml:1:1: file ./no-such.conf of service node cannot be read");
    assert_eq!(error.blame(), Blame::User);
}

#[test]
fn a_secret_that_is_not_in_the_environment_is_a_mistake_of_the_caller() {
    let mut scenario = scenario(vec![attaches()]);
    let secret = EnvValue::Secret("NOTAFTER_NO_SUCH_SECRET".to_owned());
    scenario.services[1].env.insert("PASSWORD".to_owned(), secret);
    let backend = backend(script());
    let error = run_cases(&scenario, &backend, &at_once(), Vec::new()).err().unwrap();
    assert!(matches!(&error, Error::SecretMissing { variable, .. } if variable == "NOTAFTER_NO_SUCH_SECRET"));
    assert_eq!(error.blame(), Blame::User);
    assert!(backend.calls().is_empty());
}

/// `PATH` is the one variable that every test environment has.
fn leaky() -> (Scenario, String) {
    let value = std::env::var("PATH").unwrap();
    let mut scenario = with_credential(scenario(vec![attaches()]));
    scenario.services[1].env.insert("TOKEN".to_owned(), EnvValue::Secret("PATH".to_owned()));
    (scenario, value)
}

#[test]
fn a_secret_reaches_neither_events_nor_kept_logs() {
    let (scenario, value) = leaky();
    let said = format!("token {value} has expired");
    let mut script = with_node(|node| {
        node.starts_again = Some(ByInstant::always(Life::Ends { code: 1, says: said }));
    });
    let shown = value.clone();
    script = script.with(
        &name("phone"),
        ScriptedService::default().runs(move |_, _| ExecOutcome::Exited { code: 1, output: shown.clone() }),
    );
    let directory = tempfile::tempdir().unwrap();
    let keep = directory.path().join("kept");
    let options = Options { keep: Some(keep.clone()), ..at_once() };
    let cases = vec![case("walk", vec![look(&["attaches"]), restart(&["node"]), look(&["attaches"])])];
    let ran = run_cases(&scenario, &backend(script), &options, cases).unwrap();

    assert!(!format!("{:?}", ran.events).contains(&value));
    assert_eq!(ran.seen("walk")[0], "2018-11-01T00:00:00Z fresh exited 1: [secret PATH]");
    assert_eq!(ran.case("walk").ends[0].log_tail, "token [secret PATH] has expired\n");
    let log = std::fs::read_to_string(keep.join("cases/walk/node.log")).unwrap();
    assert_eq!(log, "--- node was started again ---\ntoken [secret PATH] has expired\n");
    assert!(!all_text(&keep).contains("PRIVATE KEY"));
}

#[test]
fn a_directory_that_holds_something_is_not_kept_in() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("old"), "").unwrap();
    let options = Options { keep: Some(directory.path().to_owned()), ..at_once() };
    let scenario = scenario(vec![attaches()]);
    let error = run_cases(&scenario, &backend(script()), &options, Vec::new()).err().unwrap();
    assert!(matches!(error, Error::KeepNotEmpty { .. }), "{error}");
}

fn all_text(directory: &Path) -> String {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| if path.is_dir() { all_text(&path) } else { std::fs::read_to_string(path).unwrap() })
        .collect()
}
