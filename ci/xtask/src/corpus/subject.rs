//! The file that a row is about: the package, a file in it, or one that other tools make of what lies in it.

use super::{Fetched, Package};
use anyhow::{Context, Result, bail, ensure};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// As many certificates go into a store: each one starts keytool.
const IN_STORE: usize = 25;

/// The file, which may be made in `room`.
pub(super) fn subject(package: &Package, fetched: &Fetched, room: &Path) -> Result<PathBuf> {
    let kind: Vec<&str> = package.truth.iter().map(String::as_str).collect();
    match (&kind[..], &package.path) {
        (["keytool", form], _) => store(&roots(fetched, room)?, form, room),
        (["literals"], _) => literals(&roots(fetched, room)?, room),
        (["jarsigner"], _) => signed_jar(room),
        (_, None) => Ok(fetched.file.clone()),
        (_, Some(path)) => {
            unpack(&fetched.file, room)?;
            let file = room.join(path.trim_start_matches('/'));
            ensure!(file.is_file(), "the package has no {path}");
            Ok(file)
        }
    }
}

fn unpack(package: &Path, room: &Path) -> Result<()> {
    run(Command::new("dpkg-deb").arg("--extract").args([package, room]))
}

/// The certificates of `ca-certificates`, as files of PEM.
fn roots(fetched: &Fetched, room: &Path) -> Result<Vec<PathBuf>> {
    unpack(&fetched.file, room)?;
    let entries = std::fs::read_dir(room.join("usr/share/ca-certificates/mozilla"))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    Ok(files)
}

fn store(roots: &[PathBuf], form: &str, room: &Path) -> Result<PathBuf> {
    let file = room.join("cacerts");
    for (index, root) in roots.iter().take(IN_STORE).enumerate() {
        let mut command = Command::new("keytool");
        command.args(["-importcert", "-noprompt", "-storetype", form, "-storepass", "changeit"]);
        run(command.arg("-alias").arg(index.to_string()).arg("-file").arg(root).arg("-keystore").arg(&file))?;
    }
    Ok(file)
}

/// A module of JavaScript whose constants are the certificates, written in the ways that people write them.
fn literals(roots: &[PathBuf], room: &Path) -> Result<PathBuf> {
    let mut module = String::new();
    for (index, root) in roots.iter().enumerate() {
        let text = std::fs::read_to_string(root)?;
        let quoted = |quote: &str, end: &str, joint: &str| {
            let lines = text.lines().map(|line| format!("{quote}{line}{end}{quote}"));
            lines.collect::<Vec<_>>().join(joint)
        };
        let literal = match index % 6 {
            0 => quoted("\"", "\\n", " +\n  "),
            1 => format!("`{text}`"),
            2 => format!("[{}].join('\\n')", quoted("'", "", ",\n  ")),
            3 => format!("'{}'", text.replace('\n', "\\n")),
            4 => quoted("'", "\\r\\n", "\n  + "),
            _ => format!("\"{}\"", text.replace('\n', "\\n\\\n")),
        };
        // A String takes everything that is written to it.
        _ = writeln!(module, "exports.root{index} = {literal};");
    }
    let file = room.join("roots.js");
    std::fs::write(&file, module)?;
    Ok(file)
}

fn signed_jar(room: &Path) -> Result<PathBuf> {
    let file = room.join("signed.jar");
    let script = "
        echo 'Main-Class: None' > manifest
        jar cfm signed.jar manifest manifest
        keytool -genkeypair -alias ca -keyalg EC -dname CN=corpus-ca -ext bc:c -storepass changeit -keystore store
        keytool -genkeypair -alias own -keyalg EC -dname CN=corpus -signer ca -storepass changeit -keystore store
        jarsigner -keystore store -storepass changeit signed.jar own
        rm store";
    run(Command::new("sh").args(["-euc", script]).current_dir(room))?;
    Ok(file)
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{program} is not there"))?;
    if !output.status.success() {
        let told = [output.stdout, output.stderr].concat();
        bail!("{program} failed: {}", String::from_utf8_lossy(&told).trim());
    }
    Ok(())
}
