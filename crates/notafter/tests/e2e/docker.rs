//! Gates in containers of an engine.

use super::needs::or_passed_over;
use super::scene::{Scene, shown};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::Duration;

const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/o2-ericsson-2018");

/// Whether an engine answers, and this user may look at what it starts.
fn can_use_engine() -> bool {
    let answers = Command::new("docker").arg("version").output().is_ok_and(|output| output.status.success());
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    or_passed_over(answers && is_root, "an engine of containers that answers to root")
}

/// The O2 scenario with time for a slow engine.
fn scenario(scene: &Scene) -> String {
    let patient = std::fs::read_to_string(format!("{SCENARIO}/scenario.yaml"))
        .unwrap()
        .replace("budget: 60s", "budget: 240s");
    let file = scene.path().join("scenario.yaml");
    std::fs::write(&file, patient).unwrap();
    file.to_str().unwrap().to_owned()
}

fn in_workspace() -> Scene {
    Scene::within(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target"))
}

/// Ids of the containers that a run with this process id owns.
fn containers_of(runner: u32) -> Vec<String> {
    let format = "{{.ID}} {{.Label \"notafter.owner\"}}";
    let listed = Command::new("docker")
        .args(["ps", "--all", "--filter", "label=notafter.owner", "--format", format])
        .output()
        .unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let listed = String::from_utf8(listed.stdout).unwrap();
    let is_its = |line: &&str| line.split('-').nth_back(1).is_some_and(|pid| pid == runner.to_string());
    listed.lines().filter(is_its).map(str::to_owned).collect()
}

fn nothing_is_left(runner: u32) {
    for _ in 0..200 {
        if containers_of(runner).is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("left after 10 s: {:?}", containers_of(runner));
}

#[test]
fn a_gate_in_containers_comes_out_as_in_namespaces_and_leaves_nothing() {
    if !can_use_engine() {
        return;
    }
    let scene = in_workspace();
    let scenario = scenario(&scene);
    let runs = ["1.14", "1.15.1"].map(|build| {
        let candidate = format!("sgsn-mme={build}");
        let arguments = ["gate", &scenario, "--candidate", &candidate, "--backend", "docker", "--quiet"];
        let mut command = scene.command(&arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    let runners = [runs[0].id(), runs[1].id()];
    let [broken, mended] = runs.map(|run| {
        let output = run.wait_with_output().unwrap();
        (output.status.code(), shown(&output))
    });
    assert_eq!(broken.0, Some(1), "{}", broken.1);
    assert!(broken.1.contains("breaks on 2018-12-06T04:30:00Z"), "{}", broken.1);
    assert!(broken.1.contains("containers of a container engine"), "{}", broken.1);
    assert_eq!(mended.0, Some(0), "{}", mended.1);
    runners.into_iter().for_each(nothing_is_left);
}

#[test]
fn a_killed_gate_leaves_no_container() {
    if !can_use_engine() {
        return;
    }
    let scene = in_workspace();
    let scenario = scenario(&scene);
    for moment in [0, 150, 700] {
        let arguments = ["gate", &scenario, "--candidate", "sgsn-mme=1.14", "--backend", "docker", "--quiet"];
        let mut run = scene.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let runner = run.id();
        while containers_of(runner).is_empty() {
            assert_eq!(run.try_wait().unwrap(), None, "it ended without a container");
        }
        std::thread::sleep(Duration::from_millis(moment));
        run.kill().unwrap();
        assert!(!run.wait().unwrap().success());
        nothing_is_left(runner);
    }
}
