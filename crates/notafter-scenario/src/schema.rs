//! The JSON Schema of the format, for editors.

use crate::examples;
use crate::raw::{RawScenario, RawShared};
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde_json::Value;

/// The JSON Schema (draft 2020-12) of scenario files. It describes shapes; [`parse`](crate::parse) checks more.
#[must_use]
pub fn schema() -> Value {
    let mut schema = titled::<RawScenario>("notafter scenario");
    examples::add_to_scenario(&mut schema);
    schema
}

/// The same of the policy that scenarios share, `notafter.toml`.
#[must_use]
pub fn policy_schema() -> Value {
    let mut schema = titled::<RawShared>("notafter policy");
    examples::add_to_policy(&mut schema);
    schema
}

fn titled<T: JsonSchema>(title: &str) -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    RecursiveTransform(refuse_null).transform(&mut schema);
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}

/// A key that may be left out is, to schemars, one that may be null; here a key without a value is an error.
fn refuse_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            for (keyword, value) in only {
                schema.ensure_object().entry(keyword).or_insert(value);
            }
        }
    }
}
