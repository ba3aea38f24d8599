//! The findings for people: what ends first comes first, in groups.

use super::findings::{Findings, end, role};
use crate::StyleSheet;
use crate::page::{Align, Column, Page, Row, Table, clip};
use crate::words::{count, path_chain};
use notafter_core::{Credential, Layer, Place, Span, UnixTime};
use std::fmt;

const DAY_SECS: i64 = 86_400;
/// Places of one credential that are named.
const PLACES: usize = 3;
/// Things not looked into that are named.
const OPAQUE: usize = 20;
/// Characters of a subject or a path.
const MAX_TEXT: usize = 160;

/// Writes the groups, each as a table, and what could not be looked into.
///
/// # Errors
/// Where the sink fails.
pub fn table(sink: &mut impl fmt::Write, findings: &Findings<'_>, styles: &StyleSheet) -> fmt::Result {
    let page = &mut Page::new(sink, styles);
    let shown = findings.shown();
    let hidden = findings.inventory.credentials.len() - shown.len();
    let mut text = format!("{} in {}", count(shown.len(), "credential"), clip(findings.target, MAX_TEXT));
    if let Some(until) = findings.until {
        text.push_str(&format!(" until {until}; {hidden} more end later or never"));
    }
    page.headline(styles.heading, "scan", &text)?;
    let now = findings.now;
    let groups: [(&str, &dyn Fn(UnixTime) -> bool); 5] = [
        ("ended", &|end| end < now),
        ("ends within 90 days", &|end| end >= now && end < now.plus_secs(90 * DAY_SECS)),
        ("ends within 2 years", &|end| {
            end >= now.plus_secs(90 * DAY_SECS) && end < now.plus_secs(731 * DAY_SECS)
        }),
        ("ends later", &|end| end >= now.plus_secs(731 * DAY_SECS) && end != UnixTime::NO_EXPIRY),
        ("never ends", &|end| end == UnixTime::NO_EXPIRY),
    ];
    for (name, holds) in groups {
        let members: Vec<&Credential> =
            shown.iter().copied().filter(|credential| holds(credential.not_after)).collect();
        if !members.is_empty() {
            page.section_with(name, &count(members.len(), "credential"))?;
            group(page, &members, now)?;
        }
    }
    opaque(page, findings)
}

fn group(page: &mut Page<'_>, members: &[&Credential], now: UnixTime) -> fmt::Result {
    let plain = anstyle::Style::new();
    let column = |title| Column { title, align: Align::Left };
    let mut table = Table::new(&[column("ends"), column(""), column("kind"), column("subject")]);
    for credential in members {
        let ends_in = match (credential.written_end(), credential.not_after >= now) {
            (None, _) => String::new(),
            (Some(end), true) => format!("in {}", Span::from_secs(end.secs_since(now))),
            (Some(end), false) => format!("{} ago", Span::from_secs(now.secs_since(end))),
        };
        let cells = [end(credential), ends_in, role(credential).to_owned(), subject(credential)];
        table.push(Row { cells: cells.map(|cell| (plain, cell)).to_vec(), remark: Some(places(credential)) });
    }
    table.write(page)
}

/// What it is known by, without the kind that stands beside it.
fn subject(credential: &Credential) -> String {
    let named = credential.subject.strip_prefix(role(credential)).unwrap_or(&credential.subject);
    match named.trim_start() {
        "" => credential.fingerprint.short(),
        named => clip(named, MAX_TEXT).into_owned(),
    }
}

fn places(credential: &Credential) -> String {
    let mut named: Vec<String> = credential.places.iter().take(PLACES).map(place).collect();
    if credential.places.len() > PLACES {
        named.push(count(credential.places.len() - PLACES, "more place"));
    }
    format!("in {}", named.join("; "))
}

fn place(place: &Place) -> String {
    let mut remarks = vec![place.container.to_string()];
    remarks.extend(place.owners.iter().map(ToString::to_string));
    remarks.extend(place.private_key.as_ref().map(|key| match *key == path_chain(place) {
        true => "with its private key".to_owned(),
        false => format!("its private key in {key}"),
    }));
    remarks.extend(place.layer.as_ref().map(layer));
    let (path, remarks) = (path_chain(place), remarks.join("; "));
    format!("{} at {:#x} ({})", clip(&path, MAX_TEXT), place.offset, clip(&remarks, 2 * MAX_TEXT))
}

/// `layer sha256:0123…, made by RUN apt-get install`.
fn layer(layer: &Layer) -> String {
    let digest: String = layer.digest.chars().take("sha256:".len() + 12).collect();
    match layer.made_by.as_str() {
        "" => format!("layer {digest}"),
        made_by => format!("layer {digest}, made by {made_by}"),
    }
}

fn opaque(page: &mut Page<'_>, findings: &Findings<'_>) -> fmt::Result {
    let opaque = &findings.inventory.opaque;
    if opaque.is_empty() {
        return Ok(());
    }
    page.section_with("not looked into", &count(opaque.len(), "file"))?;
    for file in opaque.iter().take(OPAQUE) {
        page.paragraph(2, 2, &format!("{}: {}", clip(&file.path, MAX_TEXT), file.reason))?;
    }
    match opaque.len().saturating_sub(OPAQUE) {
        0 => Ok(()),
        more => page.paragraph(2, 2, &format!("and {more} more; `--format json` lists them all")),
    }
}
