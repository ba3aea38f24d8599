//! The contract of back ends, on real namespaces: one list of behaviours, for root and for a plain user.
//!
//! The binary is its own keeper, so it cannot use libtest's `main`.

#![expect(clippy::unwrap_used, reason = "a test without libtest's harness is no test to clippy")]

mod attack;
mod behaviours;
mod clocked;
mod exchanged;
mod isolation;
mod kill;
mod machine;
mod scene;
mod shared;

use libtest_mimic::{Arguments, Failed, Trial};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Set where this binary runs itself as a plain user.
const PLAIN_USER: &str = "NOTAFTER_TESTS_AS_PLAIN_USER";

fn main() {
    notafter_backend::run_if_sandbox(scene::host_clock);
    shared::run_if_server();
    exchanged::run_if_watcher();
    isolation::run_if_trial();
    kill::run_if_victim();
    machine::run_if_victim();
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for (name, behaviour) in
        behaviours::ALL.iter().chain(attack::ALL).chain(clocked::ALL).chain(isolation::ALL).chain(kill::ALL)
    {
        trials.push(Trial::test(*name, move || {
            behaviour();
            Ok(())
        }));
    }
    trials.extend(shared::trials());
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        trials.extend(machine::ALL.iter().map(|(name, behaviour)| {
            Trial::test(*name, move || {
                behaviour();
                Ok(())
            })
        }));
        trials.push(Trial::test("everything_works_for_a_plain_user", as_plain_user));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// Runs this binary again as the user `nobody`.
fn as_plain_user() -> Result<(), Failed> {
    // The build directory may be closed to other users.
    let directory = tempfile::tempdir()?;
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755))?;
    let copy = directory.path().join("tests");
    std::fs::copy(std::env::current_exe()?, &copy)?;
    let output = Command::new(&copy)
        .arg("--test-threads=1")
        .env(PLAIN_USER, "1")
        .env("TMPDIR", "/tmp")
        .current_dir("/")
        .uid(65534)
        .gid(65534)
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        .into())
}
