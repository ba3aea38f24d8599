//! Examples for the schema: values that stand at each key of whole scenarios, which tests hold to be readable.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Several scenarios, `---` between them.
const SCENARIOS: &str = include_str!("examples.yaml");
/// A policy that scenarios share.
const POLICY: &str = include_str!("examples.toml");
/// How many examples a key has at most.
const MOST: usize = 2;
/// Longer ones, as JSON in bytes, stand alone.
const LONG: usize = 120;

/// Adds `examples` to the schema of scenarios.
pub(crate) fn add_to_scenario(schema: &mut Value) {
    // What cannot be read gives no examples, and a test finds the keys without.
    let options = serde_yaml::options! { strict_booleans: true };
    let texts = SCENARIOS.split("\n---\n");
    let read = texts.filter_map(|text| serde_yaml::from_str_with_options(text, options.clone()).ok());
    add_to(schema, &read.collect::<Vec<_>>());
}

/// Adds `examples` to the schema of the policy that scenarios share.
pub(crate) fn add_to_policy(schema: &mut Value) {
    add_to(schema, &toml::from_str(POLICY).into_iter().collect::<Vec<_>>());
}

/// Puts `examples` to every key that stands in `documents` and whose words the schema does not list itself.
fn add_to(schema: &mut Value, documents: &[Value]) {
    let mut found = Found::new();
    for document in documents {
        harvest(document, schema, "", schema, &mut found);
    }
    for (pointer, values) in found {
        let Some(Value::Object(key)) = schema.pointer_mut(&pointer) else { continue };
        if !lists_its_words(key) {
            let is_shown = |(index, (len, _)): &(usize, &(usize, String))| *index == 0 || *len <= LONG;
            let shown = values.iter().enumerate().filter(is_shown).take(MOST);
            let examples: Vec<Value> =
                shown.filter_map(|(_, (_, text))| serde_json::from_str(text).ok()).collect();
            key.insert("examples".to_owned(), examples.into());
        }
    }
}

/// Values by the JSON Pointer of what describes them, as JSON, the shortest first.
type Found = BTreeMap<String, BTreeSet<(usize, String)>>;

fn lists_its_words(key: &Map<String, Value>) -> bool {
    let items = key.get("items").unwrap_or(&Value::Null);
    key.contains_key("enum") || items.get("enum").is_some() || key.get("type") == Some(&"boolean".into())
}

/// Notes what stands at the keys of `value`, which the part of `schema` at `pointer` describes.
fn harvest(value: &Value, part: &Value, pointer: &str, schema: &Value, found: &mut Found) {
    if let Some(target) = part["$ref"].as_str() {
        let target = target.trim_start_matches('#').replace("%20", " ");
        if let Some(part) = schema.pointer(&target) {
            harvest(value, part, &target, schema, found);
        }
    }
    for keyword in ["anyOf", "oneOf"] {
        for (index, choice) in part[keyword].as_array().into_iter().flatten().enumerate() {
            if may_be(value, choice, schema) {
                harvest(value, choice, &format!("{pointer}/{keyword}/{index}"), schema, found);
            }
        }
    }
    for element in value.as_array().into_iter().flatten() {
        harvest(element, &part["items"], &format!("{pointer}/items"), schema, found);
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        let known = &part["properties"][key];
        let below = if known.is_object() {
            let pointer = format!("{pointer}/properties/{}", escaped(key));
            let text = shortened(value, known).to_string();
            found.entry(pointer.clone()).or_default().insert((text.len(), text));
            Some((known, pointer))
        } else {
            entry_of(key, part).map(|(entry, below)| (entry, format!("{pointer}{below}")))
        };
        if let Some((part, pointer)) = below {
            harvest(value, part, &pointer, schema, found);
        }
    }
}

/// What describes an entry of a map whose keys are names or paths, and the way there.
fn entry_of<'a>(key: &str, part: &'a Value) -> Option<(&'a Value, String)> {
    let patterns = part["patternProperties"].as_object().into_iter().flatten();
    let by_path = patterns.into_iter().find(|(pattern, _)| pattern.ends_with("/$") == key.ends_with('/'));
    match by_path {
        Some((pattern, entry)) => Some((entry, format!("/patternProperties/{}", escaped(pattern)))),
        None => part.get("additionalProperties").map(|entry| (entry, "/additionalProperties".to_owned())),
    }
}

/// Of a map whose keys are names or paths the first entry is enough.
fn shortened(value: &Value, part: &Value) -> Value {
    let is_by_name = part.get("additionalProperties").is_some_and(Value::is_object)
        || part.get("patternProperties").is_some();
    match value {
        Value::Object(map) if is_by_name => Value::Object(map.clone().into_iter().take(1).collect()),
        other => other.clone(),
    }
}

/// Whether `choice` may be what `value` is: its kind fits, and of a map the keys do.
fn may_be(value: &Value, choice: &Value, schema: &Value) -> bool {
    if let Some(target) = choice["$ref"].as_str() {
        let target = target.trim_start_matches('#').replace("%20", " ");
        return schema.pointer(&target).is_some_and(|choice| may_be(value, choice, schema));
    }
    if let Some(choices) = choice["oneOf"].as_array().or(choice["anyOf"].as_array()) {
        return choices.iter().any(|choice| may_be(value, choice, schema));
    }
    match value {
        Value::Object(map) => {
            let known = choice["properties"].as_object();
            known.is_some_and(|known| map.keys().all(|key| known.contains_key(key)))
        }
        Value::Array(_) => choice["type"] == "array",
        _ => choice["type"] != "array" && choice["type"] != "object",
    }
}

/// A key as a JSON Pointer has it (RFC 6901 §3).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Entry, Files, Source, parse, policy_schema, schema};
    use notafter_core::UnixTime;
    use std::io;
    use std::path::Path;

    /// Two files of Compose, and nothing else.
    struct Shelf;

    impl Files for Shelf {
        fn read(&self, _: &Path, _: usize) -> io::Result<Vec<u8>> {
            Ok(b"services: { web: { image: nginx } }".to_vec())
        }

        fn look(&self, path: &Path) -> io::Result<Entry> {
            let is_there = path.extension().is_some_and(|extension| extension == "yaml");
            Ok(if is_there { Entry::File { mode: 0o644 } } else { Entry::Missing })
        }
    }

    #[test]
    fn what_examples_are_taken_from_can_be_read() {
        let now = UnixTime::parse("2030-01-01T00:00:00Z").unwrap();
        for text in SCENARIOS.split("\n---\n") {
            let source = Source::new("scenario.yaml".to_owned(), text.to_owned(), "here".into());
            let candidate = text.contains("\nbuilds:").then(|| "front=2".parse().unwrap());
            let context = Context { now, variables: &|_| None, candidate, files: &Shelf };
            parse(&source, &context).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
        }
    }

    /// The pointers of keys that have neither examples nor words of their own.
    fn without(part: &Value, pointer: &str, missing: &mut Vec<String>) {
        for (key, value) in part.as_object().into_iter().flatten() {
            if key == "properties" {
                for (name, property) in value.as_object().unwrap() {
                    let map = property.as_object().unwrap();
                    let examples = map.get("examples").and_then(Value::as_array);
                    if !lists_its_words(map) && examples.is_none_or(Vec::is_empty) {
                        missing.push(format!("{pointer}/{name}"));
                    }
                }
            }
            without(value, &format!("{pointer}/{key}"), missing);
        }
        for (index, value) in part.as_array().into_iter().flatten().enumerate() {
            without(value, &format!("{pointer}/{index}"), missing);
        }
    }

    #[test]
    fn every_key_has_an_example_or_lists_its_words() {
        for schema in [schema(), policy_schema()] {
            let mut missing = Vec::new();
            without(&schema, "", &mut missing);
            assert_eq!(missing, Vec::<String>::new());
        }
    }
}
