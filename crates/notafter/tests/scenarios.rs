//! Scenarios of this repository that tell what must come out, as tests: the way in which other projects run theirs.

use notafter_nextest::Scenarios;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

const RETOLD: [&str; 6] = [
    "o2-ericsson-2018",
    "renewal-in-time",
    "state-in-memory",
    "state-in-volume",
    "state-licence-gap",
    "state-token",
];

fn main() -> ExitCode {
    // Where nextest runs an archive, the program lies elsewhere than where it was built.
    let built = std::env::var_os("NEXTEST_BIN_EXE_notafter").map(PathBuf::from);
    let tool = built.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_notafter")));
    let required = std::env::var("NOTAFTER_REQUIRE_ALL").is_ok_and(|value| value == "1");
    if !required && !can_run(&tool) {
        #[expect(clippy::print_stderr, reason = "a test that looks at nothing must say so")]
        {
            eprintln!("SKIPPED: no sandboxes on this machine; `notafter doctor` says why");
        }
        return ExitCode::SUCCESS;
    }
    Scenarios::in_directory("../../scenarios").only(RETOLD).tool(tool).main()
}

/// Whether the machine lets this user make sandboxes.
fn can_run(tool: &PathBuf) -> bool {
    Command::new(tool).arg("doctor").output().is_ok_and(|told| told.status.success())
}
