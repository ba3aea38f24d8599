//! What a folder holds that could be gated, for who begins.

use super::checks::starting_point;
use crate::Error;
use notafter_core::{Draft, ImageRef, ScenarioName, ServiceName, UnixTime};
use notafter_image::Recognised;
use notafter_inventory::{ScanOptions, SourceFile, scan_files};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// How deep below the folder things are looked for.
const DEEPEST: usize = 3;
/// Entries after which no more are looked at.
const MOST_ENTRIES: usize = 20_000;
/// Certificates that are named one by one.
const MOST_NAMED: usize = 20;
/// What tools fill, and nobody ships from.
const PASSED_OVER: [&str; 4] = ["node_modules", "target", "vendor", "venv"];
/// Endings of files that archives of images have.
const ARCHIVES: [&str; 5] = ["oci", "tar", "tar.gz", "tar.zst", "tgz"];
/// Names of files that name services.
const COMPOSE: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
/// Endings of files that hold certificates.
const CERTIFICATES: [&str; 8] = ["cer", "cert", "crt", "der", "jks", "p12", "pem", "pfx"];

/// A first scenario for what lies in `directory`: an image, or a binary that Cargo builds. `names` makes a name from the
/// name of a file; what ends until `horizon` is named.
///
/// # Errors
/// [`Error::NothingToDraft`] where nothing could be gated; it names what was found instead.
pub fn found_in(
    directory: &Path,
    support: &str,
    horizon: UnixTime,
    names: &dyn Fn(&str) -> String,
) -> Result<Draft, Error> {
    let mut found = Found::default();
    let mut left = MOST_ENTRIES;
    found.look(directory, directory, DEEPEST, &mut left);
    if left == 0 {
        found.remarks.push(format!("no more than {MOST_ENTRIES} entries of the folder were looked at"));
    }
    found.cargo(directory);
    let nothing = |remarks: Vec<String>| Error::NothingToDraft { directory: directory.to_owned(), remarks };
    let mut images = found.images.into_iter();
    let Some((image, called)) = images.next() else { return Err(nothing(found.remarks)) };
    let name = names(&called);
    let (service, scenario) = (ServiceName::new(name.clone()), ScenarioName::new(name));
    let (Ok(service), Ok(scenario)) = (service, scenario) else { return Err(nothing(found.remarks)) };
    let mut draft = starting_point(service.clone(), scenario, image, support);
    draft.remarks.extend(images.map(|(image, _)| format!("it could as well be `image: {image}`")));
    draft.remarks.extend(found.remarks);
    let inventory = scan_files(&found.certificates, &service, &ScanOptions::default());
    let mut ending: Vec<_> =
        inventory.credentials.iter().filter(|credential| credential.not_after <= horizon).collect();
    ending.sort_by_key(|credential| credential.not_after);
    let named = ending.iter().take(MOST_NAMED).map(|credential| {
        let place = credential.places.first().map_or("", |place| place.path.as_str());
        format!("{} in {place} ends at {}", credential.subject, credential.not_after)
    });
    draft.remarks.extend(named);
    if let Some(more) = ending.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        draft.remarks.push(format!("{more} more end in the window: `notafter scan` lists them"));
    }
    Ok(draft)
}

#[derive(Default)]
struct Found {
    /// What could be gated, with a name for it, the likeliest first.
    images: Vec<(ImageRef, String)>,
    certificates: Vec<SourceFile>,
    remarks: Vec<String>,
}

impl Found {
    fn look(&mut self, top: &Path, directory: &Path, deep: usize, left: &mut usize) {
        // What cannot be read is not there for who begins.
        let entries: BTreeSet<PathBuf> =
            fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        for path in entries {
            let Some(rest) = left.checked_sub(1) else { return };
            *left = rest;
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let inside = path.strip_prefix(top).unwrap_or(&path).to_owned();
            let Ok(meta) = fs::symlink_metadata(&path) else { continue };
            if meta.is_file() {
                self.file(&path, &inside, &name);
            } else if meta.is_dir() && !name.starts_with('.') && !PASSED_OVER.contains(&name.as_str()) {
                self.directory(top, &path, &inside, (deep, left));
            }
        }
    }

    fn directory(&mut self, top: &Path, path: &Path, inside: &Path, (deep, left): (usize, &mut usize)) {
        if let Ok(Some(Recognised::Stored(transport))) = notafter_image::recognise(path) {
            let image = ImageRef::Stored { transport, path: inside.to_owned(), selector: None };
            self.images.push((image, stem(inside)));
        } else if path.join("etc").is_dir() && path.join("usr").is_dir() {
            let at = inside.display();
            self.remarks.push(format!(
                "{at} looks like a root tree: `notafter check {at} --save FILE -- COMMAND` makes a scenario of it"
            ));
        } else if deep > 1 {
            self.look(top, path, deep - 1, left);
        }
    }

    fn file(&mut self, path: &Path, inside: &Path, name: &str) {
        let ends = |endings: &[&str]| {
            endings.iter().any(|ending| name.strip_suffix(ending).is_some_and(|rest| rest.ends_with('.')))
        };
        let at = inside.display();
        if ends(&ARCHIVES) {
            if let Ok(Some(Recognised::Stored(transport))) = notafter_image::recognise(path) {
                let image = ImageRef::Stored { transport, path: inside.to_owned(), selector: None };
                self.images.push((image, stem(inside)));
            }
        } else if ends(&CERTIFICATES) {
            let source = path.to_owned();
            self.certificates.push(SourceFile { source, path: inside.display().to_string() });
        } else if name == "Dockerfile" || name == "Containerfile" || name.starts_with("Dockerfile.") {
            self.remarks
                .push(format!("{at} builds an image: `docker build -t NAME .`, and `image: NAME` gates it"));
        } else if COMPOSE.contains(&name) && inside.components().count() > 1 {
            self.remarks.push(format!("{at} names services: `compose: {at}` takes them"));
        }
    }

    fn cargo(&mut self, directory: &Path) {
        if !directory.join("Cargo.toml").is_file() {
            return;
        }
        match notafter_image::cargo_binaries(directory) {
            Ok(binaries) => self.images.extend(binaries),
            Err(error) => self.remarks.push(format!("cargo does not say what it builds here: {error}")),
        }
    }
}

/// The name of a file up to its first dot.
fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.split('.').find(|part| !part.is_empty()).unwrap_or("candidate").to_owned()
}
