//! What can expire, before anything runs: the files of every image, the files laid into them, and what the scenario
//! declares.

use crate::images::{Images, ServiceImage};
use crate::{Error, stage};
use notafter_backend::RootTree;
use notafter_core::{EnvValue, ImageRef, Inventory, MountedSource, RunImage, Scenario, Service};
use notafter_inventory::{ScanOptions, SourceFile, scan_bytes, scan_files, scan_paths, scan_tree};
use notafter_pki::Pki;
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

/// Takes stock of every service.
///
/// # Errors
/// [`Error::Inventory`] where a tree or a glob cannot be scanned, and where a file of a service cannot be had.
pub(crate) fn take(scenario: &Scenario, images: &Images, pki: &Pki) -> Result<Stock, Error> {
    let mut stock = Stock { inventory: Inventory::default(), images: Vec::new(), remarks: Vec::new() };
    for (_, issued) in pki.iter() {
        stock.inventory.add(issued.credential().clone());
    }
    for crl in pki.crls() {
        stock.inventory.add(crl.credential().clone());
    }
    for service in &scenario.services {
        let image = images.of(scenario, service)?;
        if let Some(reference) = scenario.image_of(service) {
            stock.images.push(run_image(service, reference, image));
        }
        stock.remarks.extend(image.remarks.iter().map(|remark| format!("{}: {remark}", service.name)));
        let found = scan_image(service, image, &mut stock.remarks).map_err(|source| Error::Inventory {
            service: service.name.clone(),
            location: service.location.clone(),
            source,
        })?;
        stock.add(found);
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

fn scan_image(
    service: &Service,
    image: &ServiceImage,
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
        RootTree::Tree(root) => scan_tree(root, &service.name, &options)?,
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
