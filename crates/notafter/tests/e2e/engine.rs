//! An engine that is killed, or stops, in the middle of a gate. It is the test's own: that of the machine has other
//! users.

use super::needs::{PATH, are_installed, or_skipped, repository};
use super::scene::{Scene, shown};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, SystemTime};
use xtask::stopwatch::Stopwatch;

/// How long the engine may take to answer, or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a gate may go on that has lost its engine.
const LONGEST: Duration = Duration::from_secs(150);
const PAUSE: Duration = Duration::from_millis(5);
/// Where a gate leaves what it kept.
const KEPT: &str = "kept";
/// How many cases the gate has that is allowed: control, walk and cold start.
const CASES: usize = 3;
/// The one that holds the network, and the sleeper.
const CONTAINERS_OF_A_CASE: usize = 2;

/// An engine with everything of its own: data, sockets, control groups, and mounts and network, which go with its last
/// process. Without a bridge it would take docker0 away from whoever shares the network with it.
pub(super) struct OwnEngine {
    directory: tempfile::TempDir,
    group: String,
    daemon: Option<Child>,
    sight: Sight,
}

/// What an engine sees of this machine's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    All,
    /// None of those that tests and runs make, nor this workspace. It answers on this port of this machine's 127.0.0.1,
    /// and on the usual socket of its own file system.
    None {
        port: u16,
    },
}

/// What an engine without sight starts with: empty directories in place of those that it must not see, and the socket it
/// was given as standard input in the way of sd_listen_fds(3).
const BLINDED: &str = "set -e; directory=$1; shift; \
    while [ \"$1\" != -- ]; do mkdir -p \"$1\"; mount -t tmpfs tmpfs \"$1\"; shift; done; shift; \
    mkdir -p \"$directory\"; echo {} > \"$directory/daemon.json\"; \
    exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$@\"";

impl OwnEngine {
    /// Starts one; none, said aloud, where this machine cannot.
    pub(super) fn start() -> Option<Self> {
        Self::start_with(Sight::All)
    }

    /// The same with a file system of its own, as on another machine.
    pub(super) fn start_elsewhere() -> Option<Self> {
        // Free a moment ago, and nobody else asks for this one by number.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start_with(Sight::None { port })
    }

    fn start_with(sight: Sight) -> Option<Self> {
        let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        if !or_skipped(is_root, "root, to start an engine of its own")
            || !are_installed(&["docker", "dockerd", "unshare", "busybox"])
        {
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("daemon.json"), "{}").unwrap();
        let group = format!("notafter-test-{}", std::process::id());
        let mut engine = Self { directory, group, daemon: None, sight };
        let answers = engine.wake();
        or_skipped(answers, &format!("what an engine of its own needs: {}", engine.last_words()))
            .then_some(engine)
    }

    /// The end of what it wrote, the last line first.
    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        log.lines().rev().take(5).collect::<Vec<_>>().join("; ")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// For DOCKER_HOST.
    pub(super) fn host(&self) -> String {
        match self.sight {
            Sight::All => format!("unix://{}", self.path("sock").display()),
            Sight::None { port } => format!("tcp://127.0.0.1:{port}"),
        }
    }

    /// Its usual socket, as the file system of its own has it.
    pub(super) fn socket_elsewhere(&self) -> String {
        let daemon = self.daemon.as_ref().map(Child::id).unwrap_or_default();
        format!("unix:///proc/{daemon}/root/run/docker.sock")
    }

    /// Starts the daemon; whether it answers in the end.
    fn wake(&mut self) -> bool {
        // A helper that belongs to a killed daemon is about to end. Both have left their numbers there, which other
        // processes may have by now.
        let helper = self.path("exec/containerd/containerd.toml").to_string_lossy().into_owned();
        _ = within(PATIENCE, || {
            let is_gone = !processes().iter().any(|it| it.line.contains(&helper));
            is_gone.then_some(())
        });
        for number in ["pid", "exec/containerd/containerd.pid"] {
            _ = fs::remove_file(self.path(number));
        }
        let log = File::options().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "--net"]).stdin(Stdio::null());
        if let Sight::None { port } = self.sight {
            let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
            command.stdin(std::os::fd::OwnedFd::from(listener));
            let hidden = [std::env::temp_dir(), repository(), "/run".into(), "/dev/shm".into()];
            command.args(["sh", "-c", BLINDED, "sh"]).arg(self.directory.path()).args(hidden).arg("--");
        }
        command.args(["dockerd", "--storage-driver", "vfs"]);
        command.args(["--bridge=none", "--iptables=false", "--shutdown-timeout", "2"]);
        command.args(["--cgroup-parent", &format!("/{}", self.group)]);
        match self.sight {
            Sight::All => command.args(["--host", &self.host()]),
            Sight::None { .. } => command.args(["--host", "fd://", "--host", "unix:///run/docker.sock"]),
        };
        for (option, name) in [
            ("--config-file", "daemon.json"),
            ("--data-root", "data"),
            ("--exec-root", "exec"),
            ("--pidfile", "pid"),
        ] {
            command.arg(option).arg(self.path(name));
        }
        command.env("PATH", PATH).stdout(log.try_clone().unwrap()).stderr(log);
        self.daemon = Some(command.spawn().unwrap());
        within(PATIENCE, || {
            let ended = self.daemon.as_mut().is_none_or(|daemon| daemon.try_wait().unwrap().is_some());
            if ended { Some(false) } else { self.docker(&["version"]).status.success().then_some(true) }
        })
        .unwrap_or(false)
    }

    /// Sends the daemon a signal and waits for its end.
    pub(super) fn end(&mut self, signal: nix::sys::signal::Signal) {
        let Some(mut daemon) = self.daemon.take() else { return };
        let pid = nix::unistd::Pid::from_raw(i32::try_from(daemon.id()).unwrap());
        _ = nix::sys::signal::kill(pid, signal);
        if within(PATIENCE, || daemon.try_wait().unwrap()).is_none() {
            _ = daemon.kill();
            _ = daemon.wait();
        }
    }

    pub(super) fn docker(&self, arguments: &[&str]) -> Output {
        Command::new("docker").args(arguments).env("DOCKER_HOST", self.host()).output().unwrap()
    }

    /// How many cases a daemon has started anew since it came up: it alone knows its own events.
    fn started_cases(&self) -> usize {
        let started = ["events", "--since", "1h", "--until", "0s", "--filter", "event=start"];
        self.lines(&started).len() / CONTAINERS_OF_A_CASE
    }

    pub(super) fn lines(&self, arguments: &[&str]) -> Vec<String> {
        let output = self.docker(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// Whatever names its directory, and what descends from that: daemon, helpers, and containers that outlived them.
    fn processes(&self) -> BTreeSet<i32> {
        let needle = self.directory.path().to_string_lossy().into_owned();
        let all = processes();
        let mut found: BTreeSet<i32> =
            all.iter().filter(|it| it.line.contains(&needle)).map(|it| it.pid).collect();
        loop {
            let before = found.len();
            let below: Vec<i32> =
                all.iter().filter(|it| found.contains(&it.parent)).map(|it| it.pid).collect();
            found.extend(below);
            if found.len() == before {
                found.remove(&i32::try_from(std::process::id()).unwrap());
                return found;
            }
        }
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        self.end(nix::sys::signal::Signal::SIGTERM);
        // A killed daemon leaves its helpers, and these the containers, as nobody's children.
        for _ in 0..100 {
            let left = self.processes();
            for pid in &left {
                _ = nix::sys::signal::kill(
                    nix::unistd::Pid::from_raw(*pid),
                    nix::sys::signal::Signal::SIGKILL,
                );
            }
            if left.is_empty() {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
        for place in hierarchies.map(|it| it.path()).chain([PathBuf::from("/sys/fs/cgroup")]) {
            remove_group(&place.join(&self.group));
        }
    }
}

/// Groups below a group go first.
fn remove_group(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_group(&entry.path());
        }
    }
    _ = fs::remove_dir(group);
}

struct Process {
    pid: i32,
    parent: i32,
    line: String,
}

/// Those of this machine that have not ended.
fn processes() -> Vec<Process> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let process = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let (state, parent) = (fields.next()?, fields.next()?.parse().ok()?);
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        (!matches!(state, "Z" | "X")).then_some(Process { pid, parent, line })
    };
    pids.filter_map(process).collect()
}

/// Looks until there is something, or the time is up.
pub(super) fn within<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begin = Stopwatch::start();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if begin.elapsed() > patience {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}

/// A tree with a shell, and a scenario that needs no more.
fn scene(marker: &str) -> Scene {
    let text = format!(
        "notafter: 1\nname: engine\nstart: 2030-01-01T00:00:00Z\nsupport: 1y\ncandidate: sleeper\nbudget: 240s\n\
         services:\n  sleeper: {{ image: \"rootfs:./tree\", command: [/bin/sleep, \"{marker}\"] }}\n\
         checks:\n  sleeps: {{ probe: {{ alive: {{ service: sleeper }} }}, expect: {{ works: {{}} }} }}\n"
    );
    let scene = Scene::with("scenario.yaml", &text);
    let bin = scene.path().join("tree/bin");
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir(scene.path().join("tree/tmp")).unwrap();
    let found = Command::new("sh").args(["-c", "command -v busybox"]).output().unwrap();
    fs::copy(String::from_utf8(found.stdout).unwrap().trim(), bin.join("sleep")).unwrap();
    fs::create_dir(scene.path().join("temporary")).unwrap();
    scene
}

fn gate(scene: &Scene, engine: &OwnEngine) -> Child {
    _ = fs::remove_dir_all(scene.path().join(KEPT));
    let mut command =
        scene.command(&["gate", "scenario.yaml", "--backend", "docker", "--quiet", "--keep", KEPT]);
    command.env("DOCKER_HOST", engine.host()).env("TMPDIR", scene.path().join("temporary"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What happens to the daemon, and when it comes back.
#[derive(Debug, Clone, Copy)]
enum Disturbance {
    KilledAndBack,
    KilledForLong,
    StoppedAndBack,
    StoppedForLong,
}

#[test]
fn a_gate_whose_engine_stops_or_starts_anew_is_inconclusive_and_leaves_nothing() {
    let Some(mut engine) = OwnEngine::start() else { return };
    let marker = format!("86{:07}", std::process::id());
    let scene = scene(&marker);
    let begin = Stopwatch::start();
    let undisturbed = gate(&scene, &engine).wait_with_output().unwrap();
    assert_eq!(undisturbed.status.code(), Some(0), "{}", shown(&undisturbed));
    let longest = begin.elapsed();
    for disturbance in [
        Disturbance::KilledAndBack,
        Disturbance::StoppedAndBack,
        Disturbance::KilledForLong,
        Disturbance::StoppedForLong,
    ] {
        // At a moment that no two runs have in common.
        while !disturbed(&mut engine, &scene, &marker, disturbance, longest) {
            println!("too late for {disturbance:?}");
        }
    }
}

/// Whether the gate still needed its engine when that went. Either way everything is as it must be.
#[expect(clippy::print_stdout, reason = "which moment it was is to be read where something was left")]
fn disturbed(
    engine: &mut OwnEngine,
    scene: &Scene,
    marker: &str,
    disturbance: Disturbance,
    longest: Duration,
) -> bool {
    use nix::sys::signal::Signal::{SIGKILL, SIGTERM};
    let random = RandomState::new().build_hasher().finish();
    let moment = Duration::from_micros(random % u64::try_from(longest.as_micros()).unwrap());
    let (shared, begin) = (houses(), Stopwatch::start());
    let mut run = gate(scene, engine);
    std::thread::sleep(moment.saturating_sub(begin.elapsed()));
    let is_up =
        |engine: &OwnEngine| !engine.lines(&["ps", "--quiet", "--filter", "label=notafter.owner"]).is_empty();
    while !is_up(engine) {
        if run.try_wait().unwrap().is_some() {
            return false;
        }
    }
    println!("{disturbance:?} after {:?}", begin.elapsed());
    match disturbance {
        Disturbance::KilledAndBack | Disturbance::KilledForLong => engine.end(SIGKILL),
        Disturbance::StoppedAndBack | Disturbance::StoppedForLong => engine.end(SIGTERM),
    }
    let mut latest = stamp(scene);
    if let Disturbance::KilledAndBack | Disturbance::StoppedAndBack = disturbance {
        assert!(engine.wake(), "it does not start again: {}", engine.last_words());
    }
    if let Disturbance::KilledAndBack = disturbance {
        // Containers outlive a daemon that is killed, until the next one ends them.
        latest = stamp(scene);
    }
    let has_ended = within(LONGEST, || run.try_wait().unwrap());
    if has_ended.is_none() {
        run.kill().unwrap();
    }
    let output = run.wait_with_output().unwrap();
    assert!(has_ended.is_some(), "the gate goes on: {}", shown(&output));
    if engine.daemon.is_none() {
        assert!(engine.wake(), "it does not start again: {}", engine.last_words());
    }
    // What has looked for the last time by then, and what was started by the next daemon, lost nothing.
    let unhurt = looked(scene).filter(|looked| *looked <= latest).count() + engine.started_cases();
    let was_late = output.status.code() == Some(0) && unhurt >= CASES;
    if !was_late {
        assert_eq!(output.status.code(), Some(3), "{}", shown(&output));
        assert!(shown(&output).contains("inconclusive"), "{}", shown(&output));
    }
    // What the engine itself did not take away when it came back, whoever looks next does.
    let swept = scene.command(&["sweep"]).env("DOCKER_HOST", engine.host()).output().unwrap();
    assert!(swept.status.success(), "{}", shown(&swept));
    let left = within(PATIENCE, || {
        let left = what_is_left(engine, scene, marker, &shared);
        left.is_empty().then_some(())
    });
    assert!(left.is_some(), "left: {:?}", what_is_left(engine, scene, marker, &shared));
    !was_late
}

/// The time of the file system.
fn stamp(scene: &Scene) -> SystemTime {
    let path = scene.path().join("stamp");
    fs::write(&path, "").unwrap();
    fs::metadata(path).unwrap().modified().unwrap()
}

/// When each case had looked for the last time: then it keeps the log.
fn looked(scene: &Scene) -> impl Iterator<Item = SystemTime> {
    let cases = fs::read_dir(scene.path().join(KEPT).join("cases")).into_iter().flatten().flatten();
    cases.filter_map(|case| fs::metadata(case.path().join("sleeper.log")).ok()?.modified().ok())
}

/// Directories in memory that sandboxes use.
fn houses() -> BTreeSet<PathBuf> {
    let entries = fs::read_dir("/dev/shm").into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.to_string_lossy().contains("notafter-house-")).collect()
}

fn what_is_left(engine: &OwnEngine, scene: &Scene, marker: &str, before: &BTreeSet<PathBuf>) -> Vec<String> {
    let mut left = engine.lines(&["ps", "--all", "--quiet"]);
    left.extend(engine.lines(&["volume", "ls", "--quiet"]));
    let networks = engine.lines(&["network", "ls", "--format", "{{.Name}}"]);
    left.extend(networks.into_iter().filter(|name| !["bridge", "host", "none"].contains(&name.as_str())));
    left.extend(processes().into_iter().filter(|it| it.line.contains(marker)).map(|it| it.line));
    let temporary = fs::read_dir(scene.path().join("temporary")).unwrap().flatten();
    left.extend(temporary.map(|entry| entry.path().display().to_string()));
    // Gates of other tests have houses as well, while they run.
    left.extend(
        houses().difference(before).filter(|house| !has_maker(house)).map(|it| it.display().to_string()),
    );
    let daemon = engine.daemon.as_ref().map(Child::id).unwrap_or_default();
    let mounts = fs::read_to_string(format!("/proc/{daemon}/mountinfo")).unwrap_or_default();
    let places = [engine.path("exec/netns"), engine.path("data/containers"), engine.path("data/vfs")];
    let is_ours = |line: &&str| places.iter().any(|place| line.contains(&*place.to_string_lossy()));
    left.extend(mounts.lines().filter(is_ours).map(str::to_owned));
    left
}

/// Whether the process lives whose id is in the name, which reads `notafter-house-NAMESPACE-PID-START-HALF`.
fn has_maker(house: &Path) -> bool {
    let name = house.file_name().unwrap().to_string_lossy().into_owned();
    let fields: Vec<&str> = name.trim_start_matches("notafter-house-").split('-').collect();
    fields.get(1).is_some_and(|pid| Path::new("/proc").join(pid).exists())
}
