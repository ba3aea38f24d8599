//! Why a run cannot begin, or cannot go on. What happens inside a case is no error but a [`CaseError`].
//!
//! [`CaseError`]: notafter_core::CaseError

use notafter_core::{CaseId, CheckName, Connection, ServiceName, SourceLocation};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Who can mend an error; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blame {
    /// The gate or the machine under it: inconclusive.
    Harness,
    /// The scenario or the command line.
    User,
}

/// A cause that was told, with what is behind it.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Cause {
    text: String,
    #[source]
    source: Option<Box<Self>>,
}

/// Why a run cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A check asks for a kind of connection that its probe does not have.
    #[error(
        "{location}: check {check} asks for {connection} connections, which a probe of kind `{kind}` does not have"
    )]
    ConnectionUnsupported {
        /// The check.
        check: CheckName,
        /// What it asks for.
        connection: Connection,
        /// The kind of its probe.
        kind: &'static str,
        /// Where the scenario declares it.
        location: SourceLocation,
    },
    /// A file of a service cannot be read.
    #[error("{location}: file {} of service {service} cannot be read", path.display())]
    FileUnreadable {
        /// The file on the host.
        path: PathBuf,
        /// The service.
        service: ServiceName,
        /// Where the scenario names it.
        location: SourceLocation,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of a service is larger than the gate lays into root trees.
    #[error("{location}: file {} of service {service} is larger than {limit_mib} MiB", path.display())]
    FileTooLarge {
        /// The file on the host.
        path: PathBuf,
        /// The service.
        service: ServiceName,
        /// The limit in MiB.
        limit_mib: u64,
        /// Where the scenario names it.
        location: SourceLocation,
    },
    /// Neither the scenario nor the image says what runs.
    #[error("{location}: the image of service {service} names no command; give the service one")]
    NoCommand {
        /// The service.
        service: ServiceName,
        /// Where the scenario declares it.
        location: SourceLocation,
    },
    /// What happened beside an engine elsewhere.
    #[error("{text}")]
    Beside {
        /// Who can mend it.
        blame: Blame,
        /// The error.
        text: String,
        /// Its causes.
        #[source]
        source: Option<Box<Cause>>,
    },
    /// A deputy ended, or fell silent.
    #[error("the deputy beside the engine at {place} is lost: {reason}")]
    Lost {
        /// Where the engine answers.
        place: String,
        /// What is known about it.
        reason: String,
    },
    /// What a run needs cannot be brought to an engine elsewhere.
    #[error("what the run needs cannot be brought to the engine at {place}")]
    Unsent {
        /// Where it answers.
        place: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Nothing can run.
    #[error("services cannot be run here")]
    Venue(#[source] notafter_backend::Error),
    /// An image cannot be had.
    #[error("{}an image of the scenario cannot be had", place(location.as_ref()))]
    Images {
        /// The service that asks for it, where one is known.
        location: Option<SourceLocation>,
        /// Why.
        #[source]
        source: Box<notafter_image::Error>,
    },
    /// The files of a service cannot be scanned.
    #[error("{location}: the files of service {service} cannot be scanned")]
    Inventory {
        /// The service.
        service: ServiceName,
        /// Where the scenario declares it.
        location: SourceLocation,
        /// Why.
        #[source]
        source: notafter_inventory::Error,
    },
    /// A directory to keep things in is not usable.
    #[error("{} cannot take what is to be kept", path.display())]
    Keep {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A directory to keep things in holds something already.
    #[error("{} is not empty; what is kept there would mix with it", path.display())]
    KeepNotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// The image of the candidate cannot be named by its content.
    #[error("the image of {service} has no digest")]
    NoDigest {
        /// The candidate.
        service: ServiceName,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A service has nothing to run.
    #[error("{location}: service {service} has no image; choose a build for it")]
    NoImage {
        /// The service.
        service: ServiceName,
        /// Where the scenario declares it.
        location: SourceLocation,
    },
    /// A folder holds nothing that could be gated.
    #[error("{} holds no archive of an image and no Cargo.toml with a binary{}", directory.display(), instead(remarks))]
    NothingToDraft {
        /// The folder.
        directory: PathBuf,
        /// What was found instead.
        remarks: Vec<String>,
    },
    /// A declared credential cannot be made.
    #[error("the credentials of the scenario cannot be made")]
    Pki(#[source] notafter_pki::Error),
    /// The plan names a case twice: going on would never end.
    #[error("the plan asks for case {case} again; this is a bug in the gate")]
    PlanRepeats {
        /// The case.
        case: CaseId,
    },
    /// A look at a program, for a draft, failed.
    #[error("what {service} does cannot be looked at")]
    Draft {
        /// The service.
        service: ServiceName,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The run was told to stop before it began.
    #[error("the run was told to stop")]
    Stopped,
    /// The password of a probe is not in the environment.
    #[error("{location}: check {check} needs the password {variable}, which is not in the environment")]
    PasswordMissing {
        /// The variable.
        variable: String,
        /// The check.
        check: CheckName,
        /// Where the scenario declares the check.
        location: SourceLocation,
    },
    /// A secret is not in the environment.
    #[error("{location}: service {service} needs the secret {variable}, which is not in the environment")]
    SecretMissing {
        /// The variable.
        variable: String,
        /// The service.
        service: ServiceName,
        /// Where the scenario declares the service.
        location: SourceLocation,
    },
    /// A secret is no text.
    #[error("{location}: the secret {variable} is not UTF-8")]
    SecretNotText {
        /// The variable.
        variable: String,
        /// Where the scenario declares the service.
        location: SourceLocation,
    },
    /// Signals cannot be caught.
    #[error("SIGINT, SIGTERM and SIGHUP cannot be caught")]
    Signals {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The plan has no such case.
    #[error("the plan has no case {case}; it has {}", list(known))]
    UnknownCase {
        /// What was asked for.
        case: CaseId,
        /// The cases of the plan.
        known: Vec<CaseId>,
    },
}

impl Error {
    /// Who can mend it.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Beside { blame, .. } => *blame,
            Self::Draft { .. }
            | Self::Lost { .. }
            | Self::PlanRepeats { .. }
            | Self::Signals { .. }
            | Self::Stopped
            | Self::Unsent { .. }
            | Self::Venue(_) => Blame::Harness,
            Self::Images { source, .. } => blame_for_image(source),
            Self::ConnectionUnsupported { .. }
            | Self::FileTooLarge { .. }
            | Self::FileUnreadable { .. }
            | Self::Inventory { .. }
            | Self::Keep { .. }
            | Self::KeepNotEmpty { .. }
            | Self::NoCommand { .. }
            | Self::NoDigest { .. }
            | Self::NoImage { .. }
            | Self::NothingToDraft { .. }
            | Self::PasswordMissing { .. }
            | Self::Pki(_)
            | Self::SecretMissing { .. }
            | Self::SecretNotText { .. }
            | Self::UnknownCase { .. } => Blame::User,
        }
    }
}

/// What the scenario names must be there; building and unpacking it is the gate's part.
fn blame_for_image(error: &notafter_image::Error) -> Blame {
    use notafter_image::Error as Image;
    match error {
        Image::NotPulled { source, .. } if source.is_of_the_image() => Blame::User,
        Image::BuildFailed { .. }
        | Image::CargoNotStarted { .. }
        | Image::Io { .. }
        | Image::NoCache { .. }
        | Image::NoEngine { .. }
        | Image::NotPulled { .. } => Blame::Harness,
        Image::BadImage { .. }
        | Image::DigestMismatch { .. }
        | Image::Missing { .. }
        | Image::NoSuchBinary { .. }
        | Image::NoSuchImage { .. }
        | Image::NotAnArchive { .. }
        | Image::NotInEngine { .. }
        | Image::OtherPlatform { .. }
        | Image::TooLarge { .. }
        | Image::UnsafeEntry { .. } => Blame::User,
    }
}

fn place(location: Option<&SourceLocation>) -> String {
    location.map_or_else(String::new, |location| format!("{location}: "))
}

fn instead(remarks: &[String]) -> String {
    remarks.iter().map(|remark| format!("; {remark}")).collect()
}

fn list(cases: &[CaseId]) -> String {
    match cases {
        [] => "none".to_owned(),
        _ => cases.iter().map(CaseId::as_str).collect::<Vec<_>>().join(", "),
    }
}

impl Error {
    /// An error that was told: itself first, then its causes.
    pub(crate) fn told(blame: Blame, texts: Vec<String>) -> Self {
        let mut texts = texts.into_iter();
        let text = texts.next().unwrap_or_default();
        let cause = |source, text| Some(Box::new(Cause { text, source }));
        Self::Beside { blame, text, source: texts.rev().fold(None, cause) }
    }
}

/// An error and all of its causes.
pub(crate) fn texts(error: &dyn std::error::Error) -> Vec<String> {
    let all = std::iter::successors(Some(error), |error| error.source());
    all.map(ToString::to_string).collect()
}

/// An error and all of its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
