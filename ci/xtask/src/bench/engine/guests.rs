//! The programs that are measured, built from `fixtures/bench`.

use super::side;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the built programs lie.
pub(super) struct Guests {
    room: tempfile::TempDir,
}

impl Guests {
    /// Builds those whose compilers are there.
    pub(super) fn build(root: &Path) -> Result<Self> {
        let room = tempfile::tempdir().context("failed to make room")?;
        // Servers give up root.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(room.path(), mode).context("failed to open the room")?;
        let fixtures = root.join("fixtures/bench");
        let (source, out) = (|name: &str| fixtures.join(name), |name: &str| room.path().join(name));
        compile(
            Command::new("cc").arg("-O2").arg("-o").arg(out("costs")).arg(source("costs.c")).arg("-lpthread"),
        )?;
        if side::missing(&["javac"]).is_none() {
            compile(Command::new("javac").arg("-d").arg(room.path()).arg(source("Churn.java")))?;
        }
        if side::missing(&["go"]).is_none() {
            let mut go = Command::new("go");
            go.env("GOCACHE", out("cache")).env("GO111MODULE", "off").env("CGO_ENABLED", "0");
            compile(go.arg("build").arg("-o").arg(out("churn")).arg(source("churn.go")))?;
        }
        Ok(Self { room })
    }

    pub(super) fn place(&self) -> &Path {
        self.room.path()
    }

    pub(super) fn costs(&self) -> PathBuf {
        self.room.path().join("costs")
    }
}

fn compile(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("failed to start {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
