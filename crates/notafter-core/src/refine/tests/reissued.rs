//! The causal control: which credential it is whose later end mends a break.

use super::expected::{BROKEN, END, block, check, dies, ids};
use super::world::{DAY, Ill, Tamper, World, at, certificate, held_by, location, start};
use crate::*;

/// `shop` and `client`, of which nobody knows which one is looked at, end in one second.
fn two_ends() -> World {
    World::new().declaring("shop", None, certificate(1, "CN=shop", at(END))).declaring(
        "client",
        None,
        certificate(2, "CN=client", at(END)),
    )
}

fn shown(finding: &Finding) -> String {
    let name = |it: &Fingerprint| it.short();
    let trials = finding.evidence.iter().filter_map(|evidence| match evidence {
        Evidence::CausalControl { effect, credentials, case, .. } => {
            let names: Vec<String> = credentials.iter().map(name).collect();
            Some(format!("{effect:?} {} {case}", names.join(" ")))
        }
        _ => None,
    });
    let missing = finding.uncontrolled.iter().map(|why| format!("missing: {why}"));
    let lines = [finding.summary.clone()].into_iter().chain(trials).chain(missing);
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_declared_credential_is_reissued_once_and_the_break_is_gone() {
    let world = World::new()
        .declaring("shop", None, certificate(1, "CN=shop", at(END)))
        .ill(Ill::Needs { name: "shop" });
    let (record, verdict) = check("one declared", &world, &block(BROKEN, Some(1), 7));
    let finding = &verdict.findings[0];
    insta::assert_snapshot!(shown(finding), @r"
    node breaks at 2018-12-06T04:30:00Z: CN=shop ends at 2018-12-06T04:29:59Z
    Mends 01010101 reissued-shop-cold-2018-12-06T043000Z
    ");
    // It is the strongest evidence, and nothing of it is in the inventory.
    assert!(matches!(finding.evidence[0], Evidence::CausalControl { effect: Effect::Mends, .. }));
    assert_eq!(record.inventory.credentials.len(), 1);
    let case = &record.cases.last().unwrap().case;
    let Purpose::Reissued { of, until, .. } = &case.purpose else { panic!("{case:?}") };
    let original = &record.case(of).unwrap().case;
    assert_eq!((original.clock, &original.steps), (case.clock, &case.steps));
    assert!(*until > record.scenario.horizon);
}

#[test]
fn what_passes_and_what_is_embedded_starts_nothing_more() {
    let well = two_ends();
    assert_eq!(ids(&well.gate().0), ["control", "walk", "cold", "walk-unattended"]);
    let embedded = World::new().holding([certificate(1, "CN=shop", at(END))]).ill(dies(BROKEN));
    let (record, verdict) = embedded.gate();
    assert!(!ids(&record).iter().any(|id| id.starts_with("reissued")), "{:?}", ids(&record));
    assert_eq!(verdict.findings[0].uncontrolled, None);
}

#[test]
fn of_two_that_end_in_one_second_the_one_that_mends_it_is_the_cause() {
    for (culprit, seed) in [("shop", 1), ("client", 2)] {
        let world = two_ends().ill(Ill::Needs { name: culprit });
        let (_, verdict) = check(culprit, &world, &block(BROKEN, Some(seed), 8));
        let finding = &verdict.findings[0];
        assert_eq!(finding.uncontrolled, None, "{}", shown(finding));
    }
    let both = two_ends().ill(Ill::Needs { name: "client" }).ill(Ill::Needs { name: "shop" });
    let (_, verdict) = check("both", &both, &block(BROKEN, None, 8));
    insta::assert_snapshot!(shown(&verdict.findings[0]), @r"
    node breaks at 2018-12-06T04:30:00Z: 2 credentials change there, and nothing tells which is behind it
    MendsNothing 01010101 reissued-shop-cold-2018-12-06T043000Z
    MendsNothing 02020202 reissued-client-cold-2018-12-06T043000Z
    missing: client and shop were not issued anew together: that takes more than 8 launches
    ");
}

/// The likelier one is an innocent bystander: it is the candidate's own.
#[test]
fn a_likelier_bystander_is_acquitted() {
    let world = World::new()
        .declaring("bystander", None, certificate(1, "CN=bystander", at(END)))
        .declaring("peer", None, held_by("hss", certificate(2, "CN=peer", at(END))))
        .ill(Ill::Needs { name: "peer" });
    let (_, verdict) = check("bystander", &world, &block(BROKEN, Some(2), 8));
    insta::assert_snapshot!(shown(&verdict.findings[0]), @r"
    node breaks at 2018-12-06T04:30:00Z: CN=peer ends at 2018-12-06T04:29:59Z
    Mends 02020202 reissued-peer-cold-2018-12-06T043000Z
    MendsNothing 01010101 reissued-bystander-cold-2018-12-06T043000Z
    ");
}

#[test]
fn a_certificate_and_its_issuer_are_reissued_together_when_one_does_not_do() {
    let world = World::new()
        .declaring("cross", Some("root"), certificate(1, "CN=cross", at(END)))
        .declaring("root", None, held_by("hss", certificate(2, "CN=root", at(END))))
        .ill(Ill::Needs { name: "cross" })
        .ill(Ill::Needs { name: "root" });
    let (_, verdict) = check("a chain", &world, &block(BROKEN, Some(1), 8));
    insta::assert_snapshot!(shown(&verdict.findings[0]), @r"
    node breaks at 2018-12-06T04:30:00Z: CN=cross ends at 2018-12-06T04:29:59Z; not that alone; it takes CN=cross and CN=root issued anew together to mend it
    Mends 01010101 02020202 reissued-2-together-cold-2018-12-06T043000Z
    MendsNothing 01010101 reissued-cross-cold-2018-12-06T043000Z
    ");
}

#[test]
fn a_break_that_stays_and_one_that_stays_in_part_are_told() {
    let one = World::new().declaring("shop", None, certificate(1, "CN=shop", at(END)));
    let (_, verdict) = check("a date in the code", &one.ill(dies(BROKEN)), &block(BROKEN, Some(1), 8));
    insta::assert_snapshot!(shown(&verdict.findings[0]), @r"
    node breaks at 2018-12-06T04:30:00Z: CN=shop ends at 2018-12-06T04:29:59Z; not that, or not that alone: it breaks with a later end too
    MendsNothing 01010101 reissued-shop-cold-2018-12-06T043000Z
    ");
    let part = two_ends().ill(Ill::Needs { name: "shop" }).ill(Ill::PortalNeeds { name: "client" });
    let (_, verdict) = check("two breaks in one second", &part, &block(BROKEN, None, 8));
    insta::assert_snapshot!(shown(&verdict.findings[0]), @r"
    node breaks at 2018-12-06T04:30:00Z: 2 credentials change there, and nothing tells which is behind it
    MendsPart 01010101 reissued-shop-cold-2018-12-06T043000Z
    MendsPart 02020202 reissued-client-cold-2018-12-06T043000Z
    missing: client and shop were not issued anew together: that takes more than 8 launches
    ");
}

#[test]
fn what_only_a_process_that_lives_on_shows_is_reissued_with_its_walk() {
    let world = World::new()
        .declaring("shop", None, certificate(1, "CN=shop", at(END)))
        .ill(Ill::RemembersThat { name: "shop" });
    let (record, verdict) = check("lives on", &world, &block(BROKEN, Some(1), 8));
    insta::assert_snapshot!(shown(&verdict.findings[0]), @r"
    node breaks at 2018-12-06T04:30:00Z: CN=shop ends at 2018-12-06T04:29:59Z; only a process that lives on shows it
    Mends 01010101 reissued-shop-walk
    ");
    let case = record.cases.last().unwrap();
    assert!(case.case.steps.iter().any(|step| matches!(step, Step::Move { .. })), "{:?}", case.case);
}

#[test]
fn a_control_that_could_not_run_is_missing_and_changes_nothing() {
    let fails: Tamper = |events| {
        let reissued = matches!(
            &events[0],
            Event::CaseStarted { case } if matches!(case.purpose, Purpose::Reissued { .. })
        );
        if let Some(Event::CaseEnded { outcome, error, .. }) = events.last_mut().filter(|_| reissued) {
            *outcome = Outcome::Error;
            *error = Some(CaseError::Harness { message: "no room".to_owned() });
        }
    };
    let world = World::new()
        .declaring("shop", None, certificate(1, "CN=shop", at(END)))
        .ill(Ill::Needs { name: "shop" })
        .tampered(fails);
    let (_, verdict) = check("no room", &world, &block(BROKEN, Some(1), 7));
    insta::assert_snapshot!(shown(&verdict.findings[0]), @r"
    node breaks at 2018-12-06T04:30:00Z: CN=shop ends at 2018-12-06T04:29:59Z
    missing: case reissued-shop-cold-2018-12-06T043000Z could not be run: no room
    ");
}

/// Nothing coincides with such a break, and only what mends it tells more than that.
#[test]
fn what_ended_a_while_before_an_unexplained_break_is_tried() {
    let late = "2018-12-06T04:45:00Z";
    for (name, seed) in [("shop", 1), ("client", 2)] {
        let world = two_ends().ill(Ill::NeedsStill { name, cached: 900 });
        let (_, verdict) = check(name, &world, &block(late, Some(seed), 32));
        assert_eq!(verdict.findings[0].uncontrolled, None, "{}", shown(&verdict.findings[0]));
        if seed == 2 {
            insta::assert_snapshot!(shown(&verdict.findings[0]), @r"
            node breaks at 2018-12-06T04:45:00Z: CN=client ends at 2018-12-06T04:29:59Z, 15 min before
            Mends 02020202 reissued-client-cold-2018-12-06T044500Z
            ");
        }
    }
    let (record, verdict) = check("a date in the code", &two_ends().ill(dies(late)), &block(late, None, 32));
    assert!(ids(&record).iter().any(|id| id.starts_with("reissued")), "{:?}", ids(&record));
    insta::assert_snapshot!(shown(&verdict.findings[0]), @"node breaks at 2018-12-06T04:45:00Z: no known credential changes there (unexplained)");
}

/// What an earlier version saved has no such case, and is judged as it was.
#[test]
fn a_record_without_the_control_blocks_all_the_same() {
    let world = World::new()
        .declaring("shop", None, certificate(1, "CN=shop", at(END)))
        .ill(Ill::Needs { name: "shop" });
    let mut record = world.record();
    record.cases.retain(|case| !matches!(case.case.purpose, Purpose::Reissued { .. }));
    let verdict = judge(&record);
    assert_eq!((verdict.decision, verdict.findings.len()), (Decision::Block, 1));
    insta::assert_snapshot!(shown(&verdict.findings[0]), @r"
    node breaks at 2018-12-06T04:30:00Z: CN=shop ends at 2018-12-06T04:29:59Z
    missing: case reissued-shop-cold-2018-12-06T043000Z has not run
    ");
    let waived = world.with(|scenario| {
        scenario.policy.waivers.push(Waiver {
            waives: Waived::Credential(CredentialName::new("shop").unwrap()),
            only: Narrowing::default(),
            shared: false,
            owner: "ops".to_owned(),
            reason: "known".to_owned(),
            until: start().plus_secs(900 * DAY),
            location: location(1),
        });
    });
    let mut record = waived.record();
    let decision = judge(&record).decision;
    record.cases.retain(|case| !matches!(case.case.purpose, Purpose::Reissued { .. }));
    assert_eq!(judge(&record).decision, decision);
}
