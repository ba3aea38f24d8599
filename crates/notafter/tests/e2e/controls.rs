//! Causal controls: the credential that is blamed is issued anew, and the case that broke runs again.

use super::edited::{Gated, gate};
use notafter_core::{Decision, Effect, Evidence, Origin, Purpose};

/// What each trial issued anew and what came of it, in the order in which they ran.
fn trials(gated: &Gated) -> Vec<(Vec<String>, Effect)> {
    let reissued = gated.record.cases.iter().filter_map(|case| match &case.case.purpose {
        Purpose::Reissued { credentials, .. } => Some((&case.case.id, credentials)),
        _ => None,
    });
    let evidence = &gated.worst().evidence;
    let effect = |id| {
        evidence.iter().find_map(|evidence| match evidence {
            Evidence::CausalControl { effect, case, .. } if case == id => Some(*effect),
            _ => None,
        })
    };
    reissued
        .map(|(id, names)| {
            let names = names.iter().map(ToString::to_string).collect();
            (names, effect(id).unwrap_or_else(|| panic!("{id}: {}", gated.text)))
        })
        .collect()
}

fn culprit(gated: &Gated) -> String {
    let culprit = gated.worst().culprit.and_then(|culprit| gated.record.inventory.find(culprit));
    match culprit.map(|culprit| &culprit.origin) {
        Some(Origin::Declared(name)) => name.to_string(),
        other => panic!("{other:?}: {}", gated.text),
    }
}

#[test]
fn of_two_certificates_that_end_together_the_one_that_customers_meet_is_named() {
    let shop = gate("two-ends", "nginx", &[], &[]);
    let admin = gate("two-ends", "nginx", &[("ASKS", "https://site:9443/")], &[]);
    let (Some(shop), Some(admin)) = (shop, admin) else { return };
    for (gated, name) in [(&shop, "shop"), (&admin, "admin")] {
        assert_eq!(gated.verdict.decision, Decision::Block, "{}", gated.text);
        assert_eq!(culprit(gated), name, "{}", gated.text);
        assert_eq!(gated.worst().uncontrolled, None, "{}", gated.text);
        let launches = gated.record.cases.len();
        assert!(launches <= 8, "{launches} launches: {}", gated.text);
        let told = "1. with it issued anew to end at 2032-01-01T00:00:00Z";
        assert!(gated.text.contains(told), "{told}: {}", gated.text);
    }
    let one = |name: &str, effect| (vec![name.to_owned()], effect);
    assert_eq!(trials(&shop), [one("admin", Effect::MendsNothing), one("shop", Effect::Mends)]);
    assert_eq!(trials(&admin), [one("admin", Effect::Mends)]);
}

#[test]
fn one_launch_more_shows_that_the_certificate_of_nginx_is_the_cause() {
    let Some(broken) = gate("nginx-tls", "nginx", &[], &[]) else { return };
    assert_eq!(culprit(&broken), "site", "{}", broken.text);
    assert_eq!(trials(&broken), [(vec!["site".to_owned()], Effect::Mends)], "{}", broken.text);
    assert!(broken.record.cases.len() <= 8, "{} launches: {}", broken.record.cases.len(), broken.text);
    let served = |credential: &&notafter_core::Credential| credential.origin == Origin::Served;
    assert_eq!(broken.record.inventory.credentials.iter().find(served), None, "{}", broken.text);

    let lasting = gate("nginx-tls", "nginx", &[("SITE_LIFE", "2y")], &[]).unwrap();
    assert_eq!(lasting.verdict.decision, Decision::Allow, "{}", lasting.text);
    assert!(lasting.record.cases.len() <= 5, "{}", lasting.text);
}

/// A list is as much the gate's to issue as a certificate is.
#[test]
fn a_revocation_list_is_issued_anew() {
    let builds = "\
builds:
  broken:   { files: { /etc/front/crl.pem: { crl: monthly } } }
  repaired: { files: { /etc/front/crl.pem: { crl: yearly } } }
";
    let told = "\
replay:
  - { build: broken, verdict: block, breaks_at: monthly.not_after, cause: { declared: monthly }, falls: [partner-gets-in] }
  - { build: repaired, verdict: allow }
";
    let key = "/etc/front/tls.key: { key: front }\n";
    let with_list = format!("{key}      /etc/front/crl.pem: {{ crl: monthly }}\n");
    let edits = [(builds, ""), (told, ""), (key, with_list.as_str())];
    let Some(stale) = gate("incidents/stale-crl", "nginx", &[], &edits) else { return };
    assert_eq!(stale.verdict.decision, Decision::Block, "{}", stale.text);
    assert_eq!(trials(&stale), [(vec!["monthly".to_owned()], Effect::Mends)], "{}", stale.text);
}
