//! What can expire, before anything runs: the files of every image, the files laid into them, what services are given beside
//! files, and what the scenario declares.

use crate::given::given;
use crate::images::{Images, ServiceImage};
use crate::{Error, Variables, stage};
use notafter_backend::RootTree;
use notafter_core::{EnvValue, ImageRef, Inventory, MountedSource, RunImage, Scenario, Service, ServiceName};
use notafter_inventory::{
    ScanOptions, SourceFile, scan_bytes, scan_files, scan_paths, scan_settings, scan_tree,
};
use notafter_pki::Pki;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The inventory before the first case.
pub(crate) struct Stock {
    pub(crate) inventory: Inventory,
    /// What the services run from.
    pub(crate) images: Vec<RunImage>,
    /// What the scan did not look at.
    pub(crate) remarks: Vec<String>,
}

/// Takes stock of every service. `variables` hold the secrets that it may be given.
///
/// # Errors
/// [`Error::Inventory`] where a tree or a glob cannot be scanned, and where a file of a service cannot be had.
pub(crate) fn take(
    scenario: &Scenario,
    images: &Images,
    pki: &Pki,
    variables: &Variables,
) -> Result<Stock, Error> {
    let mut stock = Stock { inventory: Inventory::default(), images: Vec::new(), remarks: Vec::new() };
    for (_, issued) in pki.iter() {
        stock.inventory.add(issued.credential().clone());
    }
    for crl in pki.crls() {
        stock.inventory.add(crl.credential().clone());
    }
    for token in pki.tokens() {
        stock.inventory.add(token.credential().clone());
    }
    let mut trees = Trees::default();
    for service in &scenario.services {
        let image = images.of(scenario, service)?;
        if let Some(reference) = scenario.image_of(service) {
            stock.images.push(run_image(service, reference, image));
        }
        stock.remarks.extend(image.remarks.iter().map(|remark| format!("{}: {remark}", service.name)));
        let found = scan_image(service, image, &mut trees, &mut stock.remarks).map_err(|source| {
            Error::Inventory { service: service.name.clone(), location: service.location.clone(), source }
        })?;
        stock.add(found);
        let given = given(service, &image.config, variables);
        stock.add(scan_settings(&given.settings, &service.name, &ScanOptions::default()));
        if !given.unknown.is_empty() {
            let names = given.unknown.join(", ");
            stock.remarks.push(format!("{}: not known here, and so not looked into: {names}", service.name));
        }
        for file in &service.files {
            // A key has no end of its own.
            if !matches!(file.source, MountedSource::Key(_)) {
                let instants = scenario.rotations.iter().map(|rotation| rotation.at);
                for at in [scenario.start.instant()].into_iter().chain(instants) {
                    let bytes = stage::contents(scenario, service, file, pki, at)?;
                    stock.add(scan_bytes(&bytes, &file.path, &service.name));
                }
            }
        }
    }
    stock.inventory.opaque.sort();
    stock.inventory.opaque.dedup();
    Ok(stock)
}

pub(crate) fn run_image(service: &Service, reference: &ImageRef, image: &ServiceImage) -> RunImage {
    let (id, manifest) = match &image.identity {
        Some(identity) => (Some(identity.id.clone()), identity.manifest.clone()),
        None => (None, None),
    };
    RunImage { service: service.name.clone(), image: reference.clone(), id, manifest }
}

impl Stock {
    fn add(&mut self, found: Inventory) {
        for credential in found.credentials {
            self.inventory.add(credential);
        }
        self.inventory.opaque.extend(found.opaque);
    }
}

/// What lies in trees of which several services may run, each looked through once.
#[derive(Default)]
struct Trees {
    scanned: BTreeMap<PathBuf, Inventory>,
}

impl Trees {
    fn scan(
        &mut self,
        root: &Path,
        service: &ServiceName,
        options: &ScanOptions,
    ) -> Result<Inventory, notafter_inventory::Error> {
        if let Some(known) = self.scanned.get(root) {
            return Ok(known.clone().of_service(service));
        }
        let found = scan_tree(root, service, options)?;
        self.scanned.insert(root.to_owned(), found.clone());
        Ok(found)
    }
}

fn scan_image(
    service: &Service,
    image: &ServiceImage,
    trees: &mut Trees,
    remarks: &mut Vec<String>,
) -> Result<Inventory, notafter_inventory::Error> {
    let options = ScanOptions::default();
    let mut files: Vec<SourceFile> = image
        .binds
        .iter()
        .map(|bind| SourceFile { source: bind.source.clone(), path: bind.target.clone() })
        .collect();
    let mut found = match &image.root {
        RootTree::Empty => Inventory::default(),
        RootTree::Tree(root) => trees.scan(root, &service.name, &options)?,
        RootTree::Host => {
            let executable = host_executable(service);
            let named = executable.iter().map(|path| path.to_string_lossy().into_owned());
            let scanned: Vec<String> = named.chain(service.scan.iter().cloned()).collect();
            let scanned = if scanned.is_empty() { "nothing".to_owned() } else { scanned.join(", ") };
            remarks.push(format!(
                "{} runs on the machine's own files; scanned of these: {scanned}",
                service.name
            ));
            files.extend(
                executable.map(|path| SourceFile { path: path.to_string_lossy().into_owned(), source: path }),
            );
            scan_paths(Path::new("/"), &service.scan, &service.name, &options)?
        }
    };
    let more = scan_files(&files, &service.name, &options);
    for credential in more.credentials {
        found.add(credential);
    }
    found.opaque.extend(more.opaque);
    Ok(found)
}

/// The program that the command of a service on the machine's own files names, found as execvp(3) finds it.
fn host_executable(service: &Service) -> Option<PathBuf> {
    let program = service.command.as_ref()?.first()?;
    if program.contains('/') {
        let directory = service.workdir.as_deref().unwrap_or("/");
        return Some(Path::new(directory).join(program));
    }
    let search = match service.env.get("PATH") {
        Some(EnvValue::Hidden(path)) => path.reveal(),
        Some(EnvValue::Plain(path)) => path,
        Some(EnvValue::Secret(_)) | None => stage::DEFAULT_PATH,
    };
    let is_executable = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    search.split(':').map(|directory| Path::new(directory).join(program)).find(is_executable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_tree_is_looked_through_once_for_all_services_that_run_of_it() {
        let tree = tempfile::tempdir().unwrap();
        let file = tree.path().join("etc/licence.jwt");
        fs::create_dir(tree.path().join("etc")).unwrap();
        // {"alg":"HS256"}, {"exp":1900000000}, and what has the length of a signature.
        let signature = "a".repeat(43);
        fs::write(&file, format!("eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE5MDAwMDAwMDB9.{signature}\n")).unwrap();
        // A gzip member (RFC 1952) of which only the beginning is there.
        fs::write(tree.path().join("etc/cut.gz"), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b]).unwrap();
        let mut trees = Trees::default();
        let mut scan = |name: &str| {
            let service = ServiceName::new(name).unwrap();
            trees.scan(tree.path(), &service, &ScanOptions::default()).unwrap()
        };
        let first = scan("first");
        fs::remove_file(&file).unwrap();
        for (name, found) in [("second", scan("second")), ("first", first)] {
            let [credential] = &found.credentials[..] else { panic!("{found:?}") };
            assert_eq!(credential.not_after.as_secs(), 1_899_999_999);
            let places: Vec<_> =
                credential.places.iter().map(|place| (place.service.as_str(), &*place.path)).collect();
            assert_eq!(places, [(name, "/etc/licence.jwt")]);
            let opaque: Vec<_> =
                found.opaque.iter().map(|file| (file.service.as_str(), &*file.path)).collect();
            assert_eq!(opaque, [(name, "/etc/cut.gz")]);
        }
    }
}
