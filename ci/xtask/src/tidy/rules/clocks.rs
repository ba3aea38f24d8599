//! Time is an argument: no ambient clock outside [`ALLOWED`], fixtures and tests.
//!
//! Clippy bans the calls themselves (`clippy.toml`); this rule also catches whoever silences clippy, the clocks of
//! libraries that are not in the tree today, and the kernel's, which only the crates of the engine may ask
//! ([`ENGINE`]).

use super::super::Workspace;
use super::Violation;
use super::rule::has_word;

pub(super) const NAME: &str = "clocks";

/// The only files that may read the host's clock.
const ALLOWED: &[&str] = &["ci/xtask/src/stopwatch.rs", "crates/notafter-runner/src/host_clock.rs"];

/// Crates that read the kernel's clocks because shifting them is their work.
const ENGINE: &[&str] = &["crates/notafter-clock/", "crates/notafter-sys/"];

/// The kernel's own way, under whichever path a library offers it.
const KERNEL: &str = "clock_gettime";

const BANNED: &[&str] = &[
    "Instant::now",
    "Local::now",
    "OffsetDateTime::now_utc",
    "SystemTime::now",
    "Timestamp::now",
    "UNIX_EPOCH.elapsed",
    "Utc::now",
    "Zoned::now",
    "clippy::disallowed_methods",
];

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in workspace.files.iter().filter(|file| file.is_rust() && !is_free(&file.path)) {
        let kernel = (!ENGINE.iter().any(|home| file.path.starts_with(home))).then_some(KERNEL);
        for (number, line) in file.numbered().filter(|(_, line)| !line.is_test) {
            if let Some(banned) =
                BANNED.iter().copied().chain(kernel).find(|banned| has_word(&line.code, banned))
            {
                violations.push(Violation {
                    rule: NAME,
                    path: file.path.clone(),
                    line: Some(number),
                    message: format!("`{banned}` reads an ambient clock; take the time as an argument"),
                });
            }
        }
    }
    violations
}

fn is_free(path: &str) -> bool {
    path.starts_with("fixtures/") || ALLOWED.contains(&path)
}
