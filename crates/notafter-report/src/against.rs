//! A candidate beside the build that is in production, in words: the same in every form of a report.

use crate::page::clip;
use crate::words::list;
use notafter_core::{BuildName, Comparison, Difference, NightFinding, RunRecord, Severity, Side, Span};

/// Longer summaries are clipped; the JSON record holds them whole.
const MAX_TEXT: usize = 400;

/// One line of it.
pub(crate) struct Line {
    /// A word or two: what is the matter.
    pub(crate) label: &'static str,
    /// What it is about.
    pub(crate) text: String,
}

/// `sgsn-mme 1.14`.
pub(crate) fn production(comparison: &Comparison) -> String {
    let build = comparison.production.build.as_ref().map(BuildName::as_str);
    let words: Vec<&str> = [comparison.production.service.as_str()].into_iter().chain(build).collect();
    words.join(" ")
}

/// What the build in production comes to, and why.
pub(crate) fn verdict(comparison: &Comparison) -> String {
    let production = &comparison.production;
    format!("{}; {}", production.decision, clip(&production.headline, MAX_TEXT))
}

/// One line per difference, worst first, and what else there is to know of the comparison.
pub(crate) fn lines(record: &RunRecord, comparison: &Comparison) -> Vec<Line> {
    let mut lines: Vec<Line> = comparison.differences.iter().map(line).collect();
    if lines.is_empty() {
        lines.push(nothing(&comparison.unjudged));
    }
    let own = record.images.iter().find(|image| image.service == comparison.production.service);
    let own = own.and_then(|image| image.id.as_ref());
    if own.is_some() && own == comparison.production.image_id.as_ref() {
        lines.push(Line { label: "image", text: "both builds are the same image".to_owned() });
    }
    if !comparison.other_peers.is_empty() {
        let peers: Vec<&str> = comparison.other_peers.iter().map(|peer| peer.as_str()).collect();
        let text = format!(
            "{} ran from another image beside the build in production: a difference may come of that",
            list(&peers)
        );
        lines.push(Line { label: "peers", text });
    }
    lines
}

fn line(difference: &Difference) -> Line {
    let told = told(difference.finding());
    let (label, text) = match difference {
        Difference::New { .. } => ("new", told),
        Difference::Earlier { production, secs, .. } => ("earlier", apart(&told, production, *secs, "later")),
        Difference::UnseenInProduction { blind_from, .. } => {
            ("unseen", format!("{told}; new or not: the build in production is broken from {blind_from} on"))
        }
        Difference::Same { .. } => ("the same", told),
        Difference::Later { production, secs, .. } => ("later", apart(&told, production, *secs, "sooner")),
        Difference::UnseenInCandidate { blind_from, .. } => (
            "unseen",
            format!("in production {told}; defused or not: the candidate is broken from {blind_from} on"),
        ),
        Difference::Defused { .. } => ("defused", format!("in production {told}")),
    };
    Line { label, text }
}

fn told(finding: &NightFinding) -> String {
    let waived = if finding.severity == Severity::Note { ", waived" } else { "" };
    format!("{} ({}{waived})", clip(&finding.summary, MAX_TEXT), finding.code)
}

fn apart(told: &str, production: &NightFinding, secs: i64, how: &str) -> String {
    let at = production.breaks_at.map_or_else(String::new, |at| format!(", at {at}"));
    format!("{told}; in production {} {how}{at}", Span::from_secs(secs))
}

fn nothing(unjudged: &[Side]) -> Line {
    let who = match unjudged {
        [] => {
            return Line { label: "no difference", text: "nothing blocks either build".to_owned() };
        }
        [Side::Candidate] => "the candidate",
        [Side::Production] => "the build in production",
        _ => "either build",
    };
    let text = format!("the gate could not look at {who}, so nothing is called new or defused");
    Line { label: "not compared", text }
}

#[cfg(test)]
mod tests {
    use crate::sample::{self, beside};
    use crate::{Detail, Format, StyleSheet, terminal};
    use notafter_core::{Comparison, Decision, Gated, RunRecord, Verdict};

    fn terminal((record, verdict): &(RunRecord, Verdict), comparison: &Comparison) -> String {
        let mut text = String::new();
        let gated = Gated { record, verdict };
        terminal::write_beside(&mut text, gated, Some(comparison), Detail::Brief, &StyleSheet::plain())
            .unwrap();
        let section = text.split_once("\nagainst: ").expect("there is a section").1;
        let section = section.split_once("\n\n").expect("others follow").0;
        format!("against: {section}")
    }

    #[test]
    fn a_new_bomb_and_a_defused_one_are_told_below_the_verdict_of_production() {
        let (good, bad) = (sample::allow(), sample::block());
        let text =
            format!("{}\n\n{}", terminal(&bad, &beside(&bad, &good)), terminal(&good, &beside(&good, &bad)));
        insta::assert_snapshot!(text, @r"
        against: sgsn-mme 1.16, in production: allow; nothing breaks through
                 2020-11-01T00:00:00Z
          new          sgsn-mme breaks at 2018-12-06T04:30:00Z: CN=sgsn-mme software
                       ends at 2018-12-06T04:29:59Z (breaks-in-window)

        against: sgsn-mme 1.14, in production: block; sgsn-mme breaks at
                 2018-12-06T04:30:00Z: CN=sgsn-mme software ends at 2018-12-06T04:29:59Z
          defused      in production sgsn-mme breaks at 2018-12-06T04:30:00Z:
                       CN=sgsn-mme software ends at 2018-12-06T04:29:59Z
                       (breaks-in-window)
        ");
    }

    #[test]
    fn breaks_that_move_and_breaks_that_nobody_saw_are_told_with_both_instants() {
        let bad = sample::block();
        insta::assert_snapshot!(terminal(&bad, &sample::every_difference()), @r"
        against: sgsn-mme 1.13, in production: allow; nothing breaks through
                 2020-11-01T00:00:00Z
          new          sgsn-mme breaks at 2019-07-01T00:00:00Z: CN=new ends
                       (breaks-in-window)
          earlier      sgsn-mme breaks at 2019-07-01T00:00:00Z: CN=sooner ends
                       (breaks-in-window); in production 1 d later, at
                       2019-07-02T00:00:00Z
          unseen       sgsn-mme breaks at 2019-07-01T00:00:00Z: CN=hidden ends
                       (breaks-in-window); new or not: the build in production is broken
                       from 2019-02-01T00:00:00Z on
          the same     sgsn-mme breaks at 2019-07-01T00:00:00Z: CN=waived ends
                       (breaks-in-window, waived)
          later        sgsn-mme breaks at 2019-07-01T00:00:00Z: CN=later ends
                       (breaks-in-window); in production 1 d sooner, at
                       2019-06-30T00:00:00Z
          unseen       in production sgsn-mme breaks at 2019-07-02T00:00:00Z: CN=behind
                       ends (breaks-in-window); defused or not: the candidate is broken
                       from 2019-02-01T00:00:00Z on
          defused      in production sgsn-mme breaks at 2019-07-02T00:00:00Z: CN=gone
                       ends (breaks-in-window)
          peers        hss ran from another image beside the build in production: a
                       difference may come of that
        ");
    }

    #[test]
    fn what_was_not_judged_is_not_compared() {
        let (good, unknown) = (sample::allow(), sample::unshifted());
        let text = [
            terminal(&good, &beside(&good, &unknown)),
            terminal(&unknown, &beside(&unknown, &good)),
            terminal(&unknown, &beside(&unknown, &unknown)),
            terminal(&good, &beside(&good, &good)),
        ];
        insta::assert_snapshot!(text.join("\n\n"), @r"
        against: sgsn-mme 1.15.1, in production: inconclusive; sgsn-mme, process 12 may
                 have seen another clock in case walk: /escape: the sweep found its own
                 vDSO, not the patched one
          not compared the gate could not look at the build in production, so nothing is
                       called new or defused

        against: sgsn-mme 1.16, in production: allow; nothing breaks through
                 2020-11-01T00:00:00Z
          not compared the gate could not look at the candidate, so nothing is called
                       new or defused

        against: sgsn-mme 1.15.1, in production: inconclusive; sgsn-mme, process 12 may
                 have seen another clock in case walk: /escape: the sweep found its own
                 vDSO, not the patched one
          not compared the gate could not look at either build, so nothing is called new
                       or defused

        against: sgsn-mme 1.16, in production: allow; nothing breaks through
                 2020-11-01T00:00:00Z
          no difference nothing blocks either build
        ");
    }

    #[test]
    fn forms_for_people_tell_all_of_it_and_the_others_are_as_without() {
        let (record, verdict) = sample::block();
        let comparison = sample::every_difference();
        let gated = Gated { record: &record, verdict: &verdict };
        for format in Format::ALL {
            let alone = format.render(&record, &verdict).unwrap();
            let text = format.render_beside(gated, Some(&comparison)).unwrap();
            match format {
                Format::Html | Format::Json | Format::Markdown | Format::Text => {
                    assert_ne!(text, alone, "{format}");
                    assert!(text.contains("2019-07-01T00:00:00Z"), "{format}: {text}");
                }
                Format::Cyclonedx
                | Format::Github
                | Format::Gitlab
                | Format::Ical
                | Format::Junit
                | Format::Sarif => {
                    assert_eq!(text, alone, "{format}");
                }
            }
            assert_eq!(format.render_beside(gated, None).unwrap(), alone, "{format}");
        }
    }

    #[test]
    fn markdown_lists_every_difference() {
        let (record, verdict) = sample::block();
        let gated = Gated { record: &record, verdict: &verdict };
        let text = Format::Markdown.render_beside(gated, Some(&sample::every_difference())).unwrap();
        let section = text.split_once("### Against ").expect("there is a section").1;
        insta::assert_snapshot!(section.split_once("\n\n<details>").expect("coverage follows").0, @r"
        sgsn-mme 1.13, in production: allow; nothing breaks through 2020-11-01T00:00:00Z

        - **new** sgsn-mme breaks at 2019-07-01T00:00:00Z: CN=new ends (breaks-in-window)
        - **earlier** sgsn-mme breaks at 2019-07-01T00:00:00Z: CN=sooner ends (breaks-in-window); in production 1 d later, at 2019-07-02T00:00:00Z
        - **unseen** sgsn-mme breaks at 2019-07-01T00:00:00Z: CN=hidden ends (breaks-in-window); new or not: the build in production is broken from 2019-02-01T00:00:00Z on
        - **the same** sgsn-mme breaks at 2019-07-01T00:00:00Z: CN=waived ends (breaks-in-window, waived)
        - **later** sgsn-mme breaks at 2019-07-01T00:00:00Z: CN=later ends (breaks-in-window); in production 1 d sooner, at 2019-06-30T00:00:00Z
        - **unseen** in production sgsn-mme breaks at 2019-07-02T00:00:00Z: CN=behind ends (breaks-in-window); defused or not: the candidate is broken from 2019-02-01T00:00:00Z on
        - **defused** in production sgsn-mme breaks at 2019-07-02T00:00:00Z: CN=gone ends (breaks-in-window)
        - **peers** hss ran from another image beside the build in production: a difference may come of that
        ");
    }

    #[test]
    fn hostile_text_of_the_other_record_stays_text() {
        let (record, verdict) = sample::block();
        let gated = Gated { record: &record, verdict: &verdict };
        let mut comparison = beside(&sample::block(), &sample::hostile());
        assert_eq!(comparison.production.decision, Decision::Block);
        comparison.production.headline.push_str("<script>\u{1b}[2J");
        for format in Format::ALL {
            let text = format.render_beside(gated, Some(&comparison)).unwrap();
            let bad =
                text.chars().find(|char| !matches!(char, '\n' | '\r') && crate::page::is_hostile(*char));
            assert_eq!(bad, None, "{format}: {text}");
            assert!(
                format == Format::Json || format == Format::Text || !text.contains("<script"),
                "{format}"
            );
        }
    }
}
