//! What the history holds, for people.

use super::line::{length, standing_style};
use crate::StyleSheet;
use crate::page::{Align, Column, Page, Row, Table};
use crate::words::list;
use anstyle::Style;
use notafter_core::{Earlier, NightEntry, NightHead, ServiceName, Span};
use std::fmt;
use std::time::Duration;

const fn left(title: &'static str) -> Column {
    Column { title, align: Align::Left }
}

const fn right(title: &'static str) -> Column {
    Column { title, align: Align::Right }
}

/// Writes a table of nights.
///
/// # Errors
/// Where the sink fails.
pub fn nights(sink: &mut impl fmt::Write, nights: &[NightHead], styles: &StyleSheet) -> fmt::Result {
    let page = &mut Page::new(sink, styles);
    if nights.is_empty() {
        return page.line(&[(Style::new(), "no night yet")]);
    }
    let plain = Style::new();
    let mut table =
        Table::new(&[right("night"), left("began"), left("took"), left("folder"), left("builds")]);
    for night in nights {
        let took = night.ended.map(|ended| ended.secs_since(night.began));
        let took = match took.map(u64::try_from) {
            Some(Ok(secs)) => length(Duration::from_secs(secs)),
            // The host's clock was set back meanwhile.
            Some(Err(_)) => "?".to_owned(),
            None => "not through".to_owned(),
        };
        let builds: Vec<String> =
            night.standings.iter().rev().map(|(standing, builds)| format!("{builds} {standing}")).collect();
        let worst = night.standings.last().map_or(plain, |(standing, _)| standing_style(styles, *standing));
        table.push(Row {
            cells: vec![
                (plain, night.id.to_string()),
                (plain, night.began.to_string()),
                (plain, took),
                (plain, night.folder.clone()),
                (worst, if builds.is_empty() { "none".to_owned() } else { list(&builds) }),
            ],
            remark: None,
        });
    }
    table.write(page)
}

/// Writes a table of entries, as they are given: what they came to, and what lay ahead of `service`, or of the service that it
/// came to first.
///
/// # Errors
/// Where the sink fails.
pub fn entries(
    sink: &mut impl fmt::Write,
    entries: &[Earlier],
    service: Option<&ServiceName>,
    styles: &StyleSheet,
) -> fmt::Result {
    let page = &mut Page::new(sink, styles);
    let plain = Style::new();
    if entries.is_empty() {
        return page.line(&[(plain, "no night has judged such a build")]);
    }
    let mut table =
        Table::new(&[right("night"), left("judged"), left("build"), left("verdict"), right("left")]);
    for Earlier { night, entry } in entries {
        let next = next(entry, service);
        table.push(Row {
            cells: vec![
                (plain, night.to_string()),
                (plain, entry.at.to_string()),
                (plain, entry.judged.to_string()),
                (standing_style(styles, entry.standing), entry.standing.to_string()),
                (plain, next.as_ref().map_or_else(|| "-".to_owned(), |(left, _)| left.to_string())),
            ],
            remark: next.map(|(_, what)| what),
        });
    }
    table.write(page)
}

/// How much time was left, and until what.
fn next(entry: &NightEntry, service: Option<&ServiceName>) -> Option<(Span, String)> {
    let start = entry.start?;
    let asked =
        entry.outlooks.iter().filter(|outlook| service.is_none_or(|service| outlook.service == *service));
    let nearest = asked.filter_map(|outlook| Some((outlook.nearest()?, outlook))).min_by_key(|(at, _)| *at);
    let (at, outlook) = nearest?;
    let who = match service {
        Some(_) => String::new(),
        None => format!("{}: ", outlook.service),
    };
    let what = match &outlook.end {
        Some(end) if end.at == at => format!("{who}{} ends at {at}", end.what),
        Some(_) | None => format!("{who}it breaks at {at}"),
    };
    Some((Span::from_secs(at.secs_since(start)), what))
}
