//! Coverage, waivers and what else policy says.

use super::shared::*;
use crate::refine::tests::world::*;
use crate::*;

#[test]
fn a_declared_credential_that_no_check_meets_is_inconclusive() {
    let (_, verdict) = mounted(None).gate();
    assert_eq!(
        (verdict.decision, worst(&verdict)),
        (Decision::Inconclusive, Some(FindingCode::CredentialNotCrossed))
    );
    insta::assert_snapshot!(verdict.findings[0].summary, @"no check lived through the validity of site (CN=site), which ends at 2019-06-01T00:00:00Z");
    for service in ["hss", "node", "portal"] {
        assert_eq!(mounted(Some(service)).gate().1.decision, Decision::Allow, "{service}");
    }
    let blind = mounted(Some("portal")).with(|scenario| scenario.checks.truncate(2));
    assert_eq!(
        worst(&blind.gate().1),
        Some(FindingCode::CredentialNotCrossed),
        "no check reaches the portal"
    );
    let waived = mounted(None)
        .with(|scenario| waive(scenario, Waived::Fingerprint(Fingerprint::from_bytes([7; 32])), 30));
    assert_eq!(waived.gate().1.decision, Decision::Allow);
}

#[test]
fn a_look_that_cannot_tell_exercises_nothing() {
    let unverified = |host: &str| match tls(host) {
        Probe::Tls { host, port, terms } => {
            Probe::Tls { host, port, terms: TlsTerms { verify: Verify::Off, ..terms } }
        }
        other => other,
    };
    let log = Probe::Log { service: name("hss"), contains: "served".to_owned(), every: None };
    for (probe, exercises) in [
        (Probe::Alive { service: name("hss") }, false),
        (Probe::Tcp { host: "hss".to_owned(), port: 443 }, false),
        (unverified("hss"), false),
        (tls("hss"), true),
        (log, true),
    ] {
        assert_eq!(probe.exercises(), exercises, "{}", probe.kind());
    }
    // The portal holds it, and nothing but these looks reaches the portal.
    let through =
        |probe: Probe| mounted(Some("portal")).with(|scenario| scenario.checks[2].probe = probe).gate();
    for probe in [Probe::Tcp { host: "portal".to_owned(), port: 443 }, unverified("portal")] {
        let (_, verdict) = through(probe);
        assert_eq!(
            (verdict.decision, worst(&verdict)),
            (Decision::Inconclusive, Some(FindingCode::CredentialNotCrossed))
        );
        assert_eq!(verdict.coverage.exercised(), 0);
    }
    assert_eq!(through(tls("portal")).1.decision, Decision::Allow);
}

/// By another name, on another port, or because the check takes another kind of key.
#[test]
fn a_server_certificate_that_a_check_is_never_shown_is_not_met_by_it() {
    let other = certificate(9, "CN=other", at("2029-06-01T00:00:00Z"));
    let (site, declared) = declared("site", 7, at("2019-06-01T00:00:00Z"));
    let world = |usage: Vec<KeyUsage>, served: &Credential| {
        let world = mounted(Some(CANDIDATE)).ill(Ill::Serves { credential: served.clone() });
        world.with(|scenario| {
            scenario.credentials[0].x509.usage = usage;
            scenario.checks.truncate(2); // who depends on it may be shown what this check is not
            let key = MountedFile {
                path: "/key".to_owned(),
                source: MountedSource::Key(site.name.clone()),
                mode: 0o600,
                folder: None,
                location: location(7),
            };
            scenario.services.iter_mut().find(|it| it.name == name(CANDIDATE)).unwrap().files.push(key);
        })
    };
    let (_, verdict) = world(vec![KeyUsage::Server], &other).gate();
    assert_eq!(worst(&verdict), Some(FindingCode::CredentialNotCrossed));
    for (usage, served) in [(KeyUsage::Server, &declared), (KeyUsage::Client, &other)] {
        assert_eq!(world(vec![usage], served).gate().1.decision, Decision::Allow, "{usage:?}");
    }
}

#[test]
fn an_issuer_is_met_where_what_it_issued_is() {
    let (root, credential) = declared("root", 8, at("2019-06-01T00:00:00Z"));
    let world = mounted(Some("hss")).holding([credential]).with(|scenario| {
        scenario.credentials[0].x509.issuer = X509Issuer::IssuedBy(root.name.clone());
        scenario.credentials.push(root);
    });
    assert_eq!(world.gate().1.decision, Decision::Allow);
}

#[test]
fn a_served_credential_behind_a_waived_break_is_not_crossed() {
    let mut served = certificate(9, "CN=served", at("2019-06-01T00:00:00Z"));
    served.origin = Origin::Served;
    served.places.clear();
    let world = outage().ill(Ill::Serves { credential: served }).with(|scenario| {
        waive(scenario, Waived::Fingerprint(embedded().fingerprint), 30);
    });
    assert_eq!(worst(&world.gate().1), Some(FindingCode::CredentialNotCrossed));
}

#[test]
fn a_client_certificate_is_met_by_the_check_that_shows_it() {
    let world = mounted(None).with(|scenario| {
        let Probe::Tls { terms, .. } = &mut scenario.checks[0].probe else { panic!("checks here are TLS") };
        terms.identity = Some(CredentialName::new("site").unwrap());
    });
    assert_eq!(world.gate().1.decision, Decision::Allow);
}

#[test]
fn waivers_let_pass_what_they_name_and_no_more() {
    let code = |text: &str| Waived::Code(text.to_owned());
    let own = Waived::Fingerprint(embedded().fingerprint);
    let other = Waived::Fingerprint(Fingerprint::from_bytes([9; 32]));
    let table: [(Waived, i64, Decision, Option<FindingCode>); 6] = [
        (code("breaks-in-window"), 30, Decision::Block, Some(FindingCode::BreaksInWindow)),
        (own.clone(), 0, Decision::Allow, None),
        (own.clone(), 30, Decision::Allow, None),
        (other, 30, Decision::Block, Some(FindingCode::BreaksInWindow)),
        (code("flaky"), 30, Decision::Block, Some(FindingCode::BreaksInWindow)),
        (own, -1, Decision::Block, Some(FindingCode::BreaksInWindow)),
    ];
    for (waives, days, decision, expected) in table {
        let (_, verdict) = outage().with(|scenario| waive(scenario, waives.clone(), days)).gate();
        assert_eq!((verdict.decision, worst(&verdict)), (decision, expected), "{waives:?} for {days} days");
        if decision == Decision::Allow {
            assert!(verdict.findings[0].waived.as_ref().unwrap().starts_with("ops until"));
        }
    }
    let (_, verdict) = World::new().with(|scenario| waive(scenario, code("flaky"), -1)).gate();
    assert_eq!((verdict.decision, worst(&verdict)), (Decision::Block, Some(FindingCode::WaiverExpired)));
    assert_eq!(verdict.findings[0].location, Some(location(90)));
}

#[test]
fn a_waiver_is_narrowed_by_all_that_it_says() {
    let own = || Waived::Fingerprint(embedded().fingerprint);
    let all: Vec<CheckName> = outage().scenario.checks.iter().map(|check| check.name.clone()).collect();
    let only = |code: Option<&str>, service: Option<&str>, checks: &[CheckName]| Narrowing {
        code: code.map(str::to_owned),
        service: service.map(name),
        checks: checks.to_vec(),
    };
    for (only, decision) in [
        (only(Some("breaks-in-window"), Some(CANDIDATE), &all), Decision::Allow),
        (only(Some("flaky"), None, &[]), Decision::Block),
        (only(None, Some("portal"), &[]), Decision::Block),
        (only(None, None, &all[..1]), Decision::Block),
    ] {
        let (_, verdict) = outage().with(|scenario| waive_only(scenario, own(), only.clone(), 30)).gate();
        assert_eq!(verdict.decision, decision, "{only:?}");
    }
}

#[test]
fn a_credential_made_anew_in_each_run_is_waived_by_its_name() {
    let named = |text: &str| {
        let waived = Waived::Credential(CredentialName::new(text).unwrap());
        mounted(None).with(|scenario| waive(scenario, waived, 30)).gate().1.decision
    };
    assert_eq!((named("site"), named("other")), (Decision::Allow, Decision::Inconclusive));
}

#[test]
fn a_waiver_that_names_no_credential_lets_no_break_pass_and_is_told() {
    let waived = || Waived::Code("breaks-in-window".to_owned());
    let (_, verdict) = outage().with(|scenario| waive(scenario, waived(), 30)).gate();
    let told = (FindingCode::WaiverTooBroad, Severity::Note);
    assert_eq!(codes(&verdict), [(FindingCode::BreaksInWindow, Severity::Block), told]);
    assert_eq!(verdict.findings[1].location, Some(location(90)));
    insta::assert_snapshot!(verdict.findings[1].summary, @"the waiver of ops for breaks-in-window does not say for which credential");

    // Checks name it where no credential is behind it, and there alone.
    let checks: Vec<CheckName> = outage().scenario.checks.iter().map(|check| check.name.clone()).collect();
    let only = Narrowing { checks, ..Narrowing::default() };
    let with_checks = |world: World| {
        codes(&world.with(|scenario| waive_only(scenario, waived(), only.clone(), 30)).gate().1)
    };
    assert_eq!(with_checks(outage()), [(FindingCode::BreaksInWindow, Severity::Block), told]);
    let bomb = || World::new().ill(Ill::RefusesNew { from: at(BROKEN), culprit: None });
    assert_eq!(bomb().gate().1.decision, Decision::Block);
    assert_eq!(with_checks(bomb()), [(FindingCode::BreaksInWindow, Severity::Note)]);
}

#[test]
fn a_waiver_that_covers_nothing_is_told_unless_other_scenarios_share_it() {
    let told = vec![(FindingCode::WaiverUnmatched, Severity::Note)];
    let flaky = || Waived::Code("flaky".to_owned());
    let (_, verdict) = World::new().with(|scenario| waive(scenario, flaky(), 30)).gate();
    assert_eq!((verdict.decision, codes(&verdict)), (Decision::Allow, told));
    insta::assert_snapshot!(verdict.findings[0].summary, @"the waiver of ops for flaky covers nothing that was found");
    let shared = |scenario: &mut Scenario| {
        waive(scenario, flaky(), 30);
        scenario.policy.waivers[0].shared = true;
    };
    assert_eq!(codes(&World::new().with(shared).gate().1), []);
    // Behind a break, one that is waived too, may lie what it is for.
    let own = || Waived::Fingerprint(embedded().fingerprint);
    for also in [None, Some(own())] {
        let world = outage().with(|scenario| waive(scenario, flaky(), 30));
        let (_, verdict) = world.with(|s| also.into_iter().for_each(|waived| waive(s, waived, 30))).gate();
        assert!(codes(&verdict).iter().all(|(code, _)| *code != FindingCode::WaiverUnmatched), "{verdict:?}");
    }
    // What was not looked at may be what it is for.
    let (_, unseen) = mounted(None).with(|scenario| waive(scenario, flaky(), 30)).gate();
    assert_eq!(codes(&unseen), [(FindingCode::CredentialNotCrossed, Severity::Inconclusive)]);
}

#[test]
fn a_waived_break_does_not_hide_what_lies_behind_it() {
    let (spec, credential) = declared("site", 7, at("2019-06-01T00:00:00Z"));
    let world = outage().holding([credential]).with(|scenario| {
        let source = MountedSource::Chain(spec.name.clone());
        let file =
            MountedFile { path: "/t".to_owned(), source, mode: 0o644, folder: None, location: location(6) };
        scenario.services[1].files.push(file);
        scenario.credentials.push(spec);
        waive(scenario, Waived::Fingerprint(embedded().fingerprint), 30);
    });
    let (_, verdict) = world.gate();
    assert_eq!(
        (verdict.decision, worst(&verdict)),
        (Decision::Inconclusive, Some(FindingCode::CredentialNotCrossed))
    );
}

#[test]
fn what_the_candidate_holds_and_a_waived_break_hides_is_not_allowed() {
    let hidden = certificate(7, "CN=licence", at("2019-06-01T00:00:00Z"));
    let world = outage().holding([hidden.clone()]);
    let (_, verdict) =
        world.with(|scenario| waive(scenario, Waived::Fingerprint(embedded().fingerprint), 30)).gate();
    let told: Vec<_> = verdict.findings.iter().map(|finding| (finding.code, finding.culprit)).collect();
    assert_eq!(told[0], (FindingCode::CredentialNotCrossed, Some(hidden.fingerprint)), "{told:?}");
    assert!(verdict.findings.iter().any(|it| it.summary.ends_with("and a break hides what that does")));
}

/// Where the gate made what is waived, it looks at the window without that.
#[test]
fn what_a_waived_break_of_a_declared_credential_hides_is_looked_at() {
    let shop = || certificate(1, "CN=shop", at(END));
    let waived = |scenario: &mut Scenario| {
        waive(scenario, Waived::Credential(CredentialName::new("shop").unwrap()), 30);
    };
    let world = || World::new().declaring("shop", None, shop()).ill(Ill::Needs { name: "shop" }).with(waived);
    let later = || certificate(7, "CN=licence", at("2019-06-01T00:00:00Z"));
    for well in [world(), world().declaring("licence", None, later())] {
        let (record, verdict) = well.gate();
        assert_eq!(verdict.decision, Decision::Allow, "{:#?}", verdict.findings);
        assert!(record.case(&id("walk-mended")).is_some() && record.case(&id("cold-mended")).is_some());
    }
    for ill in [
        Ill::Needs { name: "licence" },
        Ill::ColdFails { from: at("2019-06-01T00:00:00Z") },
        Ill::RefusesNew { from: at("2019-06-01T00:00:00Z"), culprit: None },
    ] {
        let (_, verdict) = world().declaring("licence", None, later()).ill(ill).gate();
        assert_eq!(verdict.decision, Decision::Inconclusive, "{:#?}", verdict.findings);
        assert_eq!(verdict.findings[0].code, FindingCode::BreaksInWindow);
    }
}

/// The trial shows that it is not what was waived, or not that alone.
#[test]
fn a_waiver_covers_no_break_that_stays_though_what_it_names_is_issued_anew() {
    let shop = || certificate(1, "CN=shop", at(END));
    let waived = |scenario: &mut Scenario| {
        waive(scenario, Waived::Credential(CredentialName::new("shop").unwrap()), 30);
    };
    let also = Ill::RefusesNew { from: at(BROKEN), culprit: None };
    let (_, verdict) = World::new().declaring("shop", None, shop()).ill(also).with(waived).gate();
    assert_eq!(verdict.decision, Decision::Block, "{:#?}", verdict.findings);
    assert!(verdict.findings[0].summary.contains("not that"), "{}", verdict.findings[0].summary);
}

/// Before the control nothing of the window has been seen.
#[test]
fn a_waived_break_of_the_first_day_allows_no_window_that_nobody_lived_through() {
    let dies = Ill::Dies { from: at("2018-11-01T22:40:42Z"), at_start: true, watchdog: None, log: "too old" };
    let world = || World::new().ill(dies.clone()).with(|scenario| scenario.file_times = FileTimes::Shifted);
    let (_, broken) = world().gate();
    assert_eq!(broken.decision, Decision::Block);
    let waived = |scenario: &mut Scenario| {
        waive(scenario, Waived::Code("breaks-in-window".to_owned()), 30);
        let checks = broken.findings[0].checks.iter().map(|(check, _)| check.clone());
        scenario.policy.waivers[0].only.checks.extend(checks);
    };
    let (_, verdict) = world().with(waived).gate();
    assert!(verdict.findings.iter().any(|finding| finding.waived.is_some()), "{:#?}", verdict.findings);
    assert_eq!(
        (verdict.decision, worst(&verdict)),
        (Decision::Inconclusive, Some(FindingCode::PlanIncomplete))
    );
}

#[test]
fn another_check_that_fails_behind_a_waived_break_is_not_allowed() {
    let world = || {
        let world = outage().ill(Ill::HssRefuses { from: at("2019-06-01T00:00:00Z") });
        world.with(|scenario| waive(scenario, Waived::Fingerprint(embedded().fingerprint), 30))
    };
    let (_, verdict) = world().gate();
    let first = &verdict.findings[0];
    assert_eq!(verdict.decision, Decision::Inconclusive);
    assert_eq!((first.code, first.services[0].as_str()), (FindingCode::BreaksInWindow, "hss"));
    insta::assert_snapshot!(first.summary, @"check registers is seen to fail at 2020-10-25T04:00:00Z too, behind a break that is waived, and what breaks it was not searched for");
    let by_check = |scenario: &mut Scenario| {
        waive(scenario, Waived::Code("breaks-in-window".to_owned()), 30);
        scenario.policy.waivers[1].only.checks.extend(first.checks.iter().map(|(check, _)| check.clone()));
    };
    assert_eq!(world().with(by_check).gate().1.decision, Decision::Allow);
}

#[test]
fn a_certificate_that_is_refused_in_its_last_second_has_been_exercised() {
    let culprit = Some(embedded().fingerprint);
    for from in [END, BROKEN] {
        let ill = Ill::RefusesNew { from: at(from), culprit };
        // A held connection would tell by itself.
        let world = World::new().holding([embedded()]).ill(ill);
        let (_, verdict) = world.with(|s| s.checks[0].connections = vec![Connection::Fresh]).gate();
        assert_eq!((verdict.decision, verdict.findings[0].culprit), (Decision::Block, culprit), "{from}");
        assert_eq!(verdict.coverage.entries[0].touch, Touch::Exercised, "{from}");
    }
}

#[test]
fn coverage_is_counted_and_policy_may_demand_it() {
    let unreached = held_by("lonely", certificate(8, "CN=lonely", at("2019-03-01T00:00:00Z")));
    let world = || World::new().holding([embedded(), unreached.clone()]);
    let (_, verdict) = world().gate();
    assert_eq!(
        (verdict.decision, verdict.coverage.exercised(), verdict.coverage.entries.len()),
        (Decision::Allow, 1, 2)
    );
    assert_eq!(verdict.coverage.entries[1].touch, Touch::Never);
    let demanding = |share| world().with(|scenario| scenario.policy.require_coverage = Some(share)).gate().1;
    assert_eq!(demanding(50).decision, Decision::Allow);
    assert_eq!(worst(&demanding(51)), Some(FindingCode::CoverageBelowPolicy));
    assert_eq!(demanding(51).decision, Decision::Inconclusive);
}

#[test]
fn anchors_are_what_verifies_others_and_signs_nothing_here() {
    let mut key = certificate(7, "Archive Signing Key", at("2019-01-01T00:00:00Z"));
    key.kind = crate::CredentialKind::OpenPgpKey;
    assert!(!crate::is_anchor(&key), "compiled into a program");
    key.places[0].container = Container::OpenPgp;
    assert!(crate::is_anchor(&key));
    key.places[0].private_key = Some("/etc/keys/ring.gpg".to_owned());
    assert!(!crate::is_anchor(&key), "whoever holds the private part signs with it");
    let mut root = certificate(8, "CN=root", at("2019-01-01T00:00:00Z"));
    (root.ca, root.places[0].container) = (true, Container::Pem);
    assert!(crate::is_anchor(&root));
    root.places[0].private_key = Some("/etc/ca.key".to_owned());
    assert!(!crate::is_anchor(&root));
    root.places[0].private_key = None;
    for (container, compiled_in, expected) in [
        (Container::Pem, Some(CompiledIn::Alone), false),
        (Container::Pem, Some(CompiledIn::InBundle), true),
        (Container::DerInElf, Some(CompiledIn::InBundle), true),
        (Container::DerInElf, None, false), // a record of an earlier version
    ] {
        (root.places[0].container, root.places[0].compiled_in) = (container, compiled_in);
        assert_eq!(crate::is_anchor(&root), expected, "{container} {compiled_in:?}");
    }
}

#[test]
fn a_certificate_that_ends_unused_is_what_policy_says() {
    let mut anchor = certificate(5, "CN=an old root", at("2019-01-01T00:00:00Z"));
    anchor.ca = true;
    anchor.places[0].container = Container::Pem;
    let judged = |policy| {
        let world = World::new().holding([
            embedded(),
            anchor.clone(),
            certificate(6, "CN=late", at("2021-01-01T00:00:00Z")),
        ]);
        let (_, verdict) = world.with(|scenario| scenario.policy.present_but_unused = policy).gate();
        (verdict.decision, codes(&verdict))
    };
    let code = FindingCode::ExpiredEmbeddedCredential;
    assert_eq!(judged(PresentButUnused::Warn), (Decision::Allow, vec![(code, Severity::Note)]));
    assert_eq!(judged(PresentButUnused::Ignore), (Decision::Allow, vec![]));
    assert_eq!(judged(PresentButUnused::Block), (Decision::Block, vec![(code, Severity::Block)]));
}

#[test]
fn under_doubt_only_what_a_tls_check_saw_end_is_no_doubt() {
    let code = FindingCode::ExpiredEmbeddedCredential;
    let judged = |world: World| {
        let doubt = |scenario: &mut Scenario| scenario.policy.present_but_unused = PresentButUnused::Doubt;
        let (_, verdict) = world.with(doubt).gate();
        (verdict.decision, codes(&verdict))
    };
    // The checks of the world look at the service, and none at what the certificate is for.
    let unseen = World::new().holding([embedded()]);
    assert_eq!(judged(unseen), (Decision::Inconclusive, vec![(code, Severity::Inconclusive)]));
    let mut list = embedded();
    list.kind = crate::CredentialKind::LeapSeconds;
    assert_eq!(judged(World::new().holding([list])), (Decision::Allow, vec![(code, Severity::Note)]));
    let served = World::new().holding([embedded()]).ill(Ill::Serves { credential: embedded() });
    assert_eq!(judged(served), (Decision::Allow, vec![(code, Severity::Note)]));
}

#[test]
fn under_doubt_a_command_that_passes_beside_tls_that_verifies_nothing_shows_no_end() {
    let judged = |world: World, policy, verify| {
        let healthy = |scenario: &mut Scenario| {
            scenario.policy.present_but_unused = policy;
            for check in &mut scenario.checks {
                if let Probe::Tls { terms, .. } = &mut check.probe {
                    terms.verify = verify;
                }
            }
            let probe = Probe::Exec { service: name(CANDIDATE), command: vec!["true".to_owned()] };
            scenario.checks.push(check("health", probe, &[Connection::Fresh], 70));
        };
        worst(&world.with(healthy).gate().1)
    };
    let lying = || World::new().holding([embedded()]).ill(Ill::Serves { credential: embedded() });
    let made = Credential { origin: Origin::Served, places: Vec::new(), ..embedded() };
    let serving = || World::new().ill(Ill::Serves { credential: made.clone() });
    let (doubt, ignore) = (PresentButUnused::Doubt, PresentButUnused::Ignore);
    for verify in [Verify::Off, Verify::Dates, Verify::Strict] {
        assert_eq!(judged(lying(), ignore, verify), None);
        assert_eq!(judged(serving(), ignore, verify), None);
    }
    for verify in [Verify::Dates, Verify::Strict] {
        assert_eq!(judged(serving(), doubt, verify), None);
    }
    assert_eq!(judged(lying(), doubt, Verify::Off), Some(FindingCode::ExpiredEmbeddedCredential));
    assert_eq!(judged(serving(), doubt, Verify::Off), Some(FindingCode::CredentialNotCrossed));
}

#[test]
fn an_allow_names_the_nearest_edge_beyond_the_horizon() {
    let horizon = World::new().scenario.horizon;
    for (ends, next) in [
        (horizon.plus_secs(-1), None),
        (horizon, Some(horizon)),
        (horizon.plus_secs(DAY), Some(horizon.plus_secs(DAY))),
    ] {
        let (_, verdict) = World::new().holding([certificate(1, "CN=node", ends)]).gate();
        assert_eq!(verdict.next_edge.map(|edge| edge.at), next);
    }
}

#[test]
fn a_run_that_was_cut_short_says_so_before_what_it_has_not_looked_at() {
    let stopped = mounted(Some("hss")).tampered(|events| fail_with(events, "walk", CaseError::Interrupted));
    let verdict = stopped.gate().1;
    let found: Vec<FindingCode> = codes(&verdict).into_iter().map(|(code, _)| code).collect();
    assert_eq!(found, [FindingCode::Interrupted, FindingCode::CredentialNotCrossed]);
}
