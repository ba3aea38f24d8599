//! Whatever dies, nothing stays behind.

use crate::scene::{embedded, name, sandbox, server, shell, wait_for_log};
use notafter_backend::{Backend, Error, SandboxSpec};
use notafter_core::UnixTime;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

pub(crate) const ALL: &[(&str, fn())] = &[
    ("a_killed_init_is_an_error_and_spares_the_others", a_killed_init_spares_the_others),
    ("a_killed_keeper_is_an_error_and_leaves_nothing", a_killed_keeper_leaves_nothing),
    ("a_killed_runner_leaves_nothing", a_killed_runner_leaves_nothing),
    ("a_runner_killed_at_any_moment_leaves_nothing", a_runner_killed_at_any_moment_leaves_nothing),
    ("closing_leaves_nothing", closing_leaves_nothing),
    ("scratch_on_disk_is_removed", scratch_on_disk_is_removed),
];

/// The argument that makes this binary a runner to be killed.
const VICTIM: &str = "__victim";

/// The argument that makes it one that never rests.
const BUSY_VICTIM: &str = "__busy_victim";

/// Every process whose command line holds `marker`.
pub(crate) fn marked(marker: &str) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| {
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            String::from_utf8_lossy(&line).contains(marker).then_some(pid)
        })
        .collect()
}

/// Every keeper and init of the runner `pid`: a fork keeps the keeper's command line.
pub(crate) fn keepers_of(pid: u32) -> Vec<Pid> {
    marked(&format!("__sandbox\0{pid}\0"))
}

pub(crate) fn wait_until_gone(what: impl Fn() -> Vec<Pid>) {
    for _ in 0..500 {
        if what().is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("left behind: {:?}", what());
}

/// A marker that no other process has.
pub(crate) fn marker(test: &str) -> String {
    format!("notafter-{test}-{}", std::process::id())
}

pub(crate) fn looping(service: &str, marker: &str) -> notafter_backend::LaunchSpec {
    shell(
        service,
        &format!("setsid sh -c 'while :; do sleep 1; done; : {marker}' & echo up; sleep 1000; : {marker}"),
    )
}

/// Plays a runner until it is killed, where the arguments say so.
pub(crate) fn run_if_victim() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [_, VICTIM, marker] => rest(marker),
        [_, BUSY_VICTIM, marker, scratch] => never_rest(marker, std::path::Path::new(scratch)),
        _ => {}
    }
}

/// Two sandboxes, and then nothing.
fn rest(marker: &str) -> ! {
    let mut sandboxes = [sandbox(&["a", "b"]), sandbox(&["a"])];
    for sandbox in &mut sandboxes {
        sandbox.launch(&looping("a", marker)).unwrap();
        wait_for_log(&mut **sandbox, "a", "up");
    }
    sandboxes[0].launch(&looping("b", marker)).unwrap();
    wait_for_log(&mut *sandboxes[0], "b", "up");
    say("ready\n");
    loop {
        std::thread::park();
    }
}

/// Sandboxes, native and shifted, that are opened, filled and closed again without end.
fn never_rest(marker: &str, scratch: &std::path::Path) -> ! {
    say("ready\n");
    let backend = embedded();
    loop {
        for clock in [None, Some(UnixTime::clamped(1_500_000_000).into())] {
            let spec = SandboxSpec {
                hosts: vec![name("a")],
                aliases: Vec::new(),
                clock,
                scratch: Some(scratch.to_owned()),
            };
            let mut sandbox = backend.open(&spec).unwrap();
            sandbox.launch(&looping("a", marker)).unwrap();
            let command = ["/bin/sh", "-c", &format!("sleep 0.01; : {marker}")].map(str::to_owned);
            sandbox.exec(&name("a"), &command, Duration::from_millis(5)).unwrap();
            sandbox.close().unwrap();
        }
    }
}

fn say(text: &str) {
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes()).unwrap();
}

/// A runner that is to be killed, and is when the test fails before.
pub(crate) struct Victim(std::process::Child);

impl Victim {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Both fail only where it is dead and reaped already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn start_victim(arguments: &[&str]) -> Victim {
    let mut child = Command::new("/proc/self/exe").args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let output = child.stdout.take().unwrap();
    let victim = Victim(child);
    BufReader::new(output).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    victim
}

fn a_runner_killed_at_any_moment_leaves_nothing() {
    let marker = marker("busy");
    let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let before = mounts();
    // The scratch directory is the caller's to clear when it is killed.
    let scratch = tempfile::tempdir().unwrap();
    let scratch_path = scratch.path().to_str().unwrap();
    for round in 0..20 {
        let mut victim = start_victim(&[BUSY_VICTIM, &marker, scratch_path]);
        // Steps that share no factor with the length of anything that goes on meanwhile.
        std::thread::sleep(Duration::from_micros(round * 3_137 % 45_000));
        victim.kill();
        wait_until_gone(|| marked(&marker));
        wait_until_gone(|| keepers_of(victim.id()));
    }
    assert_eq!(mounts(), before);
}

fn a_killed_runner_leaves_nothing() {
    let marker = marker("runner");
    let mut victim = start_victim(&[VICTIM, &marker]);
    // A process that is executing something shows no command line for a moment.
    let all_there = || marked(&marker).len() >= 7 && keepers_of(victim.id()).len() == 5;
    assert!((0..500).any(|_| all_there() || {
        std::thread::sleep(Duration::from_millis(10));
        false
    }));
    victim.kill();
    wait_until_gone(|| marked(&marker));
    wait_until_gone(|| keepers_of(victim.id()));
}

fn closing_leaves_nothing() {
    let marker = marker("close");
    let mut sandbox = sandbox(&["a"]);
    sandbox.launch(&looping("a", &marker)).unwrap();
    wait_for_log(&mut *sandbox, "a", "up");
    assert!(!marked(&marker).is_empty());
    let remarks = sandbox.close().unwrap();
    // At once: closing waits for the end.
    assert_eq!(marked(&marker), []);
    assert!(remarks.iter().all(|remark| !remark.contains("could not")), "{remarks:?}");
}

fn a_killed_keeper_leaves_nothing() {
    let marker = marker("keeper");
    let mut sandbox = sandbox(&["a"]);
    sandbox.launch(&looping("a", &marker)).unwrap();
    wait_for_log(&mut *sandbox, "a", "up");
    // The keeper is the parent of the init.
    let init = init_above(marked(&marker).into_iter().next().unwrap());
    let keeper = parent(init);
    kill_process(keeper, Signal::KILL).unwrap();
    wait_until_gone(|| marked(&marker));
    let error = sandbox.state(&name("a")).unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    assert!(matches!(sandbox.launch(&shell("b", "")), Err(Error::Lost { .. })));
    assert!(matches!(sandbox.close(), Err(Error::Lost { .. })));
}

fn a_killed_init_spares_the_others() {
    let marker = marker("init");
    let mut sandbox = sandbox(&["a", "b"]);
    sandbox.launch(&server("b", 8080, "b")).unwrap();
    sandbox.launch(&looping("a", &marker)).unwrap();
    wait_for_log(&mut *sandbox, "a", "up");
    let init = init_above(marked(&marker).into_iter().next().unwrap());
    kill_process(init, Signal::KILL).unwrap();
    wait_until_gone(|| marked(&marker));
    let error = sandbox.state(&name("a")).unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    wait_for_log(&mut *sandbox, "b", "listening");
    sandbox.connect(None, "b", 8080, Duration::from_secs(5)).unwrap().unwrap();
    // Launching again mends it.
    sandbox.launch(&looping("a", &marker)).unwrap();
    wait_for_log(&mut *sandbox, "a", "up");
}

fn scratch_on_disk_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let spec = SandboxSpec {
        hosts: vec![name("a")],
        aliases: Vec::new(),
        clock: None,
        scratch: Some(directory.path().to_owned()),
    };
    let mut sandbox = embedded().open(&spec).unwrap();
    sandbox
        .launch(&shell("a", "dd if=/dev/zero of=/etc/big bs=1M count=4 2> /dev/null; echo up; sleep 1000"))
        .unwrap();
    wait_for_log(&mut *sandbox, "a", "up");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    let remarks = sandbox.close().unwrap();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "{remarks:?}");
}

/// The parent of a process, in this pid namespace.
pub(crate) fn parent(pid: Pid) -> Pid {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    let rest = stat.rsplit_once(") ").unwrap().1;
    Pid::from_raw(rest.split(' ').nth(1).unwrap().parse().unwrap()).unwrap()
}

/// The init above `pid`: the first ancestor that is a keeper's fork.
pub(crate) fn init_above(pid: Pid) -> Pid {
    let mut pid = pid;
    loop {
        pid = parent(pid);
        let line = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap();
        if String::from_utf8_lossy(&line).contains("__sandbox") {
            return pid;
        }
    }
}
