//! The chore: builds the program, packs it, and sums up.

use super::{Shipment, archive, build, debian, licences};
use crate::printer;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds what is shipped from the repository at `root`, or takes `binary` for it, and writes it to `out`.
///
/// # Errors
/// Where a part fails, or neither git nor SOURCE_DATE_EPOCH says when the tree was written.
pub fn chore(root: &Path, out: &Path, binary: Option<&Path>) -> Result<()> {
    let epoch = epoch(root)?;
    let binary = match binary {
        Some(binary) => binary.to_path_buf(),
        None => build::build(root)?,
    };
    let binary = fs::canonicalize(&binary).with_context(|| format!("there is no {}", binary.display()))?;
    for path in pack(&Shipment { binary, root: root.to_path_buf(), epoch }, out)? {
        printer::text(&format!("{}\n", path.display()));
    }
    Ok(())
}

/// Packs a shipment into `out`: an archive, a package for Debian, and SHA256SUMS. What they are called.
///
/// # Errors
/// Where the program does not say what it must, a file cannot be written, or `dpkg-deb` is not there.
pub fn pack(shipment: &Shipment, out: &Path) -> Result<Vec<PathBuf>> {
    ensure!(is_static(&shipment.binary)?, "{} is not linked statically", shipment.binary.display());
    let version = shipment.version()?;
    let files = shipment.files(&licences::third_party(&shipment.root)?)?;
    fs::create_dir_all(out).with_context(|| format!("failed to make {}", out.display()))?;

    let top = format!("notafter-{version}-x86_64-linux");
    let archive_path = out.join(format!("{top}.tar.gz"));
    write(&archive_path, &archive::archive(&top, &files, shipment.epoch)?)?;
    let package_path = out.join(format!("notafter_{version}_amd64.deb"));
    debian::package(&version, &files, shipment.epoch, &package_path)?;

    let mut sums = String::new();
    for path in [&archive_path, &package_path] {
        let bytes = fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        sums.push_str(&archive::sum(&name, &bytes));
    }
    let sums_path = out.join("SHA256SUMS");
    write(&sums_path, sums.as_bytes())?;
    Ok(vec![archive_path, package_path, sums_path])
}

/// When the tree counts as written: SOURCE_DATE_EPOCH, or the time of its commit.
fn epoch(root: &Path) -> Result<u32> {
    let text = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text,
        Err(_) => {
            let told = Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root).output();
            let told = told.context("failed to run git; SOURCE_DATE_EPOCH would do as well")?;
            ensure!(told.status.success(), "{} is no checkout; set SOURCE_DATE_EPOCH", root.display());
            String::from_utf8_lossy(&told.stdout).into_owned()
        }
    };
    text.trim().parse().with_context(|| format!("`{}` are no seconds since 1970", text.trim()))
}

/// Whether the program asks for no loader. Linkers put the loader's name right behind the head of the file.
fn is_static(binary: &Path) -> Result<bool> {
    let mut head = Vec::new();
    let file = fs::File::open(binary).with_context(|| format!("failed to open {}", binary.display()))?;
    file.take(4096).read_to_end(&mut head).with_context(|| format!("failed to read {}", binary.display()))?;
    Ok(memchr::memmem::find(&head, b"/ld-linux").is_none())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("failed to write {}", path.display()))
}
