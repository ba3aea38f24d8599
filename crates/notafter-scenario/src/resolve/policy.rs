//! Policy, waivers, and what a retold incident must come to.

use super::instants::{Place, Timeline};
use super::scope::{Scope, Target};
use crate::Code;
use crate::decode::Located;
use crate::diagnostic::{Draft, Span};
use crate::raw::{RawCause, RawPolicy, RawReplay, RawWaiver};
use notafter_core::{
    BuildName, Cause, Decision, Fingerprint, Policy, PresentButUnused, ReplayEntry, Waived, Waiver,
};
use std::collections::HashMap;

impl Scope<'_> {
    pub(super) fn policy(&self, policy: Option<&Located<RawPolicy>>, timeline: &Timeline) -> Policy {
        let Some(raw) = policy.and_then(|policy| policy.value.as_ref()) else { return Policy::default() };
        let unused = raw.present_but_unused.as_ref().and_then(|unused| unused.value);
        let waivers = raw.waivers.as_ref().and_then(|waivers| waivers.value.as_ref());
        Policy {
            require_coverage: raw.require_coverage.as_ref().and_then(|share| self.percentage(share)),
            present_but_unused: unused.map_or(PresentButUnused::default(), |unused| unused.0),
            waivers: waivers
                .into_iter()
                .flatten()
                .filter_map(|waiver| self.waiver(waiver, timeline))
                .collect(),
        }
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

    fn waiver(&self, waiver: &Located<RawWaiver>, timeline: &Timeline) -> Option<Waiver> {
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
        let given = [raw.code.as_ref().map(|code| code.span), raw.fingerprint.as_ref().map(|text| text.span)];
        if !self.exactly_one(&given, span, "`code` or `fingerprint`") {
            return None;
        }
        let waives = match (&raw.code, &raw.fingerprint) {
            (Some(code), _) => Waived::Code(code.value?.0.as_str().to_owned()),
            (None, Some(text)) => Waived::Fingerprint(self.fingerprint(text)?),
            (None, None) => return None,
        };
        Some(Waiver { waives, owner: owner?, reason: reason?, until: until?, location: self.location(span) })
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
            RawCause::Declared(name) => {
                let is_crl = name.value.as_deref().is_some_and(|name| self.is_crl(name));
                let target = if is_crl { Target::Crl } else { Target::Credential };
                self.reference(target, name).map(Cause::Declared)
            }
            RawCause::Embedded(raw) => {
                let service = self.reference(Target::Service, &raw.service);
                let subject = self.filled(&raw.subject, Code::BadSubject);
                let not_after = self.instant(&raw.not_after, Place::Elsewhere, timeline);
                Some(Cause::Embedded { service: service?, subject: subject?, not_after: not_after? })
            }
        }
    }
}
