//! One layer: a tar, looked into entry by entry as it is decoded.

use crate::ScanOptions;
use crate::buffer::Buffer;
use crate::collect::{Collector, FileFindings};
use crate::file::reason_of;
use crate::owners::is_document;
use crate::unpack::{Form, Input, Members, Metered, look_behind, look_into};
use notafter_core::{Credential, Fingerprint, ServiceName};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read};
use std::rc::Rc;

/// A layer that unpacks to more is opaque from there on.
const MAX_BYTES: u64 = 64 * 1024 * 1024 * 1024;
const MAX_ENTRIES: usize = 2_000_000;
/// What files that tell of packages may take together, and each of them, in bytes.
const MAX_DOCUMENTS: usize = 64 * 1024 * 1024;
const MAX_DOCUMENT: u64 = 16 * 1024 * 1024;

/// What one layer holds, and what it hides of those below. Paths are absolute.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct LayerFindings {
    pub(super) credentials: Vec<Credential>,
    pub(super) opaque: Vec<(String, String)>,
    pub(super) keys: BTreeMap<Fingerprint, BTreeSet<String>>,
    /// Everything but directories.
    pub(super) paths: BTreeSet<String>,
    /// What whiteouts name.
    pub(super) removed: BTreeSet<String>,
    /// Directories of which nothing below is left.
    pub(super) emptied: BTreeSet<String>,
    /// What tells of packages.
    pub(super) documents: BTreeMap<String, String>,
}

/// Looks into a layer, compressed or not. What cannot be read of it is opaque.
pub(super) fn look(reader: &mut dyn Read, service: &ServiceName, options: &ScanOptions) -> LayerFindings {
    let mut found =
        Looking { service, options, findings: LayerFindings::default(), links: Vec::new(), documents_len: 0 };
    if let Err(error) = found.layer(reader) {
        found.findings.opaque.push(("/".to_owned(), format!("the layer is damaged: {}", reason_of(&error))));
    }
    found.add_links();
    found.findings
}

struct Looking<'a> {
    service: &'a ServiceName,
    options: &'a ScanOptions,
    findings: LayerFindings,
    /// Hard links: their path, and that of the file.
    links: Vec<(String, String)>,
    documents_len: usize,
}

impl Looking<'_> {
    fn layer(&mut self, reader: &mut dyn Read) -> io::Result<()> {
        let mut head = Vec::with_capacity(4);
        (&mut *reader).take(4).read_to_end(&mut head)?;
        let form = match head.as_slice() {
            [0x1f, 0x8b, ..] => Some(Form::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd] => Some(Form::Zstd),
            [first, 0x2a, 0x4d, 0x18] if first >> 4 == 5 => Some(Form::Zstd),
            _ => None,
        };
        let mut whole = Cursor::new(head).chain(reader);
        match form {
            None => self.tar(&mut whole),
            Some(form) => {
                let left = Rc::new(Cell::new(MAX_BYTES));
                self.tar(&mut Metered { reader: Members::new(form, &mut whole), left })
            }
        }
    }

    fn tar(&mut self, reader: &mut dyn Read) -> io::Result<()> {
        let mut buffer = Buffer::default();
        let mut archive = tar::Archive::new(&mut *reader);
        for (count, entry) in archive.entries()?.enumerate() {
            if count >= MAX_ENTRIES {
                return Err(io::Error::other(format!("it has more than {MAX_ENTRIES} entries")));
            }
            self.entry(&mut entry?, &mut buffer)?;
        }
        let mut behind = Collector::new(self.service, "/", self.options);
        let looked = look_behind(reader, &mut behind, &mut buffer);
        self.add(behind.finish());
        looked
    }

    fn entry<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, buffer: &mut Buffer) -> io::Result<()> {
        let path = absolute(&String::from_utf8_lossy(&entry.path_bytes()));
        let kind = entry.header().entry_type();
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if let Some(hidden) = name.strip_prefix(".wh.") {
            match hidden {
                ".wh..opq" => self.findings.emptied.insert(folder.to_owned()),
                other => self.findings.removed.insert(format!("{folder}/{other}")),
            };
            return Ok(());
        }
        if kind.is_dir() {
            return Ok(());
        }
        if let (true, Some(target)) = (kind.is_hard_link(), entry.link_name_bytes()) {
            self.links.push((path.clone(), absolute(&String::from_utf8_lossy(&target))));
        }
        let is_file = kind.is_file() || kind.is_gnu_sparse() || kind.is_contiguous();
        if is_file && is_document(&path) && entry.size() <= MAX_DOCUMENT {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            self.look_into(&path, &mut bytes.as_slice(), buffer);
            self.documents_len += bytes.len();
            if self.documents_len <= MAX_DOCUMENTS {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                self.findings.documents.insert(path.clone(), text);
            }
        } else if is_file {
            self.look_into(&path, entry, buffer);
        }
        self.findings.paths.insert(path);
        Ok(())
    }

    fn look_into(&mut self, path: &str, reader: &mut dyn Read, buffer: &mut Buffer) {
        let mut collector = Collector::new(self.service, path, self.options);
        let left = Rc::new(Cell::new(self.options.max_file_bytes));
        look_into(Input::Stream(&mut Metered { reader, left }), &mut collector, buffer);
        self.add(collector.finish());
    }

    fn add(&mut self, found: FileFindings) {
        self.findings.credentials.extend(found.credentials.into_values());
        self.findings.opaque.extend(found.opaque);
        for (key, places) in found.keys {
            self.findings.keys.entry(key).or_default().extend(places);
        }
    }

    /// What lies in a file lies under every name that it has.
    fn add_links(&mut self) {
        let names: BTreeMap<&str, Vec<&str>> =
            self.links.iter().fold(BTreeMap::new(), |mut names, (link, target)| {
                names.entry(target.as_str()).or_insert_with(Vec::new).push(link);
                names
            });
        for credential in &mut self.findings.credentials {
            let linked: Vec<_> = credential
                .places
                .iter()
                .flat_map(|place| {
                    let links = names.get(place.path.as_str()).into_iter().flatten();
                    links.map(|link| notafter_core::Place { path: (*link).to_owned(), ..place.clone() })
                })
                .collect();
            credential.places.extend(linked);
        }
    }
}

fn absolute(name: &str) -> String {
    let parts = name.split('/').filter(|part| !matches!(*part, "" | "." | ".."));
    parts.fold(String::new(), |path, part| path + "/" + part)
}
