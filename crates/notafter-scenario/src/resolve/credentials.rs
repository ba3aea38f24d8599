//! Credentials: who signs whom, and when each is valid.

use super::instants::{Place, Timeline};
use super::scope::{Scope, Target};
use crate::Code;
use crate::decode::{Entries, Located};
use crate::diagnostic::{Draft, Span};
use crate::graph;
use crate::raw::{RawCa, RawCredential, RawValidity, RawX509};
use crate::time::{Base, InstantText, Sign};
use notafter_core::{
    CredentialName, CredentialSpec, CrlSpec, GeneratedX509, KeyAlgorithm, UnixTime, X509Issuer,
};
use std::collections::HashMap;

/// A credential whose declaration has the right shape.
struct Draught<'r> {
    name: &'r Located<String>,
    text: &'r str,
    x509: &'r RawX509,
}

impl Scope<'_> {
    /// Resolves the credentials and enters their validities into `timeline`.
    pub(super) fn credentials(
        &self,
        entries: Option<&Located<Entries<RawCredential>>>,
        timeline: &mut Timeline,
    ) -> Vec<CredentialSpec> {
        let entries = entries.and_then(|entries| entries.value.as_ref());
        let drafts: Vec<Draught<'_>> = entries
            .into_iter()
            .flat_map(|entries| &entries.0)
            .filter_map(|(name, credential)| {
                let RawCredential::X509(x509) = credential.value.as_ref()? else { return None };
                Some(Draught { name, text: name.value.as_deref()?, x509 })
            })
            .collect();
        let index: HashMap<&str, usize> =
            drafts.iter().enumerate().map(|(at, draft)| (draft.text, at)).collect();
        self.validities(&drafts, &index, timeline);
        self.issuers_end_at_a_root(&drafts, &index);
        drafts.iter().filter_map(|draft| self.credential(draft, &drafts, &index, timeline)).collect()
    }

    /// Resolves the revocation lists, once the certificates stand in `timeline`, and enters theirs. Their dates may refer
    /// to those of certificates, and of lists that stand before them.
    pub(super) fn crls(
        &self,
        entries: Option<&Located<Entries<RawCredential>>>,
        timeline: &mut Timeline,
    ) -> Vec<CrlSpec> {
        let entries = entries.and_then(|entries| entries.value.as_ref());
        let mut crls = Vec::new();
        for (name, credential) in entries.into_iter().flat_map(|entries| &entries.0) {
            let Some(RawCredential::Crl(raw)) = &credential.value else { continue };
            let validity = self.validity_text(&raw.validity).and_then(|text| self.validity(&text, timeline));
            let issuer = self.reference::<CredentialName>(Target::Credential, &raw.issuer);
            let issuer = issuer.and_then(|issuer| match self.is_leaf(issuer.as_str()) {
                true => {
                    let message = format!("`{issuer}` is no CA and cannot sign");
                    self.fail(Draft::new(Code::NotACa, raw.issuer.span, message))
                }
                false => Some(issuer),
            });
            let revokes =
                self.distinct(raw.revokes.as_ref(), |name| self.reference(Target::Credential, name));
            let (location, text) = (self.location(name.span), name.value.clone());
            if let (Some(text), Some(validity)) = (text, validity) {
                timeline.validity.insert(text, validity);
            }
            if let (Some(name), Some(issuer), Some((this_update, next_update))) =
                (self.name(name), issuer, validity)
            {
                crls.push(CrlSpec { name, issuer, revokes, this_update, next_update, location });
            }
        }
        crls
    }

    fn credential(
        &self,
        draft: &Draught<'_>,
        drafts: &[Draught<'_>],
        index: &HashMap<&str, usize>,
        timeline: &Timeline,
    ) -> Option<CredentialSpec> {
        let x509 = draft.x509;
        let name = self.name(draft.name);
        let issuer = self.issuer(draft, drafts, index);
        let subject = self.subject(&x509.subject);
        let cross_signs = match &x509.cross_signs {
            Some(crossed) => Some(self.crossed(draft, crossed, drafts, index)?),
            None => None,
        };
        let dns = self.distinct(x509.dns.as_ref(), |name| self.dns_name(name));
        let ip = self.distinct(x509.ip.as_ref(), |address| self.ip_address(address));
        let usage = self.distinct(x509.usage.as_ref(), |usage| usage.value.map(|usage| usage.0));
        if let (Some(usages), Some(ca)) = (&x509.usage, &x509.ca) {
            self.report(
                Draft::new(Code::ConflictingKeys, usages.span, "a CA has no usage of its own")
                    .context(ca.span, "a CA"),
            );
        }
        let key = x509.key.as_ref().map_or(Some(KeyAlgorithm::P256), |key| key.value.map(|key| key.0));
        let (not_before, not_after) = *timeline.validity.get(draft.text)?;
        Some(CredentialSpec {
            name: name?,
            x509: GeneratedX509 {
                subject: subject?,
                issuer: issuer?,
                cross_signs,
                dns,
                ip,
                usage,
                key: key?,
                not_before,
                not_after,
            },
            location: self.location(draft.name.span),
        })
    }

    fn issuer(
        &self,
        draft: &Draught<'_>,
        drafts: &[Draught<'_>],
        index: &HashMap<&str, usize>,
    ) -> Option<X509Issuer> {
        let x509 = draft.x509;
        let conflict = |first: Span, second: Span, message: &str| {
            self.fail(Draft::new(Code::ConflictingKeys, second, message).context(first, "but this"))
        };
        let self_signed = x509.self_signed.as_ref().filter(|flag| flag.value != Some(false));
        let ca = match &x509.ca {
            Some(ca) => Some((*ca.value.as_ref()?, ca.span)),
            None => None,
        };
        match (ca, &x509.issuer, self_signed) {
            (Some((RawCa::Root, ca)), Some(issuer), _) => conflict(ca, issuer.span, "a root signs itself"),
            (Some((_, ca)), _, Some(flag)) => conflict(ca, flag.span, "only a leaf can be `self_signed`"),
            (_, Some(issuer), Some(flag)) => {
                conflict(issuer.span, flag.span, "it cannot sign itself and have an issuer")
            }
            (Some((RawCa::Root, _)), None, None) => Some(X509Issuer::Root),
            (None, None, Some(_)) => Some(X509Issuer::SelfSigned),
            (Some((RawCa::Intermediate, _)), Some(issuer), None) => {
                self.signing_ca(issuer, drafts, index).map(X509Issuer::Intermediate)
            }
            (None, Some(issuer), None) => self.signing_ca(issuer, drafts, index).map(X509Issuer::IssuedBy),
            (_, None, None) => self.fail(
                Draft::new(Code::MissingKey, draft.name.span, "nothing says who signs this")
                    .help("give `issuer: NAME`, `ca: root`, or `self_signed: true`"),
            ),
        }
    }

    fn signing_ca(
        &self,
        issuer: &Located<String>,
        drafts: &[Draught<'_>],
        index: &HashMap<&str, usize>,
    ) -> Option<CredentialName> {
        let name = self.reference(Target::Credential, issuer)?;
        let signer = &drafts[*index.get(issuer.value.as_deref()?)?];
        if signer.x509.ca.is_none() {
            let message = format!("`{}` is no CA and cannot sign", signer.text);
            return self
                .fail(Draft::new(Code::NotACa, issuer.span, message).context(signer.name.span, "a leaf"));
        }
        Some(name)
    }

    /// The CA of which this is one more certificate.
    fn crossed(
        &self,
        draft: &Draught<'_>,
        crossed: &Located<String>,
        drafts: &[Draught<'_>],
        index: &HashMap<&str, usize>,
    ) -> Option<CredentialName> {
        let name = self.signing_ca(crossed, drafts, index)?;
        let own = &drafts[*index.get(name.as_str())?];
        if !matches!(draft.x509.ca.as_ref().map(|ca| ca.value), Some(Some(RawCa::Intermediate))) {
            let message = "a cross-sign is a CA under another issuer";
            let draft = Draft::new(Code::ConflictingKeys, crossed.span, message);
            return self.fail(draft.help("say `ca: intermediate` and name the `issuer`"));
        }
        if let Some(again) = &own.x509.cross_signs {
            let message = format!("`{}` is a cross-sign itself", own.text);
            let draft = Draft::new(Code::NotACa, crossed.span, message);
            return self.fail(draft.context(again.span, "it has the key of this").help("name that one"));
        }
        if let Some(key) = &draft.x509.key {
            let message = format!("the key is that of `{}`", own.text);
            let draft = Draft::new(Code::ConflictingKeys, key.span, message);
            return self.fail(draft.context(crossed.span, "one more certificate of it"));
        }
        if draft.x509.subject.value != own.x509.subject.value {
            let message = format!("a cross-sign of `{}` bears its subject", own.text);
            let draft = Draft::new(Code::BadSubject, draft.x509.subject.span, message);
            return self.fail(draft.context(own.x509.subject.span, "this one"));
        }
        Some(name)
    }

    fn issuers_end_at_a_root(&self, drafts: &[Draught<'_>], index: &HashMap<&str, usize>) {
        let issuers: Vec<Vec<usize>> = drafts
            .iter()
            .map(|draft| {
                let issuer = draft.x509.issuer.as_ref().and_then(|issuer| issuer.value.as_deref());
                issuer.and_then(|issuer| index.get(issuer).copied()).into_iter().collect()
            })
            .collect();
        if let Err(cycle) = graph::order(&issuers) {
            self.report_cycle(Code::IssuerCycle, "is signed by", &cycle, drafts);
        }
    }

    fn report_cycle(&self, code: Code, verb: &str, cycle: &[usize], drafts: &[Draught<'_>]) {
        let names: Vec<&str> = cycle.iter().map(|at| drafts[*at].text).collect();
        let Some(first) = cycle.first() else { return };
        self.report(Draft::new(code, drafts[*first].name.span, cycle_message(&names, verb)));
    }

    /// Fixes validities in an order in which each comes after those that it refers to.
    fn validities(&self, drafts: &[Draught<'_>], index: &HashMap<&str, usize>, timeline: &mut Timeline) {
        let texts: Vec<Option<ValidityText<'_>>> =
            drafts.iter().map(|draft| self.validity_text(&draft.x509.validity)).collect();
        let refers_to: Vec<Vec<usize>> = texts
            .iter()
            .map(|text| {
                let names = text.iter().flat_map(ValidityText::credentials);
                names.filter_map(|name| index.get(name).copied()).collect()
            })
            .collect();
        match graph::order(&refers_to) {
            Err(cycle) => self.report_cycle(Code::CredentialCycle, "takes its validity from", &cycle, drafts),
            Ok(order) => {
                for at in order {
                    if let Some(validity) = texts[at].as_ref().and_then(|text| self.validity(text, timeline))
                    {
                        timeline.validity.insert(drafts[at].text.to_owned(), validity);
                    }
                }
            }
        }
    }

    /// The validity of a credential that is issued anew at `at`.
    pub(super) fn reissued(
        &self,
        raw: &Located<RawValidity>,
        at: UnixTime,
        timeline: &Timeline,
    ) -> Option<(UnixTime, UnixTime)> {
        let text = self.validity_text(raw)?;
        self.validity(&text, &Timeline { issued: at, ..timeline.clone() })
    }

    pub(super) fn validity_text<'r>(&self, raw: &'r Located<RawValidity>) -> Option<ValidityText<'r>> {
        let (validity, span) = raw.get()?;
        let from = self.instant_text(&validity.from);
        let end = match (&validity.until, &validity.span) {
            (Some(until), None) => self.instant_text(until).map(|text| (End::Until(text), until.span)),
            (None, Some(length)) => Some((End::For(length), length.span)),
            (Some(until), Some(length)) => self.fail(
                Draft::new(Code::ConflictingKeys, length.span, "`for` and `until` both say when it ends")
                    .context(until.span, "until"),
            ),
            (None, None) => self.fail(
                Draft::new(Code::MissingKey, span, "nothing says when it ends").help("give `until` or `for`"),
            ),
        };
        let (end, end_span) = end?;
        Some(ValidityText { from: from?, from_span: validity.from.span, end, end_span })
    }

    pub(super) fn validity(
        &self,
        text: &ValidityText<'_>,
        timeline: &Timeline,
    ) -> Option<(UnixTime, UnixTime)> {
        let from = self.fix(&text.from, text.from_span, Place::Validity, timeline);
        let until = match &text.end {
            End::Until(until) => self.fix(until, text.end_span, Place::Validity, timeline)?,
            End::For(length) => {
                let (length, span) = length.get()?;
                let amount = self.amount(length, span)?;
                if !amount.is_whole_seconds() {
                    return self.fail(Draft::new(Code::BadInstant, span, "instants are whole seconds"));
                }
                amount.applied_to(from?, Sign::Plus).or_else(|| {
                    let message = format!("{} + {length} lies beyond the year 9999", text.from);
                    self.fail(Draft::new(Code::InstantOutOfRange, span, message))
                })?
            }
        };
        let from = from?;
        if until <= from {
            let message = format!("it would end at {until}, and begin at {from}");
            return self.fail(
                Draft::new(Code::EmptyValidity, text.end_span, message)
                    .context(text.from_span, "begins here"),
            );
        }
        Some((from, until))
    }

    /// Shape alone; which attributes there are and what they can hold is known where certificates are made.
    fn subject(&self, subject: &Located<String>) -> Option<String> {
        let (text, span) = subject.get()?;
        let mut escaped = false;
        let mut is_comma = |char| {
            let separates = char == ',' && !escaped;
            escaped = char == '\\' && !escaped;
            separates
        };
        let part_is_fine = |part: &str| {
            part.split_once('=').is_some_and(|(label, value)| {
                let label = label.trim();
                !label.is_empty()
                    && label.bytes().all(|byte| byte.is_ascii_alphabetic())
                    && !value.trim().is_empty()
            })
        };
        if !text.split(&mut is_comma).all(part_is_fine) || text.chars().any(char::is_control) {
            return self.fail(
                Draft::new(Code::BadSubject, span, format!("`{text}` is no subject"))
                    .help("write `CN=name,O=organisation`, and `\\,` for a comma inside a value"),
            );
        }
        Some(text.clone())
    }

    pub(super) fn dns_name(&self, name: &Located<String>) -> Option<String> {
        let (text, span) = name.get()?;
        let label_is_fine = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if text.len() > 253 || !text.strip_prefix("*.").unwrap_or(text).split('.').all(label_is_fine) {
            return self.fail(Draft::new(Code::BadAddress, span, format!("`{text}` is no DNS name")));
        }
        Some(text.clone())
    }

    fn ip_address(&self, address: &Located<String>) -> Option<std::net::IpAddr> {
        let (text, span) = address.get()?;
        text.parse()
            .map_err(|_| {
                self.report(Draft::new(Code::BadAddress, span, format!("`{text}` is no IP address")))
            })
            .ok()
    }
}

/// `a is signed by b, b is signed by a`.
pub(super) fn cycle_message(names: &[&str], verb: &str) -> String {
    let pairs = names.iter().zip(names.iter().cycle().skip(1));
    let steps: Vec<String> = pairs.map(|(name, next)| format!("`{name}` {verb} `{next}`")).collect();
    if steps.len() > 6 {
        let last = steps.last().map_or("", String::as_str);
        return format!("{}, …, {last}", steps[..4].join(", "));
    }
    steps.join(", ")
}

/// A validity that reads well.
pub(super) struct ValidityText<'r> {
    from: InstantText,
    from_span: Span,
    end: End<'r>,
    end_span: Span,
}

enum End<'r> {
    For(&'r Located<String>),
    Until(InstantText),
}

impl ValidityText<'_> {
    /// The credentials that it refers to.
    fn credentials(&self) -> impl Iterator<Item = &str> {
        let until = match &self.end {
            End::For(_) => None,
            End::Until(until) => Some(until),
        };
        [Some(&self.from), until].into_iter().flatten().filter_map(|text| match &text.base {
            Base::Edge { credential, .. } => Some(credential.as_str()),
            Base::At(_) | Base::Implied | Base::Issued | Base::Now | Base::Start | Base::SupportEnd => None,
        })
    }
}
