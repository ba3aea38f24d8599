//! An image to its inventory.

use super::cache::{Cache, digest_of};
use super::layer::{self, LayerFindings};
use super::manifest::{self, NamedImage, NamedLayer};
use super::merge::Shadow;
use super::store::Store;
use crate::collect::FileFindings;
use crate::scan::Merged;
use crate::settings::{add_settings, scan_settings};
use crate::{Error, ScanOptions};
use notafter_core::{Credential, Inventory, Layer, ServiceName};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// How an image is stored, by the names of containers-transports(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageForm {
    /// A directory as `skopeo copy` writes it.
    Dir,
    /// An uncompressed tar as `docker save` writes it.
    DockerArchive,
    /// A directory by the OCI image layout.
    Oci,
    /// The same as an uncompressed tar.
    OciArchive,
}

/// What a scan of an image found.
#[derive(Debug)]
pub struct ScannedImage {
    /// What a container of the image sees, and what the image says of how it runs; each place in a file names its layer.
    pub inventory: Inventory,
    /// Places in layers that later layers hide, and what the history of the build alone tells. Whoever has the image can still
    /// read them.
    pub hidden: usize,
    /// Layers of all images in the store.
    pub layers: usize,
    /// Of these, those that had been looked into before.
    pub known: usize,
}

/// Scans every image in the store at `path`. What layers hold is kept below `cache` by the digest of their bytes,
/// unless passwords are given: then others may open more.
///
/// # Errors
/// [`Error::Image`] for what is no such store, lacks something or cannot be read. A layer that is damaged is opaque.
pub fn scan_image(
    form: ImageForm,
    path: &Path,
    service: &ServiceName,
    options: &ScanOptions,
    cache: Option<&Path>,
) -> Result<ScannedImage, Error> {
    let wrong = |source: io::Error| Error::Image { path: path.to_owned(), source };
    let store = match form {
        ImageForm::Dir | ImageForm::Oci => Store::Directory(path.to_owned()),
        ImageForm::DockerArchive | ImageForm::OciArchive => Store::archive(path).map_err(wrong)?,
    };
    let images = match form {
        ImageForm::Dir => manifest::of_directory(&store),
        ImageForm::DockerArchive => manifest::of_docker(&store),
        ImageForm::Oci | ImageForm::OciArchive => manifest::of_oci(&store),
    };
    let images = images.map_err(wrong)?;
    let cache = cache
        .filter(|_| options.passwords.as_slice().is_empty())
        .map(Cache::open)
        .transpose()
        .map_err(wrong)?;
    let mut scanned = ScannedImage { inventory: Inventory::default(), hidden: 0, layers: 0, known: 0 };
    for NamedImage { layers, settings, history } in images {
        let found: Vec<(LayerFindings, bool)> = layers
            .par_iter()
            .map(|layer| look_at(&store, layer, service, options, cache.as_ref()))
            .collect::<io::Result<_>>()
            .map_err(wrong)?;
        scanned.layers += found.len();
        scanned.known += found.iter().filter(|(_, known)| *known).count();
        let found = layers.into_iter().zip(found.into_iter().map(|(findings, _)| findings));
        let mut merged = Merged::default();
        add_settings(&mut merged, &settings, service, options);
        let inventory = seen(found.collect(), merged, service, &mut scanned.hidden);
        let told = scan_settings(&history, service, options).credentials;
        scanned.hidden += told.iter().filter(|it| inventory.find(it.fingerprint).is_none()).count();
        inventory.credentials.into_iter().for_each(|credential| scanned.inventory.add(credential));
        scanned.inventory.opaque.extend(inventory.opaque);
    }
    scanned.inventory.opaque.sort();
    scanned.inventory.opaque.dedup();
    Ok(scanned)
}

fn look_at(
    store: &Store,
    named: &NamedLayer,
    service: &ServiceName,
    options: &ScanOptions,
    cache: Option<&Cache>,
) -> io::Result<(LayerFindings, bool)> {
    let Some(cache) = cache else {
        return Ok((layer::look(&mut store.open(&named.file)?, service, options), false));
    };
    let digest = digest_of(&mut store.open(&named.file)?)?;
    if let Some(known) = cache.get(&digest) {
        return Ok((known, true));
    }
    let found = layer::look(&mut store.open(&named.file)?, service, options);
    cache.put(&digest, &found)?;
    Ok((found, false))
}

/// What a container sees of the layers, which come from the lowest to the topmost, beside what is in `merged` already.
fn seen(
    layers: Vec<(NamedLayer, LayerFindings)>,
    mut merged: Merged,
    service: &ServiceName,
    hidden: &mut usize,
) -> Inventory {
    let mut shadow = Shadow::default();
    let mut documents: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (named, mut layer) in layers.into_iter().rev() {
        let place = Layer { digest: named.diff_id, made_by: named.made_by };
        let mut findings = FileFindings::default();
        for mut credential in std::mem::take(&mut layer.credentials) {
            let before = credential.places.len();
            credential.places.retain(|place| !shadow.hides(&place.path));
            *hidden += before - credential.places.len();
            credential.places.iter_mut().for_each(|found| found.layer = Some(place.clone()));
            add(&mut findings, credential);
        }
        let opaque = std::mem::take(&mut layer.opaque);
        findings.opaque.extend(opaque.into_iter().filter(|(path, _)| !shadow.hides(path)));
        for (key, places) in std::mem::take(&mut layer.keys) {
            let places = places.into_iter().filter(|path| !shadow.hides(path));
            findings.keys.entry(key).or_default().extend(places);
        }
        merged.add(findings, service);
        for (path, text) in std::mem::take(&mut layer.documents) {
            if !shadow.hides(&path) {
                documents.insert(path, text.into_bytes());
            }
        }
        shadow.add(&layer);
    }
    merged.owned_by(&documents)
}

fn add(findings: &mut FileFindings, credential: Credential) {
    if credential.places.is_empty() {
        return;
    }
    match findings.credentials.get_mut(&credential.fingerprint) {
        Some(known) => known.places.extend(credential.places),
        None => {
            findings.credentials.insert(credential.fingerprint, credential);
        }
    }
}
