//! Builds of the candidate.

use super::service::RawSecret;
use super::{RawFiles, RawImage};
use crate::decode::{BUILD, Entries, Located, TextOr};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A build that is more than a text.
#[derive(Debug)]
pub(crate) enum RawBuild {
    /// What changes with it.
    Changed(Box<RawChanged>),
    /// An image alone.
    Image(RawImage),
}

/// What of the candidate changes with a build; the rest is as the service says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "build", deny_unknown_fields)]
pub(crate) struct RawChanged {
    /// Its root tree; where none is given, that of the service.
    pub(crate) image: Option<Located<TextOr<RawImage>>>,
    /// In place of the service's.
    pub(crate) entrypoint: Option<Located<Vec<Located<String>>>>,
    /// In place of the service's.
    pub(crate) command: Option<Located<Vec<Located<String>>>>,
    /// Beside those of the service; one of the same name is replaced.
    pub(crate) env: Option<Located<Entries<TextOr<RawSecret>>>>,
    /// Beside those of the service; one at the same path is replaced, and a folder as a whole.
    pub(crate) files: Option<Located<RawFiles>>,
}

/// Keys that make a map a build and no image.
pub(crate) const KEYS: [&str; 5] = ["command", "entrypoint", "env", "files", "image"];

impl<'de> Deserialize<'de> for RawBuild {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BuildVisitor;

        impl<'de> Visitor<'de> for BuildVisitor {
            type Value = RawBuild;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an image, or what changes with a build")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<RawBuild, D::Error> {
                RawChanged::deserialize(inner).map(|changed| RawBuild::Changed(Box::new(changed)))
            }

            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<RawBuild, D::Error> {
                RawImage::deserialize(inner).map(RawBuild::Image)
            }
        }

        deserializer.deserialize_newtype_struct(BUILD, BuildVisitor)
    }
}

impl JsonSchema for RawBuild {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "build or image".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [generator.subschema_for::<RawImage>(), generator.subschema_for::<RawChanged>()] })
    }
}
