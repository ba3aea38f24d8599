//! A date in the code of a service, and no credential behind it.

use crate::soak::draw::Draw;
use crate::soak::expected::{Cause, Expected};
use crate::soak::frame::{End, Frame};
use crate::soak::guests::Library;
use crate::soak::service::{Service, Stage};
use anyhow::Result;
use std::fmt;

/// A case of this kind.
#[derive(Debug, Clone)]
pub(in crate::soak) struct Deadline {
    library: Library,
    at_start: bool,
    frame: Frame,
    end: End,
}

impl Deadline {
    pub(in crate::soak) fn draw(draw: &mut Draw) -> Self {
        let end = if draw.chance(80) { End::Inside } else { End::Beyond };
        let frame = Frame::draw(draw, end);
        let library = draw.pick(&[Library::Go, Library::Java, Library::Rustls]);
        Self { library, at_start: draw.chance(50), frame, end }
    }

    /// Writes the scenario below its head, and says what must come of it.
    pub(in crate::soak) fn write(&self, stage: &Stage<'_>) -> Result<(String, Expected)> {
        let (second, habit) = (self.frame.ends.to_string(), if self.at_start { "start" } else { "request" });
        let service = Service {
            name: "service",
            library: self.library,
            command: self.library.peer(&["deadline", "8080", &second, habit]),
            files: Vec::new(),
            needs: None,
            port: Some(8080),
            more: String::new(),
        };
        let text = format!(
            "services:\n{}checks:\n  answered:\n    probe: {{ http: {{ url: \"http://service:8080/\" }} }}\n    \
             expect: {{ works: {{}} }}\n",
            service.yaml(stage)?
        );
        let expected = match self.end {
            End::Beyond => Expected::Allow,
            End::Inside => {
                Expected::Block { from: self.frame.ends, through: self.frame.ends, cause: Cause::Unexplained }
            }
        };
        Ok((text, expected))
    }

    pub(in crate::soak) fn frame(&self) -> Frame {
        self.frame
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let habit = if self.at_start { "at start" } else { "at every request" };
        write!(formatter, "deadline: a date in {}, looked at {habit}", self.library.word())
    }
}
