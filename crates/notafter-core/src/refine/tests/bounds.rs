//! Launches: few where the cause is known, bounded always.

use super::expected::{block, check, dies, ids};
use super::world::{DAY, Ill, World, at, certificate, held_by, start};
use crate::refine::max_launches;
use crate::*;
use proptest::prelude::*;

#[test]
fn what_bisection_serves_adds_nothing_to_the_window() {
    let world = World::new().ill(Ill::InMemory { life: 400 * DAY }).ill(dies("2019-03-03T03:03:03Z"));
    let (record, verdict) = check("a date in the code", &world, &block("2019-03-03T03:03:03Z", None, 35));
    let lived = ["control", "walk", "cold"];
    for entry in &verdict.coverage.entries {
        let mut cases = record.cases.iter().filter(|case| lived.contains(&case.case.id.as_str()));
        let served = cases.any(|case| {
            let mut served = case.observations.iter().flat_map(|observation| &observation.served);
            served.any(|served| served.credential.fingerprint == entry.credential)
        });
        assert!(served, "{:?} is of a bisection", entry.credential);
    }
    assert!(!verdict.coverage.entries.is_empty());
}

#[test]
fn a_search_beyond_all_bounds_is_inconclusive() {
    let mut record = World::new().record();
    let control = record.cases[0].clone();
    record.cases = (0..max_launches(&record))
        .map(|n| {
            let mut case = control.clone();
            if n > 0 {
                case.case.id = CaseId::new(format!("more-{n}")).unwrap();
            }
            case
        })
        .collect();
    assert!(refine(&record).is_empty());
    let verdict = judge(&record);
    assert_eq!(verdict.decision, Decision::Inconclusive);
    insta::assert_snapshot!(verdict.findings[0].summary, @"the search needs more than 40 launches of the whole scenario");
}

#[test]
fn no_search_goes_on_for_ever() {
    let all = (0..200).map(|n| {
        let mut many = certificate(0, "CN=many", start().plus_secs((i64::from(n) + 3) * 3 * DAY));
        many.fingerprint = Fingerprint::from_bytes([n; 32]);
        held_by("hss", many)
    });
    let world = World::new().holding(all).with(|scenario| scenario.horizon = at("2048-11-01T00:00:00Z"));
    let broken = world.ill(dies("2047-07-04T12:34:56Z"));
    let expected = block("2047-07-04T12:34:56Z", None, 40);
    let (record, verdict) = check("a late break behind many edges", &broken, &expected);
    let walk = record.case(&CaseId::new("walk").unwrap()).unwrap();
    assert!(walk.case.reason.ends_with("200 boundaries grouped into 64 stops"), "{}", walk.case.reason);
    assert_eq!(verdict.coverage.entries.len(), 200);
}

/// A break that a fresh start or a walk can see.
fn visible(kind: u8, from: UnixTime) -> Ill {
    match kind {
        0 => Ill::Dies { from, at_start: true, watchdog: Some(3_600), log: "" },
        1 => Ill::Dies { from, at_start: true, watchdog: None, log: "" },
        2 => Ill::RefusesNew { from, culprit: None },
        _ => Ill::HssRefuses { from },
    }
}

/// Between the start and the horizon of the worlds here, clear of the control.
fn instants() -> impl Strategy<Value = i64> {
    2 * DAY..729 * DAY
}

const DECLARED: [&str; 5] = ["one", "two", "three", "four", "five"];

fn holding(ends: &[i64]) -> World {
    let certificates = ends
        .iter()
        .zip(1..)
        .map(|(end, seed)| certificate(seed, &format!("CN=number {seed}"), start().plus_secs(*end)));
    World::new().holding(certificates)
}

#[test]
fn ends_that_share_a_look_take_no_more_launches() {
    // Within seconds, and so that time has elapsed behind one in the second in which the other comes.
    for ends in [[2 * DAY, 56_843_015, 56_843_018], [2 * DAY, 20_246_312, 20_246_312 + 25 * 3_600 + 1]] {
        for (end, early) in ends.into_iter().flat_map(|end| [(end, 0), (end, 1)]) {
            let (record, verdict) = holding(&ends).ill(visible(0, start().plus_secs(end + early))).gate();
            let found = verdict.findings[0].bracket.unwrap();
            assert_eq!(found.first_fail, start().plus_secs(end + early));
            assert!(record.cases.len() <= 8, "{:?}", ids(&record));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_break_at_a_known_edge_is_found_in_few_launches(
        ends in prop::collection::vec(instants(), 1..9),
        which in any::<prop::sample::Index>(),
        kind in 0u8..4,
        early in 0i64..2,
    ) {
        let from = start().plus_secs(ends[which.index(ends.len())] + early);
        let (record, verdict) = holding(&ends).ill(visible(kind, from)).gate();
        prop_assert_eq!(verdict.decision, Decision::Block, "{:?}", ids(&record));
        let bracket = verdict.findings[0].bracket.unwrap();
        prop_assert_eq!(bracket.first_fail, from);
        prop_assert!(bracket.is_exact());
        prop_assert!(record.cases.len() <= 8, "{:?}", ids(&record));
    }

    #[test]
    fn a_declared_end_is_found_and_proven_in_few_launches(
        ends in prop::collection::btree_set(instants(), 1..6),
        which in any::<prop::sample::Index>(),
        kind in 0u8..3,
    ) {
        let ends: Vec<i64> = ends.into_iter().collect();
        let which = which.index(ends.len());
        let mut world = World::new();
        for ((end, name), seed) in ends.iter().zip(DECLARED).zip(1..) {
            world = world.declaring(name, None, certificate(seed, &format!("CN={name}"), start().plus_secs(*end)));
        }
        let name = DECLARED[which];
        let ill = match kind {
            0 => Ill::Needs { name },
            1 => Ill::PortalNeeds { name },
            _ => Ill::RemembersThat { name },
        };
        let (record, verdict) = world.ill(ill).gate();
        prop_assert_eq!(verdict.decision, Decision::Block, "{:?}", ids(&record));
        let finding = &verdict.findings[0];
        prop_assert_eq!(finding.bracket.unwrap().first_fail, start().plus_secs(ends[which] + 1));
        let mended = matches!(&finding.evidence[0], Evidence::CausalControl { effect: Effect::Mends, .. });
        prop_assert!(mended, "{:?}", finding);
        prop_assert!(record.cases.len() <= 8, "{:?}", ids(&record));
    }

    #[test]
    fn a_break_at_no_known_edge_is_found_to_the_second(
        ends in prop::collection::vec(instants(), 0..9),
        from in instants(),
        kind in 0u8..4,
    ) {
        let from = start().plus_secs(from);
        let (record, verdict) = holding(&ends).ill(visible(kind, from)).gate();
        prop_assert_eq!(verdict.decision, Decision::Block, "{:?}", ids(&record));
        let bracket = verdict.findings[0].bracket.unwrap();
        prop_assert_eq!(bracket.first_fail, from);
        prop_assert!(bracket.is_exact());
        // 26 halvings of two years, the plan, the walk's and the edges' suggestions, the repetition.
        prop_assert!(record.cases.len() <= 35, "{} {:?}", record.cases.len(), ids(&record));
    }

    #[test]
    fn what_does_not_break_is_not_blocked(ends in prop::collection::vec(instants(), 0..9), late in 1i64..100) {
        let after = at("2020-11-01T00:00:00Z").plus_secs(late);
        let (record, verdict) = holding(&ends).ill(visible(0, after)).gate();
        prop_assert_eq!(verdict.decision, Decision::Allow, "{:?}", ids(&record));
        let restarts = record.cases[1].case.steps.iter().filter(|step| matches!(step, Step::Restart { .. }));
        // Where the walk restarts something on the way, it is walked without that as well.
        prop_assert_eq!(record.cases.len(), 3 + usize::from(restarts.count() > 1));
    }

    #[test]
    fn no_fluke_allows_or_blocks(ends in prop::collection::vec(instants(), 0..4), launch in 0usize..3) {
        let (record, verdict) = holding(&ends).ill(Ill::Fluke { launch }).gate();
        prop_assert_eq!(verdict.decision, Decision::Inconclusive, "{:?}", ids(&record));
        prop_assert!(record.cases.len() <= 8, "{:?}", ids(&record));
    }
}
