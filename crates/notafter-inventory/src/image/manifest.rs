//! Which layers an image has, in their order, and what made each: the formats of Docker (`docker save`) and OCI.

use super::store::Store;
use crate::settings::{Setting, variable};
use notafter_pki::read::mask_tokens;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io;

/// Longest JSON document, in bytes.
const MAX_DOCUMENT: u64 = 8 * 1024 * 1024;
/// Indexes in indexes.
const MAX_INDEXES: u32 = 4;
const MAX_LAYERS: usize = 1_024;

/// One image of a store.
#[derive(Debug)]
pub(super) struct NamedImage {
    /// From the lowest to the topmost.
    pub(super) layers: Vec<NamedLayer>,
    /// What its configuration says of how it runs: variables, arguments, labels.
    pub(super) settings: Vec<Setting>,
    /// What its history says of how it was built.
    pub(super) history: Vec<Setting>,
}

/// One layer as the image names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedLayer {
    /// Its file in the store.
    pub(super) file: String,
    /// Digest of the tar in it.
    pub(super) diff_id: String,
    /// The instruction that made it; empty where the history does not say.
    pub(super) made_by: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct Manifest {
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
}

#[derive(Deserialize)]
struct Config {
    rootfs: RootFs,
    #[serde(default)]
    history: Vec<History>,
    #[serde(default)]
    config: Value,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<String>,
}

#[derive(Deserialize)]
struct History {
    #[serde(default)]
    created_by: String,
    #[serde(default)]
    empty_layer: bool,
}

/// Each image of a Docker archive.
pub(super) fn of_docker(store: &Store) -> io::Result<Vec<NamedImage>> {
    let saved: Vec<Saved> = document(store, "manifest.json")?;
    saved.into_iter().map(|saved| named(saved.layers, document(store, &saved.config)?)).collect()
}

/// Each image of an OCI layout, for whatever machine.
pub(super) fn of_oci(store: &Store) -> io::Result<Vec<NamedImage>> {
    let mut images = Vec::new();
    let blob = |digest: &str| format!("blobs/{}", digest.replacen(':', "/", 1));
    of_index(store, document(store, "index.json")?, &blob, MAX_INDEXES, &mut images)?;
    Ok(images)
}

/// The image in a directory as skopeo(1) writes it.
pub(super) fn of_directory(store: &Store) -> io::Result<Vec<NamedImage>> {
    let mut images = Vec::new();
    let blob = |digest: &str| digest.split_once(':').map_or(digest, |(_, hex)| hex).to_owned();
    of_index(store, document(store, "manifest.json")?, &blob, 0, &mut images)?;
    Ok(images)
}

fn of_index(
    store: &Store,
    manifest: Manifest,
    blob: &impl Fn(&str) -> String,
    depth: u32,
    images: &mut Vec<NamedImage>,
) -> io::Result<()> {
    if let Some(manifests) = manifest.manifests {
        if depth == 0 {
            return Err(io::Error::other("it holds an index where an image should be"));
        }
        // Attestations say that they are made for no system at all.
        let is_image =
            |it: &&Descriptor| it.platform.as_ref().is_none_or(|platform| platform.os != "unknown");
        for descriptor in manifests.iter().filter(is_image) {
            of_index(store, document(store, &blob(&descriptor.digest))?, blob, depth - 1, images)?;
        }
        return Ok(());
    }
    let (Some(config), Some(layers)) = (manifest.config, manifest.layers) else {
        return Err(io::Error::other("it has a manifest without configuration or layers"));
    };
    let files = layers.iter().map(|layer| blob(&layer.digest)).collect();
    images.push(named(files, document(store, &blob(&config.digest))?)?);
    Ok(())
}

fn named(files: Vec<String>, config: Config) -> io::Result<NamedImage> {
    let diff_ids = config.rootfs.diff_ids;
    if files.len() != diff_ids.len() || files.len() > MAX_LAYERS {
        let (layers, known) = (files.len(), diff_ids.len());
        return Err(io::Error::other(format!("it has {layers} layers, and its configuration names {known}")));
    }
    let mut settings = Vec::new();
    add_settings(&config.config, "", &mut settings);
    let told = config.history.iter().zip(1..);
    let history = told.map(|(step, number)| {
        Setting::new("image history:", &format!("step {number}"), step.created_by.as_str())
    });
    let history = history.collect();
    let steps: Vec<History> = config.history.into_iter().filter(|step| !step.empty_layer).collect();
    // A history of another length tells of other layers.
    let told = steps.len() == files.len();
    let layers = files.into_iter().zip(diff_ids).enumerate().map(|(index, (file, diff_id))| NamedLayer {
        file,
        diff_id,
        made_by: steps
            .get(index)
            .filter(|_| told)
            .map_or_else(String::new, |step| instruction(&step.created_by)),
    });
    Ok(NamedImage { layers: layers.collect(), settings, history })
}

/// Every text in the configuration of a container, which lies there at `name`.
fn add_settings(value: &Value, name: &str, settings: &mut Vec<Setting>) {
    match value {
        Value::Array(texts) => {
            for (index, text) in texts.iter().enumerate() {
                match (name, text) {
                    ("Env", Value::String(pair)) => {
                        settings.push(variable("image config: Env", pair.as_bytes()));
                    }
                    _ => add_settings(text, &format!("{name}[{index}]"), settings),
                }
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                add_settings(field, format!("{name} {key}").trim_start(), settings);
            }
        }
        Value::String(text) => settings.push(Setting::new("image config:", name, text.as_str())),
        Value::Bool(_) | Value::Null | Value::Number(_) => {}
    }
}

/// `RUN apt-get install nginx`, as the Dockerfile says it, without the shell that runs it and its comments, and without the
/// tokens that arguments of the build may hold.
fn instruction(created_by: &str) -> String {
    let text = mask_tokens(created_by);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.trim_end_matches("# buildkit").trim_end();
    match text.strip_prefix("/bin/sh -c ") {
        Some(rest) => rest.strip_prefix("#(nop) ").map_or_else(|| format!("RUN {rest}"), str::to_owned),
        None => text.replace("RUN /bin/sh -c ", "RUN "),
    }
}

fn document<T: DeserializeOwned>(store: &Store, name: &str) -> io::Result<T> {
    let bytes = store.read(name, MAX_DOCUMENT)?;
    serde_json::from_slice(&bytes).map_err(|error| io::Error::other(format!("{name} is malformed: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_read_as_in_the_dockerfile() {
        for (told, expected) in [
            ("/bin/sh -c #(nop) COPY file:0123 in /etc ", "COPY file:0123 in /etc"),
            ("/bin/sh -c apt-get  update", "RUN apt-get update"),
            ("RUN /bin/sh -c make install # buildkit", "RUN make install"),
            ("COPY ca.pem /etc/ca.pem # buildkit", "COPY ca.pem /etc/ca.pem"),
            // The token of RFC 7519 §3.1, with fewer claims.
            (
                "RUN |1 T=eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UifQ.c2ln /bin/sh -c make # buildkit",
                "RUN |1 T=[token] /bin/sh -c make",
            ),
            ("", ""),
        ] {
            assert_eq!(instruction(told), expected, "{told}");
        }
    }
}
