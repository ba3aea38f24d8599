//! Images of a registry, taken without any engine: Debian's docker-registry on loopback.

use super::check::{nodes, pair};
use super::needs::{are_installed, or_skipped};
use super::runs::can_run;
use super::scene::{Scene, shown};
use notafter_core::{
    CredentialName, CredentialSpec, GeneratedX509, ImageName, ImageRef, KeyAlgorithm, ScenarioName,
    SourceLocation, UnixTime, X509Issuer,
};
use notafter_image::{Assembly, ImageConfig, Layer, Registries, Resolver};
use notafter_pki::Pki;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const PASSWORD: &str = "hush-hush";

/// A registry, while the test lasts.
pub(super) struct Registry {
    process: Child,
    pub(super) address: String,
    scheme: &'static str,
}

impl Registry {
    /// With more lines of configuration below `auth:` and `http:`.
    pub(super) fn start(scene: &Scene, auth: &str, tls: &str) -> Self {
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let storage = scene.path().join("storage");
        let config = format!(
            "version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: \"{}\" }} }}\n{auth}\
             http:\n  addr: {address}\n{tls}",
            storage.display()
        );
        let file = scene.path().join("registry.yaml");
        fs::write(&file, config).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut registry = Self { process, address, scheme: if tls.is_empty() { "http" } else { "https" } };
        while TcpStream::connect(&registry.address).is_err() {
            assert_eq!(registry.process.try_wait().unwrap(), None, "the registry has ended");
            std::thread::yield_now();
        }
        registry
    }

    fn curl(&self, arguments: &[&str], path: &str) -> Output {
        let url = if path.contains("://") {
            path.to_owned()
        } else {
            format!("{}://{}{path}", self.scheme, self.address)
        };
        let user = format!("user:{PASSWORD}");
        let fixed = ["--silent", "--show-error", "--fail", "--insecure", "--user", &user];
        let output = Command::new("curl").args(fixed).args(arguments).arg(url).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output
    }

    /// Puts the image of an OCI layout into it; the digest of its manifest.
    pub(super) fn fill(&self, layout: &Path, repository: &str, tag: &str) -> String {
        self.fill_as(&[], layout, repository, tag)
    }

    /// The same with more arguments of curl.
    pub(super) fn fill_as(&self, who: &[String], layout: &Path, repository: &str, tag: &str) -> String {
        let who: Vec<&str> = who.iter().map(String::as_str).collect();
        let index = fs::read_to_string(layout.join("index.json")).unwrap();
        let manifest = index.split("sha256:").nth(1).unwrap()[..64].to_owned();
        for blob in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
            let path = blob.unwrap().path();
            let hex = path.file_name().unwrap().to_str().unwrap().to_owned();
            if hex == manifest {
                continue;
            }
            let begun = self.curl(
                &[
                    &who[..],
                    &["--request", "POST", "--output", "/dev/null", "--write-out", "%header{location}"],
                ]
                .concat(),
                &format!("/v2/{repository}/blobs/uploads/"),
            );
            let location = String::from_utf8(begun.stdout).unwrap();
            let data = format!("@{}", path.display());
            let kind = "Content-Type: application/octet-stream";
            let arguments =
                [&who[..], &["--request", "PUT", "--header", kind, "--data-binary", &data]].concat();
            self.curl(&arguments, &format!("{location}&digest=sha256:{hex}"));
        }
        let data = format!("@{}", layout.join("blobs/sha256").join(&manifest).display());
        let kind = "Content-Type: application/vnd.oci.image.manifest.v1+json";
        let arguments = [&who[..], &["--request", "PUT", "--header", kind, "--data-binary", &data]].concat();
        self.curl(&arguments, &format!("/v2/{repository}/manifests/{tag}"));
        format!("sha256:{manifest}")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// Whether this machine has a registry, and what fills one.
pub(super) fn are_there() -> bool {
    let new_enough = Command::new("curl").arg("--version").output().is_ok_and(|output| {
        // `%header{}` came with 7.84.
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
        (numbers.next(), numbers.next()) >= (Some(7), Some(84))
    });
    are_installed(&["docker-registry", "htpasswd"]) && or_skipped(new_enough, "curl 7.84 or newer")
}

/// A command whose files and credentials are its own, and that finds no engine.
fn command(scene: &Scene, arguments: &[&str]) -> Command {
    let mut command = scene.command(arguments);
    let variables = ["REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"];
    for variable in variables.into_iter().chain(["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"]) {
        command.env_remove(variable);
    }
    command
        .env("HOME", scene.path())
        .env("XDG_CACHE_HOME", scene.path().join("cache"))
        .env("DOCKER_CONFIG", scene.path().join("docker"))
        .env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    command
}

fn run(scene: &Scene, arguments: &[&str]) -> (Option<i32>, String) {
    run_with(scene, &[], arguments)
}

/// With these variables.
pub(super) fn run_with(
    scene: &Scene,
    variables: &[(&str, &str)],
    arguments: &[&str],
) -> (Option<i32>, String) {
    let output = command(scene, arguments).envs(variables.iter().copied()).output().unwrap();
    (output.status.code(), shown(&output).split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The layout in the archive `file`.
fn unpacked(scene: &Scene, file: &str) -> std::path::PathBuf {
    let layout = scene.path().join(format!("{file}.layout"));
    fs::create_dir(&layout).unwrap();
    let arguments = ["-xf", file, "-C", layout.to_str().unwrap()];
    let done = Command::new("tar").args(arguments).current_dir(scene.path()).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    layout
}

/// The layout of an image that holds a certificate.
pub(super) fn with_certificate(scene: &Scene) -> std::path::PathBuf {
    let layout = scene.path().join("layout");
    let (certificate, _) = pair("core", UnixTime::parse("2049-01-01T00:00:00Z").unwrap());
    let mut layer = Layer::new().unwrap();
    layer.file("/etc/core.pem", certificate.as_bytes(), 0o644, (0, 0)).unwrap();
    Assembly::new(ImageConfig::default()).layer(layer).write_layout(None, &layout).unwrap();
    layout
}

const THEN: [&str; 4] = ["--start", "2018-11-01T00:00:00Z", "--support", "90d"];

#[test]
fn an_image_of_a_registry_is_checked_and_scanned_without_any_engine() {
    if !can_run() || !are_there() {
        return;
    }
    let scene = Scene::new();
    nodes(&scene, &["sgsn-mme-1-14"]);
    let registry = Registry::start(&scene, "", "");
    let digest = registry.fill(&unpacked(&scene, "sgsn-mme-1-14.tar"), "team/sgsn", "1.14");
    let plain = format!("{}/team/sgsn:1.14", registry.address);
    let by_transport = format!("docker://{plain}");
    for (target, told) in [
        (&by_transport, format!("{by_transport} is {digest} of the registry {}", registry.address)),
        (&plain, "which was asked because no container engine answers at".to_owned()),
    ] {
        let arguments = [&["check", target.as_str(), "--report", "json=record.json"][..], &THEN].concat();
        let (code, text) = run(&scene, &arguments);
        assert_eq!(code, Some(1), "{text}");
        for part in ["breaks on 2018-12-06T04:30:00Z", &told, &digest] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        let record = fs::read_to_string(scene.path().join("record.json")).unwrap();
        assert!(record.contains(&digest) && record.contains("of the registry 127.0.0.1:"));
    }
    let (code, text) = run(&scene, &["scan", &by_transport, "--fail-before", "2019-01-01"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("2018-12-06T04:29:59Z") && text.contains("CN=core"), "{text}");
    let (code, text) = run(&scene, &["check", &format!("docker://{}/team/sgsn:2", registry.address)]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("it has no image team/sgsn:2"), "{text}");
    // What was pulled is here, whoever is gone; a tag must be asked for.
    let (address, by_digest) = (registry.address.clone(), format!("docker://{plain}@{digest}"));
    drop(registry);
    let (code, text) = run(&scene, &[&["check", by_digest.as_str(), "--quiet"][..], &THEN].concat());
    assert_eq!(code, Some(1), "{text}");
    let (code, text) = run(&scene, &[&["check", by_transport.as_str()][..], &THEN].concat());
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains(&format!("connect to {address}")), "{text}");
}

#[test]
fn a_registry_with_passwords_is_asked_with_those_of_docker() {
    if !are_there() {
        return;
    }
    let scene = Scene::new();
    let hashed = Command::new("htpasswd").args(["-Bbn", "user", PASSWORD]).output().unwrap();
    fs::write(scene.path().join("passwords"), hashed.stdout).unwrap();
    let passwords = scene.path().join("passwords");
    let auth = format!("auth: {{ htpasswd: {{ realm: here, path: \"{}\" }} }}\n", passwords.display());
    let registry = Registry::start(&scene, &auth, "");
    registry.fill(&with_certificate(&scene), "team/sgsn", "1.14");
    let target = format!("docker://{}/team/sgsn:1.14", registry.address);
    let (code, text) = run(&scene, &["scan", &target]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("it answers 401 to no credentials: there is no file of them"), "{text}");
    fs::create_dir(scene.path().join("docker")).unwrap();
    let known = |auth: &str| {
        let text = format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, registry.address);
        fs::write(scene.path().join("docker/config.json"), text).unwrap();
    };
    // `user:wrong-word`.
    known("dXNlcjp3cm9uZy13b3Jk");
    let (code, text) = run(&scene, &["scan", &target]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("answers 401 to the credentials of") && text.contains("config.json"), "{text}");
    assert!(!text.contains("wrong-word") && !text.contains("dXNlcjp3"), "{text}");
    // `user:hush-hush`.
    known("dXNlcjpodXNoLWh1c2g=");
    let (code, text) = run(&scene, &["scan", &target]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("CN=core") && !text.contains(PASSWORD), "{text}");
}

/// An authority of its own for a registry on loopback, and what it serves: paths of certificate, chain and key.
pub(super) fn identity(scene: &Scene) {
    let [ca, leaf] = ["ca", "leaf"].map(|name| CredentialName::new(name).unwrap());
    let made = |name: &CredentialName, issuer, ip: &[&str]| CredentialSpec {
        name: name.clone(),
        x509: GeneratedX509 {
            subject: format!("CN={name}"),
            issuer,
            cross_signs: None,
            dns: vec!["registry.test".to_owned()],
            ip: ip.iter().map(|ip| ip.parse().unwrap()).collect(),
            usage: Vec::new(),
            key: KeyAlgorithm::P256,
            not_before: UnixTime::parse("2016-01-01T00:00:00Z").unwrap(),
            not_after: UnixTime::parse("2049-01-01T00:00:00Z").unwrap(),
        },
        location: SourceLocation { file: "test".to_owned(), line: 1, column: 1 },
    };
    let specs =
        [made(&ca, X509Issuer::Root, &[]), made(&leaf, X509Issuer::IssuedBy(ca.clone()), &["127.0.0.1"])];
    let pki = Pki::generate(&ScenarioName::new("test").unwrap(), &specs).unwrap();
    let (root, served) = (pki.issued(&ca).unwrap(), pki.issued(&leaf).unwrap());
    fs::write(scene.path().join("root.crt"), root.certificate_pem()).unwrap();
    fs::write(scene.path().join("tls.pem"), served.certificate_pem()).unwrap();
    fs::write(scene.path().join("tls.key"), served.key().to_pem().as_bytes()).unwrap();
}

#[test]
fn a_registry_with_a_root_of_its_own_is_asked_with_tls() {
    if !are_there() {
        return;
    }
    let scene = Scene::new();
    identity(&scene);
    let path = |name: &str| scene.path().join(name);
    let tls = format!(
        "  tls: {{ certificate: \"{}\", key: \"{}\" }}\n",
        path("tls.pem").display(),
        path("tls.key").display()
    );
    let registry = Registry::start(&scene, "", &tls);
    registry.fill(&with_certificate(&scene), "team/sgsn", "1.14");
    let own = path("certs.d").join(&registry.address);
    fs::create_dir_all(&own).unwrap();
    let reference = ImageRef::Docker(ImageName::new(format!("{}/team/sgsn:1.14", registry.address)).unwrap());
    let pull = |clock: fn() -> UnixTime| {
        let certs = path("certs.d");
        let registries = Registries::with_files(clock, &[], &[], &[&certs]);
        let resolver = Resolver::with_cache(path("cache")).with_registries(registries);
        resolver.resolve(scene.path(), std::slice::from_ref(&reference), &mut |_| ())
    };
    let now = || UnixTime::clamped(1_900_000_000);
    // Plain HTTP is no answer to one that wants TLS.
    pull(now).unwrap_err();
    fs::copy(path("root.crt"), own.join("ca.crt")).unwrap();
    pull(now).unwrap();
    // Another's root, and a certificate that has ended.
    let cause = |error: notafter_image::Error| {
        let mut text = String::new();
        let mut next: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = next {
            text.push_str(&format!("{error}; "));
            next = error.source();
        }
        text
    };
    let ended = cause(pull(|| UnixTime::parse("2049-01-01T00:00:01Z").unwrap()).unwrap_err());
    assert!(ended.contains("certificate expired"), "{ended}");
    fs::remove_file(own.join("ca.crt")).unwrap();
    identity(&scene);
    fs::copy(path("root.crt"), own.join("ca.crt")).unwrap();
    let foreign = cause(pull(now).unwrap_err());
    assert!(foreign.contains("invalid peer certificate"), "{foreign}");
}
