//! Runs the binary in a directory of its own.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A scenario in which nothing is wrong: one service on the machine's own files, one check.
pub(super) const SOUND: &str = "\
notafter: 1
name: sound
start: 2030-01-01T00:00:00Z
support: 1y
candidate: sleeper
services:
  sleeper:
    image: host
    command: [sleep, \"1000000\"]
checks:
  sleeps: { probe: { alive: { service: sleeper } }, expect: { works: {} } }
";

/// An empty directory in which the binary runs.
pub(super) struct Scene(tempfile::TempDir);

impl Scene {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// One below `directory`, for what must lie in the workspace.
    pub(super) fn within(directory: &str) -> Self {
        Self(tempfile::tempdir_in(directory).unwrap())
    }

    pub(super) fn with(file: &str, text: &str) -> Self {
        let scene = Self::new();
        std::fs::write(scene.path().join(file), text).unwrap();
        scene
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Lets other users of the machine in.
    pub(super) fn open_to_others(&self) {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(self.path(), mode).unwrap();
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_notafter"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.env_remove("NO_COLOR").env("TERM", "xterm");
        command
    }

    /// The exit code, and what stood on which stream.
    pub(super) fn run(&self, arguments: &[&str]) -> String {
        shown(&self.command(arguments).output().unwrap())
    }
}

pub(super) fn shown(output: &Output) -> String {
    let mut text = format!("exit {}", output.status.code().unwrap_or(-1));
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !bytes.is_empty() {
            write!(text, "\n--- {name}\n{}", String::from_utf8_lossy(bytes).trim_end()).unwrap();
        }
    }
    text
}
