//! The package for Debian. `dpkg-deb` writes it: what it refuses, dpkg would refuse too.

use super::archive::gzip;
use super::shipment::{Content, Files, PROGRAM, THIRD_PARTY};
use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

const DOCUMENTS: &str = "usr/share/doc/notafter";

/// Where Debian has a file of the archive; none for what has no place there.
pub(super) fn place(path: &str) -> Option<String> {
    if let Some(page) = path.strip_prefix("man/") {
        return Some(format!("usr/share/man/{page}.gz"));
    }
    Some(match path {
        PROGRAM => "usr/bin/notafter".to_owned(),
        "completions/notafter.bash" => "usr/share/bash-completion/completions/notafter".to_owned(),
        "completions/notafter.fish" => "usr/share/fish/vendor_completions.d/notafter.fish".to_owned(),
        "completions/_notafter" => "usr/share/zsh/vendor-completions/_notafter".to_owned(),
        "CHANGELOG.md" => format!("{DOCUMENTS}/changelog.gz"),
        "LICENSE-APACHE" | "LICENSE-MIT" | "README.md" => format!("{DOCUMENTS}/{path}"),
        THIRD_PARTY => format!("{DOCUMENTS}/{THIRD_PARTY}.gz"),
        // No package of Debian brings a place for those of elvish and PowerShell.
        "completions/notafter.elv" | "completions/_notafter.ps1" => return None,
        _ => return None,
    })
}

/// Writes the package to `to`.
pub(super) fn package(version: &str, files: &Files, epoch: u32, to: &Path) -> Result<()> {
    let stage = tempfile::tempdir().context("failed to make a directory")?;
    let tree = stage.path().join("tree");
    let mut bytes = 0;
    for (path, content) in files {
        let Some(place) = place(path) else { continue };
        let content = match place.ends_with(".gz") {
            true => Content::text(gzip(&content.bytes)?),
            false => content.clone(),
        };
        bytes += content.bytes.len();
        write(&tree, &place, &content)?;
    }
    write(&tree, &format!("{DOCUMENTS}/copyright"), &Content::text(copyright()))?;
    write(&tree, "DEBIAN/control", &Content::text(control(version, bytes.div_ceil(1024))))?;
    settle(&tree, epoch)?;

    let told = Command::new("dpkg-deb")
        // One thread: how many there are would be seen in the bytes.
        .args(["--build", "--root-owner-group", "-Zxz"])
        .env("DPKG_DEB_THREADS_MAX", "1")
        .env("SOURCE_DATE_EPOCH", epoch.to_string())
        .args([&tree, to])
        .output();
    let told = match told {
        Ok(told) => told,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("dpkg-deb is not installed; Debian and Fedora have it in the package dpkg")
        }
        Err(error) => return Err(error).context("failed to run dpkg-deb"),
    };
    ensure!(told.status.success(), "dpkg-deb: {}", String::from_utf8_lossy(&told.stderr));
    Ok(())
}

fn control(version: &str, installed_kib: usize) -> String {
    format!(
        "Package: notafter\n\
         Version: {version}\n\
         Architecture: amd64\n\
         Maintainer: notafter maintainers <notafter@users.noreply.github.com>\n\
         Installed-Size: {installed_kib}\n\
         Section: devel\n\
         Priority: optional\n\
         Homepage: {}\n\
         Description: release gate that finds what breaks when something in a build expires\n \
         Runs a candidate and its peers in sandboxes whose clock stands where the real\n \
         clock will stand months from now, lets time elapse across every instant at\n \
         which a certificate or another credential ends, and blocks the release if\n \
         something breaks inside the time that it is meant to live.\n",
        env!("CARGO_PKG_REPOSITORY")
    )
}

/// In the form of https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/.
fn copyright() -> String {
    format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: notafter\n\
         Source: {}\n\
         Comment: The program is linked statically. {DOCUMENTS}/{THIRD_PARTY}.gz holds\n \
         the licences of everything in it.\n\
         \n\
         Files: *\n\
         Copyright: the authors of notafter\n\
         License: MIT or Apache-2.0\n \
         {DOCUMENTS}/LICENSE-MIT and\n \
         {DOCUMENTS}/LICENSE-APACHE hold their texts.\n",
        env!("CARGO_PKG_REPOSITORY")
    )
}

fn write(tree: &Path, path: &str, content: &Content) -> Result<()> {
    let path = tree.join(path);
    let failed = || format!("failed to write {}", path.display());
    fs::create_dir_all(path.parent().unwrap_or(tree)).with_context(failed)?;
    fs::write(&path, &content.bytes).with_context(failed)?;
    fs::set_permissions(&path, Permissions::from_mode(content.mode)).with_context(failed)
}

/// Gives everything the time of the shipment, and directories the mode that they have in any umask.
fn settle(path: &Path, epoch: u32) -> Result<()> {
    let failed = || format!("failed to settle {}", path.display());
    if path.is_dir() {
        for entry in fs::read_dir(path).with_context(failed)? {
            settle(&entry.with_context(failed)?.path(), epoch)?;
        }
        fs::set_permissions(path, Permissions::from_mode(0o755)).with_context(failed)?;
    }
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(epoch.into());
    File::open(path).and_then(|file| file.set_modified(time)).with_context(failed)
}
