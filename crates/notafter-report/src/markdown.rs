//! A summary in GitHub-flavoured Markdown, for a pull request or the summary of a CI step.

use crate::against;
use crate::page::{clip, escape, log_line};
use crate::words::{
    boundaries, candidate, count, coverage_sum, credential, distance, place, reservation, stands_for, subject,
};
use notafter_core::{Comparison, Decision, Finding, Gated, RunRecord, Severity, Touch, Verdict};
use std::fmt::Write as _;

/// Lines of a log that a summary shows.
const LOG_LINES: usize = 12;
/// Rows of long lists.
const ROWS: usize = 20;

/// The summary: the answer, then each finding, then the build in production where there is a comparison with it, then what
/// was looked at.
#[must_use]
pub fn summary(gated: Gated<'_>, comparison: Option<&Comparison>) -> String {
    let mut page = String::new();
    // A String takes everything that is written to it.
    _ = write(&mut page, gated.record, gated.verdict, comparison);
    page
}

fn write(
    page: &mut String,
    record: &RunRecord,
    verdict: &Verdict,
    comparison: Option<&Comparison>,
) -> std::fmt::Result {
    let scenario = &record.scenario;
    let who = candidate(scenario);
    writeln!(page, "## notafter: {}", verdict.decision)?;
    writeln!(page)?;
    let window = format!("{} ({})", scenario.horizon, distance(scenario.start, scenario.horizon));
    match verdict.decision {
        Decision::Allow => {
            let but = reservation(verdict);
            writeln!(page, "**{}** passes every check through {window}{but}.", plain(&who))?;
        }
        Decision::Block => {
            writeln!(page, "**{}** must not ship: support is promised until {window}.", plain(&who))?
        }
        Decision::Inconclusive => {
            writeln!(
                page,
                "**{}** is not cleared for release: the gate could not look. Treat this as a block.",
                plain(&who)
            )?;
        }
    }
    let of = |severity| verdict.findings.iter().filter(move |finding| finding.severity == severity);
    for found in of(Severity::Block).chain(of(Severity::Inconclusive)) {
        finding(page, record, found)?;
    }
    if let Some(comparison) = comparison {
        beside(page, record, comparison)?;
    }
    let notes: Vec<&Finding> = of(Severity::Note).collect();
    if !notes.is_empty() {
        writeln!(page, "\n### Notes, none of which blocks\n")?;
        for note in notes.iter().take(ROWS) {
            let waived = note
                .waived
                .as_ref()
                .map_or_else(String::new, |waived| format!("; waived by {}", plain(waived)));
            writeln!(page, "- `{}`: {}{waived}", note.code, plain(&note.summary))?;
        }
        more(page, notes.len())?;
    }
    coverage(page, record, verdict)?;
    writeln!(
        page,
        "\n{} ran for scenario {}. `notafter judge record.json` shows the whole report of a saved record.",
        count(record.cases.len(), "case"),
        code(scenario.name.as_str())
    )
}

fn beside(page: &mut String, record: &RunRecord, comparison: &Comparison) -> std::fmt::Result {
    let (who, came_to) = (against::production(comparison), against::verdict(comparison));
    writeln!(page, "\n### Against {}, in production: {}\n", plain(&who), plain(&came_to))?;
    let lines = against::lines(record, comparison);
    for line in lines.iter().take(ROWS) {
        writeln!(page, "- **{}** {}", line.label, plain(&line.text))?;
    }
    more(page, lines.len())
}

fn finding(page: &mut String, record: &RunRecord, finding: &Finding) -> std::fmt::Result {
    writeln!(page, "\n### `{}`: {}\n", finding.code, plain(&finding.summary))?;
    if let Some(bracket) = finding.bracket {
        let at = distance(record.scenario.start, bracket.first_fail);
        writeln!(
            page,
            "- **breaks** {} ({at}); it still worked at {}",
            bracket.first_fail, bracket.last_pass
        )?;
    }
    if let Some(culprit) = finding.culprit.and_then(|culprit| record.inventory.find(culprit)) {
        writeln!(
            page,
            "- **because of** {} `{}`",
            code(&subject(&culprit.subject)),
            culprit.fingerprint.short()
        )?;
        for at in culprit.places.iter().take(4) {
            writeln!(page, "- **lies in** {}", code(&place(at)))?;
        }
    }
    for (name, text) in [("expected", &finding.expected), ("seen", &finding.seen)] {
        if let Some(text) = text {
            writeln!(page, "- **{name}** {}", code(&clip(text, 300)))?;
        }
    }
    if let Some(location) = &finding.location {
        writeln!(page, "- **asked by** {}", code(&location.to_string()))?;
    }
    if !finding.services.is_empty() {
        let services = finding.services.iter().take(ROWS).map(|name| {
            let told = record.scenario.service(name).map_or_else(|| name.to_string(), stands_for);
            plain(&told)
        });
        writeln!(page, "- **falls with it** {}", services.collect::<Vec<_>>().join("; "))?;
    }
    if let Some(help) = &finding.help {
        writeln!(page, "- **help** {}", plain(help))?;
    }
    if let Some(tail) = &finding.log_tail {
        let lines: Vec<String> = tail.lines().map(log_line).filter(|line| !line.trim().is_empty()).collect();
        let shown = &lines[lines.len().saturating_sub(LOG_LINES)..];
        writeln!(page, "\n<details><summary>The end of its log</summary>\n")?;
        // An indented block ends at the first line that is not indented, whatever the text holds.
        for line in shown {
            writeln!(page, "    {}", escape(line))?;
        }
        writeln!(page, "\n</details>")?;
    }
    Ok(())
}

fn coverage(page: &mut String, record: &RunRecord, verdict: &Verdict) -> std::fmt::Result {
    let coverage = &verdict.coverage;
    let total = coverage.entries.len();
    let sum = coverage_sum(record, coverage);
    if total == 0 {
        return writeln!(page, "\nCoverage: {sum}.");
    }
    let edges = boundaries(record);
    writeln!(page, "\n<details><summary>{sum}</summary>\n")?;
    for entry in coverage.entries.iter().take(ROWS) {
        let touch = match entry.touch {
            Touch::Exercised => "exercised",
            Touch::Loaded => "only loaded",
            Touch::Never => "never used",
            Touch::Served => "only served",
        };
        let edge = edges.iter().find(|edge| edge.credential == entry.credential);
        let when = edge.map_or_else(String::new, |edge| format!("{} of ", edge.at));
        writeln!(page, "- {touch}: {when}{}", code(&credential(&record.inventory, entry.credential)))?;
    }
    more(page, total)?;
    writeln!(page, "\n</details>")
}

fn more(page: &mut String, total: usize) -> std::fmt::Result {
    match total.checked_sub(ROWS) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(page, "- and {more} more"),
    }
}

/// Text from outside between words of ours: no markup, no HTML, no mention of people, no link.
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in escape(&clip(text, 600)).chars() {
        match char {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            // Renderers look for these in finished text; a comment in between hides them.
            '@' | '#' => {
                safe.push(char);
                safe.push_str("<!-- -->");
            }
            '/' if safe.ends_with('/') => safe.push_str("<!-- -->/"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '|' | '~' | '!' | '$' => {
                safe.push('\\');
                safe.push(char);
            }
            _ => safe.push(char),
        }
    }
    safe
}

/// Text from outside as code: fenced by more backticks than it holds.
fn code(text: &str) -> String {
    let text = escape(text);
    let longest = text.split(|char| char != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    match text.starts_with('`') || text.ends_with('`') {
        true => format!("{fence} {text} {fence}"),
        false => format!("{fence}{text}{fence}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn summaries_say_the_answer_first() {
        let mut text = String::new();
        for (record, verdict) in [sample::block(), sample::allow(), sample::unshifted()] {
            text += &summary(Gated { record: &record, verdict: &verdict }, None);
            text += "\n----\n\n";
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn text_from_outside_is_no_markup() {
        assert_eq!(
            plain("<img src=x onerror=1> @team #1 *b*"),
            "&lt;img src=x onerror=1&gt; @<!-- -->team #<!-- -->1 \\*b\\*"
        );
        assert_eq!(plain("[x](https://evil)"), "\\[x\\](https:/<!-- -->/evil)");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("``"), "``` `` ```");
        assert_eq!(code("a\nb"), "`a\\nb`");
    }
}
