//! One case: what is drawn, written down, and expected.

use super::calendar::rfc3339;
use super::draw::Draw;
use super::expected::Expected;
use super::frame::Frame;
use super::guests::Guests;
use super::kinds::deadline::Deadline;
use super::kinds::held::Held;
use super::kinds::link::Link;
use super::kinds::own::Own;
use super::pki::Made;
use super::service::{Laid, Stage};
use anyhow::Result;
use std::fmt;
use std::fs;
use std::path::Path;

/// What a case is about.
#[derive(Debug, Clone)]
pub(super) enum Case {
    Deadline(Deadline),
    Held(Held),
    Link(Link),
    Own(Own),
}

impl Case {
    pub(super) fn draw(seed: u64, number: u64) -> Self {
        let mut draw = Draw::new(seed, number);
        match draw.between(0, 99) {
            0..45 => Self::Link(Link::draw(&mut draw)),
            45..85 => Self::Held(Held::draw(&mut draw)),
            85..93 => Self::Deadline(Deadline::draw(&mut draw)),
            _ => Self::Own(Own::draw(&mut draw)),
        }
    }

    /// The kind, for a table.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Deadline(_) => "deadline",
            Self::Held(_) => "held",
            Self::Link(_) => "link",
            Self::Own(_) => "own",
        }
    }

    fn frame(&self) -> Frame {
        match self {
            Self::Deadline(case) => case.frame(),
            Self::Held(case) => case.frame(),
            Self::Link(case) => case.frame(),
            Self::Own(case) => case.frame(),
        }
    }

    /// Writes `scenario.yaml` and everything that it needs into `directory`.
    pub(super) fn write(&self, guests: &Guests, directory: &Path) -> Result<Expected> {
        fs::create_dir_all(directory)?;
        let mut stage = Stage { guests, directory, made: Made::ByOpenssl, laid: Laid::ByScenario };
        let (body, expected) = match self {
            Self::Deadline(case) => case.write(&stage)?,
            Self::Held(case) => case.write(&mut stage)?,
            Self::Link(case) => case.write(&mut stage)?,
            Self::Own(case) => case.write(&mut stage)?,
        };
        let candidate = match self {
            Self::Link(case) => case.candidate(),
            Self::Deadline(_) | Self::Held(_) | Self::Own(_) => "service",
        };
        let Frame { start, horizon, .. } = self.frame();
        let head = format!(
            "# {self}\n# {expected}\nnotafter: 1\nname: soak\nstart: {}\nsupport: {}\ncandidate: {candidate}\n\
             budget: 400s\n",
            rfc3339(start),
            rfc3339(horizon)
        );
        fs::write(directory.join("scenario.yaml"), format!("{head}{body}"))?;
        Ok(expected)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline(case) => case.fmt(formatter),
            Self::Held(case) => case.fmt(formatter),
            Self::Link(case) => case.fmt(formatter),
            Self::Own(case) => case.fmt(formatter),
        }
    }
}
