//! The first process of a deputy's container. It starts the one that works, passes on what comes from far away, and
//! when that ends, or the engine does, it ends everything: the worker at once, and then, once they have taken away what they keep, the
//! keepers that the worker left.

use crate::docker::ENGINE;
use rustix::process::{WaitOptions, wait};
use std::fs;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// The hidden first argument by which the binary knows that it guards a deputy.
pub(crate) const ARGUMENT: &str = "__deputy";
/// The same for the process that works; see [`crate::DEPUTY_ARGUMENT`].
pub(crate) const WORKER: &str = "__deputy-work";
/// The directory that the deputy shares with the engine's machine.
pub(crate) const ROOM: &str = "/notafter";
/// In it: this program, for containers.
pub(super) const PROGRAM: &str = "program";
/// In it: where whoever asks for a place for temporary files is sent, and for one to keep things.
const TEMPORARY: &str = "tmp";
const CACHE: &str = "cache";

/// How often it looks whether the engine is there.
const BETWEEN_VISITS: Duration = Duration::from_secs(3);
/// How long keepers may take to clear up.
const LOOKS: u32 = 1_600;
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Guards until the stream or the worker ends; the exit code.
pub(super) fn stand() -> i32 {
    guard().unwrap_or_else(|error| {
        let words = format!("the deputy cannot begin: {error}\n");
        let _ = io::stderr().write_all(words.as_bytes()); // there is nobody else to tell
        125
    })
}

fn guard() -> io::Result<i32> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let room = Path::new(ROOM);
    for directory in [TEMPORARY, CACHE] {
        fs::create_dir(room.join(directory))?;
    }
    fs::copy("/proc/self/exe", room.join(PROGRAM))?;
    let mut worker = Command::new("/proc/self/exe")
        .arg(WORKER)
        .env_clear()
        .env("HOME", room)
        .env("TMPDIR", room.join(TEMPORARY))
        .env("XDG_CACHE_HOME", room.join(CACHE))
        .stdin(Stdio::piped())
        .spawn()?;
    let mut pipe = worker.stdin.take().ok_or(io::ErrorKind::NotConnected)?;
    let (ended, end) = channel();
    let of_stream = ended.clone();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut pipe); // either way it is the end
        let _ = of_stream.send(());
    });
    let pid = worker.id();
    std::thread::spawn(move || {
        let _ = worker.wait();
        let _ = ended.send(());
    });
    // An engine that was killed ends no stream: who carries the bytes on its behalf lives on.
    while matches!(end.recv_timeout(BETWEEN_VISITS), Err(RecvTimeoutError::Timeout)) {
        if UnixStream::connect(ENGINE).is_err() {
            break;
        }
    }
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL); // it may be gone
    }
    // With the worker its keepers hear of the end; they become children of this process.
    for _ in 0..LOOKS {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => {}
            Ok(None) => std::thread::sleep(BETWEEN_LOOKS),
            Err(_) => break,
        }
    }
    Ok(0)
}
