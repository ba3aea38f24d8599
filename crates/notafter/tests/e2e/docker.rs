//! Gates in containers of an engine.

use super::needs::{are_installed, or_passed_over};
use super::scene::{Scene, shown};
use notafter_backend::{Backend, Bind, Docker, LaunchSpec, RootTree, SandboxSpec};
use notafter_core::{ClockReading, ServiceName, UnixTime};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/o2-ericsson-2018");

fn host_clock() -> ClockReading {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME).unwrap();
    ClockReading { second: UnixTime::clamped(now.tv_sec()), nanos: u32::try_from(now.tv_nsec()).unwrap() }
}

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

/// What the engine itself starts in a container is not under the clock.
#[test]
fn a_program_that_the_engine_puts_into_a_container_is_noticed() {
    if !can_use_engine() || !are_installed(&["busybox"]) {
        return;
    }
    let found = Command::new("sh").args(["-c", "command -v busybox"]).output().unwrap();
    let busybox = String::from_utf8(found.stdout).unwrap().trim().into();
    let backend = Docker::with_executable(Path::new(env!("CARGO_BIN_EXE_notafter")), host_clock).unwrap();
    let service = ServiceName::new("box").unwrap();
    let clock = Some(UnixTime::clamped(1_900_000_000));
    let spec = SandboxSpec { hosts: vec![service.clone()], clock, scratch: None };
    let mut sandbox = backend.open(&spec).unwrap();
    let launch = LaunchSpec {
        service,
        root: RootTree::Empty,
        binds: vec![Bind { source: busybox, target: "/busybox".to_owned() }],
        command: Some(["/busybox", "sleep", "1000"].map(str::to_owned).to_vec()),
        env: [].into(),
        user: None,
        workdir: "/".to_owned(),
        stop_signal: None,
        files: Vec::new(),
        volumes: Vec::new(),
    };
    sandbox.launch(&launch).unwrap();
    assert_eq!(sandbox.witnesses().unwrap().unproven, []);
    let put_in = |container: &String| {
        let id = container.split(' ').next().unwrap();
        let exec = ["exec", "--detach", id, "/busybox", "sleep", "1000"];
        Command::new("docker").args(exec).output().unwrap().status.success()
    };
    // One container is the service's, one the network's.
    assert!(containers_of(std::process::id()).iter().filter(|id| put_in(id)).count() > 0);
    let unproven = sandbox.witnesses().unwrap().unproven;
    let noticed = |reason: &str| reason.contains("busybox was put into the sandbox from outside");
    assert!(unproven.iter().any(|gap| noticed(&gap.reason)), "{unproven:?}");
    sandbox.close().unwrap();
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
