//! What is made at a first boot, what is looked at only at a start, what renews itself, and what cannot bear a leap.

use super::gated::gate;
use crate::runs::can_run;
use notafter_core::{Decision, FindingCode, Origin, Outcome, Severity, UnixTime};

fn at(text: &str) -> UnixTime {
    UnixTime::parse(text).unwrap()
}

#[test]
fn a_certificate_kept_in_a_volume_passes_cold_and_blocks_aged() {
    if !can_run() {
        return;
    }
    let gated = gate("state-in-volume", &[], &[]);
    let finding = gated.is(Decision::Block, FindingCode::BreaksInWindow);
    assert_eq!(finding.bracket.unwrap().first_fail, at("2031-01-01T00:00:01Z"), "{}", gated.text);
    assert!(finding.bracket.unwrap().is_exact());
    assert!(finding.summary.ends_with("a fresh start hides it"), "{}", finding.summary);
    assert_eq!(gated.outcome("cold"), Some(Outcome::Pass));
    let last = gated.case("walk").observations.last().unwrap();
    let span = gated.record.scenario.checks[0].is_met_by(last);
    assert_eq!(span, Some(false), "the aged restart at the horizon fails: {last:?}");
    let culprit = gated.culprit(finding);
    assert_eq!((culprit.subject.as_str(), &culprit.origin), ("CN=web", &Origin::Served));
    assert_eq!(culprit.not_after, at("2031-01-01T00:00:00Z"));
}

#[test]
fn a_certificate_kept_in_memory_blocks_in_the_walk_alone() {
    if !can_run() {
        return;
    }
    let gated = gate("state-in-memory", &[], &[]);
    let finding = gated.is(Decision::Block, FindingCode::BreaksInWindow);
    assert_eq!(finding.bracket.unwrap().first_fail, at("2031-01-01T00:00:01Z"), "{}", gated.text);
    assert!(finding.bracket.unwrap().is_exact());
    assert!(finding.summary.ends_with("only a process that lives on shows it"), "{}", finding.summary);
    assert_eq!(gated.outcome("cold"), Some(Outcome::Pass));
    let last = gated.case("walk").observations.last().unwrap();
    let span = gated.record.scenario.checks[0].is_met_by(last);
    assert_eq!(span, Some(true), "the aged restart at the horizon heals it: {last:?}");
    let culprit = gated.culprit(finding);
    assert_eq!((culprit.subject.as_str(), &culprit.origin), ("CN=web", &Origin::Served));
}

#[test]
fn a_gap_between_two_licences_blocks_at_the_gap() {
    if !can_run() {
        return;
    }
    let gated = gate("state-licence-gap", &[], &[]);
    let finding = gated.is(Decision::Block, FindingCode::BreaksInWindow);
    assert_eq!(finding.bracket.unwrap().first_fail, at("2030-04-11T00:00:01Z"), "{}", gated.text);
    assert!(finding.bracket.unwrap().is_exact());
    assert_eq!(gated.culprit(finding).subject, "CN=licence 2030-1");
    assert_eq!(gated.outcome("cold"), Some(Outcome::Pass), "behind the gap all is well");
    assert!(finding.log_tail.as_ref().unwrap().contains("no licence holds at 2030-04-11T00:00:01Z"));
}

#[test]
fn a_service_that_renews_itself_is_allowed_and_the_report_says_so() {
    if !can_run() {
        return;
    }
    let gated = gate("renewal-in-time", &[], &[]);
    let finding = gated.is(Decision::Allow, FindingCode::RenewalNeeded);
    assert_eq!(finding.severity, Severity::Note);
    assert_eq!(gated.outcome("walk"), Some(Outcome::Fail), "a leap over a whole life wakes it too late");
    assert_eq!(gated.outcome("walk-renewals-1"), Some(Outcome::Pass));
    assert_eq!(gated.culprit(finding).subject, "CN=front");
    assert!(gated.text.contains("renewal-needed: front renews CN=front by itself, seen"), "{}", gated.text);
    assert!(gated.text.contains("walk, which did not"), "{}", gated.text);
}

#[test]
fn a_service_that_cannot_bear_a_leap_is_no_block() {
    if !can_run() {
        return;
    }
    let gated = gate("jump-intolerant", &[], &[]);
    let finding = gated.is(Decision::Inconclusive, FindingCode::JumpIntolerant);
    assert_eq!(finding.culprit, None);
    assert!(finding.log_tail.as_ref().unwrap().contains("s between two ticks; giving up"), "{}", gated.text);
    assert_eq!(gated.outcome("cold"), Some(Outcome::Pass));
}
