//! Gates in containers of an engine.

use super::check::nodes;
use super::needs::{are_installed, or_passed_over};
use super::scene::{Scene, shown};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use notafter_backend::{Backend, Bind, Docker, Error, LaunchSpec, RootTree, SandboxSpec};
use notafter_core::{ClockReading, ServiceName, UnixTime};
use std::net::Shutdown;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/o2-ericsson-2018");

fn host_clock() -> ClockReading {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME).unwrap();
    ClockReading { second: UnixTime::clamped(now.tv_sec()), nanos: u32::try_from(now.tv_nsec()).unwrap() }
}

/// Whether an engine answers, and this user may look at what it starts.
pub(super) fn can_use_engine() -> bool {
    let answers = Command::new("docker").arg("version").output().is_ok_and(|output| output.status.success());
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    or_passed_over(answers && is_root, "an engine of containers that answers to root")
}

/// The O2 scenario with time for a slow engine.
pub(super) fn scenario(scene: &Scene) -> String {
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
fn a_replay_in_containers_comes_out_as_told_and_leaves_nothing() {
    if !can_use_engine() {
        return;
    }
    let scene = in_workspace();
    let scenario = scenario(&scene);
    let mut command = scene.command(&["replay", &scenario, "--backend", "docker", "--quiet"]);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let runner = run.id();
    let output = run.wait_with_output().unwrap();
    as_told(&output);
    nothing_is_left(runner);
}

/// Whether a replay of the O2 scenario gave its four verdicts.
pub(super) fn as_told(output: &Output) {
    let text = shown(output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let told = |line: &&str| line.contains("as told");
    let lines: Vec<&str> = text.lines().filter(told).collect();
    let [first, second, third, fourth] = lines[..] else { panic!("{text}") };
    for (line, build, verdict) in [
        (first, "1.14 ", "block"),
        (second, "1.15 ", "block"),
        (third, "1.15.1 ", "allow"),
        (fourth, "1.16 ", "allow"),
    ] {
        assert!(line.starts_with(build) && line.contains(verdict), "{text}");
    }
}

/// The node as strict deployments run it. Where nothing but the release differs, so does the verdict.
#[test]
fn a_node_that_may_do_next_to_nothing_is_judged_as_any_other() {
    if !can_use_engine() {
        return;
    }
    let scene = in_workspace();
    let strict = "  sgsn-mme:\n    user: \"4711:4711\"\n    read_only: true\n    cap_drop: [ALL]\n    mem_limit: 64m\n    \
                  pids_limit: 32\n    cpus: 1.5\n";
    let file = scenario(&scene);
    let text = std::fs::read_to_string(&file).unwrap();
    let (head, rest) = text.split_once("  sgsn-mme:  ").unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    std::fs::write(&file, format!("{head}{strict}{rest}")).unwrap();
    for (build, code) in [("1.14", 1), ("1.15.1", 0)] {
        let candidate = format!("sgsn-mme={build}");
        let arguments = ["gate", &file, "--candidate", &candidate, "--backend", "docker", "--quiet"];
        let run = scene.command(&arguments).output().unwrap();
        assert_eq!(run.status.code(), Some(code), "{}", shown(&run));
    }
}

/// An image in the engine while the test lasts.
struct Loaded(String);

impl Loaded {
    /// Loads the archive `file`, whose image is called `called`, under a name that no other run has.
    fn new(scene: &Scene, file: &str, called: &str) -> Self {
        let name = format!("notafter-test/{called}:{}", std::process::id());
        let called = format!("{called}:latest");
        for arguments in
            [&["load", "--quiet", "--input", file][..], &["tag", &called, &name], &["rmi", &called]]
        {
            let done = Command::new("docker").args(arguments).current_dir(scene.path()).output().unwrap();
            assert!(done.status.success(), "{done:?}");
        }
        Self(name)
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // Another test may have taken it away; what is in use stays.
        _ = Command::new("docker").args(["rmi", &self.0]).output();
    }
}

#[test]
fn an_image_of_the_engine_is_blocked_on_both_back_ends_without_a_scenario() {
    if !can_use_engine() {
        return;
    }
    let scene = Scene::new();
    nodes(&scene, &["sgsn-mme-1-14"]);
    let loaded = Loaded::new(&scene, "sgsn-mme-1-14.tar", "sgsn-mme-1-14");
    let by_transport = format!("docker-daemon:{}", loaded.0);
    let runs =
        [(loaded.0.as_str(), "docker"), (by_transport.as_str(), "embedded")].map(|(target, backend)| {
            let arguments = [
                "check",
                target,
                "--backend",
                backend,
                "--start",
                "2018-11-01T00:00:00Z",
                "--support",
                "90d",
            ];
            let cache = scene.path().join(backend);
            let mut command = scene.command(&arguments);
            command
                .env("XDG_CACHE_HOME", cache)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        });
    for run in runs {
        let output = run.wait_with_output().unwrap();
        // However its lines are broken.
        let text = shown(&output).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("breaks on 2018-12-06T04:30:00Z"), "{text}");
        // The choice is said, and which image it came to.
        assert!(text.contains("of the container engine at unix://"), "{text}");
        assert!(text.contains("sha256:"), "{text}");
        // An engine that sees our files is used from here.
        assert!(!text.contains("deputy"), "{text}");
    }
    let missing = scene.command(&["check", "docker-daemon:notafter-test/none:1"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(2), "{}", shown(&missing));
    assert!(shown(&missing).contains("has no image of that name"), "{}", shown(&missing));
    let mut nobody = scene.command(&["check", "docker-daemon:notafter-test/none:1"]);
    let nobody = nobody.env("DOCKER_HOST", "unix:///nonexistent/docker.sock").output().unwrap();
    assert_eq!(nobody.status.code(), Some(3), "{}", shown(&nobody));
    assert!(shown(&nobody).contains("none answers at unix:///nonexistent/docker.sock"), "{}", shown(&nobody));
}

/// Stands between a gate and its engine until it is cut.
struct Middleman {
    open: Arc<Mutex<Option<Vec<UnixStream>>>>,
}

impl Middleman {
    fn at(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let open = Arc::new(Mutex::new(Some(Vec::new())));
        let accepted = Arc::clone(&open);
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let (near, far) = (near.unwrap(), UnixStream::connect("/var/run/docker.sock").unwrap());
                let mut open = accepted.lock().unwrap();
                // Once cut, whoever comes is turned away.
                let Some(open) = open.as_mut() else { continue };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || {
                        _ = std::io::copy(&mut from, &mut to);
                        _ = to.shutdown(Shutdown::Write);
                    });
                }
                open.extend([near, far]);
            }
        });
        Self { open }
    }

    fn cut(&self) {
        for stream in self.open.lock().unwrap().take().unwrap() {
            _ = stream.shutdown(Shutdown::Both);
        }
    }
}

#[test]
fn a_gate_whose_engine_goes_away_is_inconclusive_and_leaves_nothing() {
    if !can_use_engine() {
        return;
    }
    let scene = in_workspace();
    let scenario = scenario(&scene);
    let socket = scene.path().join("engine.sock");
    let middleman = Middleman::at(&socket);
    let arguments = ["gate", &scenario, "--candidate", "sgsn-mme=1.15.1", "--backend", "docker", "--quiet"];
    let mut command = scene.command(&arguments);
    command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let runner = run.id();
    while containers_of(runner).len() < 3 {
        assert_eq!(run.try_wait().unwrap(), None, "it ended without containers");
    }
    middleman.cut();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", shown(&output));
    assert!(shown(&output).contains("inconclusive"), "{}", shown(&output));
    // A container that was made and not yet started when the way to the engine was cut is the next run's to take away.
    let swept = scene.command(&["sweep"]).output().unwrap();
    assert!(swept.status.success(), "{}", shown(&swept));
    nothing_is_left(runner);
}

/// As where the engine is at it when the keeper is killed: the container is there a while later, and never starts.
#[test]
fn what_the_engine_was_making_for_a_killed_keeper_is_taken_away() {
    if !can_use_engine() {
        return;
    }
    let backend = Docker::with_executable(Path::new(env!("CARGO_BIN_EXE_notafter")), host_clock).unwrap();
    let spec = SandboxSpec {
        hosts: vec![ServiceName::new("box").unwrap()],
        aliases: Vec::new(),
        clock: Some(UnixTime::clamped(1_900_000_000).into()),
        scratch: None,
    };
    let sandbox = backend.open(&spec).unwrap();
    let runner = std::process::id();
    let [network] = containers_of(runner).try_into().unwrap();
    let asked = |of: &str| {
        let id = network.split(' ').next().unwrap();
        let inspect = ["inspect", "--format", of, id];
        let told = Command::new("docker").args(inspect).output().unwrap();
        assert!(told.status.success(), "{told:?}");
        String::from_utf8(told.stdout).unwrap().trim().to_owned()
    };
    let [owner, keeper] =
        ["owner", "keeper"].map(|label| asked(&format!("{{{{index .Config.Labels \"notafter.{label}\"}}}}")));
    let image = asked("{{.Image}}");
    let killed = keeper.split('-').nth_back(1).unwrap().parse().unwrap();
    kill(Pid::from_raw(killed), Signal::SIGKILL).unwrap();
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        let labels = [format!("notafter.owner={owner}"), format!("notafter.keeper={keeper}")];
        let create = ["create", "--label", &labels[0], "--label", &labels[1], &image, "/late"];
        Command::new("docker").args(create).output().unwrap()
    });
    assert!(matches!(sandbox.close(), Err(Error::Lost { .. })));
    let made = late.join().unwrap();
    assert!(made.status.success(), "{made:?}");
    assert_eq!(containers_of(runner), Vec::<String>::new());
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
    let clock = Some(UnixTime::clamped(1_900_000_000).into());
    let spec = SandboxSpec { hosts: vec![service.clone()], aliases: Vec::new(), clock, scratch: None };
    let mut sandbox = backend.open(&spec).unwrap();
    let launch = LaunchSpec {
        binds: vec![Bind { source: busybox, target: "/busybox".to_owned() }],
        command: Some(["/busybox", "sleep", "1000"].map(str::to_owned).to_vec()),
        ..LaunchSpec::idle(service, RootTree::Empty)
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
