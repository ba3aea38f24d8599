//! A run that is killed, or loses a part of itself, in the moment in which it asks an engine what that sees of this machine.
//! The engine is a stand-in that does not answer before it is told to.

use super::engine::within;
use super::scene::{SOUND, Scene, shown};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// How long a gate may take to ask, and to be gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// An engine that has nothing.
struct StandIn {
    /// What each question names of this machine's files.
    questions: Receiver<Vec<PathBuf>>,
    /// Lets it answer.
    answers: Sender<()>,
}

impl StandIn {
    fn at(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let (ask, questions) = channel();
        let (answers, answer) = channel();
        std::thread::spawn(move || {
            // Whoever asks has one connection at a time.
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                while let Some((line, body)) = heard(&mut connection) {
                    if line.contains("/containers/create") {
                        ask.send(sources(&body)).unwrap();
                        if answer.recv().is_err() {
                            return;
                        }
                        say(&mut connection, "400 -", r#"{"message":"bind source path does not exist"}"#);
                    } else if line.contains("/version") {
                        say(&mut connection, "200 -", r#"{"ApiVersion":"1.41","MinAPIVersion":"1.12"}"#);
                    } else {
                        say(&mut connection, "500 -", r#"{"message":"it is a stand-in"}"#);
                    }
                }
            }
        });
        Self { questions, answers }
    }
}

/// The first line of a request, and its body; none where the other side is gone.
fn heard(connection: &mut UnixStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    connection.read_exact(&mut body).ok()?;
    Some((head.lines().next()?.to_owned(), body))
}

fn say(connection: &mut UnixStream, status: &str, body: &str) {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    _ = connection.write_all((head + body).as_bytes()); // it may have been killed
}

fn sources(body: &[u8]) -> Vec<PathBuf> {
    let asked: serde_json::Value = serde_json::from_slice(body).unwrap();
    let mounts = asked["HostConfig"]["Mounts"].as_array().unwrap();
    mounts.iter().map(|mount| mount["Source"].as_str().unwrap().into()).collect()
}

/// A gate that has just asked.
struct Asking {
    scene: Scene,
    engine: StandIn,
    run: Child,
    /// What it has laid out to be seen.
    laid: Vec<PathBuf>,
}

impl Asking {
    fn begin() -> Self {
        let scene = Scene::with("scenario.yaml", SOUND);
        let temporary = scene.path().join("temporary");
        fs::create_dir(&temporary).unwrap();
        let socket = scene.path().join("engine.sock");
        let engine = StandIn::at(&socket);
        let mut command = scene.command(&["gate", "scenario.yaml", "--backend", "docker", "--quiet"]);
        command.env("DOCKER_HOST", format!("unix://{}", socket.display())).env("TMPDIR", &temporary);
        // A group of its own, as that of a job or of a terminal is.
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let run = command.spawn().unwrap();
        let laid = engine.questions.recv_timeout(PATIENCE).unwrap();
        let laid: Vec<PathBuf> = laid.into_iter().filter(|path| path.is_dir()).collect();
        assert!(laid.iter().any(|path| path.starts_with(&temporary)), "{laid:?}");
        Self { scene, engine, run, laid }
    }

    fn group(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.run.id()).unwrap())
    }

    /// The process that has a part in this and lives beside the runner.
    fn keeper(&self) -> Pid {
        let words = format!("__sandbox\0{}\0", self.run.id());
        let line = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Pid::from_raw(pids.into_iter().find(|pid| line(pid).contains(&words)).unwrap())
    }

    fn nothing_is_left(&self) {
        let temporary = self.scene.path().join("temporary");
        let left = || -> Vec<PathBuf> {
            let there = fs::read_dir(&temporary).unwrap().flatten().map(|entry| entry.path());
            there.chain(self.laid.iter().filter(|path| path.exists()).cloned()).collect()
        };
        assert!(within(PATIENCE, || left().is_empty().then_some(())).is_some(), "left: {:?}", left());
        super::left::nothing_is_left(self.run.id(), "marker of none");
    }
}

#[test]
fn a_run_that_is_killed_while_it_asks_an_engine_leaves_nothing() {
    for group in [false, true] {
        let mut asking = Asking::begin();
        let whom = if group { Pid::from_raw(-asking.group().as_raw()) } else { asking.group() };
        kill(whom, Signal::SIGKILL).unwrap();
        asking.run.wait().unwrap();
        asking.nothing_is_left();
    }
}

#[test]
fn a_run_that_loses_its_keeper_while_it_asks_an_engine_cannot_look_and_leaves_nothing() {
    let asking = Asking::begin();
    kill(asking.keeper(), Signal::SIGKILL).unwrap();
    asking.engine.answers.send(()).unwrap();
    let Asking { scene, engine, run, laid } = asking;
    let pid = run.id();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", shown(&output));
    assert!(shown(&output).contains("kept directories for the engine was killed"), "{}", shown(&output));
    assert!(!laid.iter().any(|path| path.exists()), "{laid:?}");
    super::left::nothing_is_left(pid, "marker of none");
    drop((scene, engine));
}

#[test]
fn a_run_that_is_interrupted_while_it_asks_an_engine_leaves_nothing() {
    let mut asking = Asking::begin();
    kill(Pid::from_raw(-asking.group().as_raw()), Signal::SIGINT).unwrap();
    asking.engine.answers.send(()).unwrap();
    assert_ne!(asking.run.wait().unwrap().code(), Some(0));
    asking.nothing_is_left();
}
