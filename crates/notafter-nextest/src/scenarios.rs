//! The harness: a directory of scenarios, and how to gate them.

use crate::Error;
use crate::listing::{Listed, Testcase, list};
use crate::shared::{self, RunDirectory};
use crate::tool::{self, Gate};
use crate::verdict::{Awaited, of_check};
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The directory of the package that is tested; cargo and nextest set it, and nextest maps it where it runs an archive.
const PACKAGE: &str = "CARGO_MANIFEST_DIR";

/// Runs the scenarios in `directory`, relative to the package, as the tests of this binary.
#[must_use]
pub fn main(directory: impl Into<PathBuf>) -> ExitCode {
    Scenarios::in_directory(directory).main()
}

/// A directory of scenarios, and how to gate them.
#[derive(Debug, Clone)]
pub struct Scenarios {
    directory: PathBuf,
    only: Option<Vec<String>>,
    tool: Option<PathBuf>,
    variables: BTreeMap<String, OsString>,
}

impl Scenarios {
    /// The `*.yaml` files in `directory`, and the `scenario.yaml` of each directory in it. A relative path starts at the
    /// package that is tested, found when the tests run.
    #[must_use]
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), only: None, tool: None, variables: BTreeMap::new() }
    }

    /// Only the scenarios of these names: of a file without its ending, or of a directory. One that is not there is a test
    /// that fails.
    #[must_use]
    pub fn only<Name: Into<String>>(mut self, names: impl IntoIterator<Item = Name>) -> Self {
        self.only = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// The program that gates, where the variable `NOTAFTER` names no other; `notafter` on the `PATH` where neither does.
    #[must_use]
    pub fn tool(mut self, program: impl Into<PathBuf>) -> Self {
        self.tool = Some(program.into());
        self
    }

    /// The value of `${NAME}` in the scenarios, in place of the environment's.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Lists or runs the tests, as the arguments of this process say, which are those of Rust's own test harness.
    #[must_use]
    pub fn main(self) -> ExitCode {
        let arguments = Arguments::from_args();
        let package = std::env::var_os(PACKAGE).map_or_else(|| PathBuf::from("."), PathBuf::from);
        let harness = Arc::new(Harness {
            tool: tool::choose(self.tool.as_deref()),
            package,
            variables: self.variables,
        });
        let listed = list(&harness.package, &self.directory, self.only.as_deref());
        let trials = listed.into_iter().map(|listed| trial(&harness, listed)).collect();
        let conclusion = libtest_mimic::run(&arguments, trials);
        if !arguments.list {
            shared::leave();
        }
        conclusion.exit_code()
    }
}

/// What all tests have in common.
struct Harness {
    tool: PathBuf,
    package: PathBuf,
    variables: BTreeMap<String, OsString>,
}

fn trial(harness: &Arc<Harness>, listed: Listed) -> Trial {
    match listed {
        Ok(testcase) => {
            let harness = Arc::clone(harness);
            Trial::test(testcase.name.clone(), move || harness.test(&testcase))
        }
        Err(unlisted) => Trial::test(unlisted.name, move || Err(Failed::from(unlisted.why))),
    }
}

impl Harness {
    fn test(&self, testcase: &Testcase) -> Result<(), Failed> {
        let gated = self.gated(testcase).map_err(|error| Failed::from(chain(&error)))?;
        let awaited = if testcase.retold { Awaited::Told } else { Awaited::Allow };
        of_check(&gated, &testcase.check, awaited).map_err(Failed::from)
    }

    /// Where the one gate of a scenario and build left what it came to.
    fn gated(&self, testcase: &Testcase) -> Result<PathBuf, Error> {
        let gate = Gate {
            tool: self.tool.clone(),
            directory: self.package.clone(),
            scenario: testcase.scenario.clone(),
            candidate: testcase.candidate.clone(),
            variables: self.variables.clone(),
        };
        let run = RunDirectory::of_this_run()?;
        run.once(&testcase.key, |into: &Path| gate.run(into))
    }
}

/// An error with all of its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}\n  because: {cause}"))
}
