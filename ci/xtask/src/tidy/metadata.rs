//! The members of the workspace as `cargo metadata` sees them.

use super::{Dependency, DependencyKind, Member, Source};
use anyhow::{Context, Result};
use cargo_metadata::{MetadataCommand, Package, TargetKind};
use std::path::Path;

/// Reads the members of the workspace at `root`; needs neither the network nor a build.
pub(super) fn members(root: &Path) -> Result<Vec<Member>> {
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .no_deps()
        .exec()
        .context("failed to read the workspace with `cargo metadata`")?;
    // Where the root is reached through a symbolic link, Cargo's paths have it resolved.
    let root = metadata.workspace_root.as_std_path();
    metadata.workspace_packages().into_iter().map(|package| member(root, package)).collect()
}

fn member(root: &Path, package: &Package) -> Result<Member> {
    let directory = package.manifest_path.parent().context("a manifest lies in no directory")?;
    let roots = package.targets.iter().filter(|target| !target.kind.contains(&TargetKind::Test));
    let dependencies = package.dependencies.iter().map(|dependency| Dependency {
        name: dependency.name.clone(),
        kind: match dependency.kind {
            cargo_metadata::DependencyKind::Build => DependencyKind::Build,
            cargo_metadata::DependencyKind::Development => DependencyKind::Development,
            // Kinds that a later cargo may add are treated as the strictest one.
            _ => DependencyKind::Normal,
        },
        source: if dependency.path.is_some() { Source::Path } else { Source::Outside },
    });
    Ok(Member {
        name: package.name.to_string(),
        directory: relative(root, directory.as_std_path())?,
        description: package.description.clone(),
        roots: roots.map(|target| relative(root, target.src_path.as_std_path())).collect::<Result<_>>()?,
        dependencies: dependencies.collect(),
    })
}

fn relative(root: &Path, path: &Path) -> Result<String> {
    let inside = path.strip_prefix(root).with_context(|| format!("{} lies outside", path.display()))?;
    let inside = inside.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
    Ok(inside.to_owned())
}
