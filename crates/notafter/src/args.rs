//! The command line.

use crate::against::Against;
use crate::printer::Colour;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use notafter_core::{CaseId, Depth, Scenario};
use notafter_report::{Detail, Format};
use notafter_scenario::CandidateChoice;
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

/// Where nights are kept unless somebody says otherwise.
const HISTORY: &str = "notafter-history.sqlite";

/// What in this build breaks on the day something in it expires?
///
/// Runs a candidate under clocks that stand where the real one will stand months from now, and says whether the
/// release may ship.
#[derive(Debug, Parser)]
#[command(
    name = "notafter",
    version,
    after_help = "Exit codes: 0 allow, 1 block, 2 usage or scenario error, 3 inconclusive. Treat all but 0 as blocked."
)]
pub(crate) struct Cli {
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Colour,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs a command of this machine under a shifted clock, and ends as it ends
    ///
    /// Exit codes: the command's own; 125 where notafter itself fails, 126 where the command cannot be executed,
    /// 127 where it is not found.
    At {
        /// Whether times of files that are written meanwhile are those of the shifted clock, too
        ///
        /// Looks at files are slower then, those at files that were written meanwhile most of all.
        #[arg(long)]
        file_times: bool,
        /// What the clock shows when the command starts: 2018-12-06T04:30:00Z, a day for its midnight in UTC, or
        /// counted from now as in +1y, -90d
        #[arg(allow_hyphen_values = true)]
        instant: String,
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_hint = ValueHint::CommandWithArguments)]
        command: Vec<OsString>,
    },
    /// Judges an image, a root tree or a program that nobody has written a scenario for
    ///
    /// Looks at what it says of itself and at what answers on its ports, drafts checks from it, and gates with them.
    Check(CheckArgs),
    /// Prints completions for a shell
    ///
    /// What it prints is a script that the shell reads: in ~/.bashrc for one, `source <(notafter completions bash)`.
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Tells what works on this machine, and the way out where something does not
    Doctor,
    /// Explains a code that stands in reports or messages, or lists all of them
    Explain {
        /// The code, such as `breaks-in-window` or `unknown-key`
        code: Option<String>,
    },
    /// Judges one build of a scenario's candidate
    Gate(GateArgs),
    /// Shows what nights have come to: the nights, one of them, or what lay ahead of a service night after night
    History(HistoryArgs),
    /// Writes a first scenario for a folder: DIR/scenario.yaml, which must not exist
    ///
    /// Finds archives of images, binaries that Cargo builds, and certificates; asks nothing and runs nothing.
    Init {
        /// The folder
        #[arg(value_name = "DIR", default_value = ".")]
        directory: PathBuf,
    },
    /// Judges a saved record again and shows the report, without running anything
    Judge {
        /// What `gate --report json=FILE` wrote
        record: PathBuf,
        /// Hold it against this record of the build that is in production
        #[arg(long, value_name = "RECORD")]
        against: Option<PathBuf>,
        #[command(flatten)]
        reports: Reports,
        /// List every case
        #[arg(long, short)]
        verbose: bool,
    },
    /// Writes manual pages into a folder: one for notafter and one for each of its commands
    Man {
        /// The folder; made where it is not there. Pages of the same names in it are replaced
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        directory: PathBuf,
    },
    /// Judges every build of every scenario in a folder at full depth, and says what is new, healed and closer
    ///
    /// Goes on after failures, and takes up an interrupted night. Exit codes, by the worst: 1 where something blocks, else 2
    /// where a scenario is wrong, else 3 where a gate could not look, else 0.
    Nightly(NightlyArgs),
    /// Shows which cases a gate would begin with, and why; for each build where none is chosen
    Plan(ScenarioArgs),
    /// Gates every build that scenarios retell, and compares with what they tell
    ///
    /// Exit codes: 0 where all came out as told, 1 where something came out otherwise, 3 where a gate could not look.
    Replay(ReplayArgs),
    /// Lists what ends in a file, a directory or a stream
    ///
    /// Certificates, revocation lists, OCSP responses, OpenPGP keys, SSH certificates, tokens, TUF metadata and
    /// leap-second lists, in archives too. Exit codes: 0, or 1 where --fail-before finds something.
    Scan(ScanArgs),
    /// Prints the JSON Schema of scenario files, or of records
    Schema {
        /// What it describes
        #[arg(value_enum, default_value_t)]
        of: SchemaChoice,
    },
    /// Takes away what killed runs left in the container engine
    ///
    /// A run with `--backend docker` does so first of all.
    Sweep,
    /// Says whether an attested verdict lets an image be deployed
    ///
    /// Exit codes: 0 where it was allowed, 1 where it was not, or not for this image, by this key, in this time.
    Verify(VerifyArgs),
    /// Gates a scenario again whenever a file changes that it rests on, and says what is different; Ctrl-C ends it
    ///
    /// Ends with the exit code of the last verdict.
    Watch(WatchArgs),
}

/// Which scenario, and which build of its candidate.
#[derive(Debug, Args)]
pub(crate) struct ScenarioArgs {
    /// The scenario: a file, or a directory with a scenario.yaml
    pub(crate) scenario: PathBuf,
    /// The build under release: one of the scenario's builds, or an image
    #[arg(long, value_name = "NAME=BUILD_OR_IMAGE")]
    pub(crate) candidate: Option<CandidateChoice>,
    /// How many instants are looked at; without it as the scenario says, else quick
    #[arg(long, value_enum)]
    pub(crate) depth: Option<DepthChoice>,
}

/// How much to tell while a run goes on.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Volume {
    /// Tell nothing but the report
    #[arg(long, short, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Tell every case, every look, every motion of the clock and every start
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

impl Volume {
    /// How much texts tell.
    pub(crate) fn detail(self) -> Detail {
        if self.verbose { Detail::Full } else { Detail::Brief }
    }
}

/// How a gate runs, and what is kept of it.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Where services run; without it where the scenario says, else embedded
    #[arg(long, value_enum)]
    pub(crate) backend: Option<BackendChoice>,
    /// What keeps the services apart from the machine
    #[arg(long, value_enum, default_value_t)]
    pub(crate) isolation: Isolation,
    /// How many instants are looked at; without it as the scenario says, else quick
    #[arg(long, value_enum)]
    pub(crate) depth: Option<DepthChoice>,
    /// Keep the record, the plan, logs and served chains in this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reports: Reports,
    /// Sign the verdict about the candidate's image and write it to this file; see `notafter verify`
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) attest: Option<PathBuf>,
    /// The private key for --attest: PKCS#8 in PEM, Ed25519 or ECDSA P-256; NOTAFTER_KEY_PASSWORD opens an encrypted one
    #[arg(long, value_name = "PEM", requires = "attest")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) volume: Volume,
}

#[derive(Debug, Args)]
pub(crate) struct GateArgs {
    /// The scenario: a file, or a directory with a scenario.yaml
    #[arg(required_unless_present = "compose")]
    pub(crate) scenario: Option<PathBuf>,
    /// The build under release: one of the scenario's builds, or an image; with --compose the name of a service is enough
    #[arg(long, value_name = "NAME=BUILD_OR_IMAGE")]
    pub(crate) candidate: Option<String>,
    /// Hold it against the build that is in production, which is gated after it: one of the scenario's builds, an image, or its
    /// saved record (a name that ends in .json). The verdict stays that of the candidate
    #[arg(long, value_name = "BUILD_OR_IMAGE_OR_RECORD", conflicts_with = "case")]
    pub(crate) against: Option<Against>,
    /// Gate the services of a Compose file, without a scenario; of several files the later say over the earlier
    #[arg(long, value_name = "FILE", conflicts_with = "scenario", requires = "candidate")]
    pub(crate) compose: Vec<PathBuf>,
    /// With --compose: how long the release must run unattended, or until when
    #[arg(long, value_name = "SPAN", default_value = "2y", requires = "compose")]
    pub(crate) support: String,
    /// With --compose: where simulated time begins, as in 2018-11-01T00:00:00Z; now where none is given
    #[arg(long, value_name = "INSTANT", requires = "compose")]
    pub(crate) start: Option<String>,
    /// Run this case of the plan alone; what it shows is no verdict
    #[arg(long, value_name = "ID", value_parser = case_id, conflicts_with = "attest")]
    pub(crate) case: Option<CaseId>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// An image (NAME, docker://NAME, docker-archive:FILE, oci-archive:FILE, oci:DIR, dir:DIR), a root tree, a program,
    /// or the path of one of them, which is told by its content
    pub(crate) target: String,
    /// How long the release must run unattended, or until when
    #[arg(long, value_name = "SPAN", default_value = "2y")]
    pub(crate) support: String,
    /// Where simulated time begins, as in 2018-11-01T00:00:00Z; now where none is given
    #[arg(long, value_name = "INSTANT")]
    pub(crate) start: Option<String>,
    /// Ask this port too; as often as needed
    #[arg(long = "port", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) ports: Vec<u16>,
    /// A variable for the program: NAME=VALUE, or NAME for one of yours, which no report shows
    #[arg(long = "env", value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// Write what is checked as a scenario into this file, which must not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// The command, in place of the image's own; for a program its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct NightlyArgs {
    /// The folder of scenarios: directories with a scenario.yaml, at any depth down to four
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// The SQLite file in which verdicts are kept from night to night; made where it is not there
    #[arg(long, value_name = "FILE", default_value = HISTORY)]
    pub(crate) history: PathBuf,
    /// Judge everything anew, though the last night of the folder was interrupted
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Where services run; without it where each scenario says, else embedded
    #[arg(long, value_enum)]
    pub(crate) backend: Option<BackendChoice>,
    /// What keeps the services apart from the machine
    #[arg(long, value_enum, default_value_t)]
    pub(crate) isolation: Isolation,
    /// Keep what `gate --keep` keeps: DIR/SCENARIO/BUILD/INSTANT
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) volume: Volume,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The SQLite file that `notafter nightly` keeps
    #[arg(long, value_name = "FILE", default_value = HISTORY)]
    pub(crate) history: PathBuf,
    /// Show what this night came to
    #[arg(long, value_name = "NUMBER")]
    pub(crate) night: Option<u64>,
    /// Show builds of this scenario, by its path below the folder of the night
    #[arg(long, value_name = "PATH")]
    pub(crate) scenario: Option<String>,
    /// Show builds with this service, and what lay ahead of it
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// Show the last nights, so many at most
    #[arg(long, value_name = "COUNT", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) last: u64,
    /// Write JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Scenarios: files, directories with a scenario.yaml, or folders in which such directories lie
    #[arg(required = true)]
    pub(crate) scenarios: Vec<PathBuf>,
    /// Where services run; without it where the scenario says, else embedded
    #[arg(long, value_enum)]
    pub(crate) backend: Option<BackendChoice>,
    /// What keeps the services apart from the machine
    #[arg(long, value_enum, default_value_t)]
    pub(crate) isolation: Isolation,
    /// Keep what `gate --keep` keeps, per scenario and build
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) volume: Volume,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    /// A file, a directory, `-` for standard input, or an image with layers: docker-archive:FILE, oci-archive:FILE,
    /// oci:DIR, dir:DIR, docker://NAME
    #[arg(required_unless_present = "pid")]
    pub(crate) target: Option<PathBuf>,
    /// Look into the memory of this process; of what TARGET holds, say what is loaded
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// TARGET is a CycloneDX bill of another scanner: list what it says
    #[arg(long, conflicts_with = "pid")]
    pub(crate) cbom: bool,
    /// Look into every layer of an image anew
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Show only what ends by then: 2027-01-01T00:00:00Z, a day for its midnight in UTC, or counted from now as in 2y
    #[arg(long, value_name = "INSTANT")]
    pub(crate) until: Option<String>,
    /// Exit with 1 where something ends before then, trust anchors not counted
    #[arg(long, value_name = "INSTANT")]
    pub(crate) fail_before: Option<String>,
    /// Let --fail-before count roots of trust stores and public keys of key rings too
    #[arg(long, requires = "fail_before")]
    pub(crate) count_anchors: bool,
    /// Try the password in this environment variable on locked key stores
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) password_env: Vec<String>,
    /// Try the passwords in this file on locked key stores, one on each line
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Vec<PathBuf>,
    /// How to write what was found
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ScanFormat,
    /// Enter other file systems that are mounted below the directory
    #[arg(long)]
    pub(crate) cross_mounts: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// What `gate --attest` wrote
    pub(crate) attestation: PathBuf,
    /// The public key of whoever gates, in PEM
    #[arg(long, value_name = "PEM")]
    pub(crate) key: PathBuf,
    /// What is to be deployed: `sha256:DIGEST`, or the executable, tar, tree or archive of an image that was gated
    #[arg(long, value_name = "SHA256_OR_PATH")]
    pub(crate) image: String,
    /// How old the verdict may be, as in 24h or 7d
    #[arg(long, value_name = "SPAN")]
    pub(crate) max_age: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The scenario: a file, or a directory with a scenario.yaml
    pub(crate) scenario: PathBuf,
    /// The build under release: one of the scenario's builds, or an image
    #[arg(long, value_name = "NAME=BUILD_OR_IMAGE")]
    pub(crate) candidate: Option<CandidateChoice>,
    /// How many instants are looked at; without it as the scenario says, else quick
    #[arg(long, value_enum)]
    pub(crate) depth: Option<DepthChoice>,
    /// Where services run; without it where the scenario says, else embedded
    #[arg(long, value_enum)]
    pub(crate) backend: Option<BackendChoice>,
    /// What keeps the services apart from the machine
    #[arg(long, value_enum, default_value_t)]
    pub(crate) isolation: Isolation,
    #[command(flatten)]
    pub(crate) volume: Volume,
}

/// What a JSON Schema describes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaChoice {
    /// The policy that scenarios share, `notafter.toml`
    Policy,
    /// What `--report json=FILE` writes
    Record,
    /// Scenario files, for editors
    #[default]
    Scenario,
}

/// The form in which a scan is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScanFormat {
    /// One line for every place
    Csv,
    /// A cryptography bill of materials: CycloneDX 1.6
    Cyclonedx,
    /// A calendar with an event for every end
    Ical,
    /// Everything that is known
    Json,
    /// For people: what ends first comes first
    #[default]
    Table,
}

/// How many instants are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DepthChoice {
    /// One walk through every known boundary and one fresh start at its end
    Quick,
    /// Beside these a fresh start behind every boundary, and days of the calendar on which software has failed before
    Full,
}

impl DepthChoice {
    /// `scenario` as it is planned to the depth that was chosen, where one was.
    pub(crate) fn of(choice: Option<Self>, mut scenario: Scenario) -> Scenario {
        scenario.planning.depth = match choice {
            Some(Self::Quick) => Depth::Quick,
            Some(Self::Full) => Depth::Full,
            None => scenario.planning.depth,
        };
        scenario
    }
}

/// Where services run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BackendChoice {
    /// Containers of an engine, here or elsewhere: Docker 20.10 and newer
    Docker,
    /// Namespaces of this machine, without a daemon
    Embedded,
}

/// What keeps the services apart from the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Isolation {
    /// User, mount, process, network, ipc and host name namespaces
    #[default]
    Namespaces,
    /// Nothing, for job containers that may not make namespaces: services share the machine's network, processes and
    /// users, and what runs on the machine's own file system writes to it
    None,
}

/// Which reports are written beside the one for people.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Reports {
    /// Write a report to a file, `-` for standard output; as often as needed
    ///
    /// Formats: cyclonedx (bill of what ends, with verdicts), github (annotations), gitlab (code quality), html, ical, json (the record), junit, markdown, sarif, text.
    #[arg(long = "report", value_name = "FORMAT=FILE")]
    pub(crate) targets: Vec<ReportTarget>,
}

/// A report that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportTarget {
    pub(crate) format: Format,
    /// None is standard output.
    pub(crate) path: Option<PathBuf>,
}

impl FromStr for ReportTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, file) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` does not read FORMAT=FILE, as in json=record.json"))?;
        let format = format.parse::<Format>().map_err(|error| error.to_string())?;
        match file {
            "" => Err(format!("`{text}` names no file")),
            "-" => Ok(Self { format, path: None }),
            _ => Ok(Self { format, path: Some(PathBuf::from(file)) }),
        }
    }
}

fn case_id(text: &str) -> Result<CaseId, String> {
    CaseId::new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn reports_read_format_and_file() {
        let json = |path: Option<&str>| ReportTarget { format: Format::Json, path: path.map(PathBuf::from) };
        assert_eq!("json=a=b.json".parse(), Ok(json(Some("a=b.json"))));
        assert_eq!("json=-".parse(), Ok(json(None)));
        for wrong in ["json", "json=", "xml=a", "=a", ""] {
            assert!(wrong.parse::<ReportTarget>().is_err(), "{wrong:?}");
        }
    }
}
