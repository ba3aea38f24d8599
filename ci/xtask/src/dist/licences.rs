//! Licences of every crate that is linked into the program, from their sources.

use anyhow::{Context, Result, ensure};
use cargo_metadata::{DependencyKind, MetadataCommand, Package, PackageId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The program's own crate, and what is built for it.
const CRATE: &str = "notafter";
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What begins the name of a file with a licence, or with what a licence wants told.
const NAMES: [&str; 6] = ["copying", "copyright", "licence", "license", "notice", "unlicense"];

const HEAD: &str = "\
notafter is linked statically. This file names what is in it beside its own code, with the licences under which that
may be given on.

The GNU C library (https://www.gnu.org/software/libc/) is under the GNU Lesser General Public License, version 2.1 or
later; whoever wants another version of it in the program builds it anew from its source.
";

/// A text with every crate, its licence, and the texts that its source holds, each once.
pub(super) fn third_party(root: &Path) -> Result<String> {
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .other_options(["--locked", "--filter-platform", TARGET].map(str::to_owned))
        .exec()
        .context("failed to ask cargo for the crates")?;
    let resolve = metadata.resolve.as_ref().context("cargo resolved no dependencies")?;
    let own = |package: &&Package| package.name.as_str() == CRATE && package.source.is_none();
    let start = metadata.packages.iter().find(own).context("the workspace has no program")?;

    // What build scripts and macros need is not linked.
    let mut linked: BTreeSet<&PackageId> = BTreeSet::new();
    let mut open = vec![&start.id];
    while let Some(id) = open.pop() {
        if !linked.insert(id) {
            continue;
        }
        let node =
            resolve.nodes.iter().find(|node| node.id == *id).context("a crate without dependencies")?;
        let normal = node
            .deps
            .iter()
            .filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
        open.extend(normal.map(|dependency| &dependency.pkg));
    }

    let mut packages: Vec<&Package> = metadata
        .packages
        .iter()
        .filter(|package| package.source.is_some() && linked.contains(&package.id))
        .collect();
    packages.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    ensure!(!packages.is_empty(), "nothing is linked into the program, which cannot be");

    let mut list = String::new();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages {
        let name = format!("{} {}", package.name, package.version);
        let licence = package.license.as_deref().unwrap_or("see below");
        list.push_str(&format!("{name}: {licence}\n"));
        let directory = package.manifest_path.parent().context("a manifest without a directory")?;
        let own = texts_in(directory.as_std_path())?;
        ensure!(package.license.is_some() || !own.is_empty(), "{name} has no licence");
        for text in own {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    let mut document = format!("{HEAD}\n{list}");
    let mut texts: Vec<(String, Vec<String>)> = texts.into_iter().collect();
    texts.sort_by(|one, other| one.1.cmp(&other.1).then_with(|| one.0.cmp(&other.0)));
    for (text, names) in texts {
        document.push_str(&format!("\n{}\n{}\n\n{}\n", "-".repeat(79), names.join(", "), text));
    }
    Ok(document)
}

/// The licences that lie at the top of a crate's source, without what differs in blanks at the ends of lines.
fn texts_in(directory: &Path) -> Result<Vec<String>> {
    let failed = || format!("failed to read {}", directory.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if NAMES.iter().any(|begin| name.starts_with(begin)) && entry.path().is_file() {
            paths.push(entry.path());
        }
    }
    paths.sort();
    let text = |path| {
        let bytes = std::fs::read(path).with_context(failed)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(text.trim().lines().map(str::trim_end).collect::<Vec<_>>().join("\n"))
    };
    paths.iter().map(text).collect()
}
