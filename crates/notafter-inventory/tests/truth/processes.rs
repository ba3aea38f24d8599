//! Certificates in the memory of processes of several libraries, which load them and then wait.

use crate::{made, made_with};
use notafter_core::{Container, Inventory, ServiceName};
use notafter_inventory::{ScanOptions, scan_process, scan_tree};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A process that ends with the test.
struct Running(Child);

impl Running {
    /// Starts a program and waits until it has printed a line.
    fn start(program: &str, arguments: &[&str], directory: &Path) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(directory);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "{program} ended");
        Self(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

const PAIR: &str =
    "openssl req -x509 -nodes -newkey rsa:2048 -subj /CN=loaded -days 9 -keyout key.pem -out cert.pem
    openssl req -x509 -nodes -newkey rsa:2048 -subj /CN=unused -days 9 -keyout other.key -out other.pem";

fn looked_at(program: &str, arguments: &[&str]) -> Option<Inventory> {
    let directory: TempDir = tempfile::tempdir().unwrap();
    if !made("openssl", PAIR, directory.path()) || !made_with(program) {
        return None;
    }
    let service = ServiceName::new("node").unwrap();
    let running = Running::start(program, arguments, directory.path());
    // The files went away: nothing but its memory tells.
    let known = scan_tree(directory.path(), &service, &ScanOptions::default()).unwrap();
    for file in ["cert.pem", "key.pem"] {
        std::fs::remove_file(directory.path().join(file)).unwrap();
    }
    Some(scan_process(running.0.id(), known, &service, &ScanOptions::default()).unwrap())
}

fn in_memory(container: Container) -> bool {
    matches!(container, Container::Memory | Container::MemoryBody)
}

/// Says that the certificate is known to be loaded, and the other one is not.
#[track_caller]
fn assert_loaded(inventory: &Inventory) {
    let loaded = |subject: &str| {
        let known = inventory.credentials.iter().find(|known| known.subject == subject).unwrap();
        assert!(known.places.iter().any(|place| place.container == Container::Pem), "{known:?}");
        known.places.iter().any(|place| in_memory(place.container))
    };
    assert!(loaded("CN=loaded"));
    assert!(!loaded("CN=unused"));
    assert_eq!(inventory.credentials.iter().filter(|known| known.subject == "CN=loaded").count(), 1);
}

#[test]
fn python_is_seen_to_have_loaded_a_certificate() {
    let script = "import ssl, sys, gc
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain('cert.pem', 'key.pem'); gc.collect()
print('ready', flush=True); sys.stdin.read()";
    if let Some(inventory) = looked_at("python3", &["-c", script]) {
        assert_loaded(&inventory);
    }
}

#[test]
fn node_is_seen_to_have_loaded_a_certificate() {
    let script = "const fs = require('fs'), tls = require('tls');
tls.createServer({cert: fs.readFileSync('cert.pem'), key: fs.readFileSync('key.pem')}).listen(0, '127.0.0.1',
    () => console.log('ready'));";
    if let Some(inventory) = looked_at("node", &["-e", script]) {
        assert_loaded(&inventory);
    }
}

#[test]
fn openssl_is_seen_to_have_loaded_a_certificate() {
    let arguments = ["s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-key", "key.pem"];
    if let Some(inventory) = looked_at("openssl", &arguments) {
        assert_loaded(&inventory);
    }
}

#[test]
fn java_is_seen_to_have_loaded_a_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let program = "import java.io.*; import java.security.cert.*;
public class Holds { public static void main(String[] a) throws Exception {
  Certificate held;
  try (InputStream in = new FileInputStream(\"cert.pem\")) {
    held = CertificateFactory.getInstance(\"X.509\").generateCertificate(in);
  }
  System.out.println(\"ready\"); System.in.read(); System.out.println(held.hashCode());
} }";
    let source = directory.path().join("Holds.java");
    std::fs::write(&source, program).unwrap();
    if !made_with("javac") {
        return;
    }
    if let Some(inventory) = looked_at("java", &["-Xmx64m", source.to_str().unwrap()]) {
        assert_loaded(&inventory);
    }
}

#[test]
fn gnutls_is_seen_to_have_loaded_a_certificate() {
    let script = "import ctypes as c, sys
g = c.CDLL('libgnutls.so.30'); held = c.c_void_p(); g.gnutls_global_init()
g.gnutls_certificate_allocate_credentials(c.byref(held))
assert g.gnutls_certificate_set_x509_key_file(held, b'cert.pem', b'key.pem', 1) >= 0
print('ready', flush=True); sys.stdin.read()";
    if has_library("libgnutls.so.30")
        && let Some(inventory) = looked_at("python3", &["-c", script])
    {
        assert_loaded(&inventory);
    }
}

/// Memory that Python gave back may still show what it read, so the file is read by a mapping of its own.
#[test]
fn nss_is_seen_to_have_loaded_a_certificate() {
    let script = "import ctypes as c, mmap, os, sys
n, s = c.CDLL('libnss3.so'), c.CDLL('libsmime3.so')
s.CERT_DecodeCertFromPackage.restype = c.c_void_p
assert n.NSS_NoDB_Init(None) == 0
size = os.path.getsize('cert.pem')
text = mmap.mmap(os.open('cert.pem', os.O_RDONLY), size, access=mmap.ACCESS_COPY)
shown = (c.c_char * size).from_buffer(text)
held = s.CERT_DecodeCertFromPackage(shown, size); assert held
del shown; text.close()
print('ready', flush=True); sys.stdin.read()";
    if has_library("libnss3.so")
        && let Some(inventory) = looked_at("python3", &["-c", script])
    {
        assert_loaded(&inventory);
    }
}

/// Whether the loader finds a library, which the environment may require.
fn has_library(name: &str) -> bool {
    let script = format!("import ctypes; ctypes.CDLL('{name}')");
    let loads = Command::new("python3").args(["-c", &script]).stderr(Stdio::null()).status();
    if loads.is_ok_and(|status| status.success()) {
        return true;
    }
    let required = std::env::var("NOTAFTER_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(!required, "{name} is required and missing");
    false
}

#[test]
fn go_is_seen_to_have_loaded_a_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let source = "package main
import (\"crypto/tls\"; \"fmt\"; \"os\"; \"runtime\")
func main() {
    held, err := tls.LoadX509KeyPair(\"cert.pem\", \"key.pem\")
    if err != nil { panic(err) }
    runtime.GC()
    fmt.Println(\"ready\")
    os.Stdin.Read(make([]byte, 1))
    runtime.KeepAlive(held)
}";
    std::fs::write(directory.path().join("holds.go"), source).unwrap();
    if !made("go", "GOCACHE=${GOCACHE:-$PWD/cache} go build -o holds holds.go", directory.path()) {
        return;
    }
    let program = directory.path().join("holds");
    if let Some(inventory) = looked_at(program.to_str().unwrap(), &[]) {
        assert_loaded(&inventory);
    }
}

#[test]
fn a_certificate_that_only_exists_in_memory_is_found_there() {
    let script = "import ssl, subprocess, sys
made = subprocess.run(['openssl', 'req', '-x509', '-nodes', '-newkey', 'ed25519', '-subj', '/CN=in memory',
    '-days', '9', '-keyout', '/dev/null', '-outform', 'DER'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
print('ready', flush=True); sys.stdin.read()";
    if let Some(inventory) = looked_at("python3", &["-c", script]) {
        let found = inventory.credentials.iter().find(|known| known.subject == "CN=in memory").unwrap();
        assert!(found.places.iter().all(|place| in_memory(place.container)), "{found:?}");
    }
}

/// Environment and arguments are told by their names.
#[test]
fn what_a_process_was_given_is_looked_into() {
    // {"alg":"HS256"}, {"iss":"a"}, and what has the length of a signature.
    let token = format!("eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhIn0.{}", "a".repeat(43));
    let (variable, argument) = (format!("API_TOKEN={token}"), format!("--token={token}"));
    let script = "echo ready; read wait";
    let arguments = [&variable, "sh", "-c", script, "name", &argument];
    if let Some(inventory) = looked_at("env", &arguments) {
        let [found] =
            &inventory.credentials.iter().filter(|it| it.subject == "JWT iss=a").collect::<Vec<_>>()[..]
        else {
            panic!("{inventory:?}")
        };
        let ends = |end: &str| found.places.iter().any(|place| place.path.ends_with(end));
        assert!(ends("/environ: API_TOKEN") && ends("/cmdline: argument 4"), "{:?}", found.places);
        assert!(!format!("{inventory:?}").contains(&token), "a token is a secret");
    }
}

#[test]
fn a_process_that_is_not_there_is_an_error() {
    let service = ServiceName::new("node").unwrap();
    let gone = scan_process(u32::MAX, Inventory::default(), &service, &ScanOptions::default());
    assert_eq!(gone.unwrap_err().to_string(), "cannot read the memory of process 4294967295");
}
