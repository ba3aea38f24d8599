//! What a scenario file means depends on a little more than its text.

use crate::{Error, Files};
use notafter_core::UnixTime;

/// The build that the command line chose, as in `--candidate sgsn-mme=1.14`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandidateChoice {
    /// The service that must be the scenario's candidate.
    pub service: String,
    /// The name of one of its builds, or an image reference.
    pub build: String,
}

impl std::str::FromStr for CandidateChoice {
    type Err = Error;

    /// Reads `NAME=BUILD_OR_IMAGE`.
    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once('=') {
            Some((service, build)) if !service.is_empty() && !build.is_empty() => {
                Ok(Self { service: service.to_owned(), build: build.to_owned() })
            }
            _ => Err(Error::CandidateChoice { text: text.to_owned() }),
        }
    }
}

/// Everything beside the text that decides what a scenario means.
pub struct Context<'a> {
    /// The host's time; what `now` says.
    pub now: UnixTime,
    /// The value of a variable in `${NAME}`; none where it is not defined.
    pub variables: &'a dyn Fn(&str) -> Option<String>,
    /// The build that the command line chose.
    pub candidate: Option<CandidateChoice>,
    /// Where Compose files lie, and the files that they name.
    pub files: &'a dyn Files,
}
