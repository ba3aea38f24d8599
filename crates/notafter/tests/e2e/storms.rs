//! Many programs that start at once: none may be lost, see another time, or stay attached.

use super::at::run;
use super::needs::{are_installed, or_skipped, repository};
use super::scene::{Scene, shown};
use std::path::PathBuf;
use std::process::Command;

const INSTANT: &str = "2031-06-01T00:00:00Z";

fn storms(scene: &Scene) -> PathBuf {
    let guest = scene.path().join("storms");
    let source = repository().join("fixtures/guests/storms.c");
    run(Command::new("cc").args(["-O1", "-o"]).arg(&guest).arg(source).arg("-lpthread"));
    guest
}

fn blows(scene: &Scene, words: &[&str], said: &str) {
    let output = scene.command(&[&["at", INSTANT, "--"], words].concat()).output().unwrap();
    assert_eq!(shown(&output), format!("exit 0\n--- stdout\n{said}"), "{words:?}");
}

#[test]
fn programs_that_start_at_once_all_see_the_shifted_clock() {
    let scene = Scene::new();
    if !are_installed(&["cc"]) {
        return;
    }
    let guest = storms(&scene);
    let guest = guest.to_str().unwrap();
    for (way, count) in
        [("at-once", "600"), ("fork", "160"), ("spawn", "160"), ("untraced", "80"), ("vfork", "160")]
    {
        blows(&scene, &[guest, way, count], &format!("{count} of {count}"));
    }
}

/// An exec that fails leaves no stop behind at which the supervisor could let its thread go: it has to see to that.
#[test]
fn execs_that_fail_leave_nobody_attached() {
    let scene = Scene::new();
    if are_installed(&["cc"]) {
        let guest = storms(&scene);
        blows(&scene, &[guest.to_str().unwrap(), "failed", "200"], "200 of 200");
    }
}

#[test]
fn a_fork_bomb_under_a_limit_loses_no_exec() {
    let scene = Scene::new();
    // The limit does not hold for root, and counts what runs as the same user.
    let is_root = nix::unistd::geteuid().is_root();
    if !are_installed(&["cc", "setpriv", "prlimit"]) || !or_skipped(is_root, "root, to become another user") {
        return;
    }
    let guest = storms(&scene);
    scene.open_to_others();
    let user = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "prlimit", "--nproc=25"];
    let bomb = [guest.to_str().unwrap(), "bomb", "0"];
    blows(&scene, &[user.as_slice(), &bomb].concat(), "the limit was reached\n0 of 0");
}

/// A thread that gets hardly any of a processor, because another never gives it up, and waits with short deadlines: they come
/// before the thread has begun to wait.
const STARVED: &str = r#"
import ctypes, os, signal, time
libc = ctypes.CDLL(None, use_errno=True)
class Timespec(ctypes.Structure): _fields_ = [("secs", ctypes.c_long), ("nanos", ctypes.c_long)]
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
parent = os.getpid()
spinner = os.fork()
if spinner == 0:
    libc.prctl(1, signal.SIGKILL)
    while os.getppid() == parent: pass
    os._exit(0)
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
semaphore = ctypes.create_string_buffer(64)
libc.sem_init(semaphore, 0, 0)
ended = 0
for _ in range(100):
    at = time.time_ns() + 500_000
    until = Timespec(at // 10**9, at % 10**9)
    ended += libc.sem_timedwait(semaphore, ctypes.byref(until)) == -1 and ctypes.get_errno() == 110
os.kill(spinner, signal.SIGKILL)
print(f"{ended} of 100")
"#;

#[test]
fn a_deadline_that_comes_before_its_thread_has_begun_to_wait_ends_the_wait() {
    let scene = Scene::new();
    if are_installed(&["python3"]) {
        blows(&scene, &["python3", "-c", STARVED], "100 of 100");
    }
}
