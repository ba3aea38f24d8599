//! Every kind of difference, in worlds where nothing else is different.

use super::*;
use crate::refine::tests::world::*;
use crate::*;

const BROKEN: &str = "2018-12-06T04:30:00Z";
const LATER: &str = "2019-12-06T04:30:00Z";
const YEAR: i64 = 365 * DAY;

type Run = (RunRecord, Verdict);
type Told = (&'static str, Option<UnixTime>, i64);

/// A build that holds `credential`, and dies with its end.
fn dies_with(credential: Credential) -> Run {
    let from = credential.not_after.plus_secs(1);
    let ill = Ill::Dies { from, at_start: true, watchdog: Some(3_600), log: "shutting down" };
    World::new().holding([credential]).ill(ill).gate()
}

fn software(seed: u8, breaks: &str) -> Credential {
    certificate(seed, "CN=node software", at(breaks).plus_secs(-1))
}

fn moved_to(path: &str, mut credential: Credential) -> Credential {
    credential.places[0].path = path.to_owned();
    credential
}

/// A build that dies at a date in its code.
fn licence(breaks: &str) -> Run {
    let ill = Ill::Dies { from: at(breaks), at_start: true, watchdog: Some(3_600), log: "no licence" };
    World::new().ill(ill).gate()
}

fn sound() -> Run {
    World::new().gate()
}

/// A run that lacks a case of its plan.
fn unknown() -> Run {
    let (mut record, _) = sound();
    record.cases.pop();
    let verdict = judge(&record);
    (record, verdict)
}

/// The same run with another say about its first finding.
fn but(run: &Run, change: impl FnOnce(&mut Finding)) -> Run {
    let (record, mut verdict) = run.clone();
    change(&mut verdict.findings[0]);
    (record, verdict)
}

fn compared(candidate: &Run, production: &Run) -> Comparison {
    let [candidate, production] = [candidate, production].map(|(record, verdict)| Gated { record, verdict });
    compare(candidate, production).unwrap()
}

/// The kind of each difference, the first failing second of what it is about, and by how many seconds it moved.
fn told(candidate: &Run, production: &Run) -> Vec<Told> {
    let comparison = compared(candidate, production);
    let told = comparison.differences.iter().map(|difference| {
        let (kind, secs) = match difference {
            Difference::New { .. } => ("new", 0),
            Difference::Earlier { secs, .. } => ("earlier", *secs),
            Difference::UnseenInProduction { .. } => ("unseen in production", 0),
            Difference::Same { .. } => ("same", 0),
            Difference::Later { secs, .. } => ("later", *secs),
            Difference::UnseenInCandidate { .. } => ("unseen in candidate", 0),
            Difference::Defused { .. } => ("defused", 0),
        };
        (kind, difference.finding().breaks_at, secs)
    });
    told.collect()
}

fn is(kind: &'static str, breaks: &str) -> Told {
    (kind, Some(at(breaks)), 0)
}

#[test]
fn what_only_the_candidate_breaks_by_is_new() {
    assert_eq!(told(&dies_with(software(1, BROKEN)), &sound()), [is("new", BROKEN)]);
}

#[test]
fn what_only_the_build_in_production_breaks_by_is_defused() {
    assert_eq!(told(&sound(), &dies_with(software(1, BROKEN))), [is("defused", BROKEN)]);
}

#[test]
fn a_break_of_both_in_one_second_is_the_same() {
    let run = dies_with(software(1, BROKEN));
    assert_eq!(told(&run, &run), [is("same", BROKEN)]);
}

#[test]
fn what_was_renewed_in_its_place_breaks_later_or_earlier() {
    let (old, new) = (dies_with(software(1, BROKEN)), dies_with(software(2, LATER)));
    assert_eq!(told(&new, &old), [("later", Some(at(LATER)), YEAR)]);
    assert_eq!(told(&old, &new), [("earlier", Some(at(BROKEN)), YEAR)]);
    assert_eq!(told(&dies_with(software(2, BROKEN)), &old), [is("same", BROKEN)]);
}

#[test]
fn what_was_renewed_in_a_file_of_another_name_goes_by_its_subject() {
    let old = dies_with(moved_to("/node-1-14", software(1, BROKEN)));
    let new = dies_with(moved_to("/node-1-15", software(2, LATER)));
    assert_eq!(told(&new, &old), [("later", Some(at(LATER)), YEAR)]);
    // Certificates without a subject have nothing but their place.
    let nameless = |path: &str, seed: u8| {
        let credential = Credential { subject: String::new(), ..software(seed, BROKEN) };
        dies_with(moved_to(path, credential))
    };
    assert_eq!(told(&nameless("/a", 2), &nameless("/a", 1)), [is("same", BROKEN)]);
    assert_eq!(told(&nameless("/b", 2), &nameless("/a", 1)).len(), 2);
}

#[test]
fn another_subject_or_another_service_is_another_cause() {
    let old = dies_with(software(1, BROKEN));
    let other = Credential { subject: "CN=licence".to_owned(), ..software(2, LATER) };
    let elsewhere = held_by("portal", software(2, LATER));
    let expected = [is("unseen in production", LATER), is("defused", BROKEN)];
    assert_eq!(told(&dies_with(other), &old), expected);
    assert_eq!(told(&dies_with(elsewhere), &old), expected);
}

#[test]
fn behind_the_first_break_of_a_build_nothing_is_called_new_or_defused() {
    let early = dies_with(Credential { subject: "CN=licence".to_owned(), ..software(2, BROKEN) });
    let late = dies_with(software(1, LATER));
    assert_eq!(told(&late, &early), [is("unseen in production", LATER), is("defused", BROKEN)]);
    assert_eq!(told(&early, &late), [is("new", BROKEN), is("unseen in candidate", LATER)]);
    let at_once = dies_with(software(1, BROKEN));
    assert_eq!(
        told(&at_once, &early),
        [is("unseen in production", BROKEN), is("unseen in candidate", BROKEN)],
        "in the same second one may hide the other"
    );
}

#[test]
fn a_declared_credential_goes_by_its_name_though_each_run_makes_it_anew() {
    let site = |seed: u8, name: &'static str| {
        let certificate = certificate(seed, "CN=site", at(BROKEN).plus_secs(-1));
        World::new().declaring(name, None, certificate).ill(Ill::Needs { name }).gate()
    };
    assert_eq!(told(&site(7, "site"), &site(8, "site")), [is("same", BROKEN)]);
    assert_eq!(told(&site(7, "site"), &site(8, "other")).len(), 2);
}

#[test]
fn a_break_that_nothing_explains_goes_by_what_falls() {
    assert_eq!(told(&licence(LATER), &licence(BROKEN)), [("later", Some(at(LATER)), YEAR)]);
    let other = but(&licence(LATER), |finding| {
        finding.services.pop();
    });
    assert_eq!(told(&other, &licence(BROKEN)).len(), 2);
}

#[test]
fn a_build_that_is_broken_already_breaks_by_the_same_cause() {
    let candidate = dies_with(software(1, BROKEN));
    let long_ago = start().plus_secs(-DAY);
    let production = but(&candidate, |finding| {
        finding.code = FindingCode::AlreadyBroken;
        finding.bracket = Some(Bracket { last_pass: long_ago.plus_secs(-1), first_fail: long_ago });
    });
    let (kind, breaks_at, _) = told(&candidate, &production)[0];
    assert_eq!((kind, breaks_at), ("later", Some(at(BROKEN))));
}

#[test]
fn breaks_that_may_lie_in_one_second_are_the_same() {
    let around = |last_pass: &str, first_fail: &str| {
        but(&licence(BROKEN), |finding| {
            finding.bracket = Some(Bracket { last_pass: at(last_pass), first_fail: at(first_fail) });
        })
    };
    let wide = around("2018-12-01T00:00:00Z", "2018-12-10T00:00:00Z");
    assert_eq!(told(&wide, &licence(BROKEN)), [is("same", "2018-12-10T00:00:00Z")]);
    let behind = around("2018-12-10T00:00:00Z", "2018-12-20T00:00:00Z");
    assert_eq!(told(&behind, &wide), [("later", Some(at("2018-12-20T00:00:00Z")), 10 * DAY)]);
}

#[test]
fn a_waived_break_is_compared_and_a_note_is_not() {
    let waived = but(&dies_with(software(1, BROKEN)), |finding| {
        finding.severity = Severity::Note;
        finding.waived = Some("ops".to_owned());
    });
    assert_eq!(told(&waived, &sound()), [is("new", BROKEN)]);
    let noted = World::new().holding([software(1, BROKEN)]).gate();
    assert_eq!(noted.1.findings[0].code, FindingCode::ExpiredEmbeddedCredential);
    assert_eq!(told(&noted, &sound()), []);
}

#[test]
fn what_blocks_without_a_break_has_its_place_in_time() {
    let broken = dies_with(software(1, BROKEN));
    let open = but(&broken, |finding| {
        (finding.code, finding.bracket, finding.culprit) = (FindingCode::FailOpen, None, None);
    });
    assert_eq!(told(&open, &sound()), [("new", None, 0)]);
    assert_eq!(
        told(&open, &broken),
        [("new", None, 0), is("unseen in candidate", BROKEN)],
        "who is let in from the start on hides all that comes later"
    );
    // What policy forbids shows with the end of its credential, and what no credential explains with the end of the window.
    let forbidden = |culprit: bool| {
        but(&dies_with(Credential { subject: "CN=spare".to_owned(), ..software(3, BROKEN) }), |finding| {
            (finding.code, finding.bracket) = (FindingCode::ExpiredEmbeddedCredential, None);
            finding.culprit = finding.culprit.filter(|_| culprit);
        })
    };
    let late = dies_with(software(1, LATER));
    assert_eq!(told(&forbidden(true), &late), [("new", None, 0), is("defused", LATER)]);
    assert_eq!(told(&forbidden(false), &late), [("unseen in production", None, 0), is("defused", LATER)]);
}

#[test]
fn what_could_not_be_judged_is_not_compared() {
    let broken = dies_with(software(1, BROKEN));
    for (candidate, production, unjudged) in [
        (&broken, &unknown(), vec![Side::Production]),
        (&unknown(), &broken, vec![Side::Candidate]),
        (&unknown(), &unknown(), vec![Side::Candidate, Side::Production]),
        (&broken, &broken, vec![]),
    ] {
        let comparison = compared(candidate, production);
        assert_eq!(comparison.unjudged, unjudged);
        assert_eq!(comparison.differences.is_empty(), !unjudged.is_empty());
        assert_eq!(comparison.production.decision, production.1.decision);
    }
    let gated = Gated { record: &broken.0, verdict: &broken.1 };
    let comparison = Unjudged { scenario: &broken.0.scenario, why: "no engine" }.beside(gated);
    assert_eq!((comparison.unjudged, comparison.differences), (vec![Side::Production], vec![]));
    assert_eq!(comparison.production.decision, Decision::Inconclusive, "no gate came to a verdict");
    assert_eq!(comparison.production.headline, "no engine");
}

#[test]
fn the_worst_comes_first() {
    let (mut record, mut verdict) = dies_with(software(1, LATER));
    let (more, other) = dies_with(Credential { subject: "CN=licence".to_owned(), ..software(2, BROKEN) });
    record.inventory.add(more.inventory.credentials[0].clone());
    verdict.findings.extend(other.findings);
    assert_eq!(
        told(&(record.clone(), verdict.clone()), &dies_with(software(1, LATER))),
        [is("new", BROKEN), is("same", LATER)]
    );
    // One cause that shows twice is told once, as of its first second.
    let again = Finding { bracket: None, ..verdict.findings[1].clone() };
    verdict.findings.push(again);
    assert_eq!(told(&(record, verdict), &sound()), [is("new", BROKEN), is("new", LATER)]);
}

#[test]
fn peers_that_ran_from_another_image_are_named() {
    let with = |ids: [Option<&str>; 2]| {
        let (mut record, verdict) = sound();
        let images = record.scenario.services.iter().zip(ids).map(|(service, id)| RunImage {
            service: service.name.clone(),
            image: service.image.clone().unwrap(),
            id: id.map(str::to_owned),
            manifest: None,
        });
        record.images = images.collect();
        (record, verdict)
    };
    let run = with([Some("sha256:1"), Some("sha256:2")]);
    let comparison = compared(&run, &with([Some("sha256:3"), Some("sha256:4")]));
    assert_eq!(comparison.other_peers, [name("hss")], "the candidate itself is no peer");
    assert_eq!(comparison.production.image_id.as_deref(), Some("sha256:4"));
    assert_eq!(compared(&run, &with([None, None])).other_peers, []);
    assert_eq!(compared(&run, &run).other_peers, []);
}

/// Whether a run of a scenario that was changed so can be held against one of the scenario as it was.
fn changed(change: impl FnOnce(&mut Scenario)) -> Result<(), String> {
    let site = certificate(7, "CN=site", at(LATER));
    let ours = World::new().declaring("site", None, site).scenario;
    let mut theirs = ours.clone();
    change(&mut theirs);
    is_comparable(&ours, &theirs).map_err(|error| error.to_string())
}

#[test]
fn another_build_and_other_lines_of_the_file_are_no_other_scenario() {
    assert_eq!(changed(|_| {}), Ok(()));
    assert_eq!(
        changed(|scenario| {
            scenario.directory = "/elsewhere".into();
            scenario.checks[0].location.line += 9;
            scenario.checks[0].expect[0].location.line += 9;
            scenario.credentials[0].location.line += 9;
            let node = &mut scenario.services[1];
            node.location.line += 9;
            node.command = Some(vec!["/node".to_owned()]);
            node.image = Some(ImageRef::Host);
        }),
        Ok(())
    );
    // What only another build mounts is not declared for this one.
    assert_eq!(changed(|scenario| scenario.credentials.clear()), Ok(()));
}

#[test]
fn secrets_that_no_record_holds_tell_no_scenarios_apart() {
    let hidden = |text: &str| EnvValue::Hidden(Hidden::new(text.to_owned()));
    let [ours, theirs] = ["s3cret", ""].map(|text| {
        World::new()
            .with(|scenario| {
                scenario.services[0].env.insert("TOKEN".to_owned(), hidden(text));
            })
            .scenario
    });
    assert_eq!(is_comparable(&ours, &theirs), Ok(()));
}

#[test]
fn a_run_under_other_conditions_is_refused_by_what_is_different() {
    let refused = |change: fn(&mut Scenario)| changed(change).unwrap_err();
    let all = [
        refused(|scenario| scenario.name = ScenarioName::new("other").unwrap()),
        refused(|scenario| scenario.start = Start::Now(start().plus_secs(DAY))),
        refused(|scenario| scenario.horizon = at(LATER)),
        refused(|scenario| scenario.candidate.service = name("portal")),
        refused(|scenario| scenario.planning.depth = Depth::Full),
        refused(|scenario| scenario.file_times = FileTimes::Shifted),
        refused(|scenario| scenario.credentials[0].x509.not_after = at(BROKEN)),
        refused(|scenario| scenario.services[0].command = Some(vec!["/hss".to_owned()])),
        refused(|scenario| scenario.services[1].needs.clear()),
        refused(|scenario| scenario.services.truncate(2)),
        refused(|scenario| scenario.checks.truncate(2)),
        refused(|scenario| {
            let site = scenario.credentials[0].name.clone();
            scenario.rotations.push(Rotation {
                name: RotationName::new("renewal").unwrap(),
                at: at(BROKEN),
                credential: site.clone(),
                replaces: site.clone(),
                brings: site,
                replacement: Replacement::Rename,
                files: Vec::new(),
                then: None,
                served: None,
                location: location(9),
            });
        }),
        refused(|scenario| scenario.policy.require_coverage = Some(90)),
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
    it is of scenario other, and this one is world
    its simulated time begins at 2018-11-02T00:00:00Z, and here at 2018-11-01T00:00:00Z
    its support window ends at 2019-12-06T04:30:00Z, and here at 2020-11-01T00:00:00Z
    its candidate is portal, and here it is node
    it was planned otherwise: depth, dwell and restart have to be the same
    its services saw times of files otherwise: `file_times` has to be the same
    it declares site otherwise
    its service hss is not that of this scenario
    its service node is not that of this scenario
    its service portal is not that of this scenario
    its checks are not those of this scenario
    its rotations are not those of this scenario
    its policy is not that of this scenario
    ");
}
