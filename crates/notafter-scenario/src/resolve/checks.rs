//! Checks: what must be seen, and when.

use super::instants::{Place, Timeline};
use super::scope::{Scope, Target};
use crate::Code;
use crate::decode::{Entries, Located, OneOrMany};
use crate::diagnostic::{Draft, Span};
use crate::raw::{RawCheck, RawExpectation, RawRejected, RawWorks};
use notafter_core::{Check, CheckName, Connection, Expectation, ExpectedSpan, Probe, UnixTime, Works};
use std::collections::HashSet;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(10);

/// The end of an expectation's span, and where it is written.
type Bound = Option<(UnixTime, Span)>;

impl Scope<'_> {
    pub(super) fn checks(
        &self,
        entries: Option<&Located<Entries<RawCheck>>>,
        timeline: &Timeline,
    ) -> Vec<Check> {
        let Some((entries, span)) = entries.and_then(Located::get) else { return Vec::new() };
        if entries.0.is_empty() {
            self.report(
                Draft::new(Code::EmptyChecks, span, "there is nothing to check")
                    .help("a gate that looks at nothing cannot allow a release"),
            );
        }
        let ever_works: HashSet<&str> = entries
            .0
            .iter()
            .filter(|(_, raw)| raw.value.as_ref().is_some_and(ever_works))
            .filter_map(|(name, _)| name.value.as_deref())
            .collect();
        let resolve = |(name, raw): &(Located<String>, Located<RawCheck>)| {
            let check = self.check(name, raw.value.as_ref()?, timeline)?;
            self.controls_work(name, raw.value.as_ref()?, &ever_works);
            Some(check)
        };
        entries.0.iter().filter_map(resolve).collect()
    }

    fn check(&self, name: &Located<String>, raw: &RawCheck, timeline: &Timeline) -> Option<Check> {
        let location = self.location(name.span);
        let name: Option<CheckName> = self.name(name);
        let from = match &raw.from {
            Some(from) => Some(self.reference(Target::Service, from)?),
            None => None,
        };
        let before = self.steps(raw.before.as_ref(), from.as_ref());
        let probe = self.probe(&raw.probe, from.as_ref());
        let connections = self.distinct(raw.connections.as_ref(), |kind| kind.value.map(|kind| kind.0));
        if let Some((list, span)) = raw.connections.as_ref().and_then(Located::get)
            && list.is_empty()
        {
            self.report(Draft::new(
                Code::EmptyList,
                span,
                "a check looks over at least one kind of connection",
            ));
        }
        let within = match &raw.within {
            Some(within) => self.positive_duration(within, Code::DurationNotPositive),
            None => Some(WITHIN),
        };
        let settle = match &raw.settle {
            Some(settle) => self.duration(settle),
            None => Some(Duration::ZERO),
        };
        let (before, probe) = (before?, probe?);
        if !before.is_empty() {
            self.names_are_captured(&before, &probe, raw.probe.span)?;
        }
        let expect = self.expectations(&raw.expect, &probe, timeline);
        Some(Check {
            name: name?,
            from,
            probe,
            connections: if raw.connections.is_none() { vec![Connection::Fresh] } else { connections },
            within: within?,
            settle: settle?,
            before,
            stale: Vec::new(),
            expect: expect?,
            location,
        })
    }

    fn expectations(
        &self,
        raw: &Located<OneOrMany<RawExpectation>>,
        probe: &Probe,
        timeline: &Timeline,
    ) -> Option<Vec<ExpectedSpan>> {
        let (list, span) = raw.get()?;
        if list.0.is_empty() {
            return self.fail(empty_expectation(span));
        }
        let mut spans = Vec::new();
        for entry in &list.0 {
            spans.push(self.expected_span(entry, probe, timeline));
        }
        let mut spans: Vec<(ExpectedSpan, Span)> = spans.into_iter().collect::<Option<_>>()?;
        spans.sort_by_key(|(span, _)| (span.after, span.through.is_none(), span.through));
        self.cover_all_time(&spans)?;
        Some(spans.into_iter().map(|(span, _)| span).collect())
    }

    fn expected_span(
        &self,
        entry: &Located<RawExpectation>,
        probe: &Probe,
        timeline: &Timeline,
    ) -> Option<(ExpectedSpan, Span)> {
        let (raw, span) = entry.get()?;
        let bound = |text: &Option<Located<String>>| -> Option<Bound> {
            match text {
                None => Some(None),
                Some(text) => Some(Some((self.instant(text, Place::Elsewhere, timeline)?, text.span))),
            }
        };
        let (after, through) = (bound(&raw.after), bound(&raw.through));
        let expectation = match (&raw.works, &raw.rejected) {
            (Some(works), None) => self.works(works, probe).map(Expectation::Works),
            (None, Some(rejected)) => self.rejected(rejected),
            (Some(works), Some(rejected)) => {
                let message = "it cannot work and be rejected at the same time";
                self.fail(
                    Draft::new(Code::ConflictingKeys, rejected.span, message).context(works.span, "works"),
                )
            }
            (None, None) => self.fail(empty_expectation(span)),
        };
        let (after, through) = (after?, through?);
        if let (Some((after, _)), Some((through, at))) = (after, through)
            && through <= after
        {
            let message = format!("this span ends at {through}, and its last second before is {after}");
            return self.fail(Draft::new(Code::EmptySpan, at, message));
        }
        let expected = ExpectedSpan {
            after: after.map(|(at, _)| at),
            through: through.map(|(at, _)| at),
            expectation: expectation?,
            location: self.location(span),
        };
        Some((expected, span))
    }

    /// Every instant must have one expectation: the first span has no beginning, each next begins where the one
    /// before ends, the last has no end.
    fn cover_all_time(&self, spans: &[(ExpectedSpan, Span)]) -> Option<()> {
        let gap = |span: Span, from: String, to: String| {
            let message = format!("nothing is expected {from}{to}");
            self.fail(
                Draft::new(Code::ExpectationGap, span, message)
                    .help("spans follow each other: `through: X`, then `after: X`"),
            )
        };
        let mut end = None;
        for (index, (span, at)) in spans.iter().enumerate() {
            match (index, end, span.after) {
                (0, _, None) => {}
                (0, _, Some(after)) => return gap(*at, format!("through {after}"), String::new()),
                (_, Some(end), Some(after)) if end == after => {}
                (_, Some(end), Some(after)) if end < after => {
                    return gap(*at, format!("after {end} "), format!("through {after}"));
                }
                _ => {
                    let before = spans[index - 1].1;
                    let draft =
                        Draft::new(Code::ExpectationOverlap, *at, "two things are expected at the same time");
                    return self.fail(draft.context(before, "this span is not over yet"));
                }
            }
            end = span.through;
        }
        match (end, spans.last()) {
            (Some(end), Some((_, at))) => gap(*at, format!("after {end}"), String::new()),
            _ => Some(()),
        }
    }

    pub(super) fn works(&self, works: &Located<RawWorks>, probe: &Probe) -> Option<Works> {
        let (raw, _) = works.get()?;
        let misfit = |span, key: &str| self.misfit(span, key, probe);
        let exit = match &raw.exit {
            Some(exit) if !matches!(probe, Probe::Exec { .. }) => return misfit(exit.span, "exit"),
            Some(exit) => Some(self.number(exit, 0, 255, Code::OutOfRange)?),
            None => None,
        };
        let status = match &raw.status {
            Some(status) if !matches!(probe, Probe::Http { .. }) => return misfit(status.span, "status"),
            Some(status) => Some(self.number(status, 100, 599, Code::OutOfRange)?),
            None => None,
        };
        let mut texts = [None, None];
        for ((key, text), found) in
            [("contains", &raw.contains), ("lacks", &raw.lacks)].into_iter().zip(&mut texts)
        {
            let Some(text) = text else { continue };
            if !answers_in_words(probe) {
                return misfit(text.span, key);
            }
            *found = Some(self.needle(text)?);
        }
        let [contains, lacks] = texts;
        let assertions = self.assertions(raw, probe)?;
        Some(Works { assertions, contains, lacks, exit, status })
    }

    /// An expectation of something that `probe` does not see.
    pub(super) fn misfit<T>(&self, span: Span, key: &str, probe: &Probe) -> Option<T> {
        let message = format!("`{key}` says nothing about {} probe", article(probe.kind()));
        self.fail(Draft::new(Code::ExpectationMisfit, span, message))
    }

    fn rejected(&self, rejected: &Located<RawRejected>) -> Option<Expectation> {
        let (raw, _) = rejected.get()?;
        let control = self.reference(Target::Check, &raw.control)?;
        Some(Expectation::Rejected { control })
    }

    /// A control that is the check itself, or that never has to work, shows nothing.
    fn controls_work(&self, name: &Located<String>, raw: &RawCheck, ever_works: &HashSet<&str>) {
        let entries =
            raw.expect.value.iter().flat_map(|list| &list.0).filter_map(|entry| entry.value.as_ref());
        let controls = entries.filter_map(|entry| entry.rejected.as_ref()).filter_map(|it| it.value.as_ref());
        for (control, span) in controls.filter_map(|rejected| rejected.control.get()) {
            let help = "name a check that a valid peer passes, so that refusing everybody does not";
            if name.value.as_ref() == Some(control) {
                let message = format!("`{control}` cannot be its own control");
                self.report(Draft::new(Code::ControlIsItself, span, message).help(help));
            } else if self.declared(Target::Check).contains(control) && !ever_works.contains(control.as_str())
            {
                let message = format!("control `{control}` never has to work itself");
                self.report(Draft::new(Code::ControlNeverWorks, span, message).help(help));
            }
        }
    }
}

/// Whether what comes back has a text.
pub(super) fn answers_in_words(probe: &Probe) -> bool {
    match probe {
        Probe::Amqp { .. }
        | Probe::Exec { .. }
        | Probe::Greet { .. }
        | Probe::Grpc { .. }
        | Probe::Http { .. }
        | Probe::Log { .. }
        | Probe::Sql { .. } => true,
        Probe::Alive { .. } | Probe::Tcp { .. } | Probe::Tls { .. } => false,
    }
}

/// Whether some span may expect it to work; what has the wrong shape is reported elsewhere.
fn ever_works(check: &RawCheck) -> bool {
    let entries = check.expect.value.as_ref().map_or(&[][..], |list| &list.0);
    let never = |entry: &Located<RawExpectation>| {
        entry.value.as_ref().is_some_and(|entry| entry.works.is_none() && entry.rejected.is_some())
    };
    entries.is_empty() || !entries.iter().all(never)
}

fn empty_expectation(span: Span) -> Draft {
    Draft::new(Code::EmptyExpectation, span, "nothing is expected here").help("give `works` or `rejected`")
}

fn article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'h']) { "an" } else { "a" };
    format!("{article} `{kind}`")
}
