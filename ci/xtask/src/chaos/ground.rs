//! On what the services of a disturbed gate stand, and what of it could be left behind.

use super::Kill;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Where services run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// Containers of the engine of this machine. Beside each disturbed gate runs another, which nothing must disturb.
    Containers,
    /// The machine itself.
    Machine,
    /// Namespaces.
    Namespaces,
}

impl Ground {
    /// What the tool is told.
    pub(super) fn arguments(self) -> [&'static str; 2] {
        match self {
            Self::Containers => ["--backend", "docker"],
            Self::Machine => ["--isolation", "none"],
            Self::Namespaces => ["--isolation", "namespaces"],
        }
    }

    /// The scenario, below `fixtures/scenarios`.
    pub(super) fn scenario(self) -> &'static str {
        match self {
            Self::Containers => "chaos-engine.yaml",
            Self::Machine | Self::Namespaces => "chaos.yaml",
        }
    }

    /// Makes the tree of the services, which is the machine's own elsewhere.
    pub(super) fn make_tree(self, directory: &Path) -> Result<()> {
        if self != Self::Containers {
            return Ok(());
        }
        let bin = directory.join("bin");
        fs::create_dir_all(&bin)
            .and_then(|()| fs::create_dir(directory.join("tmp")))
            .context("failed to make a tree")?;
        fs::copy("/bin/busybox", bin.join("busybox")).context("containers run on /bin/busybox")?;
        for applet in ["grep", "setsid", "sh", "sleep"] {
            std::os::unix::fs::symlink("busybox", bin.join(applet)).context("failed to make a tree")?;
        }
        Ok(())
    }

    /// How long anything may be left.
    pub(super) fn patience(self) -> Duration {
        match self {
            Self::Containers => Duration::from_secs(10),
            Self::Machine | Self::Namespaces => Duration::from_secs(5),
        }
    }

    /// What of the engine's is left of the run of `runner`, a line each.
    pub(super) fn left(self, runner: i32) -> Result<Vec<String>> {
        match self {
            Self::Containers => {
                let found = containers(runner)?;
                Ok(found.into_iter().map(|container| format!("container {}", container.id)).collect())
            }
            Self::Machine | Self::Namespaces => Ok(Vec::new()),
        }
    }

    /// The processes of the machine that `kill` may mean, where the keeper's children are not they.
    pub(super) fn inits(self, kill: Kill, runner: i32) -> Result<Vec<i32>> {
        match (self, kill) {
            (Self::Containers, Kill::Init) => {
                containers(runner)?.into_iter().map(|container| container.first_process()).collect()
            }
            _ => Ok(Vec::new()),
        }
    }
}

struct Container {
    id: String,
}

impl Container {
    /// 0 once it has ended.
    fn first_process(&self) -> Result<i32> {
        let output = docker(&["inspect", "--format", "{{.State.Pid}}", &self.id])?;
        Ok(output.map_or(0, |text| text.trim().parse().unwrap_or(0)))
    }
}

/// Those that the run of `runner` has, dead or alive. Their label reads NAMESPACE-PID-START.
fn containers(runner: i32) -> Result<Vec<Container>> {
    let format = "{{.ID}} {{.Label \"notafter.owner\"}}";
    let arguments = ["ps", "--all", "--no-trunc", "--filter", "label=notafter.owner", "--format", format];
    let Some(text) = docker(&arguments)? else { bail!("the engine does not list its containers") };
    let is_its = |owner: &str| owner.split('-').nth_back(1) == Some(runner.to_string().as_str());
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    Ok(lines.filter(|(_, owner)| is_its(owner)).map(|(id, _)| Container { id: id.to_owned() }).collect())
}

/// What the command prints; none where it fails.
fn docker(arguments: &[&str]) -> Result<Option<String>> {
    let output = Command::new("docker").args(arguments).output().context("failed to run docker")?;
    Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned()))
}
