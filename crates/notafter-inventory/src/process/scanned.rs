//! A process to its inventory.

use super::maps::readable;
use super::memory::Memory;
use crate::buffer::Buffer;
use crate::collect::{Collector, Shape};
use crate::scan::Merged;
use crate::settings::{Setting, arguments, scan_settings, variables};
use crate::unpack::carve_stream;
use crate::{Error, ScanOptions, SourceFile, scan_files};
use notafter_core::{Credential, Inventory, ServiceName};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

/// More of an environment or a command line is not read, in bytes; the kernel takes 6 MiB (execve(2)).
const MAX_GIVEN: u64 = 16 * 1024 * 1024;

/// Scans what `pid` of this machine holds in its memory, and adds it to `known`, the inventory of what it may have
/// loaded. A credential of `known` that is loaded gets a place in memory; what only exists in memory is added. So do
/// files that the process has mapped or open, where the same credential lies in them, and so are the environment and the
/// arguments that it was started with.
///
/// Libraries that keep only what is signed of a certificate (OpenSSL, and so Python and Node.js) are seen through: its
/// body counts as the certificate with the same names, serial, dates and key where one is known.
///
/// # Errors
/// [`Error::Process`] where there is no such process or its memory may not be read (ptrace(2), *ptrace access mode*).
pub fn scan_process(
    pid: u32,
    known: Inventory,
    service: &ServiceName,
    options: &ScanOptions,
) -> Result<Inventory, Error> {
    let wrong = |source: io::Error| Error::Process { pid, source };
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).map_err(wrong)?;
    let memory = fs::File::open(format!("/proc/{pid}/mem")).map_err(wrong)?;
    let mappings = readable(&maps);
    let path = format!("/proc/{pid}/mem");
    let (mut merged, mut buffer) = (Merged::default(), Buffer::default());
    for mapping in &mappings {
        let mut collector = Collector::new(service, &path, options);
        collector.inside.push(mapping.name.clone());
        collector.shape = Shape::Memory;
        let mut reader = Memory { file: &memory, at: mapping.begin, end: mapping.end };
        if let Err(error) = carve_stream(&mut reader, mapping.begin, &mut collector, &mut buffer) {
            collector.opaque(crate::file::reason_of(&error));
        }
        merged.add(collector.finish(), service);
    }
    let mut inventory = known;
    let files = files_of(pid, mappings.into_iter().map(|mapping| mapping.name));
    let on_disk = scan_files(&files, service, options);
    let found = merged.finish();
    let (bodies, whole): (Vec<Credential>, Vec<Credential>) =
        found.credentials.into_iter().partition(Credential::is_body);
    for mut credential in whole {
        if let Some(same) = on_disk.find(credential.fingerprint) {
            credential.places.extend(same.places.iter().cloned());
        }
        inventory.add(credential);
    }
    for body in bodies {
        let mut certificates = inventory.credentials.iter().chain(&on_disk.credentials);
        let same = certificates.find(|known| !known.is_body() && body.is_copy_of(known)).cloned();
        inventory.add(match same {
            None => body,
            Some(whole) => Credential { places: [whole.places, body.places].concat(), ..whole },
        });
    }
    inventory.opaque.extend(found.opaque);
    let given = scan_settings(&given(pid).map_err(wrong)?, service, options);
    given.credentials.into_iter().for_each(|credential| inventory.add(credential));
    inventory.opaque.extend(given.opaque);
    Ok(inventory)
}

/// What the process was started with.
fn given(pid: u32) -> io::Result<Vec<Setting>> {
    let read = |path: &str| -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(MAX_GIVEN).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let (environment, line) = (format!("/proc/{pid}/environ"), format!("/proc/{pid}/cmdline"));
    let mut given = variables(&format!("{environment}:"), &read(&environment)?);
    given.extend(arguments(&format!("{line}: argument"), &read(&line)?));
    Ok(given)
}

/// Regular files that the process has mapped or open, each once.
fn files_of(pid: u32, mapped: impl Iterator<Item = String>) -> Vec<SourceFile> {
    let mut paths: BTreeSet<PathBuf> = mapped.map(PathBuf::from).filter(|path| path.is_absolute()).collect();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
        paths.extend(fs::read_link(entry.path()).ok().filter(|path| path.is_absolute()));
    }
    // As the process sees them: it may have another root.
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    let file = |path: PathBuf| {
        let source = root.join(path.strip_prefix("/").unwrap_or(&path));
        source.is_file().then(|| SourceFile { source, path: path.to_string_lossy().into_owned() })
    };
    paths.into_iter().filter_map(file).collect()
}
