//! What a scenario lets pass, and the policy that it shares with others.

use crate::base::{BASE, NOW, at, edited, read, source, variable};
use notafter_core::{PresentButUnused, Scenario, Waived};
use notafter_scenario::{Code, Context, Diagnostics, Disk, Error, Palette, Source, load, parse, policy_file};
use std::fs;
use std::path::Path;

/// A mistake in a shared policy, and its code.
const MISTAKES: &[(&str, Code)] = &[
    ("notafter = 1\n[policy]\nrequire = '90%'", Code::UnknownKey),
    ("notafter = 1\n[policy", Code::NotToml),
    ("notafter = 2", Code::UnsupportedVersion),
    ("[policy]", Code::UnsupportedVersion),
    ("notafter = 1\n[policy]\nrequire_coverage = 90", Code::WrongType),
    ("notafter = 1\n[policy]\nrequire_coverage = '900%'", Code::BadPercentage),
];

/// What only such mistakes produce, and others too.
pub(crate) fn codes() -> impl Iterator<Item = Code> {
    MISTAKES.iter().map(|(_, code)| *code)
}

/// The base under a shared policy.
fn under(policy: &str, text: &str) -> Result<Scenario, Diagnostics> {
    let policy = Source::new("notafter.toml".to_owned(), policy.to_owned(), ".".into());
    let source = Source { policy: Some(Box::new(policy)), ..source(text) };
    parse(&source, &Context { now: at(NOW), variables: &variable, candidate: None, files: &Disk })
}

fn under_base(policy: &str) -> Scenario {
    under(&format!("notafter = 1\n{policy}"), BASE).unwrap()
}

fn code(diagnostics: &Diagnostics) -> Vec<Code> {
    diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn a_waiver_names_what_it_covers_and_narrows_it() {
    let waiver = |keys: &str| {
        let text = edited("code: flaky", keys);
        read(&text).map(|mut scenario| scenario.policy.waivers.remove(0))
    };
    let digits = "AB:".repeat(31) + "AB";
    let by_print = waiver(&format!("fingerprint: \"{digits}\", code: breaks-in-window")).unwrap();
    assert!(matches!(by_print.waives, Waived::Fingerprint(print) if print.short() == "abababab"));
    assert_eq!(by_print.only.code.as_deref(), Some("breaks-in-window"));
    assert_eq!((by_print.until, by_print.shared), (at("2020-11-01T00:00:00Z"), false));
    let by_name = waiver("credential: site, service: db, checks: [answers]").unwrap();
    assert!(matches!(&by_name.waives, Waived::Credential(name) if name.as_str() == "site"));
    assert_eq!(by_name.only.service.unwrap().as_str(), "db");
    assert_eq!(by_name.only.checks.len(), 1);
    for (keys, expected) in [
        ("credential: sight", Code::UndefinedCredential),
        ("code: flaky, service: dbase", Code::UndefinedService),
        ("code: flaky, checks: [answer]", Code::UndefinedCheck),
        ("credential: site, fingerprint: \"00\"", Code::ConflictingKeys),
        ("service: db", Code::MissingKey),
    ] {
        assert_eq!(code(&waiver(keys).unwrap_err()), [expected], "{keys}");
    }
}

#[test]
fn of_two_policies_the_stricter_holds() {
    let coverage = |policy: &str, own: &str| {
        let text = edited("require_coverage: 100%", own);
        let policy = under(&format!("notafter = 1\n[policy]\n{policy}"), &text).unwrap().policy;
        (policy.require_coverage, policy.present_but_unused)
    };
    let (warn, block) = (PresentButUnused::Warn, PresentButUnused::Block);
    let nothing = "present_but_unused: warn";
    assert_eq!(coverage("require_coverage = '90%'", nothing), (Some(90), warn));
    assert_eq!(coverage("require_coverage = '90%'", "require_coverage: 80%"), (Some(90), warn));
    assert_eq!(coverage("require_coverage = '90%'", "require_coverage: 95%"), (Some(95), warn));
    assert_eq!(coverage("present_but_unused = 'block'", nothing), (None, block));
    assert_eq!(coverage("present_but_unused = 'ignore'", nothing), (None, warn));
    assert_eq!(coverage("present_but_unused = 'ignore'", "# nothing").1, PresentButUnused::Ignore);
}

#[test]
fn shared_waivers_say_for_whom_and_where_they_stand() {
    let shared = under_base(
        "[[policy.waivers]]\ncode = 'never-idle'\nowner = 'ops'\nreason = 'polls'\nuntil = 2027-01-01T00:00:00Z\n\
         [[scenarios.base.waivers]]\ncredential = 'site'\nowner = 'web'\nreason = 'known'\nuntil = '2027-01-01T00:00:00Z'\n\
         [[scenarios.other.waivers]]\ncredential = 'elsewhere'\nowner = 'web'\nreason = 'known'\nuntil = '2027-01-01T00:00:00Z'\n",
    );
    assert_eq!(shared.remarks, ["the policy of notafter.toml holds here too"]);
    let waivers = shared.policy.waivers;
    let told: Vec<(String, bool, String, u32)> = waivers
        .iter()
        .map(|it| (it.waives.to_string(), it.shared, it.location.file.clone(), it.location.line))
        .collect();
    let file = || "notafter.toml".to_owned();
    assert_eq!(
        told,
        [
            ("never-idle".to_owned(), true, file(), 2),
            ("site".to_owned(), false, file(), 7),
            ("flaky".to_owned(), false, "scenario.yaml".to_owned(), 48),
        ]
    );
    assert_eq!(waivers[0].until, at("2027-01-01T00:00:00Z"));
}

#[test]
fn a_waiver_for_all_scenarios_that_names_what_this_one_lacks_holds_elsewhere() {
    let rest = "owner = 'ops'\nreason = 'known'\nuntil = 2027-01-01T00:00:00Z\n";
    for names in
        ["credential = 'gone'", "code = 'flaky'\nchecks = ['gone']", "code = 'flaky'\nservice = 'gone'"]
    {
        let policy = format!("[[policy.waivers]]\n{names}\n{rest}");
        assert_eq!(under_base(&policy).policy.waivers.len(), 1, "{names}");
        let own = format!("notafter = 1\n{}", policy.replace("policy.", "scenarios.base."));
        assert!(under(&own, BASE).is_err(), "{names}: for one scenario it is a mistake");
    }
}

#[test]
fn what_is_wrong_with_a_shared_policy_is_said_with_its_place() {
    for (policy, expected) in MISTAKES {
        assert_eq!(code(&under(policy, BASE).unwrap_err()), [*expected], "{policy}");
    }
    let wrong = under("notafter = 1\n[policy]\nrequire_coverage = '900%'", BASE).unwrap_err();
    insta::assert_snapshot!(wrong.render(Palette::Plain));
}

#[test]
fn a_policy_holds_up_to_the_root_of_its_repository() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("notafter.toml", "notafter = 1 # nobody's");
    write("repo/scenarios/shop/scenario.yaml", "a scenario");
    let shop = root.join("repo/scenarios/shop");
    let shared = |path: &Path| load(path).unwrap().policy.map(|policy| policy.text);
    assert_eq!(shared(&shop), None, "outside of a repository nothing above counts");
    fs::create_dir(root.join("repo/.git")).unwrap();
    assert_eq!((shared(&shop), policy_file(&shop)), (None, None));
    write("repo/notafter.toml", "notafter = 1 # of all");
    assert_eq!(shared(&shop).as_deref(), Some("notafter = 1 # of all"));
    assert_eq!(policy_file(&shop).unwrap().canonicalize().unwrap(), root.join("repo/notafter.toml"));
    let before = load(&shop).unwrap().bytes();
    write("repo/scenarios/notafter.toml", "notafter = 1 # of some");
    let source = load(&shop.join("scenario.yaml")).unwrap();
    assert_eq!(source.policy.as_ref().unwrap().text, "notafter = 1 # of some", "the nearest holds");
    assert_ne!(source.bytes(), before, "an attestation is about the policy too");
    let whole = source.text.clone() + &source.policy.as_ref().unwrap().text;
    let without = Source::new(source.file.clone(), whole, source.directory.clone());
    assert_ne!(source.bytes(), without.bytes(), "a policy is no part of the scenario's text");
    fs::remove_file(root.join("repo/scenarios/notafter.toml")).unwrap();
    std::os::unix::fs::symlink("gone", root.join("repo/scenarios/notafter.toml")).unwrap();
    assert!(
        matches!(load(&shop), Err(Error::Unreadable { .. })),
        "the laxer one above must not take its place"
    );
}

proptest::proptest! {
    #[test]
    fn no_policy_makes_the_reading_panic(begin in "(notafter = 1\n|\\[policy\\]\n|\\[\\[policy.waivers\\]\\]\n)*", rest in ".{0,40}") {
        drop(under(&format!("{begin}{rest}"), BASE));
    }
}

#[test]
fn a_policy_that_nests_without_end_is_refused() {
    for policy in [
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{b=".repeat(100_000)),
        format!("{} = 1", ["a"; 100_000].join(".")),
        format!("[{}]", ["a"; 100_000].join(".")),
    ] {
        assert!(under(&policy, BASE).is_err());
    }
}
