//! What a scenario holds and no record of it: sent beside it, once, to where its services run.

use notafter_core::{Build, Check, EnvValue, Hidden, Probe, Scenario};

/// Takes the hidden texts of `scenario`, in the order in which [`put_back`] takes them.
pub(super) fn taken(scenario: &mut Scenario) -> Vec<String> {
    let mut texts = Vec::new();
    each(scenario, &mut |hidden| texts.push(hidden.reveal().to_owned()));
    texts
}

/// Puts them where they were; false where they are not as many.
pub(super) fn put_back(scenario: &mut Scenario, texts: Vec<String>) -> bool {
    let mut texts = texts.into_iter();
    let mut complete = true;
    each(scenario, &mut |hidden| match texts.next() {
        Some(text) => *hidden = Hidden::new(text),
        None => complete = false,
    });
    complete && texts.next().is_none()
}

fn each(scenario: &mut Scenario, visit: &mut dyn FnMut(&mut Hidden)) {
    let builds = scenario.builds.iter_mut().chain(&mut scenario.candidate.build);
    let of_builds = builds.flat_map(|Build { env, .. }| env.values_mut());
    let of_services = scenario.services.iter_mut().flat_map(|service| service.env.values_mut());
    let of_checks = scenario.checks.iter_mut().flat_map(Check::probes_mut).filter_map(Probe::password_mut);
    for value in of_services.chain(of_builds).chain(of_checks) {
        if let EnvValue::Hidden(hidden) = value {
            visit(hidden);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::scene;
    use notafter_core::{SqlServer, SqlTerms};

    #[test]
    fn what_no_message_holds_is_there_again_on_the_other_side() {
        let hidden = |text: &str| EnvValue::Hidden(Hidden::new(text.to_owned()));
        let terms = SqlTerms {
            user: "app".to_owned(),
            password: Some(hidden("of the database")),
            database: String::new(),
            query: "select 1".to_owned(),
        };
        let (host, server) = ("register".to_owned(), SqlServer::Postgres);
        let probe = Probe::Sql { server, host, port: 5432, terms, tls: None };
        let mut scenario = scene::scenario(vec![scene::check("logs-in", probe)]);
        for (service, text) in scenario.services.iter_mut().zip(["first", "second"]) {
            service.env.insert("PLAIN".to_owned(), EnvValue::Plain("seen".to_owned()));
            service.env.insert("WORD".to_owned(), hidden(text));
        }
        let text = serde_json::to_string(&scenario).unwrap();
        assert!(!text.contains("second") && !text.contains("of the database"), "{text}");
        let texts = taken(&mut scenario);
        assert_eq!(texts, ["first", "second", "of the database"]);
        let mut there: Scenario = serde_json::from_str(&text).unwrap();
        assert_ne!(there, scenario);
        assert!(!put_back(&mut there, texts[1..].to_vec()));
        assert!(put_back(&mut there, texts));
        assert_eq!(there, scenario);
    }
}
