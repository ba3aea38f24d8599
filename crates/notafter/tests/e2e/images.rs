//! Gates of images that the tests put together themselves, with layers and a configuration.

use super::at;
use super::docker::can_use_engine;
use super::needs::{are_installed, or_skipped, repository};
use super::runs::can_run;
use super::scene::{Scene, shown};
use notafter_core::ImageRef;
use notafter_image::{Assembly, Compression, HealthCheck, Identity, ImageConfig, Layer, Resolver};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const O2: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/o2-ericsson-2018");

/// The scenario of the outage with every build as an image: `BIN.tar`, by two transports in turn.
fn o2_as_images(scene: &Scene, bins: &[&str]) {
    let reference =
        |bin: &&str| ImageRef::Cargo { package: "o2-fixtures".to_owned(), bin: (*bin).to_owned() };
    let references: Vec<ImageRef> = bins.iter().map(reference).collect();
    let built = Resolver::with_cache(scene.path().join("unused"))
        .resolve(Path::new(O2), &references, &mut |_| ())
        .unwrap();
    let mut text = fs::read_to_string(Path::new(O2).join("scenario.yaml")).unwrap();
    for (index, (bin, image)) in bins.iter().zip(&built).enumerate() {
        let bytes = fs::read(&image.binds[0].source).unwrap();
        let (mut below, mut above) = (Layer::new().unwrap(), Layer::new().unwrap());
        below.file(&format!("/{bin}"), b"an older build", 0o644, (0, 0)).unwrap();
        above.file(&format!("/{bin}"), &bytes, 0o755, (0, 0)).unwrap();
        let config = ImageConfig { entrypoint: vec![format!("/{bin}")], ..ImageConfig::default() };
        let compression = if index % 2 == 0 { Compression::None } else { Compression::Gzip };
        let assembly = Assembly::new(config).layer(below).layer(above).compressed(compression);
        let archive = File::create(scene.path().join(format!("{bin}.tar"))).unwrap();
        assembly.write_archive(Some(&format!("o2/{bin}:1")), archive).unwrap();
        let transport = if index % 2 == 0 { "docker-archive" } else { "oci-archive" };
        let cargo = format!("{{ cargo: {{ package: o2-fixtures, bin: {bin} }} }}");
        assert!(text.contains(&cargo), "{bin}");
        text = text.replace(&cargo, &format!("\"{transport}:{bin}.tar:o2/{bin}:1\""));
    }
    fs::write(scene.path().join("scenario.yaml"), text).unwrap();
}

fn run(scene: &Scene, arguments: &[&str]) -> (Option<i32>, String) {
    let cache = scene.path().join("cache");
    let output = scene.command(arguments).env("XDG_CACHE_HOME", cache).output().unwrap();
    (output.status.code(), shown(&output))
}

#[test]
fn an_image_archive_is_gated_like_the_build_in_it() {
    if !can_run() {
        return;
    }
    let scene = Scene::new();
    o2_as_images(
        &scene,
        &[
            "sgsn-mme-1-14",
            "sgsn-mme-1-15",
            "sgsn-mme-1-15-1",
            "sgsn-mme-1-16",
            "hss",
            "phone",
            "mvno-portal",
            "bus-times",
        ],
    );
    let (code, text) = run(&scene, &["gate", "scenario.yaml", "--candidate", "sgsn-mme=1.14", "--quiet"]);
    assert_eq!(code, Some(1), "{text}");
    for part in [
        "block: sgsn-mme 1.14 breaks on 2018-12-06T04:30:00Z, 35 d 4 h after start",
        "lies in      sgsn-mme:/sgsn-mme-1-14, ",
        "docker-archive:sgsn-mme-1-14.tar:o2/sgsn-mme-1-14:1",
        "digests",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let (code, text) = run(&scene, &["gate", "scenario.yaml", "--candidate", "sgsn-mme=1.16", "--quiet"]);
    assert_eq!(code, Some(0), "{text}");
    let candidate = "sgsn-mme=docker-archive:sgsn-mme-1-14.tar:none";
    let (code, text) = run(&scene, &["gate", "scenario.yaml", "--candidate", candidate]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("there is no image none; it holds o2/sgsn-mme-1-14:1"), "{text}");
    assert!(text.contains("scenario.yaml:"), "the error has no place: {text}");
}

/// Where busybox lies, where it is static.
pub(super) fn busybox() -> Option<&'static str> {
    let path = "/bin/busybox";
    or_skipped(Path::new(path).exists(), "a static busybox").then_some(path)
}

/// An image whose program tells what it is given, and writes into its volume.
fn telling(scene: &Scene, health: &str) -> Option<Identity> {
    let mut layer = Layer::new().unwrap();
    layer.directory("/bin", 0o755, (0, 0)).unwrap();
    layer.file("/bin/busybox", &fs::read(busybox()?).unwrap(), 0o755, (0, 0)).unwrap();
    for applet in ["sh", "id", "cat", "ls", "sleep", "test", "touch", "stat"] {
        layer.symlink(&format!("/bin/{applet}"), "busybox").unwrap();
    }
    layer.file("/etc/passwd", b"www:x:33:34::/var/www:/bin/sh\n", 0o644, (0, 0)).unwrap();
    layer.directory("/data", 0o750, (33, 34)).unwrap();
    layer.file("/data/of-image", b"seed", 0o640, (33, 34)).unwrap();
    let text = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let script = "trap 'touch /data/quit; exit 0' QUIT; \
                  echo \"args $*; in $PWD; env $GREETING; home $HOME; user $(id -u):$(id -g)\"; \
                  cat /data/of-image; ls /data; touch /data/mark /tmp/healthy; \
                  while :; do sleep 1; done";
    let config = ImageConfig {
        entrypoint: text(&["/bin/sh", "-c", script, "zero"]),
        command: text(&["one", "two"]),
        env: vec![("GREETING".to_owned(), "hello".to_owned()), ("PATH".to_owned(), "/bin".to_owned())],
        user: Some("www".to_owned()),
        workdir: Some("/srv/deep".to_owned()),
        stop_signal: Some(3),
        volumes: text(&["/data"]),
        ports: Vec::new(),
        health: Some(HealthCheck {
            command: text(&["/bin/sh", "-c", health]),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            start_period: Duration::ZERO,
            retries: 1,
        }),
    };
    let assembly = Assembly::new(config).layer(layer);
    Some(assembly.write_layout(None, &scene.path().join("layout")).unwrap())
}

const TELLS: &str = "\
notafter: 1
name: tells
start: 2030-01-01T00:00:00Z
support: 1y
candidate: teller
credentials:
  token: { x509: { ca: root, subject: \"CN=Root\", validity: { from: \"start - 1d\", until: \"start + 90d\" } } }
services:
  teller:
    image: { oci: layout }
    files: { /etc/root.pem: { certificate: token } }
checks:
  lives: { probe: { alive: { service: teller } }, expect: { works: {} } }
  carries: { probe: { exec: { service: teller, command: [test, -e, /data/mark] } }, expect: { works: { exit: 0 } } }
  is-user: { probe: { exec: { service: teller, command: [sh, -c, \"test $(id -u) = 33 -a $PWD = /srv/deep -a $GREETING = hello\"] } }, expect: { works: { exit: 0 } } }
";

#[test]
fn what_an_image_says_of_itself_is_honoured() {
    if !can_run() {
        return;
    }
    let scene = Scene::new();
    let Some(identity) = telling(&scene, "test -e /tmp/healthy") else { return };
    fs::write(scene.path().join("scenario.yaml"), TELLS).unwrap();
    let (code, text) =
        run(&scene, &["gate", "scenario.yaml", "--quiet", "--keep", "kept", "--report", "json=record.json"]);
    assert_eq!(code, Some(0), "{text}");
    let record = fs::read_to_string(scene.path().join("record.json")).unwrap();
    for digest in [identity.id, identity.manifest.unwrap()] {
        assert!(record.contains(&digest), "{digest} is not in the record");
    }
    let logs = logs(&scene.path().join("kept"));
    let told = "args one two; in /srv/deep; env hello; home /var/www; user 33:34\nseed";
    assert!(logs.contains(told), "{logs}");
    // After a restart the volume holds what the image brought, what the run before wrote, and what it wrote last when
    // the image's own stop signal came.
    assert!(logs.contains("mark\nof-image\nquit"), "{logs}");
}

#[test]
fn an_image_that_never_gets_healthy_is_not_ready() {
    if !can_run() {
        return;
    }
    let scene = Scene::new();
    if telling(&scene, "exit 7").is_none() {
        return;
    }
    fs::write(scene.path().join("scenario.yaml"), TELLS).unwrap();
    let (code, text) = run(&scene, &["gate", "scenario.yaml", "--case", "walk"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("not ready within 2 s: its probe exited with 7"), "{text}");
}

const PRIVILEGED: &str = "\
notafter: 1
name: privileges
start: 2030-01-01T00:00:00Z
support: 1y
candidate: unpacked
services:
  unpacked: { image: { oci: layout }, user: \"33:34\", command: [/bin/busybox, sleep, 9999d] }
  tree: { image: rootfs:tree, user: \"33:34\", command: [/bin/busybox, sleep, 9999d] }
checks:
  set-user-id:
    probe: { exec: { service: unpacked, command: [/bin/privileges] } }
    expect: { works: { equals: \"0:34 00000000a80425fb 00000000a80425fb 0\" } }
  capability:
    probe: { exec: { service: tree, command: [/bin/privileges] } }
    expect: { works: { equals: \"33:34 0000000000002000 00000000a80425fb 0\" } }
  namespace:
    probe: { exec: { service: tree, command: [/bin/busybox, unshare, -U, /bin/busybox, \"true\"] } }
    expect: { works: { exit: UNSHARE } }
";

/// What a user who is not root gains by a set-user-ID bit and by a file capability is what it would be in Docker: those
/// capabilities that containers have, and no more. And what the profile of an engine refuses stays refused, though the
/// init holds more.
#[test]
fn privileges_that_files_of_an_image_give_are_honoured() {
    if !can_run()
        || !or_skipped(nix::unistd::geteuid().is_root(), "root, to unpack owners")
        || !are_installed(&["cc", "setcap"])
    {
        return;
    }
    let Some(busybox) = busybox() else { return };
    let scene = Scene::new();
    let place = scene.path().join("tree/bin");
    fs::create_dir_all(&place).unwrap();
    let program = place.join("privileges");
    let source = repository().join("fixtures/guests/privileges.c");
    at::run(Command::new("cc").args(["-static", "-o"]).arg(&program).arg(source));
    fs::copy(busybox, place.join("busybox")).unwrap();
    let mut layer = Layer::new().unwrap();
    layer.file("/bin/busybox", &fs::read(busybox).unwrap(), 0o755, (0, 0)).unwrap();
    layer.file("/bin/privileges", &fs::read(&program).unwrap(), 0o4755, (0, 0)).unwrap();
    let assembly = Assembly::new(ImageConfig::default()).layer(layer);
    assembly.write_layout(None, &scene.path().join("layout")).unwrap();
    at::run(Command::new("setcap").arg("cap_net_raw+ep").arg(&program));
    let backends =
        if can_use_engine() { &[("embedded", "0"), ("docker", "1")][..] } else { &[("embedded", "0")] };
    for (backend, unshare) in backends {
        fs::write(scene.path().join("scenario.yaml"), PRIVILEGED.replace("UNSHARE", unshare)).unwrap();
        let (code, text) = run(&scene, &["gate", "scenario.yaml", "--quiet", "--backend", backend]);
        assert_eq!(code, Some(0), "{backend}: {text}");
        assert!(!text.contains("set-id bits"), "{backend}: {text}");
    }
}

/// Every log that was kept, one after the other.
fn logs(directory: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.push_str(&logs(&path));
        } else if path.extension().is_some_and(|extension| extension == "log") {
            all.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
    all
}
