//! Images from files, without a Dockerfile and without an engine. What is written is an OCI layout and a Docker archive
//! at once, over the same blobs.

use crate::digest::{Digest, Hashing};
use crate::stored::blob_path;
use crate::{Identity, ImageConfig, packed};
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use tar::{Builder, EntryType, Header};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// How layers are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    /// Small, as registries hold them.
    Gzip,
    /// At once, as `docker save` writes them.
    #[default]
    None,
}

/// A layer while it is filled. Equal content in equal order is an equal layer: times are those of 1970, except in a
/// tree that is taken as it is.
pub struct Layer(Builder<BufWriter<File>>);

impl std::fmt::Debug for Layer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Layer")
    }
}

impl Layer {
    /// An empty one, in a file without a name.
    ///
    /// # Errors
    /// Where that file cannot be made.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Builder::new(BufWriter::new(tempfile::tempfile()?))))
    }

    /// A directory of `owner`, user and group.
    ///
    /// # Errors
    /// Where the layer cannot be written.
    pub fn directory(&mut self, path: &str, mode: u32, owner: (u32, u32)) -> io::Result<()> {
        self.entry(EntryType::Directory, path, None, mode, owner, &[])
    }

    /// A file with these bytes.
    ///
    /// # Errors
    /// Where the layer cannot be written.
    pub fn file(&mut self, path: &str, contents: &[u8], mode: u32, owner: (u32, u32)) -> io::Result<()> {
        self.entry(EntryType::Regular, path, None, mode, owner, contents)
    }

    /// A symbolic link.
    ///
    /// # Errors
    /// Where the layer cannot be written.
    pub fn symlink(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.entry(EntryType::Symlink, path, Some(target), 0o777, (0, 0), &[])
    }

    /// Another name for the file `target` of this layer or of one below.
    ///
    /// # Errors
    /// Where the layer cannot be written.
    pub fn hard_link(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.entry(EntryType::Link, path, Some(inside(target)), 0o644, (0, 0), &[])
    }

    /// Removes what layers below have at `path`.
    ///
    /// # Errors
    /// Where the layer cannot be written.
    pub fn whiteout(&mut self, path: &str) -> io::Result<()> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.file(&format!("{directory}/.wh.{name}"), &[], 0o644, (0, 0))
    }

    /// Removes what layers below have in the directory `path`.
    ///
    /// # Errors
    /// Where the layer cannot be written.
    pub fn opaque(&mut self, path: &str) -> io::Result<()> {
        self.file(&format!("{path}/.wh..wh..opq"), &[], 0o644, (0, 0))
    }

    /// Everything below the directory `source`, with owners, modes, file capabilities and times.
    ///
    /// # Errors
    /// Where something cannot be read, or the layer not be written.
    pub fn tree(&mut self, source: &Path) -> io::Result<()> {
        packed::append(&mut self.0, source)
    }

    fn entry(
        &mut self,
        kind: EntryType,
        path: &str,
        target: Option<&str>,
        mode: u32,
        (uid, gid): (u32, u32),
        contents: &[u8],
    ) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(uid.into());
        header.set_gid(gid.into());
        header.set_mtime(0);
        header.set_size(contents.len() as u64);
        match target {
            Some(target) => self.0.append_link(&mut header, inside(path), target),
            None => self.0.append_data(&mut header, inside(path), contents),
        }
    }

    fn finish(self) -> io::Result<File> {
        let mut file = self.0.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(file)
    }
}

/// An image while it is put together.
#[derive(Debug, Default)]
pub struct Assembly {
    config: ImageConfig,
    layers: Vec<Layer>,
    compression: Compression,
}

impl Assembly {
    /// An image without layers.
    #[must_use]
    pub fn new(config: ImageConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// Puts `layer` on top.
    #[must_use]
    pub fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Chooses how layers are stored.
    #[must_use]
    pub fn compressed(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Writes it as a tar that is both an `oci-archive:` and a `docker-archive:`; `name` is its reference.
    ///
    /// # Errors
    /// Where something cannot be written.
    pub fn write_archive(self, name: Option<&str>, into: impl Write) -> io::Result<Identity> {
        let (identity, files) = self.files(name)?;
        let mut archive = Builder::new(into);
        for directory in ["blobs/", "blobs/sha256/"] {
            archive.append(&head(EntryType::Directory, directory, 0o755, 0)?, io::empty())?;
        }
        for mut file in files {
            archive.append(&head(EntryType::Regular, &file.path, 0o644, file.len)?, &mut file.bytes)?;
        }
        archive.into_inner()?.flush()?;
        Ok(identity)
    }

    /// Writes it as an `oci:` directory, which is made.
    ///
    /// # Errors
    /// Where something cannot be written.
    pub fn write_layout(self, name: Option<&str>, directory: &Path) -> io::Result<Identity> {
        let (identity, files) = self.files(name)?;
        fs::create_dir_all(directory.join("blobs/sha256"))?;
        for mut file in files {
            io::copy(&mut file.bytes, &mut File::create(directory.join(&file.path))?)?;
        }
        Ok(identity)
    }

    fn files(self, name: Option<&str>) -> io::Result<(Identity, Vec<Part>)> {
        let mut parts = Vec::new();
        let (mut diff_ids, mut descriptors, mut paths) = (Vec::new(), Vec::new(), Vec::new());
        for layer in self.layers {
            let mut plain = layer.finish()?;
            diff_ids.push(Hashing::sha256(&plain).finish()?.to_string());
            plain.rewind()?;
            let (stored, media_type) = match self.compression {
                Compression::None => (plain, LAYER.to_owned()),
                Compression::Gzip => (gzipped(plain)?, format!("{LAYER}+gzip")),
            };
            let (digest, part) = Part::of_file(stored)?;
            descriptors.push(descriptor(&media_type, &digest, part.len));
            paths.push(part.path.clone());
            // Equal layers are one blob.
            if !parts.iter().any(|known: &Part| known.path == part.path) {
                parts.push(part);
            }
        }
        let (id, config) = Part::of_json(&document(&self.config, &diff_ids));
        let config_path = config.path.clone();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, &id, config.len),
            "layers": descriptors,
        });
        let (manifest_digest, manifest) = Part::of_json(&manifest);
        let mut entry = descriptor(MANIFEST, &manifest_digest, manifest.len);
        if let Some(name) = name {
            entry["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        }
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
        let tags: Vec<&str> = name.into_iter().collect();
        let saved = json!([{ "Config": config_path, "RepoTags": tags, "Layers": paths }]);
        parts.extend([config, manifest]);
        for (path, value) in [
            ("oci-layout", json!({ "imageLayoutVersion": "1.0.0" })),
            ("index.json", index),
            ("manifest.json", saved),
        ] {
            let (_, part) = Part::of_json(&value);
            parts.push(Part { path: path.to_owned(), ..part });
        }
        let identity = Identity { id: id.to_string(), manifest: Some(manifest_digest.to_string()) };
        Ok((identity, parts))
    }
}

/// A file of the image.
struct Part {
    path: String,
    len: u64,
    bytes: Box<dyn Read>,
}

impl Part {
    fn of_file(mut file: File) -> io::Result<(Digest, Self)> {
        let digest = Hashing::sha256(&file).finish()?;
        let len = file.seek(SeekFrom::End(0))?;
        file.rewind()?;
        Ok((digest.clone(), Self { path: blob_path(&digest), len, bytes: Box::new(file) }))
    }

    fn of_json(value: &Value) -> (Digest, Self) {
        let text = value.to_string().into_bytes();
        let digest = Digest::of(&text);
        let len = text.len() as u64;
        (digest.clone(), Self { path: blob_path(&digest), len, bytes: Box::new(io::Cursor::new(text)) })
    }
}

fn descriptor(media_type: &str, digest: &Digest, len: u64) -> Value {
    json!({ "mediaType": media_type, "digest": digest.to_string(), "size": len })
}

fn document(config: &ImageConfig, diff_ids: &[String]) -> Value {
    let set = |names: Vec<String>| -> Value {
        Value::Object(names.into_iter().map(|name| (name, json!({}))).collect())
    };
    let mut execution = json!({
        "Entrypoint": config.entrypoint,
        "Cmd": config.command,
        "Env": config.env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(),
        "User": config.user.clone().unwrap_or_default(),
        "WorkingDir": config.workdir.clone().unwrap_or_default(),
        "Volumes": set(config.volumes.clone()),
        "ExposedPorts": set(config.ports.iter().map(|port| format!("{port}/tcp")).collect()),
    });
    // An empty entrypoint would not be none.
    if config.entrypoint.is_empty() {
        execution["Entrypoint"] = Value::Null;
    }
    if let Some(signal) = config.stop_signal {
        execution["StopSignal"] = json!(signal.to_string());
    }
    if let Some(health) = &config.health {
        let nanos = |span: std::time::Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let test: Vec<&str> = ["CMD"].into_iter().chain(health.command.iter().map(String::as_str)).collect();
        execution["Healthcheck"] = json!({
            "Test": test,
            "Interval": nanos(health.interval),
            "Timeout": nanos(health.timeout),
            "StartPeriod": nanos(health.start_period),
            "Retries": health.retries,
        });
    }
    json!({
        "architecture": ARCHITECTURE,
        "os": "linux",
        "config": execution,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    })
}

fn gzipped(mut plain: File) -> io::Result<File> {
    let mut encoder = GzEncoder::new(BufWriter::new(tempfile::tempfile()?), flate2::Compression::default());
    io::copy(&mut plain, &mut encoder)?;
    let mut file = encoder.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    Ok(file)
}

fn head(kind: EntryType, path: &str, mode: u32, len: u64) -> io::Result<Header> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_path(path)?;
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(len);
    header.set_cksum();
    Ok(header)
}

/// Paths of archives begin at the root without saying so.
fn inside(path: &str) -> &str {
    match path.trim_start_matches('/') {
        "" => ".",
        path => path,
    }
}
