//! Certificates that exist in the memory of a process and nowhere else.

use super::gated::{Gated, gate, gate_text};
use crate::needs::can_run_with;
use crate::runs::can_run;
use notafter_core::{Decision, Evidence, FindingCode, Origin, Severity, Touch, UnixTime};

const SCENARIO: &str = "incidents/kube-apiserver-loopback";

fn loopback(build: &str) -> Gated {
    gate(SCENARIO, &["--candidate", &format!("apiserver={build}")], &[])
}

fn at(text: &str) -> UnixTime {
    UnixTime::parse(text).unwrap()
}

#[test]
fn a_loopback_certificate_of_one_year_blocks_to_the_second_and_names_itself() {
    if !can_run() {
        return;
    }
    let gated = loopback("broken");
    let finding = gated.is(Decision::Block, FindingCode::BreaksInWindow);
    let bracket = finding.bracket.unwrap();
    assert_eq!(
        (bracket.first_fail, bracket.is_exact()),
        (at("2019-12-19T23:00:01Z"), true),
        "{}",
        gated.text
    );
    let culprit = gated.culprit(finding);
    assert_eq!(culprit.origin, Origin::Memory);
    assert_eq!(culprit.subject, "CN=apiserver-loopback-client@1545264000");
    assert_eq!(culprit.not_after, at("2019-12-19T23:00:00Z"));
    let held = finding.evidence.iter().find_map(|evidence| match evidence {
        Evidence::InMemory { exe, credential, .. } => Some((exe.as_str(), *credential)),
        _ => None,
    });
    assert_eq!(held, Some(("/loopback-one-year", culprit.fingerprint)), "{}", gated.text);
    assert!(gated.record.cases.len() <= 9, "{}", gated.text);
    let touches: Vec<Touch> = gated.verdict.coverage.entries.iter().map(|entry| entry.touch).collect();
    assert_eq!(touches, [Touch::Exercised], "{}", gated.text);
    assert!(gated.text.contains("the memory of a process: it lies in no file"), "{}", gated.text);
}

#[test]
fn one_of_three_years_is_allowed_and_the_next_edge() {
    if !can_run() {
        return;
    }
    let gated = loopback("repaired");
    assert_eq!((gated.code, gated.verdict.decision), (Some(0), Decision::Allow), "{}", gated.text);
    assert_eq!(gated.record.cases.len(), 3, "{}", gated.text);
    let next = gated.record.inventory.find(gated.verdict.next_edge.unwrap().credential).unwrap();
    assert_eq!(
        (&next.origin, next.not_after),
        (&Origin::Memory, at("2021-12-18T23:00:00Z")),
        "{}",
        gated.text
    );
}

#[test]
fn one_that_is_renewed_in_memory_is_allowed_and_the_report_says_so() {
    if !can_run() {
        return;
    }
    let gated = loopback("renewing");
    let finding = gated.is(Decision::Allow, FindingCode::RenewalNeeded);
    assert_eq!(finding.severity, Severity::Note);
    assert!(gated.record.cases.len() <= 5, "{}", gated.text);
    assert_eq!(gated.culprit(finding).origin, Origin::Memory);
}

/// OpenSSL keeps no whole certificate: what is signed of it is found, and the file in which it never lay is not missed.
const OPENSSL: &str = r#"
import http.server, os, ssl, socket, subprocess, threading
made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
    "-subj", "/CN=itself", "-addext", "subjectAltName=DNS:itself", "-days", os.environ["DAYS"], "-keyout", "-"],
    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
sealed = os.memfd_create("material")
os.write(sealed, made)
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(f"/proc/self/fd/{sealed}")
client = ssl.create_default_context(cadata=made[made.index(b"-----BEGIN CERT"):].decode())
os.close(sealed)
del made
listener = socket.create_server(("127.0.0.1", 6443))
def serve():
    while True:
        peer = listener.accept()[0]
        try:
            with server.wrap_socket(peer, server_side=True) as session:
                session.sendall(b"ok")
        except OSError:
            pass
threading.Thread(target=serve, daemon=True).start()
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with client.wrap_socket(socket.create_connection(("127.0.0.1", 6443)), server_hostname="itself") as session:
                status, said = 200, session.recv(2)
        except OSError as error:
            status, said = 503, str(error).encode()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(said)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Answer).serve_forever()
"#;

fn openssl(days: u32) -> Gated {
    let script = OPENSSL.replace('\n', "\n        ");
    gate_text(&format!(
        "notafter: 1
name: itself
start: 2030-01-01T00:00:00Z
support: 2y
candidate: web
budget: 120s
services:
  web:
    image: host
    user: nobody
    env: {{ DAYS: \"{days}\" }}
    command:
      - /usr/bin/python3
      - -c
      - |
        {script}
    ready: {{ tcp: {{ port: 8080 }}, within: 10s }}
checks:
  answers: {{ probe: {{ http: {{ url: \"http://web:8080/\" }} }}, expect: {{ works: {{ status: 200 }} }} }}
"
    ))
}

#[test]
fn what_openssl_keeps_of_one_blocks_to_the_second_and_names_it() {
    if !can_run_with(&["python3", "openssl"]) {
        return;
    }
    let gated = openssl(400);
    let finding = gated.is(Decision::Block, FindingCode::BreaksInWindow);
    let culprit = gated.culprit(finding);
    assert_eq!((culprit.subject.as_str(), &culprit.origin), ("CN=itself", &Origin::Memory), "{}", gated.text);
    assert_eq!(culprit.not_after, at("2031-02-05T00:00:00Z"));
    let bracket = finding.bracket.unwrap();
    // OpenSSL refuses in the last second already.
    assert_eq!((bracket.first_fail, bracket.is_exact()), (culprit.not_after, true), "{}", gated.text);
    assert!(gated.record.cases.len() <= 9, "{}", gated.text);
    let twin = openssl(800);
    assert_eq!((twin.code, twin.verdict.decision), (Some(0), Decision::Allow), "{}", twin.text);
}
