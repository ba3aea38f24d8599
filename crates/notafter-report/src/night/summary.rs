//! The end of a night: what is new, what healed, what comes closer, and what every build came to.

use super::line::{MAX_TEXT, severity_word, standing_style};
use crate::StyleSheet;
use crate::page::{Align, Column, Page, Row, Table, clip};
use crate::words::{count, list};
use anstyle::Style;
use notafter_core::{Change, Forecast, Movement, NightEntry, NightHead, Span, Standing, Told};
use std::fmt;

/// Rows of the table of what lies ahead; the history holds the rest.
const AHEAD: usize = 40;

/// Writes the summary of a night that is through.
///
/// # Errors
/// Where the sink fails.
pub fn summary(
    sink: &mut impl fmt::Write,
    night: &NightHead,
    entries: &[NightEntry],
    change: &Change,
    styles: &StyleSheet,
) -> fmt::Result {
    let page = &mut Page::new(sink, styles);
    let worst = entries.iter().map(|entry| entry.standing).max().unwrap_or(Standing::Inconclusive);
    let text = format!("night {} of {}: {}", night.id, night.folder, counts(entries));
    page.headline(standing_style(styles, worst), worst.as_str(), &text)?;
    told(page, "new", &change.new)?;
    told(page, "healed", &change.healed)?;
    turned(page, change)?;
    ahead(page, &change.forecasts)?;
    if !change.gone.is_empty() {
        page.section("judged in the night before, and not there any more")?;
        for judged in &change.gone {
            page.paragraph(2, 2, &judged.to_string())?;
        }
    }
    page.section("builds")?;
    let mut entries: Vec<&NightEntry> = entries.iter().collect();
    entries
        .sort_by(|one, other| other.standing.cmp(&one.standing).then_with(|| one.judged.cmp(&other.judged)));
    for entry in entries {
        let text = format!("{}: {}", entry.judged, clip(&entry.headline, MAX_TEXT));
        page.field(entry.standing.as_str(), &text)?;
    }
    Ok(())
}

/// Writes what there is to say of a night that was told to stop when `done` of `all` builds were judged.
///
/// # Errors
/// Where the sink fails.
pub fn interrupted(
    sink: &mut impl fmt::Write,
    night: u64,
    done: usize,
    all: usize,
    styles: &StyleSheet,
) -> fmt::Result {
    let text = format!(
        "night {night} was told to stop after {done} of {}; what they came to is kept, and the same command goes on \
         where it stopped",
        count(all, "build")
    );
    Page::new(sink, styles).headline(styles.inconclusive, "inconclusive", &text)
}

/// Writes what has changed in few lines: another verdict, what is new, what healed.
///
/// # Errors
/// Where the sink fails.
pub fn delta(sink: &mut impl fmt::Write, change: &Change, styles: &StyleSheet) -> fmt::Result {
    let page = &mut Page::new(sink, styles);
    for before in change.turned.iter().filter_map(|turn| turn.before) {
        page.field("was", before.as_str())?;
    }
    for (label, findings) in [("new", &change.new), ("healed", &change.healed)] {
        for Told { finding, .. } in findings {
            page.field(label, &format!("{} ({})", clip(&finding.summary, MAX_TEXT), finding.code))?;
        }
    }
    Ok(())
}

/// `2 block, 1 refused and 5 allow`.
fn counts(entries: &[NightEntry]) -> String {
    let counts = Standing::ALL.into_iter().rev().filter_map(|standing| {
        let builds = entries.iter().filter(|entry| entry.standing == standing).count();
        (builds > 0).then(|| format!("{builds} {standing}"))
    });
    list(&counts.collect::<Vec<String>>())
}

fn told(page: &mut Page<'_>, title: &str, findings: &[Told]) -> fmt::Result {
    if findings.is_empty() {
        return page.section_with(title, "nothing");
    }
    page.section(title)?;
    for Told { judged, finding } in findings {
        let summary = clip(&finding.summary, MAX_TEXT);
        let text = format!("{judged}: {summary} ({})", finding.code);
        page.field(severity_word(finding.severity), &text)?;
    }
    Ok(())
}

fn turned(page: &mut Page<'_>, change: &Change) -> fmt::Result {
    let (known, first): (Vec<_>, Vec<_>) = change.turned.iter().partition(|turn| turn.before.is_some());
    if !known.is_empty() {
        page.section("turned")?;
    }
    for turn in known {
        let before = turn.before.map(|before| format!(", was {before}")).unwrap_or_default();
        page.field(turn.now.as_str(), &format!("{}{before}", turn.judged))?;
    }
    if first.is_empty() {
        return Ok(());
    }
    let first: Vec<String> = first.iter().map(|turn| turn.judged.to_string()).collect();
    page.section_with("judged for the first time", &list(&first))
}

fn ahead(page: &mut Page<'_>, forecasts: &[Forecast]) -> fmt::Result {
    if forecasts.is_empty() {
        return page.section_with("comes closer", "nothing that any service holds will end");
    }
    let closer = forecasts.iter().filter(|forecast| forecast.movement.comes_closer()).count();
    let services = count(forecasts.len(), "service");
    page.section_with(
        "comes closer",
        &format!("{closer} of {services} with something ahead, nearest first"),
    )?;
    let left = |title| Column { title, align: Align::Left };
    let right = |title| Column { title, align: Align::Right };
    let mut table = Table::new(&[right("left"), left("service"), left("build"), left("trend")]);
    let plain = Style::new();
    for forecast in forecasts.iter().take(AHEAD) {
        let Forecast { judged, service, left_secs, movement, .. } = forecast;
        let style = if forecast.breaks_at.is_some() { page.styles.block } else { plain };
        table.push(Row {
            cells: vec![
                (style, Span::from_secs(*left_secs).to_string()),
                (plain, service.to_string()),
                (plain, judged.to_string()),
                (plain, trend(*movement)),
            ],
            remark: Some(what(forecast)),
        });
    }
    table.write(page)?;
    match forecasts.len().saturating_sub(AHEAD) {
        0 => Ok(()),
        more => page.paragraph(2, 2, &format!("and {}", count(more, "more service"))),
    }
}

fn trend(movement: Movement) -> String {
    let span = |secs: i64| Span::from_secs(secs).to_string();
    match movement {
        Movement::First => "first seen".to_owned(),
        Movement::Later(secs) => format!("{} later than it was", span(secs)),
        Movement::Nearer(secs) => format!("{} closer", span(secs)),
        Movement::Next => "next, since the one before has ended".to_owned(),
        Movement::Sooner(secs) => format!("{} sooner than it was", span(secs)),
        Movement::Steady => "as far as it was".to_owned(),
    }
}

/// What ends, and when something breaks.
fn what(forecast: &Forecast) -> String {
    let ends = forecast.end.as_ref().map(|end| format!("{} ends at {}", clip(&end.what, MAX_TEXT), end.at));
    let breaks = forecast.breaks_at.map(|at| format!("it breaks at {at}"));
    let parts: Vec<String> = ends.into_iter().chain(breaks).collect();
    parts.join("; ")
}
