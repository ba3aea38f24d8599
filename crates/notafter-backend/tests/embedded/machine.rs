//! Sandboxes without namespaces. They change the machine while they last, so most of it is for root alone.

use crate::kill::{init_above, keepers_of, looping, marked, marker, parent, start_victim, wait_until_gone};
use crate::scene::{LONG, embedded, idle, name, run, server, shell, wait_for_log};
use notafter_backend::{
    Backend, Bind, ConnectFailure, Embedded, Error, FileLayout, FileSpec, LaunchSpec, RootTree, Sandbox,
    SandboxSpec, ServiceState, StopReason, VolumeContent, VolumeMount,
};
use notafter_core::{Replacement, UnixTime, VolumeName, VolumeState};
use rustix::process::{Signal, kill_process};
use std::os::unix::fs::symlink;
use std::path::Path;

pub(crate) const ALL: &[(&str, fn())] = &[
    ("machine::a_copied_tree_is_entered_and_never_the_original", a_copied_tree_is_entered),
    ("machine::files_of_a_copied_tree_are_exchanged_in_it_alone", files_of_a_copied_tree_are_exchanged),
    ("machine::a_killed_init_leaves_nothing_of_its_service", a_killed_init_leaves_nothing),
    ("machine::a_killed_keeper_leaves_nothing", a_killed_keeper_leaves_nothing),
    ("machine::a_killed_runner_leaves_nothing", a_killed_runner_leaves_nothing),
    ("machine::a_neighbour_is_not_taken_for_a_service", a_neighbour_is_not_taken_for_a_service),
    ("machine::files_appear_by_links_and_go", files_appear_by_links_and_go),
    ("machine::files_of_two_services_may_not_differ", files_of_two_services_may_not_differ),
    ("machine::names_of_the_machine_are_respected", names_of_the_machine_are_respected),
    ("machine::sandboxes_take_turns", sandboxes_take_turns),
    ("machine::what_a_service_leaves_is_ended_with_it", what_a_service_leaves_is_ended_with_it),
];

/// The argument that makes this binary a runner without namespaces to be killed.
const VICTIM: &str = "__victim_without_namespaces";

/// Where the tests lay files in.
const PLACE: &str = "/etc/notafter-test-files";

pub(crate) fn bare() -> Embedded {
    embedded().without_namespaces()
}

fn open(hosts: &[&str], clock: Option<UnixTime>) -> Box<dyn Sandbox> {
    let hosts = hosts.iter().map(|host| name(host)).collect();
    bare()
        .open(&SandboxSpec { hosts, aliases: Vec::new(), clock: clock.map(Into::into), scratch: None })
        .unwrap()
}

fn file(path: &str, contents: &str) -> FileSpec {
    FileSpec { path: path.to_owned(), contents: contents.into(), mode: 0o640, layout: FileLayout::Plain }
}

fn volume(path: &str, state: VolumeState) -> VolumeMount {
    VolumeMount {
        name: VolumeName::new("data").unwrap(),
        path: path.to_owned(),
        state,
        content: VolumeContent::Empty,
    }
}

/// The halves of houses that stand on this machine; sandboxes take turns, so there is one house at most.
fn houses() -> Vec<String> {
    let bases = ["/dev/shm".into(), std::env::temp_dir()];
    let entries = bases.iter().flat_map(|base| std::fs::read_dir(base).unwrap().flatten());
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("notafter-house-")).collect()
}

fn files_appear_by_links_and_go() {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap();
    let mut sandbox = open(&["link-a", "link-b"], None);
    let key = format!("{PLACE}/deep/tls.key");
    let mut spec = shell(
        "link-a",
        &format!("cat {key}; stat -Lc %a:%u {key}; echo kept >> {PLACE}/data/f; exec sleep 1000"),
    );
    spec.files = vec![file(&key, "secret\n")];
    spec.binds = vec![Bind { source: "/etc/passwd".into(), target: format!("{PLACE}/users") }];
    spec.volumes = vec![volume(&format!("{PLACE}/data"), VolumeState::Carried)];
    sandbox.launch(&spec).unwrap();
    wait_for_log(&mut *sandbox, "link-a", "secret\n640:0\n");
    assert!(std::fs::symlink_metadata(&key).unwrap().is_symlink());
    assert!(std::fs::read_link(&key).unwrap().starts_with("/dev/shm"));
    let script = format!("grep -c ^root: {PLACE}/users; getent hosts link-b");
    let (code, output) = run(&mut *sandbox, "link-a", &script);
    assert_eq!((code, output.as_str()), (0, "1\n127.0.1.2       link-b\n"));
    // A second launch finds its files, and its volume as it was.
    wait_for_log(&mut *sandbox, "link-a", "640");
    sandbox.launch(&spec).unwrap();
    wait_for_log(&mut *sandbox, "link-a", "640:0\n");
    let (_, kept) = run(&mut *sandbox, "link-a", &format!("sleep 0.1; cat {PLACE}/data/f"));
    assert_eq!(kept, "kept\nkept\n");
    let remarks = sandbox.close().unwrap();
    assert!(remarks.iter().any(|remark| remark.starts_with("services were not isolated")), "{remarks:?}");
    assert!(!Path::new(PLACE).exists());
    assert_eq!(std::fs::read_to_string("/etc/hosts").unwrap(), hosts);
    assert_eq!(houses(), Vec::<String>::new());
}

fn files_of_two_services_may_not_differ() {
    let mut sandbox = open(&["two-a", "two-b"], None);
    let path = format!("{PLACE}/ca.pem");
    let with =
        |service: &str, contents: &str| LaunchSpec { files: vec![file(&path, contents)], ..idle(service) };
    sandbox.launch(&with("two-a", "one")).unwrap();
    sandbox.launch(&with("two-b", "one")).unwrap();
    let error = sandbox.launch(&with("two-b", "another")).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "another service has a different file there", "{error}");
    let machines = sandbox.launch(&LaunchSpec { files: vec![file("/etc/passwd", "x")], ..idle("two-b") });
    let cause = std::error::Error::source(&machines.unwrap_err()).unwrap().to_string();
    assert!(cause.starts_with("the machine has something there"), "{cause}");
    sandbox.close().unwrap();
    assert!(!Path::new(PLACE).exists());
}

fn names_of_the_machine_are_respected() {
    let mut sandbox = open(&["localhost"], None);
    let error = sandbox.launch(&idle("localhost")).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("/etc/hosts gives it the address"), "{cause}");
}

/// A tree with a shell.
fn small_tree() -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    for directory in ["bin", "var", "etc"] {
        std::fs::create_dir(tree.path().join(directory)).unwrap();
    }
    let found = std::process::Command::new("sh").args(["-c", "command -v busybox"]).output().unwrap();
    let busybox = String::from_utf8(found.stdout).unwrap();
    std::fs::copy(busybox.trim(), tree.path().join("bin/busybox")).unwrap();
    symlink("busybox", tree.path().join("bin/sh")).unwrap();
    tree
}

fn a_copied_tree_is_entered() {
    let tree = small_tree();
    let mut sandbox = open(&["tree-a"], Some(UnixTime::clamped(1_700_000_000)));
    let script = "busybox date +%s; echo x >> /var/data/f; busybox cat /var/data/f /key; echo > /etc/new; \
                  echo > /dev/null; busybox ls /; exec busybox sleep 1000";
    let mut spec = shell("tree-a", script);
    spec.root = RootTree::Tree(tree.path().to_owned());
    spec.files = vec![file("/key", "secret\n")];
    spec.volumes = vec![volume("/var/data", VolumeState::Carried)];
    sandbox.launch(&spec).unwrap();
    wait_for_log(
        &mut *sandbox,
        "tree-a",
        "1700000000\nx\nsecret\nbin\ndev\netc\nkey\nproc\nrun\nsys\ntmp\nvar\n",
    );
    sandbox.stop(&name("tree-a"), StopReason::Teardown).unwrap();
    sandbox.launch(&spec).unwrap();
    wait_for_log(&mut *sandbox, "tree-a", "1700000000\nx\nx\nsecret\n");
    assert_eq!(sandbox.witnesses().unwrap().unproven, []);
    sandbox.close().unwrap();
    assert_eq!(std::fs::read_dir(tree.path().join("etc")).unwrap().count(), 0);
    assert_eq!(houses(), Vec::<String>::new());
}

/// Also where the service has put a link in the place of a folder, or of the file.
fn files_of_a_copied_tree_are_exchanged() {
    let tree = small_tree();
    let mut sandbox = open(&["tree-a"], Some(UnixTime::clamped(1_700_000_000)));
    let outside = tempfile::tempdir().unwrap();
    let place = outside.path().display().to_string();
    std::fs::write(outside.path().join("a"), "the machine's").unwrap();
    for (way, layout) in [
        (Replacement::Rename, FileLayout::Exchanged),
        (Replacement::SymlinkSwap, FileLayout::Linked),
        (Replacement::TruncateWrite, FileLayout::Exchanged),
        (Replacement::UnlinkCreate, FileLayout::Exchanged),
    ] {
        let files = |contents| vec![FileSpec { layout, ..file("/etc/tls/a", contents) }];
        let root = RootTree::Tree(tree.path().to_owned());
        sandbox.launch(&LaunchSpec { root, files: files("old"), ..idle("tree-a") }).unwrap();
        for new in ["new", "newer"] {
            sandbox.replace(&name("tree-a"), way, &files(new)).unwrap();
            assert_eq!(run(&mut *sandbox, "tree-a", "busybox cat /etc/tls/a"), (0, new.to_owned()), "{way}");
        }
        let elsewhere = match way {
            Replacement::TruncateWrite => format!("busybox ln -sf {place}/a /etc/tls/a"),
            Replacement::Rename | Replacement::SymlinkSwap | Replacement::UnlinkCreate => {
                format!("busybox mv /etc/tls /etc/old; busybox ln -s {place} /etc/tls")
            }
        };
        assert_eq!(run(&mut *sandbox, "tree-a", &elsewhere).0, 0);
        let failed = sandbox.replace(&name("tree-a"), way, &files("newest"));
        assert!(matches!(failed, Err(Error::Sandbox { .. })), "{way}: {failed:?}");
        sandbox.stop(&name("tree-a"), StopReason::Teardown).unwrap();
    }
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(outside.path().join("a")).unwrap(), "the machine's");
    assert_eq!(std::fs::read_dir(tree.path().join("etc")).unwrap().count(), 0);
}

fn a_neighbour_is_not_taken_for_a_service() {
    let neighbour = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = neighbour.local_addr().unwrap().port();
    let mut sandbox = open(&["beside"], None);
    let error = sandbox.connect(None, "beside", port, LONG).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("is the machine's own: ") && cause.contains("listened there before"), "{cause}");
    drop(neighbour);
    assert_eq!(sandbox.connect(None, "beside", port, LONG).unwrap().unwrap_err(), ConnectFailure::Refused);
    sandbox.launch(&server("beside", port, "hello")).unwrap();
    wait_for_log(&mut *sandbox, "beside", "listening");
    sandbox.connect(None, "beside", port, LONG).unwrap().unwrap();
}

fn sandboxes_take_turns() {
    let first = open(&["turn-a"], None);
    let second = std::thread::spawn(|| drop(open(&["turn-a"], None)));
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(!second.is_finished());
    first.close().unwrap();
    second.join().unwrap();
}

fn what_a_service_leaves_is_ended_with_it() {
    let marker = marker("leaves");
    let mut sandbox = open(&["leaves"], Some(UnixTime::clamped(1_700_000_000)));
    sandbox.launch(&looping("leaves", &marker)).unwrap();
    wait_for_log(&mut *sandbox, "leaves", "up");
    let before = marked(&marker).len();
    assert!(before >= 2, "{before}");
    // With its main process ends what left its session too, and nobody else.
    let bystander = std::process::Command::new("sleep").arg("1000").spawn();
    let main = format!("pkill -KILL -f '[s]leep 1000; : {marker}'");
    assert!(std::process::Command::new("sh").args(["-c", &main]).status().unwrap().success());
    for _ in 0..500 {
        if matches!(sandbox.state(&name("leaves")).unwrap(), ServiceState::Ended { .. }) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    wait_until_gone(|| marked(&marker));
    let mut bystander = bystander.unwrap();
    assert_eq!(bystander.try_wait().unwrap(), None);
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    sandbox.close().unwrap();
}

/// Plays a runner until it is killed, where the arguments say so.
pub(crate) fn run_if_victim() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, VICTIM, marker] = arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        let mut sandbox = open(&["victim"], Some(UnixTime::clamped(1_700_000_000)));
        let files = vec![file(&format!("{PLACE}/victim.key"), "secret")];
        sandbox.launch(&LaunchSpec { files, ..looping("victim", marker) }).unwrap();
        wait_for_log(&mut *sandbox, "victim", "up");
        std::io::Write::write_all(&mut std::io::stdout(), b"ready\n").unwrap();
        loop {
            std::thread::park();
        }
    }
}

fn nothing_is_left(runner: u32, marker: &str) {
    wait_until_gone(|| marked(marker));
    wait_until_gone(|| keepers_of(runner));
    for _ in 0..500 {
        if houses().is_empty() && !Path::new(PLACE).exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("left behind: {:?}, {PLACE}: {}", houses(), Path::new(PLACE).exists());
}

fn a_killed_runner_leaves_nothing() {
    let marker = marker("bare-runner");
    let mut victim = start_victim(&[VICTIM, &marker]);
    assert!(marked(&marker).len() >= 3 && houses().len() == 2 && Path::new(PLACE).exists());
    victim.kill();
    nothing_is_left(victim.id(), &marker);
}

fn a_killed_keeper_leaves_nothing() {
    let marker = marker("bare-keeper");
    let mut sandbox = open(&["a"], None);
    sandbox.launch(&looping("a", &marker)).unwrap();
    wait_for_log(&mut *sandbox, "a", "up");
    kill_process(parent(init_above(marked(&marker)[0])), Signal::KILL).unwrap();
    wait_until_gone(|| marked(&marker));
    assert!(matches!(sandbox.state(&name("a")), Err(Error::Lost { .. })));
    assert!(matches!(sandbox.close(), Err(Error::Lost { .. })));
    nothing_is_left(std::process::id(), &marker);
}

fn a_killed_init_leaves_nothing() {
    let marker = marker("bare-init");
    let mut sandbox = open(&["a"], Some(UnixTime::clamped(1_700_000_000)));
    sandbox.launch(&looping("a", &marker)).unwrap();
    wait_for_log(&mut *sandbox, "a", "up");
    kill_process(init_above(marked(&marker)[0]), Signal::KILL).unwrap();
    assert!(matches!(sandbox.state(&name("a")), Err(Error::Lost { .. })));
    assert!(sandbox.close().is_err());
    nothing_is_left(std::process::id(), &marker);
}
