//! From a place in a registry to a tree. Documents are kept by their digest; layers only until they are unpacked.

use super::failure::Failure;
use super::place::Place;
use super::response::Method;
use super::session::{Question, Session};
use super::settings::Registries;
use crate::digest::{Digest, Hashing};
use crate::documents::{Descriptor, Manifest};
use crate::engine::MAX_EXPORT_BYTES;
use crate::resolver::of_tree;
use crate::store::Store;
use crate::stored::{self, MAX_DOCUMENT_BYTES, MAX_LAYERS, Stored};
use crate::unpacking::Limits;
use crate::{Error, Identity, Image, RootTree, cache};
use notafter_core::ImageRef;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Every kind of document that names layers, or others.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
const ANYTHING: &str = "*/*";
/// How long a document may take.
const DOCUMENT_SECS: i64 = 60;
/// How long a layer may take: this, and as long again as its bytes take at the slowest speed that is borne.
const LAYER_SECS: i64 = 60;
const SLOWEST_BYTES_PER_SEC: u64 = 16 << 10;
/// Indexes in indexes.
const MOST_INDEXES: usize = 4;

/// What a pull is about, for its errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) image: &'a ImageRef,
    pub(crate) place: &'a Place,
    /// Why the registry is asked, where the image could have come from elsewhere.
    pub(crate) because: Option<&'a str>,
}

impl Wanted<'_> {
    fn failed(&self, failure: Failure) -> Error {
        Error::NotPulled {
            image: self.image.clone(),
            registry: self.place.host.clone(),
            because: self.because.map(str::to_owned),
            source: Box::new(failure),
        }
    }

    fn io(&self, action: String) -> impl FnOnce(io::Error) -> Error {
        let image = self.image.clone();
        move |source| Error::Io { image, action, source }
    }
}

/// The image, pulled now as far as `cache` does not hold it.
pub(crate) fn of_registry(
    registries: &Registries,
    cache: &Path,
    wanted: Wanted<'_>,
    on_line: &mut dyn FnMut(&str),
) -> Result<Image, Error> {
    let image = wanted.image;
    let pull = Pull::begin(registries, wanted, &cache.join("registry"), on_line)?;
    let (manifest, id) = (pull.found.manifest.clone(), pull.found.id.clone());
    let (tree, mut remarks) = cache::tree_of(cache, image, cache::Kind::Image, id.hex(), |root, owners| {
        let path = cache.join("registry/layers").join(id.hex());
        let room = Room::new(path).map_err(wanted.io(format!("write to {}", cache.display())))?;
        pull.take_layers(&room.0, on_line)?;
        let store = Store::Directory(room.0.clone());
        pull.found.unpack_from(&store, image, root, Limits::USUAL, owners)
    })?;
    let because =
        wanted.because.map_or_else(String::new, |reason| format!(", which was asked because {reason}"));
    let (top, host) = (&pull.top, &wanted.place.host);
    remarks.push(format!("{image} is {top} of the registry {host}{because}"));
    let identity = Identity { id: id.to_string(), manifest: manifest.map(|digest| digest.to_string()) };
    Ok(Image { config: pull.found.config, ..of_tree(RootTree::Tree(tree), Some(identity), remarks) })
}

/// An empty directory for the layers of one image, while its tree is made under a lock. It goes with this value; what a
/// pull left that was killed goes at the beginning.
struct Room(PathBuf);

impl Room {
    fn new(path: PathBuf) -> io::Result<Self> {
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        cache::make(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What stays all the same the next pull of this image takes away.
        _ = fs::remove_dir_all(&self.0);
    }
}

/// An image whose documents are here, and whose layers are not.
pub(super) struct Pull<'a> {
    wanted: Wanted<'a>,
    session: Session<'a>,
    /// What the reference leads to: an index, or the manifest itself.
    top: Digest,
    pub(super) found: Stored,
    layers: Vec<(Digest, Option<u64>)>,
}

impl<'a> Pull<'a> {
    /// Gets the documents of the image into the layout at `documents`, those that are not there.
    pub(super) fn begin(
        registries: &'a Registries,
        wanted: Wanted<'a>,
        documents: &Path,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<Self, Error> {
        let session = Session::new(registries, wanted.place).map_err(|failure| wanted.failed(failure))?;
        let blobs = documents.join("blobs/sha256");
        cache::make(&blobs).map_err(wanted.io(format!("make the directory {}", blobs.display())))?;
        on_line(&format!("asking the registry {} for {}", wanted.place.host, wanted.place.repository));
        let getter = Getter { session: &session, documents };
        let failed = |failure| wanted.failed(failure);
        let top = getter.top(wanted.place).map_err(failed)?;
        let (mut digest, mut sought) = (top.clone(), MOST_INDEXES);
        let manifest = loop {
            let bytes = getter.document("manifests", &digest, MANIFESTS).map_err(failed)?;
            let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| Error::BadImage {
                image: wanted.image.clone(),
                reason: format!("is malformed: its manifest: {error}"),
            })?;
            match (&manifest.manifests, sought.checked_sub(1)) {
                (None, _) => break manifest,
                (Some(manifests), Some(left)) => {
                    let fitting = stored::fitting(wanted.image, manifests)?;
                    (digest, sought) = (parsed(wanted.image, fitting)?, left);
                }
                (Some(_), None) => break manifest,
            }
        };
        if let Some(config) = &manifest.config {
            getter.document("blobs", &parsed(wanted.image, config)?, ANYTHING).map_err(failed)?;
        }
        let found = stored::of_blobs(wanted.image, documents, &top)?;
        let layers = manifest.layers.unwrap_or_default();
        let layers = layers.iter().map(|layer| Ok((parsed(wanted.image, layer)?, layer.size)));
        let layers = layers.collect::<Result<Vec<_>, Error>>()?;
        Ok(Self { wanted, session, top, found, layers })
    }

    /// Gets every layer into the layout at `directory`.
    pub(super) fn take_layers(&self, directory: &Path, on_line: &mut dyn FnMut(&str)) -> Result<(), Error> {
        let (count, mut left) = (self.layers.len().min(MAX_LAYERS), MAX_EXPORT_BYTES);
        for (index, (digest, size)) in self.layers.iter().enumerate() {
            let number = index + 1;
            let path = directory.join(stored::blob_path(digest));
            if path.exists() {
                continue;
            }
            let megabytes = size.map_or_else(String::new, |size| format!(", {:.1} MB", size as f64 / 1e6));
            on_line(&format!("pulling {}: layer {number} of {count}{megabytes}", self.wanted.image));
            let parent = path.parent().unwrap_or(directory);
            cache::make(parent).map_err(self.wanted.io(format!("make {}", parent.display())))?;
            let mut file = File::create(&path).map_err(self.wanted.io(format!("make {}", path.display())))?;
            let taken = self.layer(digest, *size, left, &mut file);
            left -= taken.map_err(|failure| self.wanted.failed(failure))?;
        }
        Ok(())
    }

    /// Writes one layer into `file`; how long it is.
    fn layer(&self, digest: &Digest, size: Option<u64>, left: u64, file: &mut File) -> Result<u64, Failure> {
        let what = format!("layer {digest}");
        let most = size.unwrap_or(left);
        if most > left {
            return Err(Failure::TooLong { what, most_bytes: left });
        }
        let slowly = i64::try_from(most / SLOWEST_BYTES_PER_SEC).unwrap_or(i64::MAX - LAYER_SECS);
        let mut response = self.session.ask(Question {
            method: Method::Get,
            path: &format!("blobs/{digest}"),
            accept: ANYTHING,
            what: &what,
            secs: LAYER_SECS + slowly,
        })?;
        let failed = |source| Failure::Io { action: format!("take {what}"), source };
        let mut body = Hashing::like(digest, response.body.by_ref().take(most.saturating_add(1)));
        let len = io::copy(&mut body, file).and_then(|len| file.flush().map(|()| len)).map_err(failed)?;
        if len > most {
            return Err(Failure::TooLong { what, most_bytes: most });
        }
        let found = body.finish().map_err(failed)?;
        match found == *digest {
            true => Ok(len),
            false => Err(Failure::Digest { what, expected: digest.to_string(), found: found.to_string() }),
        }
    }
}

/// Gets documents, which are kept.
struct Getter<'a> {
    session: &'a Session<'a>,
    documents: &'a Path,
}

impl Getter<'_> {
    /// What the reference leads to, which may not be here yet.
    fn top(&self, place: &Place) -> Result<Digest, Failure> {
        let tag = match (&place.digest, &place.tag) {
            (Some(digest), _) => return Ok(digest.clone()),
            (None, tag) => tag.as_deref().unwrap_or("latest"),
        };
        let (path, what) = (format!("manifests/{tag}"), format!("image {}:{tag}", place.repository));
        let question = Question {
            method: Method::Head,
            path: &path,
            accept: MANIFESTS,
            what: &what,
            secs: DOCUMENT_SECS,
        };
        let told = match self.session.ask(question) {
            Ok(response) => response.values("docker-content-digest").next().map(str::to_owned),
            // Some answer GET alone.
            Err(Failure::Status { status: 400 | 405 | 501, .. }) => None,
            Err(failure) => return Err(failure),
        };
        if let Some(digest) = told.and_then(|text| Digest::parse(&text).ok()) {
            return Ok(digest);
        }
        let bytes = self.get(Question { method: Method::Get, ..question })?;
        let digest = Digest::of(&bytes);
        self.keep(&digest, &bytes)?;
        Ok(digest)
    }

    /// The document that `digest` names: kept from an earlier pull, or got and kept now.
    fn document(&self, kind: &str, digest: &Digest, accept: &str) -> Result<Vec<u8>, Failure> {
        let kept = Store::Directory(self.documents.to_owned());
        if let Ok(bytes) = kept.read(&stored::blob_path(digest), MAX_DOCUMENT_BYTES)
            && digest.like(&bytes) == *digest
        {
            return Ok(bytes);
        }
        let (path, what) = (format!("{kind}/{digest}"), format!("document {digest}"));
        let bytes = self.get(Question {
            method: Method::Get,
            path: &path,
            accept,
            what: &what,
            secs: DOCUMENT_SECS,
        })?;
        let found = digest.like(&bytes);
        if found != *digest {
            return Err(Failure::Digest { what, expected: digest.to_string(), found: found.to_string() });
        }
        self.keep(digest, &bytes)?;
        Ok(bytes)
    }

    fn get(&self, question: Question<'_>) -> Result<Vec<u8>, Failure> {
        let failed = |source| Failure::Io { action: format!("take {}", question.what), source };
        let whole = self.session.ask(question)?.body.whole(MAX_DOCUMENT_BYTES).map_err(failed)?;
        whole.ok_or_else(|| Failure::TooLong {
            what: question.what.to_owned(),
            most_bytes: MAX_DOCUMENT_BYTES,
        })
    }

    /// Under its name from the moment that it is whole.
    fn keep(&self, digest: &Digest, bytes: &[u8]) -> Result<(), Failure> {
        let path: PathBuf = self.documents.join(stored::blob_path(digest));
        let parent = path.parent().unwrap_or(self.documents);
        let written = cache::make(parent).and_then(|()| {
            let mut file = tempfile::NamedTempFile::new_in(parent)?;
            file.write_all(bytes)?;
            file.persist(&path).map_err(|error| error.error).map(|_| ())
        });
        written.map_err(|source| Failure::Io { action: format!("keep {}", path.display()), source })
    }
}

fn parsed(image: &ImageRef, descriptor: &Descriptor) -> Result<Digest, Error> {
    Digest::parse(&descriptor.digest)
        .map_err(|reason| Error::BadImage { image: image.clone(), reason: format!("is malformed: {reason}") })
}

/// Takes the image as an OCI layout into the empty directory `into`.
pub(crate) fn write_layout(
    registries: &Registries,
    wanted: Wanted<'_>,
    into: &Path,
    on_line: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let pull = Pull::begin(registries, wanted, into, on_line)?;
    pull.take_layers(into, on_line)?;
    let digest = pull.found.manifest.as_ref().unwrap_or(&pull.top);
    let index = serde_json::json!({ "schemaVersion": 2, "manifests": [{ "digest": digest.to_string() }] });
    let layout = serde_json::json!({ "imageLayoutVersion": "1.0.0" });
    for (name, document) in [("index.json", index), ("oci-layout", layout)] {
        fs::write(into.join(name), document.to_string())
            .map_err(wanted.io(format!("write to {}", into.display())))?;
    }
    Ok(())
}
