//! The command: fetches, asks for the truth, scans, compares.

use super::{Package, fetch, packages, subject};
use crate::bench::{Table, record};
use crate::printer;
use anyhow::{Context, Result, bail, ensure};
use notafter_core::{CredentialKind, Inventory, ServiceName, UnixTime};
use notafter_inventory::{ScanOptions, scan_file};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const LIST: &str = include_str!("packages.txt");
const TRUTH: &str = include_str!("truth.py");

/// What came of one row.
struct Compared {
    instead: Option<String>,
    truth: BTreeSet<String>,
    found: BTreeSet<String>,
    opaque: usize,
}

/// Compares every row, or those of the packages with these names; with `into_document` the table goes to
/// `docs/inventory.md`.
///
/// # Errors
/// When a scan misses something or finds what is not there. What cannot be fetched, for want of a network or a tool, is
/// skipped and told, and an error where `NOTAFTER_REQUIRE_ALL` is 1.
pub fn chore(root: &Path, names: &[String], into_document: bool) -> Result<()> {
    let cache = root.join("target/corpus");
    let python = python()?;
    let list = packages(LIST)?;
    if let Some(unknown) = names.iter().find(|name| list.iter().all(|package| package.name != **name)) {
        bail!("no package of the list is called `{unknown}`");
    }
    let mut table =
        Table::new(&["container", "of", "truth by", "true", "found", "missing", "false", "not read"]);
    let (mut wrong, mut skipped) = (0, 0);
    for package in list.iter().filter(|package| names.is_empty() || names.contains(&package.name)) {
        let title = format!("{}, {}", package.name, package.container);
        match compare(package, &cache, &python) {
            Ok(compared) => {
                let (row, is_right) = row(package, &compared)?;
                table.push(row)?;
                tell_differences(&title, &compared);
                wrong += usize::from(!is_right);
            }
            Err(error) => {
                skipped += 1;
                printer::progress(&format!("{title}: SKIPPED: {error:#}"));
            }
        }
    }
    printer::text(&table.to_string());
    ensure!(wrong == 0, "{wrong} rows are not what other tools say");
    let required = std::env::var("NOTAFTER_REQUIRE_ALL").is_ok_and(|value| value == "1");
    ensure!(skipped == 0 || !(required || into_document), "{skipped} rows were skipped");
    if into_document {
        record(&root.join("docs/inventory.md"), "corpus", &table)?;
    }
    Ok(())
}

fn compare(package: &Package, cache: &Path, python: &str) -> Result<Compared> {
    let fetched = fetch(package, cache)?;
    let room = tempfile::tempdir()?;
    let file = subject(package, &fetched, room.path())?;
    let kind = package.truth.first().map_or("", String::as_str);
    let truth = truth(python, kind, &file)?;
    ensure!(!truth.is_empty(), "the other tools find nothing, so there is nothing to compare");
    let service = ServiceName::new("corpus").context("a short word is a name")?;
    let inventory = scan_file(&file, "/file", &service, &ScanOptions::default());
    let found = found(&inventory, kind);
    // A program holds more than its signature; what the signature holds is all that is asked for there.
    let found = if kind == "authenticode" { found.intersection(&truth).cloned().collect() } else { found };
    Ok(Compared { instead: fetched.instead, truth, found, opaque: inventory.opaque.len() })
}

/// What the scan found, in the words of `truth.py`.
fn found(inventory: &Inventory, kind: &str) -> BTreeSet<String> {
    let credentials = inventory.credentials.iter();
    if kind == "gpg" {
        let keys = credentials.filter(|found| found.kind == CredentialKind::OpenPgpKey);
        return keys
            .map(|key| {
                let end = match key.not_after {
                    UnixTime::NO_EXPIRY => "never".to_owned(),
                    last => (last.as_secs() + CredentialKind::OpenPgpKey.end_lag_secs()).to_string(),
                };
                format!("{:0>16} {end}", key.serial.to_lowercase())
            })
            .collect();
    }
    let certificates = credentials.filter(|found| found.kind == CredentialKind::X509);
    certificates.map(|found| found.fingerprint.to_string()).collect()
}

fn truth(python: &str, kind: &str, file: &Path) -> Result<BTreeSet<String>> {
    let output = Command::new(python).args(["-c", TRUTH, kind]).arg(file).output()?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("the truth cannot be had: {}", told.lines().last().unwrap_or_default());
    }
    let lines = String::from_utf8_lossy(&output.stdout);
    Ok(lines.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// A Python that has python-cryptography: Debian's, where another stands before it on the PATH.
fn python() -> Result<String> {
    let has = |python: &&str| {
        let tried = Command::new(python).args(["-c", "import cryptography"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let found = ["python3", "/usr/bin/python3"].into_iter().find(has);
    found.map(str::to_owned).context("no Python with the module cryptography (python3-cryptography) is there")
}

/// The row, and whether nothing is missing or false.
fn row(package: &Package, compared: &Compared) -> Result<(Vec<String>, bool)> {
    let [missing, false_finds] = differences(compared).map(|difference| difference.len());
    let version = match &compared.instead {
        None => package.version.clone(),
        Some(version) => format!("{version} (not {})", package.version),
    };
    let told_by = match package.truth.first().map(String::as_str) {
        Some("authenticode") => "openssl pkcs7",
        Some("certificates") => "python-cryptography, openssl",
        Some("gpg") => "gpg",
        Some("jarsigner" | "keytool") => "keytool",
        Some("literals") => "node",
        other => bail!("nobody tells the truth about {other:?}"),
    };
    let cells = [
        package.container.clone(),
        format!("{} {version}", package.name),
        told_by.to_owned(),
        compared.truth.len().to_string(),
        compared.found.len().to_string(),
        missing.to_string(),
        false_finds.to_string(),
        compared.opaque.to_string(),
    ];
    Ok((cells.to_vec(), missing + false_finds == 0))
}

/// What is missing, and what is false.
fn differences(compared: &Compared) -> [Vec<&String>; 2] {
    let (truth, found) = (&compared.truth, &compared.found);
    [truth.difference(found).collect(), found.difference(truth).collect()]
}

fn tell_differences(title: &str, compared: &Compared) {
    let [missing, false_finds] = differences(compared);
    printer::progress(&format!("{title}: {} of {}", compared.found.len(), compared.truth.len()));
    for (word, which) in [("missing", missing), ("false", false_finds)] {
        for one in which.iter().take(10) {
            printer::progress(&format!("  {word}: {one}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(truth: &[&str], found: &[&str]) -> Compared {
        let set = |of: &[&str]| of.iter().map(|text| (*text).to_owned()).collect();
        Compared { instead: None, truth: set(truth), found: set(found), opaque: 0 }
    }

    #[test]
    fn a_row_is_right_where_nothing_is_missing_and_nothing_false() {
        let package = &packages(LIST).unwrap()[0];
        for (truth, found, expected) in [
            (&["a", "b"][..], &["a", "b"][..], true),
            (&["a", "b"], &["a"], false),
            (&["a"], &["a", "b"], false),
        ] {
            assert_eq!(row(package, &compared(truth, found)).unwrap().1, expected);
        }
    }
}
