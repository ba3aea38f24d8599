//! A service that issues its own certificate whenever it starts and keeps it in memory: a restart hides the end. One
//! that does so again in time has none.

use crate::soak::draw::Draw;
use crate::soak::expected::{Cause, Expected};
use crate::soak::frame::{End, Frame};
use crate::soak::guests::Library;
use crate::soak::pki::{Certificate, Key, Made, Pki, Role};
use crate::soak::service::{Content, Laid, PLACE, Service, Stage};
use anyhow::Result;
use std::fmt;

/// How long, on its own clock, the service may take to start.
const STARTS_WITHIN: i64 = 60;

/// A case of this kind.
#[derive(Debug, Clone)]
pub(in crate::soak) struct Own {
    renews: bool,
    frame: Frame,
    end: End,
    pki: Pki,
}

impl Own {
    pub(in crate::soak) fn draw(draw: &mut Draw) -> Self {
        let renews = draw.chance(40);
        let end = if renews || draw.chance(80) { End::Inside } else { End::Beyond };
        let mut frame = Frame::draw(draw, end);
        if renews {
            // A release that renews a hundred times is like one that does so ten times, and takes longer.
            frame.horizon = frame.horizon.min(frame.start + 6 * (frame.ends - frame.start));
        }
        let (from, until) = (frame.earlier(draw), frame.later(draw));
        let root = Certificate { name: "root", issuer: None, role: Role::Root, from, until, key: Key::P256 };
        Self { renews, frame, end, pki: Pki { certificates: vec![root], crls: Vec::new() } }
    }

    /// Writes the scenario below its head, and says what must come of it.
    pub(in crate::soak) fn write(&self, stage: &mut Stage<'_>) -> Result<(String, Expected)> {
        (stage.made, stage.laid) = (Made::ByGate, Laid::ByScenario);
        let life = self.frame.ends - self.frame.start;
        let (root, key, span) = (format!("{PLACE}/root.pem"), format!("{PLACE}/root.key"), life.to_string());
        let habit = if self.renews { "renew" } else { "once" };
        let service = Service {
            name: "service",
            library: Library::Go,
            command: Library::Go.peer(&["own", "8443", &root, &key, "service", &span, habit]),
            files: vec![
                ("root.pem".to_owned(), Content::Certificate("root")),
                ("root.key".to_owned(), Content::Key("root")),
            ],
            needs: None,
            port: Some(8443),
            more: String::new(),
        };
        let text = format!(
            "{}services:\n{}checks:\n  answered:\n    probe: {{ https: {{ url: \"https://service:8443/\", \
             trust: root }} }}\n    expect: {{ works: {{}} }}\n",
            self.pki.yaml(),
            service.yaml(stage)?
        );
        let expected = if self.renews || self.end == End::Beyond {
            Expected::Allow
        } else {
            let from = self.frame.ends + 1;
            Expected::Block { from, through: from + STARTS_WITHIN, cause: Cause::Own }
        };
        Ok((text, expected))
    }

    pub(in crate::soak) fn frame(&self) -> Frame {
        self.frame
    }
}

impl fmt::Display for Own {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let habit = if self.renews { "in time again" } else { "once" };
        write!(formatter, "own: go issues itself a certificate in memory, {habit}")
    }
}
