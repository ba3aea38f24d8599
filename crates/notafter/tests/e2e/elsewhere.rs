//! Gates on an engine that sees none of our files.

use super::docker::{as_told, scenario};
use super::engine::{OwnEngine, within};
use super::scene::{Scene, shown};
use nix::sys::signal::Signal;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What a killed gate has to be gone.
const SOON: Duration = Duration::from_secs(10);
/// How long a gate may take to be where a test wants it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Containers, volumes and networks.
fn left(engine: &OwnEngine) -> Vec<String> {
    let mut left = engine.lines(&["ps", "--all", "--quiet"]);
    left.extend(engine.lines(&["volume", "ls", "--quiet"]));
    let networks = engine.lines(&["network", "ls", "--format", "{{.Name}}"]);
    left.extend(networks.into_iter().filter(|name| !["bridge", "host", "none"].contains(&name.as_str())));
    left
}

/// The first process of each container, with the time of its start.
fn first_processes(engine: &OwnEngine) -> Vec<(u32, String)> {
    let ids = engine.lines(&["ps", "--quiet"]);
    let ids = ids.iter().map(String::as_str);
    // One that has gone meanwhile is none of them.
    let inspected =
        engine.docker(&["inspect", "--format", "{{.State.Pid}}"].into_iter().chain(ids).collect::<Vec<_>>());
    let pids = String::from_utf8(inspected.stdout).unwrap();
    let pids = pids.lines().map(|pid| pid.parse().unwrap());
    pids.filter_map(|pid| Some((pid, start_of(pid)?))).collect()
}

fn is_alive((pid, start): &(u32, String)) -> bool {
    start_of(*pid).is_some_and(|now| now == *start)
}

/// When a process that has not ended started; proc_pid_stat(5).
fn start_of(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    (!matches!(fields[0], "Z" | "X")).then(|| fields[19].to_owned())
}

pub(super) fn nothing_is_left(engine: &OwnEngine) {
    let gone = within(SOON, || left(engine).is_empty().then_some(()));
    assert!(gone.is_some(), "left: {:?}", left(engine));
}

#[test]
fn a_replay_beside_an_engine_elsewhere_comes_out_as_told_and_leaves_nothing() {
    let Some(engine) = OwnEngine::start_elsewhere() else { return };
    let scene = Scene::within(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target"));
    let scenario = scenario(&scene);
    let mut command = scene.command(&["replay", &scenario, "--backend", "docker", "--quiet"]);
    let output = command.env("DOCKER_HOST", engine.host()).output().unwrap();
    as_told(&output);
    nothing_is_left(&engine);
}

/// A service that wants a secret of the environment, a file beside the scenario, and sees neither more of the one nor the
/// engine's socket.
fn needy(scene: &Scene) {
    let check = "case \"$WORD\" in sesa*-test) true;; *) false;; esac && [ -z \"$OTHER\" ] && [ \"$(cat /etc/beside)\" = beside ] && \
                 [ ! -e /engine.sock ] && [ ! -e /var/run/docker.sock ] && [ ! -e /notafter ]";
    let text = format!(
        "notafter: 1\nname: needy\nstart: 2030-01-01T00:00:00Z\nsupport: 1y\ncandidate: box\nbudget: 240s\n\
         services:\n  box:\n    image: \"rootfs:./tree\"\n    command: [/bin/busybox, sleep, \"1000000000\"]\n    \
         env: {{ WORD: {{ secret: WORD }} }}\n    files: {{ /etc/beside: {{ source: beside.txt }} }}\n\
         checks:\n  has:\n    probe: {{ exec: {{ service: box, command: [/bin/busybox, sh, -c, {check:?}] }} }}\n    \
         expect: {{ works: {{ exit: 0 }} }}\n"
    );
    fs::write(scene.path().join("scenario.yaml"), text).unwrap();
    fs::write(scene.path().join("beside.txt"), "beside").unwrap();
    let bin = scene.path().join("tree/bin");
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir(scene.path().join("tree/tmp")).unwrap();
    let found = Command::new("sh").args(["-c", "command -v busybox"]).output().unwrap();
    let busybox = String::from_utf8(found.stdout).unwrap();
    for name in ["busybox", "cat", "["] {
        fs::copy(busybox.trim(), bin.join(name)).unwrap();
    }
}

fn gate(scene: &Scene, host: &str, more: &[&str]) -> Child {
    let arguments = [&["gate", "scenario.yaml", "--backend", "docker", "--quiet"], more].concat();
    let mut command = scene.command(&arguments);
    command.env("DOCKER_HOST", host).env("WORD", "sesame-of-the-test").env("OTHER", "not-asked-for");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn what_a_run_needs_goes_with_it_and_an_engine_behind_a_socket_shows_what_it_sees() {
    let Some(engine) = OwnEngine::start_elsewhere() else { return };
    let scene = Scene::new();
    needy(&scene);
    let socket = engine.socket_elsewhere();
    let run = gate(&scene, &socket, &["--keep", "kept"]).wait_with_output().unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", shown(&run));
    let record = fs::read_to_string(scene.path().join("kept/record.json")).unwrap();
    assert!(record.contains("does not see this machine's files"), "{record}");
    assert!(!record.contains("sesame"), "a record holds no secret");
    let kept = scene.path().join("kept/cases");
    assert!(fs::read_dir(kept).unwrap().flatten().any(|case| case.path().join("box.log").exists()));
    nothing_is_left(&engine);
    // Only what the scenario says goes there, and what it says wrongly is as wrong there.
    let text = fs::read_to_string(scene.path().join("scenario.yaml")).unwrap();
    fs::write(scene.path().join("scenario.yaml"), text.replace("= beside ]", "= beyond ]")).unwrap();
    let wrong = gate(&scene, &engine.host(), &[]).wait_with_output().unwrap();
    assert_eq!(wrong.status.code(), Some(3), "{}", shown(&wrong));
    fs::remove_file(scene.path().join("beside.txt")).unwrap();
    let missing = gate(&scene, &engine.host(), &[]).wait_with_output().unwrap();
    assert_eq!(missing.status.code(), Some(2), "{}", shown(&missing));
    nothing_is_left(&engine);
}

#[test]
fn a_killed_gate_leaves_nothing_on_an_engine_elsewhere_and_one_that_loses_it_is_inconclusive() {
    let Some(mut engine) = OwnEngine::start_elsewhere() else { return };
    let scene = Scene::new();
    needy(&scene);
    let containers = |engine: &OwnEngine| engine.lines(&["ps", "--all", "--quiet"]).len();
    // With its deputy alone, with the network, with the service.
    for wanted in [1, 2, 3] {
        let mut run = gate(&scene, &engine.host(), &[]);
        let reached = within(PATIENCE, || {
            assert_eq!(run.try_wait().unwrap(), None, "it ended with fewer than {wanted} containers");
            (containers(&engine) >= wanted).then_some(())
        });
        assert!(reached.is_some());
        run.kill().unwrap();
        run.wait().unwrap();
        nothing_is_left(&engine);
    }
    let run = gate(&scene, &engine.host(), &[]);
    // Of the deputy, of the network, of the service.
    let before =
        within(PATIENCE, || Some(first_processes(&engine)).filter(|found| found.len() >= 3)).unwrap();
    engine.end(Signal::SIGKILL);
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", shown(&output));
    assert!(shown(&output).contains("inconclusive"), "{}", shown(&output));
    // Neither the deputy nor what it had started goes on without an engine.
    let ended = within(SOON, || (!before.iter().any(is_alive)).then_some(()));
    assert!(ended.is_some(), "a container goes on: {before:?}");
}
