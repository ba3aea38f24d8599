//! `notafter check`: verdicts about programs that nobody has written a scenario for.

use super::docker::can_use_engine;
use super::needs::{can_run_with, repository};
use super::runs::can_run;
use super::scene::{Scene, shown};
use notafter_core::{
    CredentialName, CredentialSpec, GeneratedX509, ImageRef, KeyAlgorithm, ScenarioName, SourceLocation,
    UnixTime, X509Issuer,
};
use notafter_image::{Assembly, ImageConfig, Layer, Resolver};
use notafter_pki::Pki;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

/// PEM of a certificate that signs itself and of its key.
pub(super) fn pair(name: &str, not_after: UnixTime) -> (String, String) {
    let label = CredentialName::new("made").unwrap();
    let x509 = GeneratedX509 {
        subject: format!("CN={name}"),
        issuer: X509Issuer::SelfSigned,
        cross_signs: None,
        dns: vec![name.to_owned()],
        ip: Vec::new(),
        usage: Vec::new(),
        key: KeyAlgorithm::P256,
        not_before: UnixTime::parse("2016-01-01T00:00:00Z").unwrap(),
        not_after,
    };
    let location = SourceLocation { file: "test".to_owned(), line: 1, column: 1 };
    let spec = CredentialSpec { name: label.clone(), x509, location };
    let pki = Pki::generate(&ScenarioName::new("test").unwrap(), &[spec]).unwrap();
    let issued = pki.issued(&label).unwrap();
    (issued.certificate_pem().to_owned(), issued.key().to_pem().to_string())
}

fn run(scene: &Scene, arguments: &[&str]) -> (Option<i32>, String) {
    let cache = scene.path().join("cache");
    let output = scene.command(arguments).env("XDG_CACHE_HOME", cache).output().unwrap();
    (output.status.code(), shown(&output))
}

/// Builds of the node of 2018 as images, each in a file by its name, with the files that they need.
pub(super) fn nodes(scene: &Scene, bins: &[&str]) {
    let reference =
        |bin: &&str| ImageRef::Cargo { package: "o2-fixtures".to_owned(), bin: (*bin).to_owned() };
    let references: Vec<ImageRef> = bins.iter().map(reference).collect();
    let built = Resolver::with_cache(scene.path().join("unused"))
        .resolve(&repository(), &references, &mut |_| ())
        .unwrap();
    let (certificate, key) = pair("core", UnixTime::parse("2049-01-01T00:00:00Z").unwrap());
    for (bin, image) in bins.iter().zip(&built) {
        let mut layer = Layer::new().unwrap();
        layer.file("/node", &fs::read(&image.binds[0].source).unwrap(), 0o755, (0, 0)).unwrap();
        for (path, text) in [("ca.pem", &certificate), ("tls.pem", &certificate), ("tls.key", &key)] {
            layer.file(&format!("/etc/node/{path}"), text.as_bytes(), 0o644, (0, 0)).unwrap();
        }
        let entrypoint = vec!["/node".to_owned()];
        let config = ImageConfig { entrypoint, ports: vec![2123], ..ImageConfig::default() };
        let archive = File::create(scene.path().join(format!("{bin}.tar"))).unwrap();
        Assembly::new(config).layer(layer).write_archive(Some(&format!("{bin}:latest")), archive).unwrap();
    }
}

#[test]
fn builds_of_2018_are_told_apart_without_a_scenario() {
    if !can_run() {
        return;
    }
    let scene = Scene::new();
    nodes(&scene, &["sgsn-mme-1-14", "sgsn-mme-1-15-1", "sgsn-mme-1-16"]);
    let then = ["--start", "2018-11-01T00:00:00Z", "--quiet"];
    let block = "breaks on 2018-12-06T04:30:00Z, 35 d 4 h after start";
    let doubt = "ends at 2018-12-06T04:29:59Z, and no check shows what that does";
    for (bin, code, telling) in [
        ("sgsn-mme-1-14", 1, block),
        ("sgsn-mme-1-15-1", 0, "passes every check through"),
        ("sgsn-mme-1-16", 3, doubt),
    ] {
        let (image, saved) = (format!("{bin}.tar"), format!("{bin}.yaml"));
        let save = ["check", &image, "--save", &saved];
        for arguments in [[&save[..], &then].concat(), vec!["gate", saved.as_str(), "--quiet"]] {
            let (ended, text) = run(&scene, &arguments);
            assert_eq!(ended, Some(code), "{arguments:?}: {text}");
            // A report for people is wrapped.
            let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(flat.contains(telling), "{arguments:?}: {text}");
        }
    }
    // Today it does not even start.
    let (code, text) = run(&scene, &["check", "docker-archive:sgsn-mme-1-14.tar", "--quiet"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("is broken already, since 2018-12-06T04:30:00Z"), "{text}");
    assert!(text.contains("check it with `--save FILE`"), "{text}");
    let (code, text) = run(&scene, &["check", "sgsn-mme-1-14.tar", "--save", "sgsn-mme-1-14.yaml"]);
    assert_eq!(code, Some(2), "{text}");
}

/// Puts `program` and what it is linked with into a root tree.
pub(super) fn put_into(tree: &Path, program: &str) {
    let linked = Command::new("ldd").arg(program).output().unwrap();
    let linked = String::from_utf8(linked.stdout).unwrap();
    let libraries = linked.split_whitespace().filter(|word| word.starts_with('/'));
    for file in libraries.chain([program]) {
        let place = tree.join(file.trim_start_matches('/'));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(file, place).unwrap();
    }
}

/// A root tree for nginx.
fn tree_of(program: &str, tree: &Path) {
    put_into(tree, program);
    for directory in ["etc", "tmp", "var/log/nginx", "var/lib/nginx", "run"] {
        fs::create_dir_all(tree.join(directory)).unwrap();
    }
    fs::write(tree.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
        .unwrap();
    fs::write(tree.join("etc/group"), "root:x:0:\nnogroup:x:65534:\n").unwrap();
}

const SITE: &str = "daemon off; worker_processes 1; error_log stderr; pid /tmp/nginx.pid; events {}
http {
  access_log off;
  server { listen 8443 ssl; ssl_certificate /etc/site.pem; ssl_certificate_key /etc/site.key; return 200 ok; }
  server { listen 8080; return 301 https://shop.example/; }
}
";

#[test]
fn a_site_is_blocked_for_its_certificate_and_allowed_with_a_longer_one() {
    let Some(nginx) = ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter().find(|path| Path::new(path).exists())
    else {
        assert!(!can_run_with(&["nginx"]));
        return;
    };
    if !can_run_with(&["nginx"]) {
        return;
    }
    let scene = Scene::new();
    let tree = scene.path().join("site");
    tree_of(nginx, &tree);
    fs::write(tree.join("etc/site.conf"), SITE).unwrap();
    let backend = if can_use_engine() { "docker" } else { "embedded" };
    for (until, code, telling) in [
        ("2030-04-01T00:00:00Z", 1, "breaks on 2030-04-01T00:00:01Z"),
        ("2040-01-01T00:00:00Z", 0, "site passes every check"),
    ] {
        let (certificate, key) = pair("shop.example", UnixTime::parse(until).unwrap());
        fs::write(tree.join("etc/site.pem"), certificate).unwrap();
        fs::write(tree.join("etc/site.key"), key).unwrap();
        let saved = format!("{code}.yaml");
        let check = ["check", "site", "--start", "2030-01-01T00:00:00Z", "--save", &saved, "--"];
        let (ended, text) = run(&scene, &[&check[..], &[nginx, "-c", "/etc/site.conf"]].concat());
        assert_eq!(ended, Some(code), "{text}");
        for part in
            [telling, "port-8080 (http): it answered 301", "port-8443 (https): it answered 200 over TLS"]
        {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        // What was written asks the same in containers.
        let (ended, text) = run(&scene, &["gate", &saved, "--quiet", "--backend", backend]);
        assert_eq!(ended, Some(code), "{text}");
    }
}

#[test]
fn what_cannot_be_checked_is_a_usage_error_with_the_way_out() {
    let scene = Scene::with("notes.txt", "nothing to run\n");
    for (target, telling) in [
        ("Nginx:1.27", "no image is called so"),
        ("notes.txt", "it is no program"),
        (".", "give the command after `--`"),
    ] {
        let (code, text) = run(&scene, &["check", target]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(telling), "{text}");
    }
}

#[test]
fn init_writes_a_scenario_that_plan_takes_and_never_overwrites() {
    let scene = Scene::new();
    let (code, text) = run(&scene, &["init"]);
    assert_eq!(code, Some(2), "{text}");
    fs::write(scene.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    fs::create_dir(scene.path().join("certs")).unwrap();
    let soon = UnixTime::parse("2020-01-01T00:00:00Z").unwrap();
    fs::write(scene.path().join("certs/site.pem"), pair("shop.example", soon).0).unwrap();
    let (code, text) = run(&scene, &["init"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("Dockerfile builds an image: `docker build -t NAME .`"), "{text}");

    fs::create_dir(scene.path().join("out")).unwrap();
    let entrypoint = vec!["/shop".to_owned()];
    let config = ImageConfig { entrypoint, ..ImageConfig::default() };
    let archive = File::create(scene.path().join("out/Shop.v2.tar")).unwrap();
    Assembly::new(config).layer(Layer::new().unwrap()).write_archive(None, archive).unwrap();
    let (code, text) = run(&scene, &["init", "."]);
    assert_eq!(code, Some(0), "{text}");
    let written = fs::read_to_string(scene.path().join("scenario.yaml")).unwrap();
    for part in [
        "image: \"docker-archive:out/Shop.v2.tar\"",
        "candidate: \"shop\"",
        "# Note: CN=shop.example in certs/site.pem ends at 2020-01-01T00:00:00Z",
        "# Note: Dockerfile builds an image",
        "\n# yaml-language-server: $schema=notafter.schema.json\n",
    ] {
        assert!(written.contains(part), "{part:?} is not in\n{written}");
    }
    let (code, text) = run(&scene, &["plan", "scenario.yaml"]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = run(&scene, &["init"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("scenario.yaml is there already, and is not overwritten"), "{text}");
    assert_eq!(fs::read_to_string(scene.path().join("scenario.yaml")).unwrap(), written);
}

#[test]
fn init_takes_a_binary_that_cargo_builds() {
    let scene =
        Scene::with("Cargo.toml", "[package]\nname = \"lone-shop\"\nedition = \"2021\"\n[workspace]\n");
    fs::create_dir(scene.path().join("src")).unwrap();
    fs::write(scene.path().join("src/main.rs"), "fn main() {}\n").unwrap();
    let (code, text) = run(&scene, &["init"]);
    assert_eq!(code, Some(0), "{text}");
    let written = fs::read_to_string(scene.path().join("scenario.yaml")).unwrap();
    assert!(written.contains("image: \"cargo:lone-shop/lone-shop\""), "{written}");
}
