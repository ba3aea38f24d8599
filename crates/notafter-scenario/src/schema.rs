//! The JSON Schema of the format, for editors.

use crate::raw::RawScenario;
use schemars::generate::SchemaSettings;

/// The JSON Schema (draft 2020-12) of scenario files. It describes shapes; [`parse`](crate::parse) checks more.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<RawScenario>();
    schema.insert("title".to_owned(), "notafter scenario".into());
    schema.to_value()
}
