//! Policy, waivers, and what a retold incident must come to.

use super::instants::{Place, Timeline};
use super::scope::{Scope, Target};
use crate::Code;
use crate::decode::{Keyword, Located};
use crate::diagnostic::{Draft, Span};
use crate::raw::{RawCause, RawPolicy, RawReplay, RawWaiver};
use notafter_core::{
    BuildName, Cause, Decision, FindingCode, Fingerprint, Narrowing, Policy, PresentButUnused, ReplayEntry,
    Waived, Waiver, is_waivable,
};
use std::collections::HashMap;

/// What one policy says.
pub(super) struct Said {
    require_coverage: Option<u8>,
    present_but_unused: Option<PresentButUnused>,
    waivers: Vec<Waiver>,
}

/// Whom a policy is written for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Every scenario that shares it: it may name what one of them does not have.
    All,
    /// This scenario.
    One,
}

/// What several policies say together: the strictest of each, and all waivers.
pub(super) fn together(said: Vec<Said>) -> Policy {
    let strictness = |unused: &PresentButUnused| match unused {
        PresentButUnused::Ignore => 0,
        PresentButUnused::Warn => 1,
        PresentButUnused::Doubt => 2,
        PresentButUnused::Block => 3,
    };
    Policy {
        require_coverage: said.iter().filter_map(|said| said.require_coverage).max(),
        present_but_unused: said
            .iter()
            .filter_map(|said| said.present_but_unused)
            .max_by_key(strictness)
            .unwrap_or_default(),
        waivers: said.into_iter().flat_map(|said| said.waivers).collect(),
    }
}

impl Scope<'_> {
    pub(super) fn policy(
        &self,
        policy: Option<&Located<RawPolicy>>,
        reach: Reach,
        timeline: &Timeline,
    ) -> Option<Said> {
        let raw = policy.and_then(|policy| policy.value.as_ref())?;
        let waivers = raw.waivers.as_ref().and_then(|waivers| waivers.value.as_ref());
        Some(Said {
            require_coverage: raw.require_coverage.as_ref().and_then(|share| self.percentage(share)),
            present_but_unused: raw.present_but_unused.as_ref().and_then(|it| it.value).map(|it| it.0),
            waivers: waivers
                .into_iter()
                .flatten()
                .filter_map(|waiver| self.waiver(waiver, reach, timeline))
                .collect(),
        })
    }

    fn percentage(&self, share: &Located<String>) -> Option<u8> {
        let (text, span) = share.get()?;
        let number = text.strip_suffix('%').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        match number.and_then(|digits| digits.parse().ok()) {
            Some(number) if number <= 100 => Some(number),
            _ => self.fail(
                Draft::new(Code::BadPercentage, span, format!("`{text}` is no share"))
                    .help("write `0%` to `100%`"),
            ),
        }
    }

    fn waiver(&self, waiver: &Located<RawWaiver>, reach: Reach, timeline: &Timeline) -> Option<Waiver> {
        let (raw, span) = waiver.get()?;
        let owner = match &raw.owner {
            Some(owner) => self.filled(owner, Code::WaiverWithoutOwner),
            None => self.fail(
                Draft::new(Code::WaiverWithoutOwner, span, "nobody answers for this waiver")
                    .help("give `owner`: whoever is asked when it breaks"),
            ),
        };
        let reason = self.filled(&raw.reason, Code::BadText);
        let until = self.instant(&raw.until, Place::Elsewhere, timeline);
        let code = raw.code.as_ref().map(|code| self.waivable(code));
        let waives = match (&raw.credential, &raw.fingerprint, &code) {
            (Some(name), None, _) if reach == Reach::One => self
                .reference(self.kind_of(name.value.as_deref().unwrap_or_default()), name)
                .map(Waived::Credential),
            (Some(name), None, _) => self
                .known(self.kind_of(name.value.as_deref().unwrap_or_default()), name)
                .map(Waived::Credential),
            (None, Some(text), _) => self.fingerprint(text).map(Waived::Fingerprint),
            (None, None, Some(code)) => code.clone().map(Waived::Code),
            _ => {
                let given =
                    [raw.credential.as_ref().map(|it| it.span), raw.fingerprint.as_ref().map(|it| it.span)];
                self.exactly_one(&given, span, "`credential`, `fingerprint` or `code`");
                None
            }
        };
        let service = raw.service.as_ref().map(|name| match reach {
            Reach::All => self.known(Target::Service, name),
            Reach::One => self.reference(Target::Service, name),
        });
        let checks = self.distinct(raw.checks.as_ref(), |name| match reach {
            Reach::All => self.known(Target::Check, name),
            Reach::One => self.reference(Target::Check, name),
        });
        let is_elsewhere = raw.checks.is_some() && checks.is_empty() || matches!(service, Some(None));
        let only = Narrowing {
            code: code.flatten().filter(|_| !matches!(waives, Some(Waived::Code(_)))),
            service: service.flatten(),
            checks,
        };
        let shared = reach == Reach::All;
        let location = self.location(span);
        let waiver =
            Waiver { waives: waives?, only, owner: owner?, reason: reason?, until: until?, shared, location };
        // What it is about is not here at all; a narrowing that is lost would widen it.
        Some(waiver).filter(|_| !is_elsewhere)
    }

    fn waivable(&self, code: &Located<Keyword<FindingCode>>) -> Option<String> {
        let (code, span) = code.get()?;
        match is_waivable(code.0) {
            true => Some(code.0.as_str().to_owned()),
            false => self
                .fail(Draft::new(Code::NotWaivable, span, format!("`{}` cannot be waived", code.0)).help(
                    "nobody can answer for what the gate did not see; mend what keeps it from looking",
                )),
        }
    }

    /// A name that need not be declared here; nothing is wrong where it is not.
    fn known<N: TryFrom<String>>(&self, target: Target, text: &Located<String>) -> Option<N> {
        let (text, _) = text.get()?;
        self.declared(target).contains(text).then(|| N::try_from(text.clone()).ok()).flatten()
    }

    fn filled(&self, text: &Located<String>, otherwise: Code) -> Option<String> {
        let (text, span) = text.get()?;
        if text.trim().is_empty() {
            return self.fail(Draft::new(otherwise, span, "there is nothing here"));
        }
        Some(text.clone())
    }

    /// 64 hex digits, in the way openssl shows them too: upper case and with colons.
    fn fingerprint(&self, text: &Located<String>) -> Option<Fingerprint> {
        let (text, span) = text.get()?;
        Fingerprint::try_from(text.replace(':', "").to_ascii_lowercase())
            .map_err(|_| {
                let draft = Draft::new(Code::BadFingerprint, span, format!("`{text}` is no fingerprint"));
                self.report(draft.help("write the SHA-256 over the DER as 64 hex digits"));
            })
            .ok()
    }

    pub(super) fn replay(
        &self,
        entries: Option<&Located<Vec<Located<RawReplay>>>>,
        timeline: &Timeline,
    ) -> Vec<ReplayEntry> {
        let mut seen: HashMap<BuildName, Span> = HashMap::new();
        let entries = entries.and_then(|entries| entries.value.as_ref());
        let mut resolve = |entry: &Located<RawReplay>| {
            let entry = self.replay_entry(entry, timeline)?;
            Some(entry).filter(|(entry, span)| match seen.insert(entry.build.clone(), *span) {
                None => true,
                Some(first) => {
                    let message = format!("build `{}` is told twice", entry.build);
                    self.report(
                        Draft::new(Code::DuplicateEntry, *span, message).context(first, "first told here"),
                    );
                    false
                }
            })
        };
        entries.into_iter().flatten().filter_map(&mut resolve).map(|(entry, _)| entry).collect()
    }

    fn replay_entry(&self, entry: &Located<RawReplay>, timeline: &Timeline) -> Option<(ReplayEntry, Span)> {
        let (raw, span) = entry.get()?;
        let build = self.reference(Target::Build, &raw.build);
        let verdict = raw.verdict.value?.0;
        if let (Decision::Allow, Some(breaks_at)) = (verdict, &raw.breaks_at) {
            self.report(
                Draft::new(Code::ConflictingKeys, breaks_at.span, "a build that is allowed does not break")
                    .context(raw.verdict.span, "allowed"),
            );
        }
        let breaks_at = match &raw.breaks_at {
            Some(text) => Some(self.instant(text, Place::Elsewhere, timeline)?),
            None => None,
        };
        let cause = match &raw.cause {
            Some(cause) => Some(self.cause(cause, timeline)?),
            None => None,
        };
        let falls = raw
            .falls
            .as_ref()
            .map(|falls| self.distinct(Some(falls), |check| self.reference(Target::Check, check)));
        let notes =
            self.distinct(raw.notes.as_ref(), |note| note.value.map(|code| code.0.as_str().to_owned()));
        let location = self.location(span);
        Some((
            ReplayEntry { build: build?, verdict, breaks_at, cause, falls, notes, location },
            raw.build.span,
        ))
    }

    fn cause(&self, cause: &Located<RawCause>, timeline: &Timeline) -> Option<Cause> {
        let (raw, _) = cause.get()?;
        match raw {
            RawCause::Declared(name) => self
                .reference(self.kind_of(name.value.as_deref().unwrap_or_default()), name)
                .map(Cause::Declared),
            RawCause::Embedded(raw) => {
                let service = self.reference(Target::Service, &raw.service);
                let subject = self.filled(&raw.subject, Code::BadSubject);
                let not_after = self.instant(&raw.not_after, Place::Elsewhere, timeline);
                Some(Cause::Embedded { service: service?, subject: subject?, not_after: not_after? })
            }
        }
    }
}
