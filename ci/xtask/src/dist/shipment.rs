//! Everything that is shipped, as plain data: paths of the archive with their content.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Completions: the shell, and the file of the archive.
const COMPLETIONS: [(&str, &str); 5] = [
    ("bash", "completions/notafter.bash"),
    ("elvish", "completions/notafter.elv"),
    ("fish", "completions/notafter.fish"),
    ("powershell", "completions/_notafter.ps1"),
    ("zsh", "completions/_notafter"),
];

/// Files at the top of the repository that go along.
const DOCUMENTS: [&str; 4] = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"];

/// The program.
pub(super) const PROGRAM: &str = "notafter";
/// Licences of what is linked into it.
pub(super) const THIRD_PARTY: &str = "THIRD-PARTY";

/// What a shipment is made from.
#[derive(Debug)]
pub struct Shipment {
    /// The program, linked statically.
    pub binary: PathBuf,
    /// The top of the repository.
    pub root: PathBuf,
    /// When everything in it counts as written: seconds since 1970.
    pub epoch: u32,
}

/// Files by their path in the archive.
pub(super) type Files = BTreeMap<String, Content>;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) mode: u32,
}

impl Content {
    pub(super) fn text(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), mode: 0o644 }
    }

    pub(super) fn program(bytes: Vec<u8>) -> Self {
        Self { bytes, mode: 0o755 }
    }
}

impl Shipment {
    /// The version that the program says it has.
    pub(super) fn version(&self) -> Result<String> {
        let told = String::from_utf8(self.says(&["--version"])?).context("a version that is no text")?;
        let version = told.trim().strip_prefix("notafter ").unwrap_or_default();
        let fit = |char: char| char.is_ascii_alphanumeric() || ".-+".contains(char);
        ensure!(!version.is_empty() && version.chars().all(fit), "`{}` is no version", told.trim());
        Ok(version.to_owned())
    }

    /// Everything, from the program, the repository and the licences of what is linked into the program.
    pub(super) fn files(&self, third_party: &str) -> Result<Files> {
        let read =
            |path: &Path| std::fs::read(path).with_context(|| format!("failed to read {}", path.display()));
        let mut files = Files::new();
        files.insert(PROGRAM.to_owned(), Content::program(read(&self.binary)?));
        for name in DOCUMENTS {
            files.insert(name.to_owned(), Content::text(read(&self.root.join(name))?));
        }
        for (shell, path) in COMPLETIONS {
            files.insert(path.to_owned(), Content::text(self.says(&["completions", shell])?));
        }
        let pages = tempfile::tempdir().context("failed to make a directory")?;
        self.says(&["man", &pages.path().to_string_lossy()])?;
        for entry in std::fs::read_dir(pages.path()).context("failed to list manual pages")? {
            let entry = entry.context("failed to list manual pages")?;
            let name = entry.file_name().to_string_lossy().into_owned();
            files.insert(format!("man/man1/{name}"), Content::text(read(&entry.path())?));
        }
        files.insert(THIRD_PARTY.to_owned(), Content::text(third_party));
        Ok(files)
    }

    /// What the program prints for these arguments.
    fn says(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let told = Command::new(&self.binary)
            .args(arguments)
            .output()
            .with_context(|| format!("failed to run {}", self.binary.display()))?;
        let complaints = String::from_utf8_lossy(&told.stderr);
        ensure!(told.status.success(), "notafter {}: {complaints}", arguments.join(" "));
        Ok(told.stdout)
    }
}
