//! The JSON Schema says yes to what the parser reads, and no to what has another shape.

use crate::base::{BASE, edited};
use notafter_scenario::{policy_schema, schema};
use serde_json::{Map, Value};

/// Whether `value` fits `schema`, by the keywords that ours uses; any other fails the test.
fn fits(value: &Value, schema: &Map<String, Value>, root: &Value) -> bool {
    let inner = |value: &Value, schema: &Value| fits(value, schema.as_object().unwrap(), root);
    schema.iter().all(|(keyword, wanted)| match keyword.as_str() {
        "$defs" | "$schema" | "description" | "examples" | "format" | "title" => true,
        "$ref" => {
            let pointer = wanted.as_str().unwrap().trim_start_matches('#').replace("%20", " ");
            inner(value, root.pointer(&pointer).unwrap())
        }
        "additionalProperties" if wanted.is_object() => {
            value.as_object().is_some_and(|map| map.values().all(|value| inner(value, wanted)))
        }
        "additionalProperties" => value.as_object().is_none_or(|map| {
            let known = schema.get("properties").and_then(Value::as_object);
            let by_pattern = schema.contains_key("patternProperties");
            map.keys().all(|key| by_pattern || known.is_some_and(|known| known.contains_key(key)))
        }),
        "anyOf" => wanted.as_array().unwrap().iter().any(|choice| inner(value, choice)),
        "oneOf" => wanted.as_array().unwrap().iter().filter(|choice| inner(value, choice)).count() == 1,
        "const" => value == wanted,
        "enum" => wanted.as_array().unwrap().contains(value),
        "items" => value.as_array().is_none_or(|list| list.iter().all(|element| inner(element, wanted))),
        "maximum" => value.as_i64() <= wanted.as_i64(),
        "minimum" => value.as_i64() >= wanted.as_i64(),
        "minItems" => value.as_array().is_none_or(|list| list.len() as u64 >= wanted.as_u64().unwrap()),
        "patternProperties" => value.as_object().is_none_or(|map| {
            map.iter().all(|(path, value)| {
                let pattern = if path.ends_with('/') { "^/.*/$" } else { "^/.*[^/]$" };
                path.starts_with('/') && inner(value, &wanted[pattern])
            })
        }),
        "properties" => value.as_object().is_none_or(|map| {
            map.iter().all(|(key, value)| wanted.get(key).is_none_or(|schema| inner(value, schema)))
        }),
        "required" => value.as_object().is_none_or(|map| {
            wanted.as_array().unwrap().iter().all(|key| map.contains_key(key.as_str().unwrap()))
        }),
        "type" => match wanted {
            Value::Array(kinds) => kinds.iter().any(|kind| is_a(kind.as_str().unwrap(), value)),
            kind => is_a(kind.as_str().unwrap(), value),
        },
        other => panic!("the schema uses {other}"),
    })
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        other => panic!("the schema uses type {other}"),
    }
}

fn accepts(text: &str) -> bool {
    let options = serde_yaml::options! { strict_booleans: true };
    let value: Value = serde_yaml::from_str_with_options(text, options).unwrap();
    let schema = schema();
    fits(&value, schema.as_object().unwrap(), &schema)
}

#[test]
fn the_schema_accepts_what_the_parser_reads() {
    for text in [BASE, include_str!("../data/o2-ericsson-2018.yaml"), include_str!("../data/nginx-mtls.yaml")]
    {
        assert!(accepts(text), "{text}");
    }
}

#[test]
fn the_schema_refuses_other_shapes() {
    for (from, to) in [
        ("support: 2y\n", ""),
        ("support: 2y", "suport: 2y"),
        ("notafter: 1", "notafter: 2"),
        ("budget: 60s", "budget: 60"),
        ("budget: 60s", "budget:"),
        ("port: 5432", "port: 65536"),
        ("port: 5432", "prt: 5432"),
        ("state: fresh", "state: frehs"),
        ("/etc/node/tls.pem: {", "tls.pem: {"),
        ("code: flaky", "code: flacky"),
        ("owner: ops, ", ""),
    ] {
        assert!(!accepts(&edited(from, to)), "{to:?} in place of {from:?}");
    }
}

#[test]
fn examples_fit_what_they_are_examples_of() {
    fn every(part: &Value, root: &Value, seen: &mut usize) {
        for example in part["examples"].as_array().into_iter().flatten() {
            assert!(fits(example, part.as_object().unwrap(), root), "{example} in {part}");
            *seen += 1;
        }
        let below = part.as_object().into_iter().flat_map(Map::values);
        for part in below.chain(part.as_array().into_iter().flatten()) {
            every(part, root, seen);
        }
    }
    for schema in [schema(), policy_schema()] {
        let mut seen = 0;
        every(&schema, &schema, &mut seen);
        assert!(seen > 0);
    }
}

#[test]
fn the_schema_reads_well() {
    insta::assert_json_snapshot!("schema", schema());
}
