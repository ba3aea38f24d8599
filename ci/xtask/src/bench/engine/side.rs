//! Under which clock, and on which processors, a program runs.

use std::path::{Path, PathBuf};
use std::process::Command;

/// On which processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cpus {
    All,
    One,
}

/// Under which clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    Faketime,
    Native,
    Notafter,
}

/// In the order in which they take turns.
pub(super) const CLOCKS: [Clock; 3] = [Clock::Native, Clock::Notafter, Clock::Faketime];

/// Where Debian keeps servers and their programs, beside the PATH of the caller.
pub(super) fn places() -> Vec<PathBuf> {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let databases = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    std::env::split_paths(&own)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .chain(databases.map(|version| version.path().join("bin")))
        .collect()
}

/// The first of these programs that is not installed.
pub(super) fn missing<'names>(programs: &[&'names str]) -> Option<&'names str> {
    let places = places();
    programs.iter().find(|program| !places.iter().any(|place| place.join(program).is_file())).copied()
}

/// A command that runs `program` so. `options` are those of `notafter at`.
pub(super) fn command(notafter: &Path, options: &[&str], cpus: Cpus, clock: Clock, program: &str) -> Command {
    let mut words: Vec<String> = match cpus {
        Cpus::All => Vec::new(),
        Cpus::One => ["taskset", "--cpu-list", "0"].map(str::to_owned).to_vec(),
    };
    match clock {
        Clock::Faketime => words.extend(["faketime", "-f", "+1y"].map(str::to_owned)),
        Clock::Native => {}
        Clock::Notafter => {
            words.push(notafter.to_string_lossy().into_owned());
            words.extend([&["at"], options, &["+1y", "--"]].concat().into_iter().map(str::to_owned));
        }
    }
    words.push(program.to_owned());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    if let Ok(path) = std::env::join_paths(places()) {
        command.env("PATH", path);
    }
    command.env("LC_ALL", "C");
    command
}
