//! Packages through their ordinary clients.

use super::{Client, Package};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A package that lies here.
pub(super) struct Fetched {
    pub(super) file: PathBuf,
    /// The version that was to be had instead of the one in the list, which is gone.
    pub(super) instead: Option<String>,
}

/// The package, out of `cache` where it lies there already.
///
/// # Errors
/// Where the client is missing or brings nothing, as without a network, and where the file of the version in the list has
/// another checksum.
pub(super) fn fetch(package: &Package, cache: &Path) -> Result<Fetched> {
    let directory = cache.join(&package.sha256);
    if let Some(file) = only_file(&directory)
        && sha256(&file)? == package.sha256
    {
        return Ok(Fetched { file, instead: None });
    }
    if download(package, Some(&package.version), &directory).is_ok() {
        let file = only_file(&directory).context("nothing was downloaded")?;
        let found = sha256(&file)?;
        if found != package.sha256 {
            bail!("{} {} has the checksum {found}", package.name, package.version);
        }
        return Ok(Fetched { file, instead: None });
    }
    // Mirrors of Debian keep the last version alone.
    let directory = cache.join(format!("{}-as-it-is", package.name));
    if download(package, None, &directory).is_err() {
        refresh(package.client);
        download(package, None, &directory)?;
    }
    let file = only_file(&directory).context("nothing was downloaded")?;
    let name = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let version = name.split(['_', '-']).nth(1).unwrap_or("another").replace("%3a", ":");
    Ok(Fetched { file, instead: Some(version) })
}

/// What the mirror has may have changed since this machine asked. Only root may ask, and who may not is told by the
/// download that fails again.
fn refresh(client: Client) {
    match client {
        Client::Apt => drop(Command::new("apt-get").args(["update", "--quiet"]).output()),
        Client::Pip => {}
    }
}

/// Brings one file into `directory`, which held nothing else.
fn download(package: &Package, version: Option<&str>, directory: &Path) -> Result<()> {
    if directory.exists() {
        std::fs::remove_dir_all(directory)?;
    }
    std::fs::create_dir_all(directory)?;
    let mut command = match package.client {
        Client::Apt => Command::new("apt-get"),
        Client::Pip => Command::new("python3"),
    };
    let with = |joint: &str| {
        version.map_or_else(|| package.name.clone(), |version| [&package.name, joint, version].concat())
    };
    match package.client {
        Client::Apt => command.args(["download", "--quiet", &with("=")]),
        Client::Pip => command
            .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", "."])
            .arg(with("==")),
    };
    let output = command
        .current_dir(directory)
        .output()
        .with_context(|| format!("{} is not there", command.get_program().to_string_lossy()))?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    bail!("{} cannot be had: {}", package.name, told.lines().last().unwrap_or("its client does not say why"))
}

fn only_file(directory: &Path) -> Option<PathBuf> {
    let mut files = std::fs::read_dir(directory).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let first = files.next()?;
    files.next().is_none().then_some(first)
}

fn sha256(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file)?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}
