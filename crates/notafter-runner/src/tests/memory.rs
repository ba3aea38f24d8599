//! What is read of the memory of services, and when.

use super::scene::{
    at, backend, case, check, edge, elapse, exec, location, look, name, restart, run_case, run_cases,
    scenario, start, with_node,
};
use notafter_backend::scripted::ByInstant;
use notafter_core::{
    CaseClock, Check, CredentialName, CredentialSpec, GeneratedX509, KeyAlgorithm, Origin, Outcome, Purpose,
    Step, X509Issuer,
};
use notafter_pki::Pki;

fn attaches() -> Check {
    check("attaches", exec("phone", &["/phone", "attach"]))
}

/// A certificate that ends inside the window, as DER.
fn certificate(subject: &str) -> Vec<u8> {
    let name = CredentialName::new("made").unwrap();
    let x509 = GeneratedX509 {
        subject: format!("CN={subject}"),
        issuer: X509Issuer::SelfSigned,
        cross_signs: None,
        dns: vec!["node".to_owned()],
        ip: Vec::new(),
        usage: Vec::new(),
        key: KeyAlgorithm::P256,
        not_before: start(),
        not_after: at("2019-11-01T00:00:00Z"),
    };
    let spec = CredentialSpec { name: name.clone(), x509, location: location() };
    let pki = Pki::generate(&scenario(Vec::new()).name, &[spec]).unwrap();
    pki.issued(&name).unwrap().certificate_der().to_vec()
}

fn walk() -> Vec<Step> {
    vec![look(&["attaches"]), elapse(edge()), look(&["attaches"]), restart(&["node"]), look(&["attaches"])]
}

#[test]
fn memory_is_read_before_the_clock_moves_and_before_a_service_ends() {
    let (first, later) = (certificate("first"), certificate("later"));
    let script = with_node(|node| {
        node.memory = Some(ByInstant::always(Ok(first)).from(edge(), Ok(later)));
    });
    let ran = run_case(&scenario(vec![attaches()]), script, walk());
    assert_eq!(ran.outcome("walk"), Outcome::Pass);
    let subject = |held| ran.record.inventory.find(held).map_or("", |it| it.subject.as_str());
    let reads = ran.case("walk").memory.iter().filter(|read| read.service == name("node"));
    let told: Vec<_> = reads
        .map(|read| {
            let [process] = read.processes.as_slice() else { panic!("{read:?}") };
            assert_eq!((process.pid, process.exe.as_str(), &process.gap), (2, "/node", &None));
            let held: Vec<&str> = process.held.iter().map(|held| subject(*held)).collect();
            (read.step, read.at.second, held)
        })
        .collect();
    let expected =
        [(1, start(), vec!["CN=first"]), (3, edge(), vec!["CN=later"]), (5, edge(), vec!["CN=later"])];
    assert_eq!(told, expected);
    assert!(ran.record.inventory.credentials.iter().all(|it| it.origin == Origin::Memory));
    assert_eq!(at("2019-11-01T00:00:00Z"), ran.record.inventory.credentials[0].not_after);
}

#[test]
fn a_memory_that_cannot_be_read_is_told_and_the_case_stands() {
    let script = with_node(|node| node.memory = Some(ByInstant::always(Err("Permission denied".to_owned()))));
    let ran = run_case(&scenario(vec![attaches()]), script, walk());
    assert_eq!(ran.outcome("walk"), Outcome::Pass);
    let told: Vec<_> = ran.record.remarks.iter().filter(|it| it.starts_with("node: the memory")).collect();
    assert_eq!(
        told,
        [
            "node: the memory of /node could not be read, and what ends there alone is not known: permission denied"
        ]
    );
}

#[test]
fn on_the_clock_of_the_machine_no_memory_is_read() {
    let script = with_node(|node| node.memory = Some(ByInstant::always(Ok(certificate("it")))));
    let mut scenario = scenario(vec![attaches()]);
    scenario.start = notafter_core::Start::Now(start());
    let mut native = case("native", vec![look(&["attaches"])]);
    (native.clock, native.purpose) = (CaseClock::Native, Purpose::Control);
    let ran = run_cases(&scenario, &backend(script), &super::scene::at_once(), vec![native]).unwrap();
    assert_eq!(ran.outcome("native"), Outcome::Pass);
    assert!(ran.case("native").memory.is_empty());
}
