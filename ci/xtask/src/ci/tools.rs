//! What is installed here beside the pinned toolchain.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What a nightly toolchain offers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Nightly {
    /// Its interpreter, with the sources that it needs.
    pub miri: bool,
    /// `cargo fuzz`.
    pub fuzz: bool,
}

/// What is installed here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tools {
    /// `cargo deny`.
    pub deny: bool,
    /// None where there is no nightly toolchain.
    pub nightly: Option<Nightly>,
    /// Directories with fuzz targets, relative to the root of the repository.
    pub fuzz_directories: Vec<String>,
}

impl Tools {
    /// Looks around. What cannot be asked counts as missing, and its step says so.
    #[must_use]
    pub fn detect(root: &Path) -> Self {
        let components = answer("rustup", &["component", "list", "--installed", "--toolchain", "nightly"]);
        let nightly = components.map(|components| Nightly {
            miri: ["miri", "rust-src"]
                .iter()
                .all(|wanted| components.lines().any(|line| line.starts_with(wanted))),
            fuzz: is_program("cargo-fuzz"),
        });
        Self { deny: is_program("cargo-deny"), nightly, fuzz_directories: fuzz_directories(root) }
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

fn fuzz_directories(root: &Path) -> Vec<String> {
    let Ok(crates) = std::fs::read_dir(root.join("crates")) else { return Vec::new() };
    let names = crates.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut found: Vec<String> = names
        .map(|name| format!("crates/{name}/fuzz"))
        .filter(|directory| root.join(directory).join("Cargo.toml").is_file())
        .collect();
    found.sort();
    found
}
