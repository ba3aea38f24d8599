//! What is installed here beside the pinned toolchain.

use std::path::PathBuf;
use std::process::Command;

/// What a nightly toolchain offers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Nightly {
    /// Its interpreter, with the sources that it needs.
    pub miri: bool,
}

/// What is installed here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tools {
    /// `cargo deny`.
    pub deny: bool,
    /// None where there is no nightly toolchain.
    pub nightly: Option<Nightly>,
    /// The standard library of [`OTHER_TARGET`].
    pub other_target: bool,
}

/// An architecture whose code is checked and cannot be run on the machines that run CI.
pub const OTHER_TARGET: &str = "aarch64-unknown-linux-gnu";

impl Tools {
    /// Looks around. What cannot be asked counts as missing, and its step says so.
    #[must_use]
    pub fn detect() -> Self {
        let components = answer("rustup", &["component", "list", "--installed", "--toolchain", "nightly"]);
        let nightly = components.map(|components| Nightly {
            miri: ["miri", "rust-src"]
                .iter()
                .all(|wanted| components.lines().any(|line| line.starts_with(wanted))),
        });
        let targets = answer("rustup", &["target", "list", "--installed"]).unwrap_or_default();
        let other_target = targets.lines().any(|target| target == OTHER_TARGET);
        Self { deny: is_program("cargo-deny"), nightly, other_target }
    }

    /// Has [`OTHER_TARGET`] installed if it can be had, and looks around again. What fails here, its step says.
    #[must_use]
    pub fn complete(self) -> Self {
        if self.other_target {
            return self;
        }
        let _ = answer("rustup", &["target", "add", OTHER_TARGET]);
        Self::detect()
    }
}

/// What a command prints; none where it fails or does not exist.
fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn is_program(name: &str) -> bool {
    let directories: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    directories.iter().any(|directory| directory.join(name).is_file())
}
