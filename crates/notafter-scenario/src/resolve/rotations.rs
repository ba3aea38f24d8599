//! Rotations: each becomes as many replacements as there are instants, each new issue a credential of its own, and what
//! must be on the wire a check.

use super::instants::{Place, Timeline};
use super::scope::{Scope, Target};
use crate::Code;
use crate::decode::{Entries, Located};
use crate::diagnostic::{Draft, Span};
use crate::raw::{RawCredential, RawReload, RawRotation, RawServed};
use crate::time::Sign;
use notafter_core::{
    Check, CheckName, Connection, CredentialName, CredentialSpec, Expectation, ExpectedSpan, MountedFile,
    MountedSource, Probe, Reload, Replacement, Rotation, Served, Service, ServiceName, TlsTerms, UnixTime,
    Verify,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// More replacements than this no walk performs in a reasonable time.
const MOST: usize = 100;
const WITHIN: Duration = Duration::from_secs(60);
/// How long a look at the wire may take and be repeated, on the host's clock.
const LOOK_WITHIN: Duration = Duration::from_secs(10);
const LOOK_SETTLE: Duration = Duration::from_secs(3);
/// Signals that tell programs something, by name (signal(7), the numbers of every architecture that Linux has today but
/// Alpha, MIPS, PA-RISC and SPARC).
const SIGNALS: [(&str, i32); 9] = [
    ("ALRM", 14),
    ("CONT", 18),
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("TERM", 15),
    ("USR1", 10),
    ("USR2", 12),
    ("WINCH", 28),
];

/// What rotations add to a scenario.
#[derive(Default)]
pub(super) struct Rotations {
    pub(super) rotations: Vec<Rotation>,
    pub(super) credentials: Vec<CredentialSpec>,
    pub(super) checks: Vec<Check>,
}

/// One replacement whose predecessor is not known yet.
struct Planned<'r> {
    name: &'r Located<String>,
    raw: &'r RawRotation,
    /// Where its instant is written.
    span: Span,
    at: UnixTime,
    /// Which one of its declaration it is, from 1.
    number: usize,
}

impl Scope<'_> {
    /// Resolves every rotation. `credentials` are those that the scenario declares by themselves.
    pub(super) fn rotations(
        &self,
        entries: Option<&Located<Entries<RawRotation>>>,
        raw_credentials: Option<&Located<Entries<RawCredential>>>,
        credentials: &[CredentialSpec],
        services: &[Service],
        checks: &[Check],
        timeline: &Timeline,
    ) -> Rotations {
        let mut found = Rotations::default();
        let entries =
            entries.and_then(|entries| entries.value.as_ref()).map_or(&[][..], |entries| &entries.0);
        let mut planned: Vec<Planned<'_>> = Vec::new();
        for (name, raw) in entries {
            let Some(body) = raw.value.as_ref() else { continue };
            let holds = self.holders(body, services, checks);
            if holds.is_none() {
                continue;
            }
            let instants = self.instants(name, body, timeline);
            let counted = instants.into_iter().enumerate();
            planned.extend(counted.map(|(index, (at, span))| Planned {
                name,
                raw: body,
                span,
                at,
                number: index + 1,
            }));
        }
        if planned.len() > MOST {
            let message =
                format!("{} replacements in one window; at most {MOST} are performed", planned.len());
            let span = planned[MOST].span;
            self.report(
                Draft::new(Code::RotationMisfit, span, message).help("let rotations be further apart"),
            );
            return found;
        }
        planned.sort_by_key(|rotation| rotation.at);
        let mut current: BTreeMap<CredentialName, (CredentialName, UnixTime)> = BTreeMap::new();
        let mut issues: BTreeMap<CredentialName, usize> = BTreeMap::new();
        for next in &planned {
            let Some(credential) = self.reference::<CredentialName>(Target::Credential, &next.raw.credential)
            else {
                continue;
            };
            let old = current.get(&credential);
            if let Some((_, before)) = old.filter(|(_, at)| next.at.secs_since(*at) < 2) {
                let message = format!("`{credential}` is replaced at {before} already");
                self.report(Draft::new(Code::RotationMisfit, next.span, message));
                continue;
            }
            let named = [Some(&next.raw.credential), next.raw.to.as_ref()].into_iter().flatten();
            let is_list = |text: &&Located<String>| {
                !credentials.iter().any(|spec| Some(spec.name.as_str()) == text.value.as_deref())
            };
            if let Some(list) = named.into_iter().find(is_list) {
                let message = "certificates are rotated, and this is none".to_owned();
                self.report(Draft::new(Code::RotationMisfit, list.span, message));
                continue;
            }
            let replaces = old.map_or_else(|| credential.clone(), |(name, _)| name.clone());
            let brings = match &next.raw.to {
                Some(to) => self.reference(Target::Credential, to),
                None => {
                    let number = issues.entry(credential.clone()).or_insert(1);
                    *number += 1;
                    let issue =
                        self.issue(next, &credential, *number, raw_credentials, credentials, timeline);
                    issue.map(|spec| {
                        let name = spec.name.clone();
                        found.credentials.push(spec);
                        name
                    })
                }
            };
            let Some(brings) = brings else { continue };
            if brings == replaces {
                let message = format!("`{brings}` would be replaced by itself");
                self.report(Draft::new(Code::RotationMisfit, next.span, message));
                continue;
            }
            let rotation = self.rotation(next, credential.clone(), replaces, brings.clone());
            current.insert(credential, (brings, next.at));
            found.rotations.extend(rotation);
        }
        for (name, raw) in entries {
            let body = raw.value.as_ref();
            let Some((body, served)) = body.and_then(|body| Some((body, body.served.as_ref()?))) else {
                continue;
            };
            found.checks.extend(self.served_check(name, body, served, &found.rotations, services));
        }
        found
    }

    /// Says what is wrong with what a rotation is to replace; none where something is.
    fn holders(&self, raw: &RawRotation, services: &[Service], checks: &[Check]) -> Option<()> {
        let name: CredentialName = self.reference(Target::Credential, &raw.credential)?;
        let holding: Vec<&MountedFile> = services
            .iter()
            .flat_map(|service| &service.files)
            .filter(|file| file.source.credential() == Some(&name))
            .collect();
        let probes = || checks.iter().flat_map(Check::probes);
        let identities = probes().filter_map(|probe| probe.tls()?.identity.as_ref());
        let probed = identities.chain(probes().filter_map(Probe::trusted)).any(|used| *used == name);
        if holding.is_empty() && !probed {
            let message = format!("no service and no probe holds `{name}`, so nothing would be replaced");
            return self.fail(
                Draft::new(Code::RotationMisfit, raw.credential.span, message)
                    .help("mount it with `files`, or use it in a probe"),
            );
        }
        let listed = raw.files.as_ref().and_then(|files| files.value.as_ref());
        for file in listed.into_iter().flatten() {
            let Some((path, span)) = file.get() else { continue };
            if !holding.iter().any(|holding| holding.path == *path) {
                let known: Vec<String> = holding.iter().map(|file| format!("`{}`", file.path)).collect();
                let message = format!("no service has `{name}` at `{path}`");
                let help = format!("it lies at {}", known.join(", "));
                return self.fail(Draft::new(Code::RotationMisfit, span, message).help(help));
            }
        }
        let swaps = raw.replace.value.is_some_and(|keyword| keyword.0 == Replacement::SymlinkSwap);
        if swaps && let Some(bare) = holding.iter().find(|file| file.folder.is_none()) {
            let message =
                format!("`symlink-swap` exchanges whole folders, and `{}` is mounted alone", bare.path);
            return self.fail(
                Draft::new(Code::RotationMisfit, raw.replace.span, message)
                    .help("mount a folder, with a path that ends in `/`, or choose another way to replace"),
            );
        }
        Some(())
    }

    /// Every instant of a rotation, with where it is written, in time order.
    fn instants(
        &self,
        name: &Located<String>,
        raw: &RawRotation,
        timeline: &Timeline,
    ) -> Vec<(UnixTime, Span)> {
        let outside = |at: UnixTime, span| {
            let message = format!("{at} does not lie inside the support window");
            let help = format!("choose instants after {} and not after {}", timeline.start, timeline.horizon);
            self.report(Draft::new(Code::RotationMisfit, span, message).help(help));
        };
        let mut found = Vec::new();
        match (&raw.at, &raw.every) {
            (Some(at), Some(every)) => self.report(
                Draft::new(Code::ConflictingKeys, every.span, "`at` and `every` both say when")
                    .context(at.span, "at"),
            ),
            (None, None) => self.report(
                Draft::new(Code::MissingKey, name.span, "nothing says when this rotation happens")
                    .help("give `at: site.not_after - 30d`, or `every: 60d`"),
            ),
            (Some(at), None) => {
                for text in at.value.iter().flat_map(|list| &list.0) {
                    let Some(instant) = self.instant(text, Place::Elsewhere, timeline) else { continue };
                    match instant > timeline.start && instant <= timeline.horizon {
                        true => found.push((instant, text.span)),
                        false => outside(instant, text.span),
                    }
                }
            }
            (None, Some(every)) => {
                let Some((text, span)) = every.get() else { return found };
                let Some(amount) = self.amount(text, span) else { return found };
                if amount.is_zero() || !amount.is_whole_seconds() {
                    self.report(Draft::new(
                        Code::BadDuration,
                        span,
                        format!("`{text}` is no distance in time"),
                    ));
                    return found;
                }
                let mut at = amount.applied_to(timeline.start, Sign::Plus);
                match at {
                    Some(first) if first > timeline.horizon => outside(first, span),
                    Some(_) | None => {}
                }
                // One more than is allowed is reported where all are counted.
                while let Some(next) = at.filter(|next| *next <= timeline.horizon && found.len() <= MOST) {
                    found.push((next, span));
                    at = amount.applied_to(next, Sign::Plus);
                }
                if let Some(to) = &raw.to
                    && found.len() > 1
                {
                    self.report(
                        Draft::new(Code::ConflictingKeys, to.span, "one credential can be brought once")
                            .context(span, "repeats"),
                    );
                }
            }
        }
        found.sort_by_key(|(at, _)| *at);
        found
    }

    /// The credential as it is issued anew.
    fn issue(
        &self,
        planned: &Planned<'_>,
        credential: &CredentialName,
        number: usize,
        raw_credentials: Option<&Located<Entries<RawCredential>>>,
        credentials: &[CredentialSpec],
        timeline: &Timeline,
    ) -> Option<CredentialSpec> {
        let entries = raw_credentials.and_then(|entries| entries.value.as_ref())?;
        let (_, raw) = entries.0.iter().find(|(key, _)| key.value.as_deref() == Some(credential.as_str()))?;
        let RawCredential::X509(x509) = raw.value.as_ref()? else { return None };
        let text = format!("{credential}.{number}");
        if self.declared(Target::Credential).contains(&text) {
            let message =
                format!("`{text}` is declared, and is the name of issue {number} of `{credential}`");
            return self.fail(
                Draft::new(Code::RotationMisfit, planned.span, message).help("rename the declared one"),
            );
        }
        let name = CredentialName::new(text).ok();
        let Some(name) = name else {
            let message = format!("`{credential}` is too long a name for something that is issued again");
            return self.fail(Draft::new(Code::BadName, planned.raw.credential.span, message));
        };
        let first = credentials.iter().find(|spec| spec.name == *credential)?;
        let (not_before, not_after) = self.reissued(&x509.validity, planned.at, timeline)?;
        let mut spec = first.clone();
        (spec.name, spec.location) = (name, self.location(planned.span));
        (spec.x509.not_before, spec.x509.not_after) = (not_before, not_after);
        Some(spec)
    }

    fn rotation(
        &self,
        planned: &Planned<'_>,
        credential: CredentialName,
        replaces: CredentialName,
        brings: CredentialName,
    ) -> Option<Rotation> {
        let raw = planned.raw;
        let (text, span) = planned.name.get()?;
        let name = match planned.number {
            1 => self.name(planned.name)?,
            number => match notafter_core::RotationName::new(format!("{text}.{number}")) {
                Ok(name) => name,
                Err(_) => {
                    let message = format!("`{text}` cannot be the name of a rotation that repeats");
                    return self.fail(Draft::new(Code::BadName, span, message));
                }
            },
        };
        let then = match &raw.then {
            Some(then) => Some(self.reload(then)?),
            None => None,
        };
        let served = match &raw.served {
            Some(served) => Some(self.served(planned.name, served)?),
            None => None,
        };
        Some(Rotation {
            name,
            at: planned.at,
            credential,
            replaces,
            brings,
            replacement: raw.replace.value?.0,
            files: self.texts(raw.files.as_ref()),
            then,
            served,
            location: self.location(span),
        })
    }

    fn reload(&self, reload: &Located<RawReload>) -> Option<Reload> {
        Some(match reload.value.as_ref()? {
            RawReload::Exec(raw) => {
                let (service, command) =
                    (self.reference(Target::Service, &raw.service), self.command(&raw.command));
                Reload::Exec { service: service?, command: command? }
            }
            RawReload::Signal(raw) => {
                let service = self.reference(Target::Service, &raw.service);
                let (text, span) = raw.name.get()?;
                let Some((name, number)) = SIGNALS.iter().find(|(name, _)| name == text) else {
                    let known: Vec<String> = SIGNALS.iter().map(|(name, _)| format!("`{name}`")).collect();
                    let message = format!("`{text}` is no signal that services are told things by");
                    return self.fail(
                        Draft::new(Code::UnknownValue, span, message)
                            .help(format!("use one of {}", known.join(", "))),
                    );
                };
                Reload::Signal { service: service?, name: (*name).to_owned(), number: *number }
            }
        })
    }

    fn served(&self, rotation: &Located<String>, served: &Located<RawServed>) -> Option<Served> {
        let (raw, _) = served.get()?;
        let (by, _) = self.address(&raw.by)?;
        let within = match &raw.within {
            Some(within) => self.positive_duration(within, Code::DurationNotPositive)?,
            None => WITHIN,
        };
        if within.subsec_nanos() != 0 {
            let span = raw.within.as_ref().map_or(served.span, |within| within.span);
            return self.fail(Draft::new(Code::BadDuration, span, "instants are whole seconds"));
        }
        let check = self.check_of(rotation)?;
        let without_restart = raw.without_restart.as_ref().is_none_or(|it| it.value != Some(false));
        Some(Served { check, by: ServiceName::new(by).ok()?, within, without_restart })
    }

    /// The name of the check that looks at the wire for a rotation.
    fn check_of(&self, rotation: &Located<String>) -> Option<CheckName> {
        let (text, span) = rotation.get()?;
        let name = format!("{text}-served");
        if self.declared(Target::Check).contains(&name) {
            let message = format!("check `{name}` is declared, and is the one that looks at the wire here");
            return self
                .fail(Draft::new(Code::RotationMisfit, span, message).help("rename the declared one"));
        }
        CheckName::new(name).ok().or_else(|| {
            self.fail(Draft::new(
                Code::BadName,
                span,
                "this name is too long for a rotation that is `served`",
            ))
        })
    }

    /// The check that the certificate on the wire is that of the last rotation.
    fn served_check(
        &self,
        name: &Located<String>,
        raw: &RawRotation,
        served: &Located<RawServed>,
        rotations: &[Rotation],
        services: &[Service],
    ) -> Option<Check> {
        let terms = served.value.as_ref()?;
        let own = self.served(name, served)?;
        let (host, port) = self.address(&terms.by)?;
        let credential: CredentialName = self.reference(Target::Credential, &raw.credential)?;
        let shown: Vec<&str> = services
            .iter()
            .filter(|service| service.name == own.by)
            .flat_map(|service| &service.files)
            .filter(|file| shows(file, &credential))
            .map(|file| file.path.as_str())
            .collect();
        if shown.is_empty() {
            let message = format!("`{}` has no certificate of `{credential}` to show", own.by);
            return self.fail(Draft::new(Code::RotationMisfit, terms.by.span, message));
        }
        let changes: Vec<&Rotation> = rotations
            .iter()
            .filter(|rotation| rotation.credential == credential)
            .filter(|rotation| shown.iter().any(|path| rotation.reaches(Some(path))))
            .collect();
        if changes.is_empty() {
            return None; // every one of them has been reported
        }
        let location = self.location(served.span);
        let span = |after, through, any_of| ExpectedSpan {
            after,
            through,
            expectation: Expectation::Serves { any_of },
            location: location.clone(),
        };
        let (mut expect, mut current, mut after) = (Vec::new(), credential, None);
        for (index, rotation) in changes.iter().enumerate() {
            expect.push(span(after, Some(rotation.at.plus_secs(-1)), vec![current.clone()]));
            let within = i64::try_from(own.within.as_secs()).unwrap_or(i64::MAX);
            let next = changes.get(index + 1).map(|next| next.at.plus_secs(-2));
            let through = rotation.at.plus_secs(within).min(next.unwrap_or(UnixTime::NO_EXPIRY));
            if through >= rotation.at {
                let either = vec![current, rotation.brings.clone()];
                expect.push(span(Some(rotation.at.plus_secs(-1)), Some(through), either));
            }
            (current, after) = (rotation.brings.clone(), Some(through));
        }
        expect.push(span(after, None, vec![current]));
        let starttls = terms.starttls.as_ref().and_then(|it| it.value).map(|keyword| keyword.0);
        let tls = TlsTerms { trust: None, identity: None, verify: Verify::Off, server_name: None, starttls };
        Some(Check {
            name: own.check,
            from: None,
            probe: Probe::Tls { host, port, terms: tls },
            connections: vec![Connection::Fresh],
            within: LOOK_WITHIN,
            settle: LOOK_SETTLE,
            before: Vec::new(),
            stale: Vec::new(),
            expect,
            location,
        })
    }
}

fn shows(file: &MountedFile, name: &CredentialName) -> bool {
    match &file.source {
        MountedSource::Certificate(held) | MountedSource::Chain(held) => held == name,
        MountedSource::Content(_)
        | MountedSource::Crl(_)
        | MountedSource::Jwks(_)
        | MountedSource::Key(_)
        | MountedSource::Source(_)
        | MountedSource::Token(_) => false,
    }
}
