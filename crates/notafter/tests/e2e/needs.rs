//! What a test needs of the machine.

use crate::runs::can_run;
use std::path::{Path, PathBuf};

/// Where services and guests look for programs.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether a test can look: `there`. Where it must (`NOTAFTER_REQUIRE_ALL=1`), not being able to is a failure;
/// elsewhere the test passes over it aloud. `what` is missing then.
pub(super) fn or_skipped(there: bool, what: &str) -> bool {
    let required = std::env::var("NOTAFTER_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(there || !required, "required here, and missing: {what}");
    or_passed_over(there, what)
}

/// The same of what no machine must have.
#[expect(clippy::print_stderr, reason = "a test that looks at nothing must say so")]
pub(super) fn or_passed_over(there: bool, what: &str) -> bool {
    if !there {
        eprintln!("SKIPPED: this machine lacks {what}");
    }
    there
}

/// Whether this machine has these programs.
pub(super) fn are_installed(programs: &[&str]) -> bool {
    // Debian keeps PostgreSQL's programs off the PATH, by version.
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let places: Vec<PathBuf> =
        std::env::split_paths(PATH).chain(debian.map(|entry| entry.path().join("bin"))).collect();
    let is_there = |program: &str| places.iter().any(|place| place.join(program).exists());
    let missing: Vec<&&str> = programs.iter().filter(|program| !is_there(program)).collect();
    or_skipped(missing.is_empty(), &format!("{missing:?}"))
}

/// Whether it also lets this user make sandboxes.
pub(super) fn can_run_with(programs: &[&str]) -> bool {
    are_installed(programs) && can_run()
}

/// The top of the repository.
pub(super) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
