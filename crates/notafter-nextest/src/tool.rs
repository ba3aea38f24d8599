//! The program that gates, and what it leaves.

use crate::Error;
use crate::shared::failed;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The variable that names the program.
const TOOL: &str = "NOTAFTER";

pub(crate) const RECORD: &str = "record.json";
pub(crate) const OUTPUT: &str = "output.txt";
pub(crate) const EXIT: &str = "exit";

/// One gate of one build.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    /// The program.
    pub(crate) tool: PathBuf,
    /// Where it runs.
    pub(crate) directory: PathBuf,
    /// The scenario, as reports are to name it: relative to `directory`.
    pub(crate) scenario: PathBuf,
    /// `SERVICE=BUILD`, where the scenario names builds.
    pub(crate) candidate: Option<String>,
    /// Values of variables in the scenario, beside those of the environment.
    pub(crate) variables: BTreeMap<String, OsString>,
}

/// The program to run: the variable, else what the tests were given, else the first on the `PATH`.
pub(crate) fn choose(given: Option<&Path>) -> PathBuf {
    let named = std::env::var_os(TOOL).filter(|tool| !tool.is_empty()).map(PathBuf::from);
    named.or_else(|| given.map(Path::to_owned)).unwrap_or_else(|| PathBuf::from("notafter"))
}

impl Gate {
    /// Runs it to its end and leaves record, output and exit code in `into`.
    ///
    /// A signal to end reaches the tool as well, which then cleans up and says *inconclusive*; until then this process
    /// stays, so that whoever sent it does not take the tool for done.
    pub(crate) fn run(&self, into: &Path) -> Result<(), Error> {
        let told = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP]
        {
            signal_hook::flag::register(signal, Arc::clone(&told)).map_err(Error::Signals)?;
        }
        let output = into.join(OUTPUT);
        let out = File::create(&output).map_err(failed("make", &output))?;
        let err = out.try_clone().map_err(failed("open", &output))?;
        let mut report = OsString::from("json=");
        report.push(into.join(RECORD));
        let mut command = Command::new(&self.tool);
        command.arg("gate").arg(&self.scenario).arg("--quiet").arg("--report").arg(report);
        if let Some(candidate) = &self.candidate {
            command.arg("--candidate").arg(candidate);
        }
        command.current_dir(&self.directory).envs(&self.variables);
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let status = command.status().map_err(|source| Error::Tool { tool: self.tool.clone(), source })?;
        let exit = into.join(EXIT);
        fs::write(&exit, told_of(status)).map_err(failed("write", &exit))
    }
}

fn told_of(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| code.to_string())
}
