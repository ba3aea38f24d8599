//! Why a command has nothing to tell.

use crate::exit::Exit;
use notafter_runner::Blame;
use std::path::PathBuf;

/// Why a command has nothing to tell.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file that is to be written is there already.
    #[error("{} is there already, and is not overwritten", path.display())]
    AlreadyThere {
        /// The file.
        path: PathBuf,
    },
    /// A verdict cannot be signed.
    #[error("the verdict cannot be attested")]
    Attest(#[source] notafter_attest::Error),
    /// There is no back end to run anything on.
    #[error("services cannot be run here")]
    Backend(#[source] notafter_backend::Error),
    /// A folder of scenarios cannot be read.
    #[error("the folder {} cannot be read", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The history of nights cannot be used.
    #[error(transparent)]
    History(#[from] notafter_runner::history::HistoryError),
    /// An image that is to be verified cannot be read.
    #[error("the image {} cannot be read", path.display())]
    ImageUnreadable {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key cannot be used.
    #[error("{} cannot be used", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: notafter_attest::Error,
    },
    /// A key or an attestation cannot be read.
    #[error("{} cannot be read", path.display())]
    KeyUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A text names no digest.
    #[error("`{text}` is not sha256: and 64 lower-case hex digits")]
    NotADigest {
        /// As it was given.
        text: String,
    },
    /// A record says nothing about the scenario at hand.
    #[error("{} cannot be held against", path.display())]
    Incomparable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: notafter_core::Incomparable,
    },
    /// An option's value is no instant.
    #[error("{option}: {reason}")]
    Instant {
        /// The option.
        option: &'static str,
        /// What is wrong, as a lower-case fragment.
        reason: String,
    },
    /// The scenario has several builds and none is chosen.
    #[error("{service} has several builds and none is chosen")]
    NoBuildChosen {
        /// The candidate.
        service: String,
        /// What can be chosen.
        builds: Vec<String>,
    },
    /// The history holds no such night.
    #[error("the history holds no night {night}")]
    NoNight {
        /// Its number.
        night: u64,
    },
    /// There is nothing to judge.
    #[error("there is no scenario in {}", folder.display())]
    NoScenario {
        /// The folder.
        folder: PathBuf,
    },
    /// A name of a service that none can have.
    #[error("no service is called so")]
    NotAService(#[source] notafter_core::NameError),
    /// No scenario in a folder retells anything.
    #[error("no scenario in {} has a `replay:` block: there is nothing to compare with", folder.display())]
    NothingRetold {
        /// The folder.
        folder: PathBuf,
    },
    /// A scenario retells nothing.
    #[error("{file} has no `replay:` block: there is nothing to compare with")]
    NothingToReplay {
        /// The scenario as the user named it.
        file: String,
    },
    /// Standard output takes no more.
    #[error("the output cannot be written")]
    Output {
        /// Why.
        source: std::io::Error,
    },
    /// A saved record cannot be read.
    #[error("{} cannot be judged", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Why.
        source: notafter_report::Error,
    },
    /// A saved record cannot be opened.
    #[error("{} cannot be read", path.display())]
    RecordUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A report cannot be made.
    #[error("the report cannot be made")]
    Render(#[source] notafter_report::Error),
    /// A file with passwords cannot be read.
    #[error("{} cannot be read", path.display())]
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A variable holds no password. What it holds instead is not shown.
    #[error("the environment variable `{variable}` is not set, or is no UTF-8")]
    PasswordVariable {
        /// Its name.
        variable: String,
    },
    /// A file that was asked for cannot be written.
    #[error("{} cannot be written", path.display())]
    ReportUnwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The run could not begin.
    #[error(transparent)]
    Run(#[from] notafter_runner::Error),
    /// There is no scenario.
    #[error(transparent)]
    Scenario(#[from] notafter_scenario::Error),
    /// What was to be scanned cannot be.
    #[error("nothing was scanned")]
    Scan(#[source] notafter_inventory::Error),
    /// What was to be scanned cannot be opened.
    #[error("{} cannot be scanned", path.display())]
    ScanUnreadable {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What somebody points at cannot be run.
    #[error("{target} cannot be checked: {reason}")]
    Target {
        /// As it was given.
        target: String,
        /// Why, as a lower-case fragment.
        reason: String,
    },
    /// No finding or diagnostic has this code.
    #[error("there is no code `{code}`")]
    UnknownCode {
        /// As it was given.
        code: String,
    },
}

impl Error {
    /// How the process ends because of it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Attest(_)
            | Self::Backend(_)
            | Self::Output { .. }
            | Self::Render(_)
            | Self::ReportUnwritable { .. } => Exit::Inconclusive,
            Self::History(error) => match error {
                notafter_runner::history::HistoryError::Missing { .. }
                | notafter_runner::history::HistoryError::Newer { .. }
                | notafter_runner::history::HistoryError::NotOurs { .. } => Exit::Usage,
                notafter_runner::history::HistoryError::Busy { .. }
                | notafter_runner::history::HistoryError::Damaged { .. }
                | notafter_runner::history::HistoryError::Lock { .. }
                | notafter_runner::history::HistoryError::Sqlite { .. } => Exit::Inconclusive,
            },
            Self::Run(error) => match error.blame() {
                Blame::Harness => Exit::Inconclusive,
                Blame::User => Exit::Usage,
            },
            Self::AlreadyThere { .. }
            | Self::ImageUnreadable { .. }
            | Self::Incomparable { .. }
            | Self::Instant { .. }
            | Self::Key { .. }
            | Self::KeyUnreadable { .. }
            | Self::NoBuildChosen { .. }
            | Self::NoNight { .. }
            | Self::NoScenario { .. }
            | Self::NotAService(_)
            | Self::Folder { .. }
            | Self::NotADigest { .. }
            | Self::NothingRetold { .. }
            | Self::NothingToReplay { .. }
            | Self::PasswordFile { .. }
            | Self::PasswordVariable { .. }
            | Self::Record { .. }
            | Self::RecordUnreadable { .. }
            | Self::Scan(_)
            | Self::ScanUnreadable { .. }
            | Self::Scenario(_)
            | Self::Target { .. }
            | Self::UnknownCode { .. } => Exit::Usage,
        }
    }

    /// What to do about it, where that is known.
    pub(crate) fn help(&self) -> Option<String> {
        match self {
            Self::NoBuildChosen { service, builds } => {
                let choices: Vec<String> =
                    builds.iter().map(|build| format!("--candidate {service}={build}")).collect();
                Some(format!("choose one: {}", choices.join(", ")))
            }
            Self::Run(notafter_runner::Error::UnknownCase { .. }) => Some(
                "fresh starts can run alone at any instant, as in cold-2018-12-06T043000Z; cases that only follow \
                 from what others showed cannot"
                    .to_owned(),
            ),
            Self::NoScenario { .. } => {
                Some("a folder holds directories with a scenario.yaml; `notafter init` writes a first one".to_owned())
            }
            Self::History(notafter_runner::history::HistoryError::Missing { .. }) => {
                Some("`notafter nightly` makes one; --history says where it lies".to_owned())
            }
            Self::Incomparable { source: notafter_core::Incomparable::Start { .. }, .. } => Some(
                "simulated time begins at the moment of each run where the scenario names no `start:`; name one there \
                 (`--start` with --compose), or give the build in place of its record"
                    .to_owned(),
            ),
            Self::NothingToReplay { .. } => Some("`notafter gate` judges one build of it".to_owned()),
            Self::UnknownCode { .. } => Some("codes stand in reports, as in `breaks-in-window`".to_owned()),
            Self::Key { source: notafter_attest::Error::NoPassword, .. } => {
                Some("put it into the variable NOTAFTER_KEY_PASSWORD".to_owned())
            }
            Self::AlreadyThere { .. }
            | Self::Attest(_)
            | Self::Backend(_)
            | Self::Folder { .. }
            | Self::History(_)
            | Self::ImageUnreadable { .. }
            | Self::Incomparable { .. }
            | Self::Instant { .. }
            | Self::Key { .. }
            | Self::KeyUnreadable { .. }
            | Self::NoNight { .. }
            | Self::NotADigest { .. }
            | Self::NotAService(_)
            | Self::NothingRetold { .. }
            | Self::Output { .. }
            | Self::PasswordFile { .. }
            | Self::PasswordVariable { .. }
            | Self::Record { .. }
            | Self::RecordUnreadable { .. }
            | Self::Render(_)
            | Self::ReportUnwritable { .. }
            | Self::Run(_)
            | Self::Scan(_)
            | Self::ScanUnreadable { .. }
            | Self::Scenario(_)
            | Self::Target { .. } => None,
        }
    }
}

/// What is behind an error, outermost first.
pub(crate) fn causes(error: &dyn std::error::Error) -> impl Iterator<Item = &dyn std::error::Error> {
    std::iter::successors(error.source(), |cause| cause.source())
}

/// An error with what is behind it, in one sentence.
pub(crate) fn why(error: &Error) -> String {
    let mut parts = vec![error.to_string()];
    parts.extend(causes(error).map(ToString::to_string));
    parts.join(": ")
}
