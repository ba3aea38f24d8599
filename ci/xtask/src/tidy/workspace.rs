//! What the rules look at, as plain data.

use super::TextFile;
use anyhow::{Context, Result, ensure};
use std::path::Path;

/// For what a dependency is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependencyKind {
    /// By the build script.
    Build,
    /// By tests, benchmarks and examples.
    Development,
    /// By the crate itself.
    Normal,
}

/// Where a dependency comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A registry or anything else outside the repository.
    Outside,
    /// A path inside the repository.
    Path,
}

/// One crate that another one names in its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Name of the package, not the name it is given.
    pub name: String,
    /// For what.
    pub kind: DependencyKind,
    /// From where.
    pub source: Source,
}

/// One crate of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its directory, relative to the root of the repository.
    pub directory: String,
    /// Its description.
    pub description: Option<String>,
    /// Root files of its library, binaries, examples and build script; not of its tests. Relative as `directory`.
    pub roots: Vec<String>,
    /// What its manifest names.
    pub dependencies: Vec<Dependency>,
}

/// The whole repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// The crates.
    pub members: Vec<Member>,
    /// Every text file, sorted by path.
    pub files: Vec<TextFile>,
}

impl Workspace {
    /// Reads the repository at `root`.
    ///
    /// # Errors
    /// When `cargo metadata` fails, a file cannot be read, or nothing is found: rules over nothing would all pass.
    pub fn load(root: &Path) -> Result<Self> {
        let members = super::metadata::members(root)?;
        let mut files = Vec::new();
        collect(root, "", &mut files)?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        ensure!(!members.is_empty() && !files.is_empty(), "{} holds nothing to check", root.display());
        mark_test_modules(&mut files);
        Ok(Self { members, files })
    }

    /// The file at this path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&TextFile> {
        self.files.iter().find(|file| file.path == path)
    }
}

/// Marks the files of modules that their parent declares under `#[cfg(test)]`.
fn mark_test_modules(files: &mut [TextFile]) {
    let modules: Vec<String> = files.iter().filter(|file| file.is_rust()).flat_map(test_modules).collect();
    for file in files {
        let own = file.path.strip_suffix(".rs").unwrap_or(&file.path);
        let within = |module: &String| {
            own.strip_prefix(module.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if modules.iter().any(within) {
            file.lines.iter_mut().for_each(|line| line.is_test = true);
        }
    }
}

/// Paths, without `.rs`, of the modules that `file` declares for tests.
fn test_modules(file: &TextFile) -> Vec<String> {
    let own = file.path.strip_suffix(".rs").unwrap_or(&file.path);
    let directory = match own.rsplit_once('/') {
        Some((parent, "lib" | "main" | "mod")) => parent,
        _ => own,
    };
    let declarations = file.lines.iter().filter(|line| line.is_test).filter_map(|line| {
        let declaration = line.code.trim().strip_suffix(';')?;
        let (before, name) = declaration.rsplit_once("mod ")?;
        (before.is_empty() || before.ends_with(' ')).then(|| format!("{directory}/{name}"))
    });
    declarations.collect()
}

/// What nobody wrote: build output, and git's own data (a file in worktrees).
fn is_generated(path: &str) -> bool {
    path == ".git" || path == "target" || path.ends_with("/target")
}

/// Adds every UTF-8 file below `prefix`; what is not UTF-8 is no text and no concern of the rules.
fn collect(root: &Path, prefix: &str, files: &mut Vec<TextFile>) -> Result<()> {
    let directory = root.join(prefix);
    let entries =
        std::fs::read_dir(&directory).with_context(|| format!("failed to list {}", directory.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("failed to list {}", directory.display()))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        if is_generated(&path) {
            continue;
        }
        let kind = entry.file_type().with_context(|| format!("failed to look at {path}"))?;
        if kind.is_dir() {
            collect(root, &path, files)?;
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path()).with_context(|| format!("failed to read {path}"))?;
            if let Ok(text) = std::str::from_utf8(&bytes) {
                files.push(TextFile::new(&path, text));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(parent: &str, text: &str, child: &str) -> bool {
        let mut files = vec![TextFile::new(parent, text), TextFile::new(child, "fn f() {}\n")];
        mark_test_modules(&mut files);
        files[1].lines[0].is_test
    }

    #[test]
    fn a_module_declared_for_tests_is_test() {
        let declared = "#[cfg(test)]\npub(crate) mod sample;\n";
        assert!(marked("a/src/lib.rs", declared, "a/src/sample.rs"));
        assert!(marked("a/src/lib.rs", declared, "a/src/sample/mod.rs"));
        assert!(marked("a/src/b/mod.rs", "#[cfg(test)] mod sample;\n", "a/src/b/sample.rs"));
        assert!(marked("a/src/b.rs", declared, "a/src/b/sample.rs"));
    }

    #[test]
    fn any_other_module_is_not() {
        let declared = "#[cfg(test)]\nmod sample;\nmod other;\n";
        assert!(!marked("a/src/lib.rs", declared, "a/src/other.rs"));
        assert!(!marked("a/src/lib.rs", declared, "a/src/samples.rs"));
        assert!(!marked("a/src/lib.rs", declared, "b/src/sample.rs"));
        assert!(!marked("a/src/lib.rs", "mod sample;\n", "a/src/sample.rs"));
    }
}
