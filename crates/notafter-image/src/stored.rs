//! Images with layers and a configuration, by the transports of containers-transports(5). Every document and every
//! layer is compared with the digest that names it.

use crate::config::ImageConfig;
use crate::digest::{Digest, Hashing};
use crate::documents::{Descriptor, Document, Manifest, Platform, Saved};
use crate::store::Store;
use crate::stream::decoded;
use crate::unpacking::{Limits, Owners, Unpacking};
use crate::{Error, Identity};
use notafter_core::{ImageRef, Transport};
use serde::de::DeserializeOwned;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Longest JSON document.
pub(crate) const MAX_DOCUMENT_BYTES: u64 = 8 << 20;
/// Engines allow 127 layers.
pub(crate) const MAX_LAYERS: usize = 1024;
/// Indexes in indexes.
const MOST_INDEXES: u32 = 4;
/// What images for this machine say that they are made for, in Go's words.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
/// What an index of an OCI layout calls an image; the second is containerd's.
const NAMES: [&str; 2] = ["org.opencontainers.image.ref.name", "io.containerd.image.name"];

/// An image that is found, and not unpacked yet.
#[derive(Debug)]
pub(crate) struct Stored {
    /// The digest of its configuration, by which engines know it.
    pub(crate) id: Digest,
    /// The digest of its manifest, by which registries know it; none in a Docker archive.
    pub(crate) manifest: Option<Digest>,
    pub(crate) config: ImageConfig,
    layers: Vec<Layer>,
    store: Store,
}

#[derive(Debug)]
struct Layer {
    file: String,
    /// Of the file as it is stored.
    digest: Option<Digest>,
    /// Of the tar in it.
    diff_id: Digest,
}

/// The files of an image, and which image it is.
struct Finder<'a> {
    image: &'a ImageRef,
    transport: Transport,
    store: Store,
}

impl Stored {
    pub(crate) fn identity(&self) -> Identity {
        let manifest = self.manifest.as_ref().map(ToString::to_string);
        Identity { id: self.id.to_string(), manifest }
    }
}

/// Which image lies in the file or directory `path`. Its layers are compared with their digests, and not unpacked.
///
/// # Errors
/// As for a run that takes it, as far as its documents and the bytes of its layers tell.
pub fn identity(transport: Transport, path: &Path, selector: Option<&str>) -> Result<Identity, Error> {
    let image = ImageRef::Stored { transport, path: path.to_owned(), selector: selector.map(str::to_owned) };
    // A compressed archive is written there without a name.
    let room = std::env::temp_dir();
    let stored = find(&image, transport, path, selector, Some(&room))?;
    for layer in &stored.layers {
        layer.read(&stored.store, &image, Limits::USUAL, |plain| {
            let read = io::copy(plain, &mut io::sink()).map(|_| ());
            read.map_err(|source| layer.unreadable(&image, source))
        })?;
    }
    Ok(stored.identity())
}

/// Finds the image in the file or directory `path`. A compressed archive is unpacked in `room`.
pub(crate) fn find(
    image: &ImageRef,
    transport: Transport,
    path: &Path,
    selector: Option<&str>,
    room: Option<&Path>,
) -> Result<Stored, Error> {
    let store = match transport {
        Transport::Dir | Transport::Oci => Store::Directory(path.to_owned()),
        Transport::DockerArchive | Transport::OciArchive => Store::archive(path, room).map_err(|source| {
            Error::Io { image: image.clone(), action: format!("read the archive {}", path.display()), source }
        })?,
    };
    let finder = Finder { image, transport, store };
    match transport {
        Transport::Dir => {
            let bytes = finder.read("manifest.json")?;
            let digest = Digest::of(&bytes);
            finder.of_manifest(digest, &bytes, MOST_INDEXES)
        }
        Transport::DockerArchive => finder.saved(selector),
        Transport::Oci | Transport::OciArchive => {
            let index: Manifest = finder.document("index.json")?;
            let chosen = finder.choose(index.manifests.unwrap_or_default(), selector)?;
            let (digest, bytes) = finder.blob(&chosen.digest)?;
            finder.of_manifest(digest, &bytes, MOST_INDEXES)
        }
    }
}

/// The image whose manifest, or index, `digest` names in the OCI layout at `directory`.
pub(crate) fn of_blobs(image: &ImageRef, directory: &Path, digest: &Digest) -> Result<Stored, Error> {
    let finder = Finder { image, transport: Transport::Oci, store: Store::Directory(directory.to_owned()) };
    let (digest, bytes) = finder.blob(&digest.to_string())?;
    finder.of_manifest(digest, &bytes, MOST_INDEXES)
}

/// Where an OCI layout has what `digest` names.
pub(crate) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

/// The one of an index that runs on this machine.
pub(crate) fn fitting<'a>(image: &ImageRef, manifests: &'a [Descriptor]) -> Result<&'a Descriptor, Error> {
    let fits = |it: &&Descriptor| it.platform.as_ref().is_some_and(runs_here) && !is_attestation(it);
    match (manifests.iter().find(fits), manifests) {
        (Some(fitting), _) => Ok(fitting),
        (None, [only]) if only.platform.is_none() => Ok(only),
        _ => {
            let made_for = manifests.iter().filter_map(|it| it.platform.as_ref()).map(shown);
            Err(elsewhere(image, made_for.collect()))
        }
    }
}

impl Finder<'_> {
    fn saved(self, selector: Option<&str>) -> Result<Stored, Error> {
        let images: Vec<Saved> = self.document("manifest.json")?;
        let names = images.iter().flat_map(|saved| saved.repo_tags.iter().cloned()).collect();
        let found = match selector {
            None if images.len() == 1 => images.into_iter().next(),
            None => None,
            Some(selector) => match selector.strip_prefix('@') {
                Some(number) => number.parse().ok().and_then(|at: usize| images.into_iter().nth(at)),
                None => {
                    let wanted = tagged(selector);
                    images.into_iter().find(|saved| saved.repo_tags.iter().any(|tag| tagged(tag) == wanted))
                }
            },
        };
        let saved = found.ok_or_else(|| self.no_such(selector, names))?;
        let bytes = self.read(&saved.config)?;
        // Its name is its digest in every version of the format, with or without `.json`.
        let id = Digest::of(&bytes);
        let claimed = saved.config.rsplit('/').next().unwrap_or_default().trim_end_matches(".json");
        if claimed.len() == id.hex().len() && claimed != id.hex() {
            return Err(self.mismatch(&saved.config, &format!("sha256:{claimed}"), &id));
        }
        let layers = saved.layers.into_iter().map(|file| (file, None)).collect();
        self.of_config(id, None, &bytes, layers)
    }

    /// The one image that is meant among those of an index.
    fn choose(&self, manifests: Vec<Descriptor>, selector: Option<&str>) -> Result<Descriptor, Error> {
        let names = |descriptor: &Descriptor| -> Vec<String> {
            NAMES.iter().filter_map(|name| descriptor.annotations.get(*name).cloned()).collect()
        };
        let known: Vec<String> = manifests.iter().flat_map(names).collect();
        let found = match selector {
            // What an index names twice is one image, and attestations are none.
            None => {
                let mut images = manifests.into_iter().filter(|it| !is_attestation(it));
                match (images.next(), images.next()) {
                    (Some(only), None) => Some(only),
                    _ => None,
                }
            }
            Some(selector) => match selector.strip_prefix('@') {
                Some(number) => number.parse().ok().and_then(|at: usize| manifests.into_iter().nth(at)),
                None => manifests.into_iter().find(|it| {
                    let names = names(it);
                    names.iter().any(|name| name == selector || tagged(name) == tagged(selector))
                }),
            },
        };
        found.ok_or_else(|| self.no_such(selector, known))
    }

    fn of_manifest(self, digest: Digest, bytes: &[u8], indexes: u32) -> Result<Stored, Error> {
        let manifest: Manifest = self.parse("its manifest", bytes)?;
        if let Some(manifests) = manifest.manifests {
            let Some(left) = indexes.checked_sub(1) else {
                return Err(self.bad("holds indexes within indexes without end".to_owned()));
            };
            let chosen = fitting(self.image, &manifests)?;
            let (digest, bytes) = self.blob(&chosen.digest)?;
            return self.of_manifest(digest, &bytes, left);
        }
        let (Some(config), Some(layers)) = (manifest.config, manifest.layers) else {
            return Err(self.bad("has a manifest without configuration or layers".to_owned()));
        };
        let (id, bytes) = self.blob(&config.digest)?;
        let mut files = Vec::new();
        for layer in layers {
            let layer_digest = self.digest(&layer.digest)?;
            if layer.media_type.contains("encrypted") {
                return Err(self.bad(format!("has an encrypted layer, {}", layer.digest)));
            }
            files.push((self.blob_path(&layer_digest), Some(layer_digest)));
        }
        self.of_config(id, Some(digest), &bytes, files)
    }

    fn of_config(
        self,
        id: Digest,
        manifest: Option<Digest>,
        bytes: &[u8],
        files: Vec<(String, Option<Digest>)>,
    ) -> Result<Stored, Error> {
        let document: Document = self.parse("its configuration", bytes)?;
        if !runs_here(&document.platform) {
            return Err(elsewhere(self.image, vec![shown(&document.platform)]));
        }
        let diff_ids = document.rootfs.diff_ids;
        if files.len() != diff_ids.len() || files.len() > MAX_LAYERS {
            let (layers, named) = (files.len(), diff_ids.len());
            return Err(self.bad(format!("has {layers} layers, and its configuration names {named}")));
        }
        let mut layers = Vec::new();
        for ((file, digest), diff_id) in files.into_iter().zip(diff_ids) {
            layers.push(Layer { file, digest, diff_id: self.digest(&diff_id)? });
        }
        let config = ImageConfig::read(document.config.unwrap_or_default())
            .map_err(|reason| self.bad(format!("is not usable: its configuration {reason}")))?;
        Ok(Stored { id, manifest, config, layers, store: self.store })
    }

    fn blob_path(&self, digest: &Digest) -> String {
        match (self.transport, digest.algorithm()) {
            (Transport::Dir, "sha256") => digest.hex().to_owned(),
            (Transport::Dir, algorithm) => format!("{algorithm}-{}", digest.hex()),
            (Transport::DockerArchive | Transport::Oci | Transport::OciArchive, _) => blob_path(digest),
        }
    }

    /// The document that `digest` names.
    fn blob(&self, digest: &str) -> Result<(Digest, Vec<u8>), Error> {
        let digest = self.digest(digest)?;
        let file = match self.transport {
            // Manifests of an index lie beside it, under a name of their own.
            Transport::Dir => {
                let path = format!("{}.manifest.json", digest.hex());
                let beside = self.store.open(&path).is_ok();
                if beside { path } else { self.blob_path(&digest) }
            }
            _ => self.blob_path(&digest),
        };
        let bytes = self.read(&file)?;
        let found = digest.like(&bytes);
        match found == digest {
            true => Ok((digest, bytes)),
            false => Err(self.mismatch(&file, &digest.to_string(), &found)),
        }
    }

    fn digest(&self, text: &str) -> Result<Digest, Error> {
        Digest::parse(text).map_err(|reason| self.bad(format!("is malformed: {reason}")))
    }

    fn document<T: DeserializeOwned>(&self, file: &str) -> Result<T, Error> {
        self.parse(file, &self.read(file)?)
    }

    fn parse<T: DeserializeOwned>(&self, what: &str, bytes: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(bytes).map_err(|error| self.bad(format!("is malformed: {what}: {error}")))
    }

    fn read(&self, file: &str) -> Result<Vec<u8>, Error> {
        self.store.read(file, MAX_DOCUMENT_BYTES).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => self.bad(format!("is incomplete: there is no {file}")),
            _ => Error::Io { image: self.image.clone(), action: format!("read {file}"), source },
        })
    }

    fn bad(&self, reason: String) -> Error {
        Error::BadImage { image: self.image.clone(), reason }
    }

    fn mismatch(&self, file: &str, expected: &str, found: &Digest) -> Error {
        Error::DigestMismatch {
            image: self.image.clone(),
            file: file.into(),
            expected: expected.into(),
            found: found.to_string().into(),
        }
    }

    fn no_such(&self, selector: Option<&str>, names: Vec<String>) -> Error {
        let wanted = selector.map(str::to_owned);
        Error::NoSuchImage { image: self.image.clone(), wanted, names }
    }
}

impl Stored {
    /// Unpacks all layers into the empty directory `root`; returns remarks about what is left out.
    pub(crate) fn unpack(
        &self,
        image: &ImageRef,
        root: &Path,
        limits: Limits,
        owners: Owners,
    ) -> Result<Vec<String>, Error> {
        self.unpack_from(&self.store, image, root, limits, owners)
    }

    /// The same with layers that lie in `store`.
    pub(crate) fn unpack_from(
        &self,
        store: &Store,
        image: &ImageRef,
        root: &Path,
        limits: Limits,
        owners: Owners,
    ) -> Result<Vec<String>, Error> {
        let mut unpacking = Unpacking::new(image, root, limits, owners);
        for layer in &self.layers {
            layer.read(store, image, limits, |plain| unpacking.layer(&PathBuf::from(&layer.file), plain))?;
        }
        if let Some(workdir) = &self.config.workdir {
            unpacking.need_directory(workdir)?;
        }
        unpacking.finish()
    }
}

impl Layer {
    fn unreadable(&self, image: &ImageRef, source: io::Error) -> Error {
        Error::Io { image: image.clone(), action: format!("read {}", self.file), source }
    }

    /// Lets `take` have the tar in it; its digests hold only where this comes back.
    fn read(
        &self,
        store: &Store,
        image: &ImageRef,
        limits: Limits,
        take: impl FnOnce(&mut dyn Read) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let io = |source| self.unreadable(image, source);
        let mismatch = |expected: &Digest, found: &Digest| Error::DigestMismatch {
            image: image.clone(),
            file: self.file.as_str().into(),
            expected: expected.to_string().into(),
            found: found.to_string().into(),
        };
        let stored = store.open(&self.file).map_err(io)?;
        let mut stored = Hashing::like(self.digest.as_ref().unwrap_or(&self.diff_id), stored);
        let plain = decoded(&mut stored).map_err(io)?.take(limits.stream_bytes());
        let mut plain = Hashing::like(&self.diff_id, plain);
        take(&mut plain)?;
        let found = plain.finish().map_err(io)?;
        if found != self.diff_id {
            return Err(mismatch(&self.diff_id, &found));
        }
        if let Some(expected) = &self.digest {
            let found = stored.finish().map_err(io)?;
            if found != *expected {
                return Err(mismatch(expected, &found));
            }
        }
        Ok(())
    }
}

fn elsewhere(image: &ImageRef, made_for: Vec<String>) -> Error {
    let here = format!("linux/{ARCHITECTURE}");
    Error::OtherPlatform { image: image.clone(), made_for: made_for.join(", "), here }
}

/// A reference with its tag, as engines complete it.
fn tagged(reference: &str) -> String {
    let full = reference.strip_prefix("docker.io/").unwrap_or(reference);
    let full = full.strip_prefix("library/").unwrap_or(full);
    let name = full.rsplit('/').next().unwrap_or(full);
    if name.contains([':', '@']) { full.to_owned() } else { format!("{full}:latest") }
}

fn runs_here(platform: &Platform) -> bool {
    // Images that say nothing were made by tools that knew one platform.
    (platform.os == "linux" || platform.os.is_empty())
        && (platform.architecture == ARCHITECTURE || platform.architecture.is_empty())
}

fn is_attestation(descriptor: &Descriptor) -> bool {
    descriptor.annotations.contains_key("vnd.docker.reference.type")
        || descriptor.platform.as_ref().is_some_and(|platform| platform.os == "unknown")
}

fn shown(platform: &Platform) -> String {
    format!("{}/{}", platform.os, platform.architecture)
}
