//! What services are given beside files: the environment and the arguments of their main process.

use crate::Variables;
use notafter_core::{EnvValue, Service};
use notafter_image::ImageConfig;
use notafter_inventory::Setting;

const OF_IMAGE: &str = "image config:";
const ARGUMENT: &str = "command line: argument";

/// What one service is given.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) settings: Vec<Setting>,
    /// Names of variables whose value is not known here.
    pub(crate) unknown: Vec<String>,
}

/// What `service` is given by its scenario and, where that does not say otherwise, by its image.
pub(crate) fn given(service: &Service, image: &ImageConfig, variables: &Variables) -> Given {
    let mut given = Given { settings: Vec::new(), unknown: Vec::new() };
    let kept = image.env.iter().filter(|(name, _)| !service.env.contains_key(name));
    given
        .settings
        .extend(kept.map(|(name, value)| Setting::new(OF_IMAGE, &format!("Env {name}"), value.as_str())));
    for (name, value) in &service.env {
        let value = match value {
            EnvValue::Hidden(text) => text.reveal().as_bytes().to_vec(),
            EnvValue::Plain(text) => text.as_bytes().to_vec(),
            EnvValue::Secret(variable) => match variables.value(variable) {
                Some(value) => value.into_encoded_bytes(),
                None => {
                    given.unknown.push(name.clone());
                    continue;
                }
            },
        };
        given.settings.push(Setting::new("environment variable", name, value));
    }
    add_arguments(service, image, &mut given.settings);
    given
}

/// A command replaces the image's command, an entrypoint both.
fn add_arguments(service: &Service, image: &ImageConfig, settings: &mut Vec<Setting>) {
    let mut of_image = |name: &str, words: &[String]| {
        let words = words.iter().enumerate();
        settings.extend(
            words.map(|(index, word)| Setting::new(OF_IMAGE, &format!("{name}[{index}]"), word.as_str())),
        );
    };
    if service.entrypoint.is_none() && service.command.as_ref().is_none_or(|words| !words.is_empty()) {
        of_image("Entrypoint", &image.entrypoint);
        if service.command.is_none() {
            of_image("Cmd", &image.command);
        }
    }
    if let (None, Some(health)) = (&service.ready, &image.health) {
        of_image("Healthcheck", &health.command);
    }
    let own = service.entrypoint.iter().chain(&service.command).flatten().enumerate();
    settings.extend(own.map(|(index, word)| Setting::new(ARGUMENT, &index.to_string(), word.as_str())));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::scene;
    use notafter_core::Hidden;
    use notafter_inventory::{ScanOptions, scan_settings};
    use std::collections::BTreeMap;

    /// {"alg":"HS256"}, this issuer, and what has the length of a signature.
    fn token(claims_base64: &str) -> String {
        format!("eyJhbGciOiJIUzI1NiJ9.{claims_base64}.{}", "a".repeat(43))
    }

    /// Where what was found lies, as reports show it, and what it is.
    fn places(service: &Service, image: &ImageConfig, variables: &Variables) -> Vec<String> {
        let given = given(service, image, variables);
        let found = scan_settings(&given.settings, &service.name, &ScanOptions::default());
        let known = found.credentials.iter();
        let mut places: Vec<String> = known
            .flat_map(|it| it.places.iter().map(|place| format!("{}: {}", place.path, it.subject)))
            .collect();
        places.sort();
        places
    }

    #[test]
    fn what_a_service_is_given_is_what_its_main_process_sees() {
        let [a, b, c] = ["eyJpc3MiOiJhIn0", "eyJpc3MiOiJiIn0", "eyJpc3MiOiJjIn0"].map(token);
        let image = ImageConfig {
            entrypoint: vec!["/run".to_owned(), format!("--token={a}")],
            command: vec![b.clone()],
            env: vec![("KEPT".to_owned(), a.clone()), ("REPLACED".to_owned(), b.clone())],
            ..ImageConfig::default()
        };
        let mut service = scene::service("node");
        service.command = None;
        let none = Variables::given(BTreeMap::new());
        assert_eq!(
            places(&service, &image, &none),
            [
                "image config: Cmd[0]: JWT iss=b",
                "image config: Entrypoint[1]: JWT iss=a",
                "image config: Env KEPT: JWT iss=a",
                "image config: Env REPLACED: JWT iss=b",
            ]
        );
        service.env = BTreeMap::from([
            ("REPLACED".to_owned(), EnvValue::Plain("nothing".to_owned())),
            ("TOKEN".to_owned(), EnvValue::Hidden(Hidden::new(b.clone()))),
            ("SECRET".to_owned(), EnvValue::Secret("OF_THE_GATE".to_owned())),
        ]);
        service.command = Some(vec!["serve".to_owned(), c.clone()]);
        let known = Variables::given(BTreeMap::from([("OF_THE_GATE".to_owned(), c)]));
        assert_eq!(
            places(&service, &image, &known),
            [
                "command line: argument 1: JWT iss=c",
                "environment variable SECRET: JWT iss=c",
                "environment variable TOKEN: JWT iss=b",
                "image config: Entrypoint[1]: JWT iss=a",
                "image config: Env KEPT: JWT iss=a",
            ]
        );
        assert_eq!(given(&service, &image, &none).unknown, ["SECRET"]);
        service.entrypoint = Some(vec![b]);
        assert!(places(&service, &image, &known).contains(&"command line: argument 0: JWT iss=b".to_owned()));
        let told = format!("{:?}", given(&service, &image, &known));
        assert!(told.contains("environment variable TOKEN") && !told.contains("eyJ"), "{told}");
    }
}
