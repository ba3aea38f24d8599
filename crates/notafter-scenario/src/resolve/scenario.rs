//! The whole: text in, scenario or diagnostics out.

use super::builds;
use super::instants::{Place, Timeline};
use super::policy::{Reach, together};
use super::scope::{Scope, Target};
use super::shared::Shared;
use super::strangers::Known;
use crate::compose::{self, Project};
use crate::decode::{Decoder, Located, OneOrMany, read};
use crate::diagnostic::{Draft, Lines, Sink, Span};
use crate::raw::RawScenario;
use crate::time::{Amount, Base, Sign};
use crate::{Code, Context, Diagnostics, MAX_BYTES, Source};
use notafter_core::{FileTimes, Planning, Scenario, Start, UnixTime};
use serde::Deserialize;
use std::collections::HashMap;

/// The version of the format that this crate reads.
const VERSION: i64 = 1;

/// Reads the text of a scenario, and the Compose files that it names. Pure: time, environment and files come from
/// `context`.
///
/// # Errors
/// Everything that is wrong with the text, as far as it can be told at once.
pub fn parse(source: &Source, context: &Context<'_>) -> Result<Scenario, Diagnostics> {
    let lines = Lines::of(&source.text);
    let sink = Sink::default();
    let (scenario, beside) = read_and_resolve(source, context, &lines, &sink);
    match scenario {
        Some(scenario) if sink.is_empty() && beside.is_empty() => Ok(scenario),
        _ => Err(sink.into_diagnostics(source, &lines).with(beside)),
    }
}

/// The scenario, and what is wrong with the files beside it.
fn read_and_resolve(
    source: &Source,
    context: &Context<'_>,
    lines: &Lines,
    sink: &Sink,
) -> (Option<Scenario>, Vec<Diagnostics>) {
    let Some((raw, whole)) = raw(source, context, sink) else { return (None, Vec::new()) };
    let project = raw.compose.as_ref().and_then(|compose| project(compose, &raw, source, context, sink));
    // What is not there for want of a file must not be missed once more by everything that names it.
    let is_whole = project.as_ref().map_or(raw.compose.is_none(), |project| !project.is_broken);
    let scope = Scope::new(source, lines, sink, &raw, project.as_ref());
    let shared = source.policy.as_deref().map(Shared::of);
    let scenario = is_whole.then(|| scope.scenario(&raw, whole, context, shared.as_ref())).flatten();
    let mut beside = project.map(Project::into_diagnostics).unwrap_or_default();
    beside.extend(shared.and_then(Shared::into_diagnostics));
    (scenario, beside)
}

/// The services of the Compose files that the scenario names.
fn project<'a>(
    compose: &Located<OneOrMany<String>>,
    raw: &RawScenario,
    source: &Source,
    context: &'a Context<'a>,
    sink: &Sink,
) -> Option<Project<'a>> {
    let (OneOrMany(list), span) = compose.get()?;
    if list.is_empty() {
        sink.report(Draft::new(Code::EmptyList, span, "this names no Compose file"));
    }
    let paths: Vec<(&str, Span)> =
        list.iter().filter_map(|path| path.get()).map(|(path, span)| (path.as_str(), span)).collect();
    let services = raw.services.as_ref().and_then(|services| services.value.as_ref());
    let candidate = raw.candidate.as_ref().and_then(|candidate| candidate.value.as_deref());
    let is_named = |name: &str| {
        candidate == Some(name) || services.is_some_and(|services| services.keys().any(|key| key == name))
    };
    compose::read(&paths, &source.directory, context, &is_named, sink)
}

fn raw(source: &Source, context: &Context<'_>, sink: &Sink) -> Option<(RawScenario, Span)> {
    if source.text.len() > MAX_BYTES {
        let message = format!("a scenario is at most {MAX_BYTES} bytes long");
        sink.report(Draft::new(Code::TooLarge, Span::default(), message));
        return None;
    }
    let node = read(source, context, sink)?;
    // The decoder of a located value reports what is wrong with it, so there is no other error.
    let raw = Located::<RawScenario>::deserialize(Decoder { node: &node, sink }).ok()?;
    Some((raw.value?, node.span))
}

impl Scope<'_> {
    fn scenario(
        &self,
        raw: &RawScenario,
        whole: Span,
        context: &Context<'_>,
        shared: Option<&Shared<'_>>,
    ) -> Option<Scenario> {
        self.version(raw, whole);
        let name = self.required(raw.name.as_ref(), "name", whole).and_then(|name| self.name(name));
        let (start, mut timeline) = self.window(raw, whole, context.now);
        let mut credentials = self.credentials(raw.credentials.as_ref(), &mut timeline);
        let mut crls = self.crls(raw.credentials.as_ref(), &mut timeline);
        let mut tokens = self.tokens(raw.credentials.as_ref(), &mut timeline);
        let named = raw.candidate.as_ref().and_then(|candidate| candidate.value.as_deref());
        let own = match raw.compose {
            Some(_) => raw.services.as_ref(),
            None => self.required(raw.services.as_ref(), "services", whole),
        };
        let mut services = self.services(own, named);
        let builds = self.builds(raw, services.as_deref());
        let candidate = self.candidate(raw, whole, &builds, context.candidate.as_ref());
        let displaced = match (&candidate, &mut services) {
            (Some(candidate), Some(services)) => builds::apply(candidate, services),
            (None, _) | (_, None) => Vec::new(),
        };
        let checks = self.required(raw.checks.as_ref(), "checks", whole);
        let mut checks = self.checks(checks, &timeline);
        let resolved = services.as_deref().unwrap_or_default();
        let tested = resolved.iter().find(|service| Some(service.name.as_str()) == named);
        let known = Known { credentials: &credentials, tokens: &tokens, candidate: tested };
        let mut strangers = self.strangers(raw.checks.as_ref(), &known, &checks, &timeline);
        let raw_credentials = raw.credentials.as_ref();
        let mut rotated = self.rotations(
            raw.rotations.as_ref(),
            raw_credentials,
            &credentials,
            resolved,
            &checks,
            &timeline,
        );
        if let Some(candidate) = &candidate {
            let foreign = (builds.as_slice(), displaced.as_slice());
            let rotations = rotated.rotations.as_slice();
            let declared = (&mut credentials, &mut crls, &mut tokens);
            builds::keep_own(declared, candidate, foreign, resolved, (&checks, rotations));
        }
        credentials.append(&mut strangers.credentials);
        tokens.append(&mut strangers.tokens);
        credentials.append(&mut rotated.credentials);
        checks.append(&mut strangers.checks);
        checks.append(&mut rotated.checks);
        let rotations = rotated.rotations;
        let mut remarks = self.compose.map(|project| project.remarks()).unwrap_or_default();
        // Whoever expects it and does not read this gated without: there is no repository around a copy of the files.
        remarks.extend(shared.map(|shared| format!("the policy of {} holds here too", shared.file())));
        let shared = shared.map(|shared| shared.said(self, name.as_ref(), &timeline));
        let own = self.policy(raw.policy.as_ref(), Reach::One, &timeline);
        let policy = together(shared.into_iter().flatten().chain(own).collect());
        let replay = self.replay(raw.replay.as_ref(), &timeline);
        let budget = raw.budget.as_ref();
        let budget = budget.and_then(|budget| self.positive_duration(budget, Code::BudgetNotPositive));
        let dwell =
            raw.dwell.as_ref().and_then(|dwell| self.positive_duration(dwell, Code::DwellNotPositive));
        let planning = Planning {
            depth: raw.depth.as_ref().and_then(|depth| depth.value).map(|depth| depth.0).unwrap_or_default(),
            dwell,
            restart: raw
                .restart
                .as_ref()
                .and_then(|order| order.value)
                .map(|order| order.0)
                .unwrap_or_default(),
        };
        Some(Scenario {
            name: name?,
            directory: self.directory(),
            start: start?,
            horizon: timeline.horizon,
            candidate: candidate?,
            planning,
            budget,
            builds,
            credentials,
            crls,
            tokens,
            services: services?,
            checks,
            rotations,
            policy,
            replay,
            backend: raw.backend.as_ref().and_then(|backend| backend.value).map(|backend| backend.0),
            file_times: raw
                .file_times
                .as_ref()
                .and_then(|times| times.value)
                .map_or_else(FileTimes::default, |times| times.0),
            remarks,
        })
    }

    /// A key that must be there; serde would stop at the first that is not.
    fn required<'r, T>(&self, value: Option<&'r T>, key: &str, whole: Span) -> Option<&'r T> {
        if value.is_none() {
            self.report(Draft::new(Code::MissingKey, whole, format!("`{key}` is missing")));
        }
        value
    }

    fn version(&self, raw: &RawScenario, whole: Span) {
        let version = self.required(raw.notafter.as_ref(), "notafter", whole).and_then(Located::get);
        if let Some((version, span)) = version
            && *version != VERSION
        {
            let message = format!("version {version} of the format is not known");
            self.report(
                Draft::new(Code::UnsupportedVersion, span, message)
                    .help(format!("this notafter reads version {VERSION}")),
            );
        }
    }

    /// Start and end of the support window. What cannot be told is replaced by a guess, so that the reading can go
    /// on; it has been reported then, and no scenario will come out.
    fn window(&self, raw: &RawScenario, whole: Span, now: UnixTime) -> (Option<Start>, Timeline) {
        let mut timeline = Timeline { now, start: now, issued: now, horizon: now, validity: HashMap::new() };
        let start = match &raw.start {
            None => Some(Start::Now(now)),
            Some(text) => self.start(text, &timeline),
        };
        timeline.start = start.map_or(now, Start::instant);
        timeline.issued = timeline.start;
        let horizon = self
            .required(raw.support.as_ref(), "support", whole)
            .and_then(|support| self.horizon(support, start.is_some(), &timeline));
        timeline.horizon = horizon.unwrap_or_else(|| timeline.start.plus_secs(366 * 86_400));
        (start.filter(|_| horizon.is_some()), timeline)
    }

    fn start(&self, text: &Located<String>, timeline: &Timeline) -> Option<Start> {
        let instant = self.instant_text(text)?;
        let at = self.fix(&instant, text.span, Place::Start, timeline)?;
        let is_now = instant.base == Base::Now && instant.terms.is_empty();
        Some(if is_now { Start::Now(at) } else { Start::Fixed(at) })
    }

    fn horizon(
        &self,
        support: &Located<String>,
        start_is_known: bool,
        timeline: &Timeline,
    ) -> Option<UnixTime> {
        let (text, span) = support.get()?;
        let negative = text.strip_prefix('-').is_some_and(|rest| Amount::parse(rest).is_ok());
        let amount = Amount::parse(text);
        if negative || amount.is_ok_and(Amount::is_zero) {
            return self.fail(Draft::new(
                Code::SupportNotPositive,
                span,
                "a release that need not run needs no gate",
            ));
        }
        if let Ok(amount) = amount {
            if !amount.is_whole_seconds() {
                return self.fail(Draft::new(
                    Code::BadDuration,
                    span,
                    "a support window is whole seconds long",
                ));
            }
            return amount.applied_to(timeline.start, Sign::Plus).or_else(|| {
                let message = format!("{} + {text} lies beyond the year 9999", timeline.start);
                self.fail(Draft::new(Code::InstantOutOfRange, span, message))
            });
        }
        if text.starts_with(|first: char| first.is_ascii_digit()) && !text.contains(['-', ':', ' ']) {
            let _ = self.amount(text, span);
            return None;
        }
        let end = self.instant(support, Place::Support, timeline)?;
        if end <= timeline.start && start_is_known {
            let message = format!("the support window ends at {end}, and begins at {}", timeline.start);
            return self.fail(
                Draft::new(Code::WindowInThePast, span, message)
                    .help("say how long the release must live: `support: 2y`"),
            );
        }
        Some(end)
    }

    /// The service under release must be one of the scenario's.
    pub(super) fn candidate_service(
        &self,
        raw: &RawScenario,
        whole: Span,
    ) -> Option<notafter_core::ServiceName> {
        let candidate = self.required(raw.candidate.as_ref(), "candidate", whole)?;
        self.reference(Target::Service, candidate)
    }
}
