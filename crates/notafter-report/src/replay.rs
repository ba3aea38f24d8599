//! A replayed incident: what each build was told to come to, and what it came to.

use crate::StyleSheet;
use crate::page::{Page, clip};
use crate::words::{count, list, place_short, subject};
use notafter_core::{
    Bracket, BuildName, Cause, CheckName, Decision, Finding, Inventory, Origin, ReplayEntry, RunRecord,
    Severity, Verdict,
};
use std::collections::BTreeSet;
use std::fmt;

/// What a replay compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// The first failing second.
    BreaksAt,
    /// The culprit.
    Cause,
    /// The checks that fall with it, all of them.
    Falls,
    /// Codes of findings that block nothing.
    Notes,
    /// The decision.
    Verdict,
}

impl fmt::Display for Aspect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::BreaksAt => "breaks at",
            Self::Cause => "cause",
            Self::Falls => "falls",
            Self::Notes => "notes",
            Self::Verdict => "verdict",
        })
    }
}

/// One thing that came out otherwise than told. Both texts come from outside and are not escaped yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What differs.
    pub aspect: Aspect,
    /// What the scenario tells.
    pub told: String,
    /// What came out.
    pub came_out: String,
}

/// What came out otherwise than `entry` tells; empty where all came out as told.
///
/// The instant and the cause are those of the earliest blocking break; the checks are those of every blocking
/// finding, so that a second break of which nothing was told is a mismatch. What the entry leaves out is not
/// compared.
#[must_use]
pub fn compare(entry: &ReplayEntry, record: &RunRecord, verdict: &Verdict) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    let mut differs =
        |aspect, told: String, came_out: String| mismatches.push(Mismatch { aspect, told, came_out });
    if verdict.decision != entry.verdict {
        differs(Aspect::Verdict, entry.verdict.to_string(), verdict.decision.to_string());
    }
    let first = first_break(verdict);
    let bracket = first.and_then(|finding| finding.bracket);
    if let Some(told) = entry.breaks_at
        && !bracket.is_some_and(|bracket| bracket.is_exact() && bracket.first_fail == told)
    {
        differs(Aspect::BreaksAt, told.to_string(), instant(bracket));
    }
    if let Some(told) = &entry.cause
        && !first.is_some_and(|finding| is_cause(told, finding, &record.inventory))
    {
        differs(Aspect::Cause, cause(told), culprit(first, &record.inventory));
    }
    if let Some(told) = &entry.falls {
        let told: BTreeSet<&CheckName> = told.iter().collect();
        let fell: BTreeSet<&CheckName> =
            blocking(verdict).flat_map(|finding| &finding.checks).map(|(check, _)| check).collect();
        if told != fell {
            differs(Aspect::Falls, names(&told), names(&fell));
        }
    }
    let codes: BTreeSet<&str> = verdict
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Note)
        .map(|finding| finding.code.as_str())
        .collect();
    if !entry.notes.iter().all(|told| codes.contains(told.as_str())) {
        differs(Aspect::Notes, list(&entry.notes), names(&codes));
    }
    mismatches
}

/// The columns of a table of builds, known before the first of them runs so that lines written one by one line up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// Width of the names of scenarios in characters; 0 where there is one scenario and its name is not shown.
    scenario: usize,
    /// Width of the names of builds in characters.
    build: usize,
}

impl Columns {
    /// Columns for these builds, each with the name of its scenario.
    #[must_use]
    pub fn of<'a>(builds: impl Iterator<Item = (&'a str, &'a BuildName)>) -> Self {
        let builds: Vec<(&str, &BuildName)> = builds.collect();
        let scenarios: BTreeSet<&str> = builds.iter().map(|(scenario, _)| *scenario).collect();
        let widest = scenarios.iter().map(|scenario| scenario.chars().count()).max();
        Self {
            scenario: widest.filter(|_| scenarios.len() > 1).unwrap_or(0),
            build: builds.iter().map(|(_, build)| build.as_str().len()).max().unwrap_or(0),
        }
    }

    /// What a line begins with: two columns, or one.
    fn head(&self, scenario: &str, build: &BuildName) -> String {
        let (wide, narrow) = (self.scenario, self.build);
        match wide {
            0 => format!("{build:narrow$}"),
            _ => format!("{scenario:wide$}  {build:narrow$}"),
        }
    }

    /// Where the lines below a line begin.
    fn indent(&self) -> usize {
        self.build + 2 + if self.scenario == 0 { 0 } else { self.scenario + 2 }
    }
}

/// Writes what a table of several scenarios comes to: how many of its builds came out as told.
///
/// # Errors
/// Where the sink fails.
pub fn write_sum(
    sink: &mut impl fmt::Write,
    scenarios: usize,
    builds: usize,
    as_told: usize,
    styles: &StyleSheet,
) -> fmt::Result {
    let (all, of) = (count(builds, "build"), count(scenarios, "scenario"));
    let told = match builds - as_told {
        0 => (styles.allow, "all as told".to_owned()),
        others => (styles.block, format!("{others} not as told")),
    };
    Page::new(sink, styles)
        .line(&[(anstyle::Style::new(), &format!("{all} of {of}: ")), (told.0, told.1.as_str())])
}

/// Writes the line of one build, and below it a line for each thing that came out otherwise.
///
/// # Errors
/// Where the sink fails.
pub fn write(
    sink: &mut impl fmt::Write,
    columns: &Columns,
    entry: &ReplayEntry,
    record: &RunRecord,
    verdict: &Verdict,
    styles: &StyleSheet,
) -> fmt::Result {
    let page = &mut Page::new(sink, styles);
    let mismatches = compare(entry, record, verdict);
    let result =
        if mismatches.is_empty() { (styles.allow, "as told") } else { (styles.block, "NOT AS TOLD") };
    let first = first_break(verdict);
    let (when, what) = match first {
        Some(finding) => (instant(finding.bracket), culprit(first, &record.inventory)),
        None => ("-".to_owned(), remark(verdict)),
    };
    let plain = anstyle::Style::new();
    page.line(&[
        (plain, &format!("{}  ", columns.head(record.scenario.name.as_str(), &entry.build))),
        (styles.decision(verdict.decision), &format!("{:5}", verdict.decision)),
        (plain, &format!("  {when:20}  {what}  ")),
        result,
    ])?;
    for Mismatch { aspect, told, came_out } in &mismatches {
        page.paragraph(columns.indent(), 2, &format!("{aspect}: told {told}; came out {came_out}"))?;
    }
    if !mismatches.is_empty() {
        page.paragraph(columns.indent(), 2, &format!("told at {}", entry.location))?;
    }
    Ok(())
}

/// Writes the line of a build that could not be gated at all. `reason` is a lower-case fragment.
///
/// # Errors
/// Where the sink fails.
pub fn write_failure(
    sink: &mut impl fmt::Write,
    columns: &Columns,
    (scenario, build): (&str, &BuildName),
    reason: &str,
    styles: &StyleSheet,
) -> fmt::Result {
    let page = &mut Page::new(sink, styles);
    let plain = anstyle::Style::new();
    page.line(&[
        (plain, &columns.head(scenario, build)),
        (plain, "  "),
        (styles.inconclusive, "could not run"),
        (plain, ": "),
        (plain, reason),
    ])
}

fn blocking(verdict: &Verdict) -> impl Iterator<Item = &Finding> {
    verdict.findings.iter().filter(|finding| finding.severity == Severity::Block)
}

/// The earliest blocking break; of several at one instant, the one that the verdict names first.
fn first_break(verdict: &Verdict) -> Option<&Finding> {
    blocking(verdict)
        .filter_map(|finding| Some((finding.bracket?.first_fail, finding)))
        .min_by_key(|(at, _)| *at)
        .map(|(_, finding)| finding)
}

fn is_cause(told: &Cause, finding: &Finding, inventory: &Inventory) -> bool {
    let Some(culprit) = finding.culprit.and_then(|fingerprint| inventory.find(fingerprint)) else {
        return false;
    };
    match told {
        Cause::Declared(name) => culprit.origin == Origin::Declared(name.clone()),
        Cause::Embedded { service, subject, not_after } => {
            culprit.subject == *subject
                && culprit.not_after == *not_after
                && culprit.places.iter().any(|place| place.service == *service)
        }
    }
}

fn instant(bracket: Option<Bracket>) -> String {
    match bracket {
        Some(bracket) if bracket.is_exact() => bracket.first_fail.to_string(),
        Some(bracket) => format!("between {} and {}", bracket.last_pass, bracket.first_fail),
        None => "never".to_owned(),
    }
}

fn cause(told: &Cause) -> String {
    match told {
        Cause::Declared(name) => format!("the declared credential {name}"),
        Cause::Embedded { service, subject: told, not_after } => {
            format!("{} in the files of {service}, notAfter {not_after}", subject(told))
        }
    }
}

/// The culprit of a finding with the first place in which it lies: `CN=x (service:/file+0x10)`.
fn culprit(finding: Option<&Finding>, inventory: &Inventory) -> String {
    let Some(finding) = finding else {
        return "none".to_owned();
    };
    let Some(fingerprint) = finding.culprit else {
        return "no known credential".to_owned();
    };
    match inventory.find(fingerprint) {
        None => format!("a certificate that the inventory does not hold ({})", fingerprint.short()),
        Some(known) => {
            let lies = match (known.places.first(), &known.origin) {
                (Some(place), _) => place_short(place),
                (None, Origin::Declared(name)) => format!("declared as {name}"),
                (None, Origin::Embedded | Origin::Memory | Origin::Served) => {
                    format!("notAfter {}", known.not_after)
                }
            };
            format!("{} ({lies})", subject(&known.subject))
        }
    }
}

/// What a line says of a build in which nothing breaks.
fn remark(verdict: &Verdict) -> String {
    let told = |severity| verdict.findings.iter().filter(move |finding| finding.severity == severity);
    match verdict.decision {
        Decision::Allow => {
            let codes: BTreeSet<&str> = told(Severity::Note).map(|finding| finding.code.as_str()).collect();
            if codes.is_empty() {
                "nothing breaks".to_owned()
            } else {
                format!("nothing breaks; noted: {}", names(&codes))
            }
        }
        Decision::Block => reasons(told(Severity::Block)),
        Decision::Inconclusive => reasons(told(Severity::Inconclusive)),
    }
}

fn reasons<'a>(mut findings: impl Iterator<Item = &'a Finding>) -> String {
    findings.next().map_or_else(
        || "no finding says why".to_owned(),
        |finding| format!("{}: {}", finding.code, clip(&finding.summary, 160)),
    )
}

fn names<T: ToString>(items: &BTreeSet<T>) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    if items.is_empty() { "none".to_owned() } else { list(&items) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn line(entry: &ReplayEntry, (record, verdict): &(RunRecord, Verdict)) -> String {
        let mut text = String::new();
        let builds = record.scenario.replay.iter().map(|entry| ("o2", &entry.build));
        write(&mut text, &Columns::of(builds), entry, record, verdict, &StyleSheet::plain()).unwrap();
        text
    }

    fn aspects(entry: &ReplayEntry, (record, verdict): &(RunRecord, Verdict)) -> Vec<Aspect> {
        compare(entry, record, verdict).iter().map(|mismatch| mismatch.aspect).collect()
    }

    #[test]
    fn builds_that_come_out_as_told_get_one_line_each() {
        let mut text = line(&sample::blocked("1.14"), &sample::block());
        let (record, mut verdict) = sample::allow();
        verdict.findings.clear();
        text += &line(&sample::allowed("1.15.1", &[]), &(record, verdict));
        text += &line(&sample::allowed("1.16", &["expired-embedded-credential"]), &sample::allow());
        insta::assert_snapshot!(text, @r"
        1.14    block  2018-12-06T04:30:00Z  CN=sgsn-mme software (sgsn-mme:/sgsn-mme-1-14+0x1234)  as told
        1.15.1  allow  -                     nothing breaks  as told
        1.16    allow  -                     nothing breaks; noted: expired-embedded-credential  as told
        ");
    }

    #[test]
    fn several_scenarios_are_a_table_with_a_sum() {
        let (other, mut text) = (BuildName::new("1").unwrap(), String::new());
        let (record, verdict) = sample::block();
        let of_record =
            record.scenario.replay.iter().map(|entry| (record.scenario.name.as_str(), &entry.build));
        let columns = Columns::of(of_record.chain([("short", &other)]));
        let styles = StyleSheet::plain();
        write(&mut text, &columns, &sample::blocked("1.14"), &record, &verdict, &styles).unwrap();
        write(&mut text, &columns, &sample::allowed("1.14", &[]), &record, &verdict, &styles).unwrap();
        write_failure(&mut text, &columns, ("short", &other), "no", &styles).unwrap();
        write_sum(&mut text, 2, 3, 1, &styles).unwrap();
        write_sum(&mut text, 1, 1, 1, &styles).unwrap();
        insta::assert_snapshot!(text, @r"
        o2-ericsson-2018  1.14    block  2018-12-06T04:30:00Z  CN=sgsn-mme software (sgsn-mme:/sgsn-mme-1-14+0x1234)  as told
        o2-ericsson-2018  1.14    block  2018-12-06T04:30:00Z  CN=sgsn-mme software (sgsn-mme:/sgsn-mme-1-14+0x1234)  NOT AS TOLD
                                  verdict: told allow; came out block
                                  told at
                                    scenarios/o2-ericsson-2018/scenario.yaml:58:3
        short             1       could not run: no
        3 builds of 2 scenarios: 2 not as told
        1 build of 1 scenario: all as told
        ");
    }

    #[test]
    fn what_came_out_otherwise_is_named() {
        let mut told = sample::blocked("1.15");
        told.breaks_at = Some(sample::instant("2018-12-06T04:30:01Z"));
        told.cause = Some(Cause::Declared(notafter_core::CredentialName::new("hss").unwrap()));
        told.falls = Some(vec![sample::check_name("phone-attaches")]);
        told.notes = vec!["flaky".to_owned()];
        let mut text = line(&told, &sample::block());
        text += &line(&sample::blocked("1.14"), &sample::allow());
        text += &line(&sample::allowed("1.15.1", &[]), &sample::unshifted());
        text += &line(&sample::blocked("1.14"), &sample::hostile());
        insta::assert_snapshot!(text);
    }

    #[test]
    fn each_aspect_is_compared_by_itself() {
        let block = sample::block();
        assert_eq!(aspects(&sample::blocked("1.14"), &block), []);
        assert_eq!(aspects(&sample::allowed("1.14", &[]), &block), [Aspect::Verdict]);
        let change = |change: fn(&mut RunRecord, &mut Verdict)| {
            let (mut record, mut verdict) = sample::block();
            change(&mut record, &mut verdict);
            aspects(&sample::blocked("1.14"), &(record, verdict))
        };
        let inexact = change(|_, verdict| {
            let bracket = verdict.findings[0].bracket.as_mut().unwrap();
            bracket.last_pass = bracket.last_pass.plus_secs(-60);
        });
        assert_eq!(inexact, [Aspect::BreaksAt]);
        assert_eq!(change(|_, verdict| verdict.findings[0].culprit = None), [Aspect::Cause]);
        assert_eq!(
            change(|record, _| record
                .inventory
                .credentials
                .iter_mut()
                .for_each(|known| known.places.clear())),
            [Aspect::Cause]
        );
        assert_eq!(change(|_, verdict| verdict.findings[0].checks.truncate(2)), [Aspect::Falls]);
        let second_break = change(|_, verdict| {
            let mut second = verdict.findings[0].clone();
            second.checks = vec![(sample::check_name("another"), Vec::new())];
            verdict.findings.push(second);
        });
        assert_eq!(second_break, [Aspect::Falls], "a break of which nothing was told");
        let note = sample::allowed("1.16", &["expired-embedded-credential"]);
        assert_eq!(aspects(&note, &sample::allow()), []);
        assert_eq!(aspects(&note, &sample::unshifted()), [Aspect::Verdict, Aspect::Notes]);
    }

    #[test]
    fn a_build_that_could_not_run_says_why() {
        let build = BuildName::new("1.14").unwrap();
        let mut text = String::new();
        let columns = Columns::default();
        write_failure(
            &mut text,
            &columns,
            ("o2", &build),
            "cargo build failed\nwith 1",
            &StyleSheet::plain(),
        )
        .unwrap();
        assert_eq!(text, "1.14  could not run: cargo build failed\\nwith 1\n");
    }
}
