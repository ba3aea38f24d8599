//! Ways to registries: by proxies, and with a client certificate.

use super::needs::are_installed;
use super::registry::{Registry, are_there, identity, run_with, with_certificate};
use super::scene::Scene;
use notafter_core::{ImageName, ImageRef, UnixTime};
use notafter_image::{Registries, Resolver};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// The name by which only the proxy knows the registry.
const NAME: &str = "registry.test:5000";
/// `user:hush hush!`, and how it is shown.
const LOGIN: &str = "user:hush%20hush%21";
const SHOWN: &str = "Proxy-Authorization: Basic dXNlcjpodXNoIGh1c2gh";

/// A proxy that leads to one registry, whoever is asked for, and notes what it hears.
struct Proxy {
    address: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(registry: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (noted, registry) = (Arc::clone(&heard), registry.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (noted, registry) = (Arc::clone(&noted), registry.clone());
                std::thread::spawn(move || carry(client, &registry, &noted));
            }
        });
        Self { address, heard }
    }

    /// What was heard since the last time.
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

fn carry(client: TcpStream, registry: &str, heard: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(client.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if lines.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    heard.lock().unwrap().push(head.lines().next().unwrap().to_owned());
    let mut client = client;
    if !head.contains(SHOWN) {
        _ = client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let mut server = TcpStream::connect(registry).unwrap();
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
    let (mut to_client, mut from_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        _ = std::io::copy(&mut from_server, &mut to_client);
        _ = to_client.shutdown(Shutdown::Write);
    });
    _ = std::io::copy(&mut lines, &mut server);
    _ = server.shutdown(Shutdown::Write);
}

/// TLS before a proxy.
const TERMINATOR: &str = "
import socket, ssl, sys, threading
certificate, key, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
listener = socket.create_server(('127.0.0.1', 0))
print(listener.getsockname()[1], flush=True)
def copy(source, target):
    try:
        while (data := source.recv(65536)):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
while True:
    try:
        near = context.wrap_socket(listener.accept()[0], server_side=True)
    except OSError:
        continue
    far = socket.create_connection(('127.0.0.1', port))
    for pair in ((near, far), (far, near)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
";

struct Terminator {
    process: Child,
    port: String,
}

impl Terminator {
    fn start(scene: &Scene, proxy: &Proxy) -> Self {
        let port = proxy.address.rsplit(':').next().unwrap();
        let mut process = Command::new("/usr/bin/python3")
            .args(["-c", TERMINATOR])
            .args([scene.path().join("tls.pem"), scene.path().join("tls.key")])
            .arg(port)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { process, port: port.trim().to_owned() }
    }
}

impl Drop for Terminator {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

fn with_tls(scene: &Scene, more: &str) -> Registry {
    let path = |name: &str| scene.path().join(name).display().to_string();
    let tls =
        format!("  tls: {{ certificate: \"{}\", key: \"{}\"{more} }}\n", path("tls.pem"), path("tls.key"));
    Registry::start(scene, "", &tls)
}

#[test]
fn a_registry_that_only_a_proxy_knows_is_asked_by_way_of_it() {
    if !are_there() || !are_installed(&["python3"]) {
        return;
    }
    let scene = Scene::new();
    identity(&scene);
    let registry = with_tls(&scene, "");
    registry.fill(&with_certificate(&scene), "team/sgsn", "1.14");
    let proxy = Proxy::start(&registry.address);
    let terminator = Terminator::start(&scene, &proxy);
    let target = format!("docker://{NAME}/team/sgsn:1.14");
    let roots = scene.path().join("root.crt").display().to_string();
    let scan = |variables: &[(&str, &str)]| {
        // Nothing of it is here from the last time.
        _ = fs::remove_dir_all(scene.path().join("cache"));
        run_with(&scene, &[&[("SSL_CERT_FILE", roots.as_str())], variables].concat(), &["scan", &target])
    };
    let asked = format!("CONNECT {NAME} HTTP/1.1");
    let (plain, secured) = (
        format!("http://{LOGIN}@{}", proxy.address),
        format!("https://{LOGIN}@127.0.0.1:{}", terminator.port),
    );
    for variables in
        [&[("HTTPS_PROXY", plain.as_str())], &[("https_proxy", &plain)], &[("HTTPS_PROXY", &secured)]]
    {
        let (code, text) = scan(variables);
        assert_eq!(code, Some(0), "{variables:?}: {text}");
        assert!(text.contains("CN=core"), "{text}");
        let heard = proxy.heard();
        assert!(!heard.is_empty() && heard.iter().all(|line| *line == asked), "{heard:?}");
    }
    // Nobody else knows the name, and the login is in no message.
    let nobody = format!("http://{}", proxy.address);
    let wrong = format!("http://user:wrong-word@{}", proxy.address);
    for (variables, telling, is_asked) in [
        (&[][..], format!("connect to {NAME}"), false),
        (&[("HTTP_PROXY", plain.as_str())], format!("connect to {NAME}"), false),
        (
            &[("HTTPS_PROXY", &plain), ("NO_PROXY", "other.test,.registry.test, registry.test")],
            format!("connect to {NAME}"),
            false,
        ),
        (&[("HTTPS_PROXY", &nobody)], format!("the proxy {} wants a login", proxy.address), true),
        (
            &[("HTTPS_PROXY", &wrong)],
            "does not take the login that the environment has for it (407)".to_owned(),
            true,
        ),
        (&[("HTTPS_PROXY", "http://127.0.0.1:1")], "connect to the proxy 127.0.0.1:1".to_owned(), false),
        (&[("HTTPS_PROXY", "socks5://127.0.0.1:1")], "HTTPS_PROXY names none".to_owned(), false),
    ] {
        let (code, text) = scan(variables);
        assert_eq!(code, Some(3), "{variables:?}: {text}");
        assert!(text.contains(&telling), "{variables:?}: {text}");
        assert!(!text.contains("hush") && !text.contains("wrong-word"), "{text}");
        assert_eq!(!proxy.heard().is_empty(), is_asked, "{variables:?}");
    }
    // A proxy that the certificate is not for cannot listen.
    let foreign = Scene::new();
    identity(&foreign);
    let elsewhere = Terminator::start(&foreign, &proxy);
    let (code, text) = scan(&[("HTTPS_PROXY", &format!("https://{LOGIN}@127.0.0.1:{}", elsewhere.port))]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("invalid peer certificate"), "{text}");
    assert!(proxy.heard().is_empty());
}

#[test]
fn a_registry_that_wants_a_client_certificate_is_shown_the_one_it_has_here() {
    if !are_there() {
        return;
    }
    let scene = Scene::new();
    identity(&scene);
    let path = |name: &str| scene.path().join(name);
    // It is filled by whom it knows.
    let registry = with_tls(&scene, &format!(", clientcas: [ \"{}\" ]", path("root.crt").display()));
    let known = ["--cert", path("tls.pem").to_str().unwrap(), "--key", path("tls.key").to_str().unwrap()]
        .map(str::to_owned);
    registry.fill_as(&known, &with_certificate(&scene), "team/sgsn", "1.14");
    let own = path("certs.d").join(&registry.address);
    fs::create_dir_all(&own).unwrap();
    fs::copy(path("root.crt"), own.join("ca.crt")).unwrap();
    let reference = ImageRef::Docker(ImageName::new(format!("{}/team/sgsn:1.14", registry.address)).unwrap());
    let pull = || {
        let certs = path("certs.d");
        let registries = Registries::with_files(|| UnixTime::clamped(1_900_000_000), &[], &[], &[&certs]);
        let resolver = Resolver::with_cache(path("cache")).with_registries(registries);
        let pulled = resolver.resolve(scene.path(), std::slice::from_ref(&reference), &mut |_| ());
        pulled.map(|_| ()).map_err(|error| {
            let causes =
                std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
        })
    };
    let refusal = pull().unwrap_err();
    assert!(refusal.contains("alert: "), "{refusal}");
    fs::copy(path("tls.pem"), own.join("client.cert")).unwrap();
    let half = pull().unwrap_err();
    assert!(half.contains("client.cert") && half.contains("client.key"), "{half}");
    // Somebody else's.
    let foreign = Scene::new();
    identity(&foreign);
    fs::copy(foreign.path().join("tls.pem"), own.join("client.cert")).unwrap();
    fs::copy(foreign.path().join("tls.key"), own.join("client.key")).unwrap();
    let unknown = pull().unwrap_err();
    assert!(unknown.contains("alert"), "{unknown}");
    fs::copy(path("tls.pem"), own.join("client.cert")).unwrap();
    let mixed = pull().unwrap_err();
    assert!(mixed.contains("do not go together"), "{mixed}");
    fs::copy(path("tls.key"), own.join("client.key")).unwrap();
    pull().unwrap();
    fs::copy(path("tls.pem"), own.join("other.cert")).unwrap();
    let many = pull().unwrap_err();
    assert!(many.contains("one of them has to be chosen"), "{many}");
}
