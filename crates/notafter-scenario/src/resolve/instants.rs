//! Texts → instants on the candidate's clock.

use super::scope::{Scope, Target, bad_amount};
use crate::Code;
use crate::decode::Located;
use crate::diagnostic::{Draft, Span};
use crate::time::{Base, InstantError, InstantText};
use notafter_core::{EdgeKind, UnixTime};
use std::collections::HashMap;

/// Every instant that another one may refer to.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    pub(crate) now: UnixTime,
    pub(crate) start: UnixTime,
    /// When credentials are made: as the scenario begins, or at a rotation.
    pub(crate) issued: UnixTime,
    pub(crate) horizon: UnixTime,
    /// First and last second of each declared credential that could be resolved.
    pub(crate) validity: HashMap<String, (UnixTime, UnixTime)>,
}

/// Where an instant stands decides what it may refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Anywhere once the credentials are known.
    Elsewhere,
    /// `start` itself: counted from now.
    Start,
    /// The end of the support window: counted from `start`.
    Support,
    /// The validity of a credential.
    Validity,
}

impl Scope<'_> {
    /// Reads an instant without asking what it refers to.
    pub(crate) fn instant_text(&self, text: &Located<String>) -> Option<InstantText> {
        let (text, span) = text.get()?;
        InstantText::parse(text).map_err(|error| self.report(bad_instant(text, span, error))).ok()
    }

    /// The instant that `text` names at `place`.
    pub(crate) fn instant(
        &self,
        text: &Located<String>,
        place: Place,
        timeline: &Timeline,
    ) -> Option<UnixTime> {
        let instant = self.instant_text(text)?;
        self.fix(&instant, text.span, place, timeline)
    }

    /// The instant that `instant` stands for at `place`.
    pub(crate) fn fix(
        &self,
        instant: &InstantText,
        span: Span,
        place: Place,
        timeline: &Timeline,
    ) -> Option<UnixTime> {
        let meaningless = |what: &str| {
            let message = format!("`{what}` has no meaning here");
            self.fail(Draft::new(Code::BadInstant, span, message))
        };
        let base = match &instant.base {
            Base::At(at) => *at,
            Base::Now => timeline.now,
            Base::Implied if place == Place::Start => timeline.now,
            Base::Start if place == Place::Start => return meaningless("start"),
            Base::Implied | Base::Start => timeline.start,
            Base::SupportEnd if matches!(place, Place::Start | Place::Support) => {
                return meaningless("support.end");
            }
            Base::SupportEnd => timeline.horizon,
            Base::Issued if place == Place::Validity => timeline.issued,
            Base::Issued => return meaningless("issued"),
            Base::Edge { credential, .. } if matches!(place, Place::Start | Place::Support) => {
                return meaningless(credential);
            }
            Base::Edge { credential, kind } => self.edge(credential, *kind, span, timeline)?,
        };
        if !instant.terms.iter().all(|(_, amount)| amount.is_whole_seconds()) {
            return self.fail(Draft::new(Code::BadInstant, span, "instants are whole seconds"));
        }
        instant.counted_from(base).or_else(|| {
            let message = format!("`{instant}` lies outside the years -9999 to 9999");
            self.fail(Draft::new(Code::InstantOutOfRange, span, message))
        })
    }

    fn edge(&self, credential: &str, kind: EdgeKind, span: Span, timeline: &Timeline) -> Option<UnixTime> {
        if !self.declared(Target::Credential).contains(credential) {
            return self.fail(self.undefined(Target::Credential, credential, span));
        }
        // A credential that is declared and has no validity has been reported.
        let (not_before, not_after) = timeline.validity.get(credential)?;
        Some(match kind {
            EdgeKind::NotAfter => *not_after,
            EdgeKind::NotBefore => *not_before,
        })
    }
}

fn bad_instant(text: &str, span: Span, error: InstantError) -> Draft {
    match error {
        InstantError::BadAmount { text, error } => bad_amount(&text, span, error),
        InstantError::DateOnly { date } => {
            Draft::new(Code::BadInstant, span, format!("`{date}` is a day, not an instant"))
                .help(format!("say which second: `{date}T00:00:00Z`"))
        }
        InstantError::Malformed => Draft::new(Code::BadInstant, span, format!("`{text}` is no instant"))
            .help("write `2018-12-06T04:30:00Z`, `now`, `start + 3mo - 1s`, `support.end`, `+90d` or `NAME.not_after - 1s`"),
        InstantError::OutOfRange => {
            let message = format!("`{text}` lies outside the years -9999 to 9999");
            Draft::new(Code::InstantOutOfRange, span, message)
        }
    }
}
