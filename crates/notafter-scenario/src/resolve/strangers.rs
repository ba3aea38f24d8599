//! Who must be refused: for each one a credential that nobody may accept, or lists that have ended, and a check beside the one
//! that the valid peer passes, which is its control.

use super::instants::Timeline;
use super::scope::Scope;
use crate::Code;
use crate::decode::{Entries, Located};
use crate::diagnostic::{Draft, Span};
use crate::raw::{RawCheck, Stranger};
use notafter_core::{
    Check, CheckName, CheckStep, Connection, CredentialName, CredentialSpec, Expectation, ExpectedSpan,
    GeneratedX509, MountedSource, Probe, Service, TokenSpec, UnixTime, X509Issuer,
};
use std::collections::BTreeSet;

const DAY: i64 = 86_400;

/// What strangers add to a scenario.
#[derive(Default)]
pub(super) struct Strangers {
    pub(super) credentials: Vec<CredentialSpec>,
    pub(super) tokens: Vec<TokenSpec>,
    pub(super) checks: Vec<Check>,
}

impl Strangers {
    /// One stranger asks at every door at which the valid one gets in.
    fn add(&mut self, spec: CredentialSpec) {
        if !self.credentials.iter().any(|known| known.name == spec.name) {
            self.credentials.push(spec);
        }
    }

    fn add_token(&mut self, spec: TokenSpec) {
        if !self.tokens.iter().any(|known| known.name == spec.name) {
            self.tokens.push(spec);
        }
    }
}

/// What the scenario declares by itself.
pub(super) struct Known<'a> {
    pub(super) credentials: &'a [CredentialSpec],
    pub(super) tokens: &'a [TokenSpec],
    pub(super) candidate: Option<&'a Service>,
}

impl Scope<'_> {
    /// Resolves every `refuses`. `checks` are those that the scenario declares by themselves.
    pub(super) fn strangers(
        &self,
        entries: Option<&Located<Entries<RawCheck>>>,
        known: &Known<'_>,
        checks: &[Check],
        timeline: &Timeline,
    ) -> Strangers {
        let mut found = Strangers::default();
        let entries =
            entries.and_then(|entries| entries.value.as_ref()).map_or(&[][..], |entries| &entries.0);
        for (name, raw) in entries {
            let Some(refuses) = raw.value.as_ref().and_then(|raw| raw.refuses.as_ref()) else { continue };
            let Some(check) = checks.iter().find(|check| Some(check.name.as_str()) == name.value.as_deref())
            else {
                continue; // it has been reported
            };
            let kinds =
                self.distinct(Some(refuses), |kind| kind.value.map(|kind| (kind, kind_span(kind, refuses))));
            for (kind, span) in kinds {
                self.stranger(check, kind, span, known, timeline, &mut found);
            }
        }
        found
    }

    fn cannot_be(&self, span: Span, message: String, help: &str) {
        self.report(Draft::new(Code::ExpectationMisfit, span, message).help(help));
    }

    fn stranger(
        &self,
        check: &Check,
        kind: Stranger,
        span: Span,
        known: &Known<'_>,
        timeline: &Timeline,
        found: &mut Strangers,
    ) {
        if kind == Stranger::StaleCrl {
            return self.stale(check, span, known, found);
        }
        let identity = check.probe.tls().and_then(|terms| terms.identity.as_ref());
        if identity.or(check.probe.token()).is_none() {
            let message = format!(
                "check `{}` shows neither `identity` nor `token`, whose place a stranger could take",
                check.name
            );
            let help = "give the probe an `identity` or a `token`: who shows the valid one is the control";
            return self.cannot_be(span, message, help);
        }
        if let Some(valid) = identity.and_then(|name| known.credentials.iter().find(|it| it.name == *name)) {
            self.peer(check, valid, kind, span, known.credentials, timeline, found);
        }
        if let Some(valid) =
            check.probe.token().and_then(|name| known.tokens.iter().find(|it| it.name == *name))
        {
            self.bearer_of(check, valid, kind, span, timeline, found);
        }
    }

    /// The check itself while the revocation lists of the candidate have ended.
    fn stale(&self, check: &Check, span: Span, known: &Known<'_>, found: &mut Strangers) {
        let files = known.candidate.into_iter().flat_map(|service| &service.files);
        let lists: BTreeSet<CredentialName> = files
            .filter_map(|file| match &file.source {
                MountedSource::Crl(name) => Some(name.clone()),
                MountedSource::Certificate(_)
                | MountedSource::Chain(_)
                | MountedSource::Content(_)
                | MountedSource::Jwks(_)
                | MountedSource::Key(_)
                | MountedSource::Source(_)
                | MountedSource::Token(_) => None,
            })
            .collect();
        if lists.is_empty() {
            let message = "the candidate holds no revocation list of this scenario that could have ended";
            return self.cannot_be(span, message.to_owned(), "mount one: `/etc/crl.pem: { crl: NAME }`");
        }
        self.refused(check, "stale-crl", span, Probe::clone, found);
        if let Some(made) = found.checks.last_mut() {
            made.stale = lists.into_iter().collect();
        }
    }

    /// Adds a check beside `check` in which who asks instead, as `other` has it, must be refused.
    fn refused(
        &self,
        check: &Check,
        word: &str,
        span: Span,
        other: impl Fn(&Probe) -> Probe,
        found: &mut Strangers,
    ) {
        let Ok(name) = CheckName::new(format!("{}-refuses-{word}", check.name)) else {
            let message = format!("`{}` is too long a name for what `refuses` makes of it", check.name);
            return self.cannot_be(span, message, "use a shorter name");
        };
        let (control, location) = (check.name.clone(), self.location(span));
        // The same one asks in all steps.
        let stranger = |step: &CheckStep| CheckStep { probe: other(&step.probe), ..step.clone() };
        found.checks.push(Check {
            name,
            before: check.before.iter().map(stranger).collect(),
            probe: other(&check.probe),
            connections: vec![Connection::Fresh],
            expect: vec![ExpectedSpan {
                after: None,
                through: None,
                expectation: Expectation::Rejected { control },
                location: location.clone(),
            }],
            location,
            ..check.clone()
        });
    }

    /// The name of what is made in the place of `base`.
    fn beside(&self, base: &CredentialName, what: &str, span: Span) -> Option<CredentialName> {
        CredentialName::new(format!("{base}.{what}"))
            .map_err(|_| {
                let message = format!("`{base}` is too long a name for what `refuses` makes of it");
                self.cannot_be(span, message, "use a shorter name");
            })
            .ok()
    }

    /// Somebody with another token, signed with the same key but for one of an unknown issuer.
    fn bearer_of(
        &self,
        check: &Check,
        valid: &TokenSpec,
        kind: Stranger,
        span: Span,
        timeline: &Timeline,
        found: &mut Strangers,
    ) {
        let Some(name) = self.beside(&valid.name, kind.word(), span) else { return };
        let location = self.location(span);
        let mut token =
            TokenSpec { name: name.clone(), key_of: Some(valid.name.clone()), location, ..valid.clone() };
        let (start, end) = (timeline.start, timeline.horizon);
        match kind {
            Stranger::Expired => {
                (token.not_before, token.not_after) =
                    (start.plus_secs(-60 * DAY), start.plus_secs(-30 * DAY));
            }
            Stranger::NotYetValid => {
                (token.not_before, token.not_after) = (end.plus_secs(30 * DAY), end.plus_secs(60 * DAY));
            }
            Stranger::UnknownIssuer => {
                (token.not_before, token.not_after) = (start.plus_secs(-60 * DAY), end.plus_secs(60 * DAY));
                token.key_of = None;
            }
            // A token has no intermediates; where the check shows a certificate too, that one's is meant.
            Stranger::ExpiredIntermediate
                if check.probe.tls().is_some_and(|terms| terms.identity.is_some()) =>
            {
                return;
            }
            Stranger::ExpiredIntermediate | Stranger::StaleCrl => {
                let message =
                    format!("`{}` is a token and has no intermediate that could have ended", valid.name);
                return self.cannot_be(span, message, "leave it out, or show an `identity`");
            }
        }
        found.add_token(token);
        let word = format!("{}-token", kind.word());
        let other = |probe: &Probe| match probe.token() {
            Some(token) if *token == valid.name => probe.clone().with_token(name.clone()),
            _ => probe.clone(),
        };
        self.refused(check, &word, span, other, found);
    }

    /// Somebody with another certificate.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the scenario")]
    fn peer(
        &self,
        check: &Check,
        valid: &CredentialSpec,
        kind: Stranger,
        span: Span,
        credentials: &[CredentialSpec],
        timeline: &Timeline,
        found: &mut Strangers,
    ) {
        let (identity, location) = (&valid.name, self.location(span));
        let named = |base: &CredentialName, what: &str| self.beside(base, what, span);
        let Some(name) = named(identity, kind.word()) else { return };
        let made = |name: CredentialName, x509: GeneratedX509| CredentialSpec {
            name,
            x509,
            location: location.clone(),
        };
        let mut x509 = valid.x509.clone();
        let (start, end) = (timeline.start, timeline.horizon);
        let past = (start.plus_secs(-60 * DAY), start.plus_secs(-30 * DAY));
        let wide: (UnixTime, UnixTime) = (start.plus_secs(-60 * DAY), end.plus_secs(60 * DAY));
        match kind {
            Stranger::Expired => (x509.not_before, x509.not_after) = past,
            Stranger::NotYetValid => {
                (x509.not_before, x509.not_after) = (end.plus_secs(30 * DAY), end.plus_secs(60 * DAY));
            }
            Stranger::ExpiredIntermediate => {
                let above = match &x509.issuer {
                    X509Issuer::Intermediate(issuer) | X509Issuer::IssuedBy(issuer) => {
                        credentials.iter().find(|spec| spec.name == *issuer)
                    }
                    X509Issuer::Root | X509Issuer::SelfSigned => None,
                };
                let above = above.filter(|above| matches!(above.x509.issuer, X509Issuer::Intermediate(_)));
                let Some(above) = above else {
                    let message =
                        format!("`{identity}` is issued by no intermediate, so none of it can have ended");
                    return self.cannot_be(span, message, "issue it by a CA with `ca: intermediate`");
                };
                let Some(ended) = named(identity, "issuer-expired") else { return };
                let mut authority = above.x509.clone();
                (authority.not_before, authority.not_after) = past;
                (x509.not_before, x509.not_after) = wide;
                x509.issuer = X509Issuer::IssuedBy(ended.clone());
                found.add(made(ended, authority));
            }
            Stranger::StaleCrl => return, // it is no other peer
            Stranger::UnknownIssuer => {
                let Some(unknown) = named(identity, "issuer-unknown") else { return };
                let root = GeneratedX509 {
                    subject: "CN=Root of a stranger".to_owned(),
                    issuer: X509Issuer::Root,
                    cross_signs: None,
                    dns: Vec::new(),
                    ip: Vec::new(),
                    usage: Vec::new(),
                    key: x509.key,
                    not_before: wide.0,
                    not_after: wide.1,
                };
                (x509.not_before, x509.not_after) = wide;
                x509.issuer = X509Issuer::IssuedBy(unknown.clone());
                found.add(made(unknown, root));
            }
        }
        found.add(made(name.clone(), x509));
        let other = |probe: &Probe| match probe.tls().and_then(|terms| terms.identity.as_ref()) {
            Some(shown) if shown == identity => probe.clone().with_identity(name.clone()),
            _ => probe.clone(),
        };
        self.refused(check, kind.word(), span, other, found);
    }
}

/// Where a kind is written.
fn kind_span(kind: Stranger, refuses: &Located<Vec<Located<Stranger>>>) -> Span {
    let listed = refuses.value.iter().flatten();
    listed
        .filter(|element| element.value == Some(kind))
        .map(|element| element.span)
        .next()
        .unwrap_or(refuses.span)
}
