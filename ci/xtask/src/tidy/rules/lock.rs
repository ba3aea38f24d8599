//! Everything that is built comes from crates.io, as the lock file says.

use super::super::Workspace;
use super::Violation;

pub(super) const NAME: &str = "lock";

const REGISTRY: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let path = "Cargo.lock";
    let violation = |line, message: String| Violation { rule: NAME, path: path.to_owned(), line, message };
    let Some(file) = workspace.file(path) else {
        return vec![violation(None, "the lock file is missing".to_owned())];
    };
    file.numbered()
        .filter(|(_, line)| line.text.starts_with("source = ") && line.text != REGISTRY)
        .map(|(number, line)| violation(Some(number), format!("`{}` is not crates.io", line.text)))
        .collect()
}
