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
}

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
        Self { deny: is_program("cargo-deny"), nightly }
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
