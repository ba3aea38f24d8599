//! The program that is shipped: the profile `dist`, without a path of this machine in it.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds it; where it lies.
pub(super) fn build(root: &Path) -> Result<PathBuf> {
    let target = root.join("target");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--locked", "--profile", "dist", "--package", "notafter", "--bin", "notafter"])
        .args(["--target", TARGET])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", flags(root)?)
        .status()
        .context("failed to run cargo")?;
    ensure!(status.success(), "the program was not built");
    Ok(target.join(TARGET).join("dist/notafter"))
}

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Flags of the compiler: those of `.cargo/config.toml`, which a variable takes the place of, and names for the
/// directories that messages of panics would tell.
fn flags(root: &Path) -> Result<String> {
    let home = match std::env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => PathBuf::from(std::env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?)
            .join(".cargo"),
    };
    let renamed = |from: &Path, to: &str| -> Result<String> {
        let from = from.to_str().context("a directory whose name is no text")?;
        ensure!(!from.contains(char::is_whitespace), "{from} has blanks, which RUSTFLAGS cannot hold");
        Ok(format!("--remap-path-prefix={from}={to}"))
    };
    Ok(["-C target-feature=+crt-static".to_owned(), renamed(&home, "/cargo")?, renamed(root, "/notafter")?]
        .join(" "))
}
