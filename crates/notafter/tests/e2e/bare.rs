//! Gates without namespaces: on this machine, and in a container as CI services start them.

use super::needs::{are_installed, or_skipped};
use super::scene::{SOUND, Scene, shown};
use insta::assert_snapshot;
use std::path::Path;
use std::process::Command;

const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios");
const TOOL: &str = env!("CARGO_BIN_EXE_notafter");

/// Whether services may share this machine: only root may write names and files where they are expected.
pub(super) fn can_run_without_namespaces() -> bool {
    or_skipped(
        nix::unistd::geteuid().is_root(),
        "root, who alone can lay files into the machine's own file system",
    )
}

/// What a run without namespaces could leave on this machine.
fn footprint() -> (String, Vec<String>) {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap();
    let names = |directory: &str| {
        let entries = std::fs::read_dir(directory).unwrap().flatten();
        entries.map(|entry| entry.path().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let mut found: Vec<String> = ["/etc", "/srv", "/"].into_iter().flat_map(names).collect();
    found.sort();
    (hosts, found)
}

fn gate(scenario: &str, life: &str) -> (Option<i32>, String) {
    let scenario = format!("{SCENARIOS}/{scenario}");
    let scene = Scene::new();
    let mut command = scene.command(&["gate", &scenario, "--quiet", "--isolation", "none"]);
    let output = command.env("SITE_LIFE", life).output().unwrap();
    (output.status.code(), shown(&output))
}

#[test]
fn the_incident_comes_out_as_told_without_namespaces() {
    if !can_run_without_namespaces() {
        return;
    }
    let before = footprint();
    let text = Scene::new().run(&["replay", &format!("{SCENARIOS}/o2-ericsson-2018"), "--isolation", "none"]);
    assert!(text.starts_with("exit 0\n") && text.matches("as told").count() == 4, "{text}");
    assert_eq!(footprint(), before);
}

#[test]
fn a_server_of_the_machine_is_gated_without_namespaces() {
    if !can_run_without_namespaces() || !are_installed(&["nginx"]) {
        return;
    }
    let before = footprint();
    let (code, text) = gate("nginx-tls", "90d");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("because: CN=site ends at"), "{text}");
    let (code, text) = gate("nginx-tls", "730d");
    assert_eq!(code, Some(0), "{text}");
    for part in [
        "isolation    none: services shared the machine's network, processes and users",
        "- services were not isolated",
        "- site: it ran on the machine's own file system",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert_eq!(footprint(), before);
}

#[test]
fn the_record_says_that_nothing_kept_services_apart() {
    if !can_run_without_namespaces() {
        return;
    }
    let scene = Scene::with("scenario.yaml", SOUND);
    for isolation in ["none", "namespaces"] {
        let run = ["gate", "scenario.yaml", "--quiet", "--isolation", isolation, "--report", "json=-"];
        let output = scene.command(&run).output().unwrap();
        let record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(record["record"]["isolation"], isolation);
    }
}

#[test]
fn what_the_machine_has_already_is_not_touched() {
    if !can_run_without_namespaces() {
        return;
    }
    let before = std::fs::read("/etc/passwd").unwrap();
    let scenario = SOUND.replace(
        "    command: [sleep, \"1000000\"]\n",
        "    command: [sleep, \"1000000\"]\n    files: { /etc/passwd: { source: scenario.yaml } }\n",
    );
    let scene = Scene::with("scenario.yaml", &scenario);
    let text = scene.run(&["gate", "scenario.yaml", "--quiet", "--isolation", "none"]);
    let reason =
        text.lines().skip_while(|line| !line.contains("lay in")).take(3).collect::<Vec<_>>().join("\n");
    assert!(text.starts_with("exit 3\n"), "{text}");
    assert_snapshot!(reason, @r"
    lay in /etc/passwd for sleeper: the machine has something there,
    which a run without namespaces does not touch: choose a path of
    the scenario's own
    ");
    assert_eq!(std::fs::read("/etc/passwd").unwrap(), before);
}

/// Runs a shell script in a container that is started the way CI services start theirs: no privilege, the engine's
/// own seccomp profile. It holds busybox, the tool at /tool, and `job` at /job. None where there is no engine.
fn in_job_container(options: &[&str], job: &Path, script: &str) -> Option<(Option<i32>, String)> {
    if !are_installed(&["docker", "busybox"]) {
        return None;
    }
    let answers = Command::new("docker").arg("version").output().unwrap().status.success();
    if !or_skipped(answers, "an engine that answers") {
        return None;
    }
    let image = image();
    let tool = format!("{TOOL}:/tool:ro");
    let job = format!("{}:/job:ro", job.display());
    let mut run = Command::new("docker");
    run.args(["run", "--rm", "--network", "none", "--volume", &tool, "--volume", &job, "--workdir", "/job"]);
    let output = run.args(options).args([&image, "/bin/sh", "-c", script]).output().unwrap();
    let removed = Command::new("docker").args(["image", "rm", &image]).output().unwrap();
    assert!(removed.status.success(), "{removed:?}");
    Some((output.status.code(), shown(&output)))
}

/// An image of busybox alone.
fn image() -> String {
    let tree = tempfile::tempdir().unwrap();
    for directory in ["bin", "tmp", "etc", "job"] {
        std::fs::create_dir(tree.path().join(directory)).unwrap();
    }
    let everyones = std::os::unix::fs::PermissionsExt::from_mode(0o1777);
    std::fs::set_permissions(tree.path().join("tmp"), everyones).unwrap();
    let shell = Command::new("sh").args(["-c", "command -v busybox"]).output().unwrap();
    let busybox = String::from_utf8(shell.stdout).unwrap();
    std::fs::copy(busybox.trim(), tree.path().join("bin/busybox")).unwrap();
    for applet in ["sh", "sleep", "date", "test", "ls", "cat", "grep"] {
        std::os::unix::fs::symlink("busybox", tree.path().join("bin").join(applet)).unwrap();
    }
    std::fs::write(tree.path().join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n").unwrap();
    let archive = tempfile::NamedTempFile::new().unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(tree.path()).arg("-cf").arg(archive.path()).arg(".");
    assert!(tar.status().unwrap().success());
    let imported = Command::new("docker").arg("import").arg(archive.path()).output().unwrap();
    assert!(imported.status.success(), "{imported:?}");
    String::from_utf8(imported.stdout).unwrap().trim().to_owned()
}

/// A service that will not start after the end of 2031, on the machine's own files and as a tree.
const LICENCE: &str = "\
notafter: 1
name: licence
start: 2030-01-01T00:00:00Z
support: SUPPORT
candidate: licensed
services:
  licensed:
    image: IMAGE
    command: [/bin/sh, -c, \"test $(date +%s) -lt 1956528000 || exit 9; echo up; exec sleep 1000000000\"]
    ready: { log: { contains: up } }
    files: { FILE: { source: scenario.yaml } }
checks:
  lives: { probe: { alive: { service: licensed } }, expect: { works: {} } }
";

#[test]
fn a_plain_job_container_can_gate() {
    for (image, file, options) in [
        ("host", "/etc/licence/terms", [].as_slice()),
        ("{ rootfs: tree }", "/etc/terms", &[]),
        ("host", "/tmp/terms", &["--user", "65534:65534"]),
    ] {
        for (support, code, words) in
            [("1y", 0, "allow: licensed"), ("4y", 1, "block: licensed breaks on 2032-01-01")]
        {
            let scenario = LICENCE.replace("IMAGE", image).replace("FILE", file).replace("SUPPORT", support);
            let scene = Scene::with("scenario.yaml", &scenario);
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(scene.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
            std::fs::create_dir_all(scene.path().join("tree/bin")).unwrap();
            let busybox = "cp $(command -v busybox) tree/bin/; for a in sh sleep date test; do ln -s busybox tree/bin/$a; done";
            assert!(
                Command::new("sh")
                    .args(["-c", busybox])
                    .current_dir(scene.path())
                    .status()
                    .unwrap()
                    .success()
            );
            let script = "/tool gate scenario.yaml --quiet --isolation none; code=$?; \
                          grep -v -e localhost -e ip6- -e \"$HOSTNAME\" /etc/hosts; ls -A /tmp /dev/shm; exit $code";
            let Some((exit, text)) = in_job_container(options, scene.path(), script) else { return };
            assert_eq!(exit, Some(code), "{image}: {text}");
            assert!(text.contains(words), "{image}: {text}");
            assert!(!text.contains("notafter-house") && !text.contains("127.0.1.1"), "{image}: {text}");
        }
    }
}

#[test]
fn a_refused_gate_names_the_way_without_namespaces() {
    let scene = Scene::with("scenario.yaml", SOUND);
    let Some((code, text)) =
        in_job_container(&[], scene.path(), "/tool doctor; /tool gate scenario.yaml --quiet")
    else {
        return;
    };
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("gates can run here with `--isolation none` alone"), "{text}");
    assert!(text.contains("or the gate with `--isolation none`"), "{text}");
}
