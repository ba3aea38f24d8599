//! What principal and deputy say to each other.

use crate::error::texts;
use crate::{Blame, Error};
use notafter_core::{CaseId, Draft, Event, ImageRef, RunRecord, Scenario, UnixTime};
use notafter_image::{Identity, ImageConfig};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// From the principal to the deputy.
#[derive(Serialize, Deserialize)]
pub(super) enum Request {
    /// Bytes follow, to be kept under this number. Not answered.
    Carry { number: u32, content: Content },
    /// [`Reply::Completed`] or [`Reply::Failed`].
    Complete { errand: Box<Errand>, draft: Box<Draft>, ports: Vec<u16> },
    /// Whatever runs is to stop. Not answered.
    Interrupt,
    /// [`Reply::Event`] again and again, then [`Reply::Ran`] or [`Reply::Failed`].
    Run { errand: Box<Errand>, only: Option<CaseId>, keep: Keeping },
    /// [`Reply::Swept`] or [`Reply::Failed`].
    Sweep,
}

/// What bytes are.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum Content {
    File,
    /// A packed tree.
    Tree,
}

/// Whether logs and chains are wanted.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum Keeping {
    Kept,
    Nothing,
}

/// What is to be run.
#[derive(Serialize, Deserialize)]
pub(super) struct Errand {
    /// The deputy's room, as the engine's machine has it.
    pub(super) outside: PathBuf,
    /// With numbers in place of files.
    pub(super) scenario: Scenario,
    /// What it hides.
    pub(super) hidden: Vec<String>,
    /// The variables of the principal's environment that it names, and no others.
    pub(super) variables: BTreeMap<String, String>,
    pub(super) images: Vec<SentImage>,
}

/// An image of a scenario.
#[derive(Serialize, Deserialize)]
pub(super) struct SentImage {
    pub(super) reference: ImageRef,
    /// Its tree, where it is not empty.
    pub(super) tree: Option<u32>,
    /// Files beside it, and where they appear.
    pub(super) files: Vec<(u32, String)>,
    pub(super) config: ImageConfig,
    pub(super) identity: Option<Identity>,
    pub(super) remarks: Vec<String>,
}

/// From the deputy to the principal.
#[derive(Serialize, Deserialize)]
pub(super) enum Reply {
    /// It lives. Said every now and then.
    Alive,
    Completed(Box<Draft>),
    Event(Box<Event>),
    Failed(Told),
    Ran {
        record: Box<RunRecord>,
        /// Paths below the directory for what is kept, and texts.
        kept: Vec<(PathBuf, String)>,
    },
    /// The first message.
    Ready {
        /// Its host's time.
        now: UnixTime,
        /// What its machine lacks for a clock.
        unfit: Option<String>,
    },
    Swept(usize),
}

/// An error on its way.
#[derive(Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) blame: Blame,
    /// The error and its causes.
    pub(super) texts: Vec<String>,
}

impl Told {
    pub(super) fn of(error: &Error) -> Self {
        Self { blame: error.blame(), texts: texts(error) }
    }
}

impl From<Told> for Error {
    fn from(told: Told) -> Self {
        Self::told(told.blame, told.texts)
    }
}
