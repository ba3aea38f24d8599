//! Peers that must be refused: for each one a credential that nobody may accept, and a check beside the one that the valid
//! peer passes, which is its control.

use super::instants::Timeline;
use super::scope::Scope;
use crate::Code;
use crate::decode::{Entries, Located};
use crate::diagnostic::{Draft, Span};
use crate::raw::{RawCheck, Stranger};
use notafter_core::{
    Check, CheckName, Connection, CredentialName, CredentialSpec, Expectation, ExpectedSpan, GeneratedX509,
    UnixTime, X509Issuer,
};

const DAY: i64 = 86_400;

/// What strangers add to a scenario.
#[derive(Default)]
pub(super) struct Strangers {
    pub(super) credentials: Vec<CredentialSpec>,
    pub(super) checks: Vec<Check>,
}

impl Scope<'_> {
    /// Resolves every `refuses`. `checks` and `credentials` are those that the scenario declares by themselves.
    pub(super) fn strangers(
        &self,
        entries: Option<&Located<Entries<RawCheck>>>,
        credentials: &[CredentialSpec],
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
                self.stranger(check, kind, span, credentials, timeline, &mut found);
            }
        }
        found
    }

    fn stranger(
        &self,
        check: &Check,
        kind: Stranger,
        span: Span,
        credentials: &[CredentialSpec],
        timeline: &Timeline,
        found: &mut Strangers,
    ) {
        let misfit = |message: String, help: &str| {
            self.report(Draft::new(Code::ExpectationMisfit, span, message).help(help));
        };
        let identity = check.probe.tls().and_then(|terms| terms.identity.as_ref());
        let Some(identity) = identity else {
            let message =
                format!("check `{}` shows no `identity` whose place a stranger could take", check.name);
            return misfit(message, "give the probe an `identity`: the valid peer is the control");
        };
        let Some(valid) = credentials.iter().find(|spec| spec.name == *identity) else { return };
        let location = self.location(span);
        let named = |base: &CredentialName, what: &str| CredentialName::new(format!("{base}.{what}")).ok();
        let (Some(name), Ok(check_name)) =
            (named(identity, kind.word()), CheckName::new(format!("{}-refuses-{}", check.name, kind.word())))
        else {
            let message =
                format!("`{}` or `{identity}` is too long a name for what `refuses` makes of it", check.name);
            return misfit(message, "use shorter names");
        };
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
                    return misfit(message, "issue it by a CA with `ca: intermediate`");
                };
                let Some(ended) = named(identity, "issuer-expired") else { return };
                let mut authority = above.x509.clone();
                (authority.not_before, authority.not_after) = past;
                (x509.not_before, x509.not_after) = wide;
                x509.issuer = X509Issuer::IssuedBy(ended.clone());
                found.credentials.push(made(ended, authority));
            }
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
                found.credentials.push(made(unknown, root));
            }
        }
        found.credentials.push(made(name.clone(), x509));
        let probe = check.probe.clone().with_identity(name);
        let control = check.name.clone();
        found.checks.push(Check {
            name: check_name,
            probe,
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
