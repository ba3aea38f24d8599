//! The notafter command line.
//!
//! Reads arguments, asks the crates below, prints what they say and ends with the exit code of the verdict.
//!
//! What must never happen here: an exit code of 0 without a verdict of *allow*, whatever fails and however.
#![forbid(unsafe_code)]

mod against;
mod args;
mod at;
mod attesting;
mod backends;
mod commands;
#[cfg(test)]
mod documented;
mod error;
mod exit;
mod folder;
mod kept;
mod live;
mod loading;
mod pointed;
mod printer;
mod records;
mod reports;

use clap::Parser;
use exit::Exit;
use notafter_core::FileTimes;
use printer::Printer;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all, while there is but one thread: this process may have been started to keep a sandbox.
    notafter_backend::run_if_sandbox(notafter_runner::host_now);
    notafter_runner::run_if_deputy();
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            _ = message.print();
            let code = u8::try_from(message.exit_code()).unwrap_or(Exit::Usage.code());
            let is_failure = code != 0
                && is_at(std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()));
            return ExitCode::from(if is_failure { at::FAILED } else { code });
        }
    };
    let mut printer = Printer::new(cli.color);
    if let args::Command::At { file_times, instant, command } = cli.command {
        let file_times = if file_times { FileTimes::Shifted } else { FileTimes::Real };
        return at::run(&instant, file_times, command, &mut |line| printer.note(&format!("{line}\n")));
    }
    let exit = guarded(|| match commands::run(cli.command, &mut printer) {
        Ok(exit) => exit,
        Err(error) => {
            printer.error(&error);
            error.exit()
        }
    });
    let exit = exit.unwrap_or_else(|| {
        printer.note("inconclusive: the gate itself failed; please report the lines above\n");
        Exit::Inconclusive
    });
    exit.into()
}

/// Whether a command line that nobody understands is one of `at`, whose other exit codes are those of its command.
fn is_at(words: impl IntoIterator<Item = String>) -> bool {
    let mut words = words.into_iter().skip_while(|word| word.starts_with('-') && word != "--color");
    match words.next().as_deref() {
        Some("--color") => words.nth(1).as_deref() == Some("at"),
        first => first == Some("at"),
    }
}

/// What `work` comes to; none where it panics. A panic is a bug of the gate, and what it did not look at is unknown;
/// the panic hook has told where.
fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_of_at_fails_as_env_does() {
        let is_at = |line: &str| is_at(line.split_whitespace().map(str::to_owned));
        for line in ["at +1y", "--color never at +1y", "--color=never at", "at"] {
            assert!(is_at(line), "{line}");
        }
        for line in ["gate at", "--color at gate", "", "--color"] {
            assert!(!is_at(line), "{line}");
        }
    }

    #[test]
    fn a_panic_has_no_exit_code_of_its_own() {
        assert_eq!(guarded(|| Exit::Block), Some(Exit::Block));
        assert_eq!(guarded(|| -> Exit { panic!("as a bug would") }), None);
    }
}
