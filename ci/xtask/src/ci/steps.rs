//! The steps and their order: what fails fastest comes first, the tests come last.

use super::{OTHER_TARGET, Tools};

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Runs a program at the root of the repository.
    Run {
        /// Program and arguments, without a shell.
        command: Vec<String>,
        /// Added to the environment.
        environment: Vec<(&'static str, &'static str)>,
    },
    /// Runs nothing, and says so.
    Skip {
        /// What is missing, as a lower-case fragment.
        why: &'static str,
    },
    /// Checks the rules of the house.
    Tidy,
    /// Scans these packages, and asks other tools what lies in them.
    Corpus(&'static [&'static str]),
    /// Feeds broken input to every parser for so many seconds.
    Fuzz(u64),
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name, as progress shows it.
    pub name: &'static str,
    /// What it does.
    pub action: Action,
}

/// Everything that CI runs with these tools, in order.
///
/// All of it uses the release profile and builds the same targets, so that one compilation serves every step that
/// makes code. No step calls `cargo xtask`: it would compile everything again with the features of this package alone.
#[must_use]
pub fn steps(tools: &Tools) -> Vec<Step> {
    vec![
        run("fmt", "cargo fmt --all --check"),
        Step { name: "tidy", action: Action::Tidy },
        run("clippy", "cargo clippy --locked --release --workspace --all-targets -- -D warnings"),
        other(tools),
        with("doc", "cargo doc --locked --release --workspace --no-deps", ("RUSTDOCFLAGS", "-D warnings")),
        // The end-to-end tests run the fixtures, which no test depends on.
        run("build", "cargo build --locked --release --workspace --all-targets"),
        run("doctests", "cargo test --locked --release --workspace --doc"),
        deny(tools),
        miri(tools),
        // A smoke test, not a campaign.
        Step { name: "fuzz", action: Action::Fuzz(20) },
        // The two that say most in little time.
        Step { name: "corpus", action: Action::Corpus(&["ca-certificates", "debian-archive-keyring"]) },
        run("tests", "ci/test --profile ci"),
    ]
}

/// The steps, one per line.
#[must_use]
pub fn describe(steps: &[Step]) -> String {
    let line = |step: &Step| match &step.action {
        Action::Run { command, environment } => {
            let environment = environment.iter().map(|(name, value)| format!("{name}={value:?}"));
            let words: Vec<String> = environment.chain(command.iter().cloned()).collect();
            format!("{:9} {}\n", step.name, words.join(" "))
        }
        Action::Skip { why } => format!("{:9} SKIPPED: {why}\n", step.name),
        Action::Tidy => format!("{:9} (the rules of the house)\n", step.name),
        Action::Corpus(names) => {
            format!("{:9} (what other tools find in {})\n", step.name, names.join(", "))
        }
        Action::Fuzz(seconds) => {
            format!("{:9} (broken input to every parser, {seconds} s)\n", step.name)
        }
    };
    steps.iter().map(line).collect()
}

fn run(name: &'static str, command: &str) -> Step {
    let command = command.split(' ').map(str::to_owned).collect();
    Step { name, action: Action::Run { command, environment: Vec::new() } }
}

fn with(name: &'static str, command: &str, variable: (&'static str, &'static str)) -> Step {
    let command = command.split(' ').map(str::to_owned).collect();
    Step { name, action: Action::Run { command, environment: vec![variable] } }
}

fn skip(name: &'static str, why: &'static str) -> Step {
    Step { name, action: Action::Skip { why } }
}

fn deny(tools: &Tools) -> Step {
    if tools.deny {
        run("deny", "cargo deny --locked check bans licenses sources")
    } else {
        skip("deny", "cargo-deny is not installed; licences, bans and sources go unchecked")
    }
}

/// The crates with code of their own for another architecture, which have no C code to be compiled for it.
fn other(tools: &Tools) -> Step {
    if tools.other_target {
        // Not merely checked: so the wrapper's machine code is assembled. Libraries take no linker.
        let build = "cargo build --locked --lib --package notafter-clock --package notafter-sys --target";
        run("aarch64", &format!("{build} {OTHER_TARGET}"))
    } else {
        skip("aarch64", "rustup cannot add the target aarch64-unknown-linux-gnu; its code goes unchecked")
    }
}

/// What needs no kernel of notafter-sys (the parser of hostile bytes, the assembler of filters), under the interpreter
/// that sees undefined behaviour.
fn miri(tools: &Tools) -> Step {
    if tools.nightly.is_some_and(|nightly| nightly.miri) {
        let isolation = ("MIRIFLAGS", "-Zmiri-disable-isolation");
        with(
            "miri",
            "cargo +nightly miri test --locked -p notafter-sys --lib -- bpf:: vdso::parse::",
            isolation,
        )
    } else {
        skip(
            "miri",
            "no nightly toolchain has the components miri and rust-src; unsafe code goes uninterpreted",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::Nightly;
    use super::*;

    fn everything() -> Tools {
        Tools { deny: true, nightly: Some(Nightly { miri: true }), other_target: true }
    }

    #[test]
    fn what_is_missing_is_skipped_aloud() {
        insta::assert_snapshot!(describe(&steps(&Tools::default())), @r#"
        fmt       cargo fmt --all --check
        tidy      (the rules of the house)
        clippy    cargo clippy --locked --release --workspace --all-targets -- -D warnings
        aarch64   SKIPPED: rustup cannot add the target aarch64-unknown-linux-gnu; its code goes unchecked
        doc       RUSTDOCFLAGS="-D warnings" cargo doc --locked --release --workspace --no-deps
        build     cargo build --locked --release --workspace --all-targets
        doctests  cargo test --locked --release --workspace --doc
        deny      SKIPPED: cargo-deny is not installed; licences, bans and sources go unchecked
        miri      SKIPPED: no nightly toolchain has the components miri and rust-src; unsafe code goes uninterpreted
        fuzz      (broken input to every parser, 20 s)
        corpus    (what other tools find in ca-certificates, debian-archive-keyring)
        tests     ci/test --profile ci
        "#);
    }

    #[test]
    fn nothing_is_skipped_where_everything_is_installed() {
        let steps = steps(&everything());
        let skipped: Vec<_> =
            steps.iter().filter(|step| matches!(step.action, Action::Skip { .. })).collect();
        assert!(skipped.is_empty(), "{skipped:?}");
    }

    #[test]
    fn the_tests_come_last() {
        for tools in [Tools::default(), everything()] {
            assert_eq!(steps(&tools).last().map(|step| step.name), Some("tests"));
        }
    }
}
