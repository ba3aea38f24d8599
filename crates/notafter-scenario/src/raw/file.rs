//! Files that are laid into a service's root tree.

use crate::decode::{Entries, Located};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Files by path. What a path stands for depends on whether it ends in `/`.
#[derive(Debug)]
pub(crate) struct RawFiles(pub(crate) Vec<(Located<String>, RawMount)>);

/// What is laid in at one path.
#[derive(Debug)]
pub(crate) enum RawMount {
    File(Box<Located<RawFile>>),
    Folder(Located<Entries<RawFile>>),
}

impl<'de> Deserialize<'de> for RawFiles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FilesVisitor;

        impl<'de> Visitor<'de> for FilesVisitor {
            type Value = RawFiles;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("files by path")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<RawFiles, A::Error> {
                let mut files = Vec::new();
                while let Some(path) = access.next_key::<Located<String>>()? {
                    let mount = if path.value.as_ref().is_some_and(|path| path.ends_with('/')) {
                        RawMount::Folder(access.next_value()?)
                    } else {
                        RawMount::File(Box::new(access.next_value()?))
                    };
                    files.push((path, mount));
                }
                Ok(RawFiles(files))
            }
        }

        deserializer.deserialize_map(FilesVisitor)
    }
}

impl JsonSchema for RawFiles {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "files".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": false,
            "patternProperties": {
                "^/.*[^/]$": generator.subschema_for::<RawFile>(),
                "^/.*/$": generator.subschema_for::<Entries<RawFile>>(),
            },
        })
    }
}

/// What a file holds, as one of eight.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "file", deny_unknown_fields)]
pub(crate) struct RawFile {
    /// The certificate of this credential alone, as PEM.
    pub(crate) certificate: Option<Located<String>>,
    /// The certificate of this credential followed by its intermediates, as PEM.
    pub(crate) chain: Option<Located<String>>,
    /// This revocation list, as PEM.
    pub(crate) crl: Option<Located<String>>,
    /// This text.
    pub(crate) content: Option<Located<String>>,
    /// The key that verifies this token, as a JSON Web Key Set.
    pub(crate) jwks: Option<Located<String>>,
    /// The private key of this credential, as PKCS#8 PEM.
    pub(crate) key: Option<Located<String>>,
    /// A file beside the scenario.
    pub(crate) source: Option<Located<String>>,
    /// This token, in compact form.
    pub(crate) token: Option<Located<String>>,
    /// Permission bits as octal digits in quotes; `"0644"`, and `"0600"` for keys and tokens, where none are given.
    pub(crate) mode: Option<Located<String>>,
}
