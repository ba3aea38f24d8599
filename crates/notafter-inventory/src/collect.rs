//! What is found in one file, with the places that lead to it.

use crate::carve::{Carved, Encoding};
use notafter_core::{Container, Credential, Fingerprint, Place, ServiceName};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A file with more credentials than this is told to be opaque from there on. The largest trust bundles hold 300.
const MAX_CREDENTIALS: usize = 20_000;
/// Archives in one file that are told to be opaque one by one; the rest is counted.
const MAX_OPAQUE: usize = 100;

/// What one file holds.
#[derive(Debug, Default)]
pub(crate) struct FileFindings {
    pub(crate) credentials: BTreeMap<Fingerprint, Credential>,
    /// What was not looked into, or not to its end: the chain of paths, and why.
    pub(crate) opaque: Vec<(String, String)>,
}

/// What the bytes that are looked at are as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Elf,
    Jks,
    Other,
}

/// Collects what is carved from one file and from the archives in it.
pub(crate) struct Collector<'a> {
    service: &'a ServiceName,
    path: &'a str,
    /// Entries of archives that lead to what is looked at now.
    pub(crate) inside: Vec<String>,
    pub(crate) shape: Shape,
    /// Bytes that unpacking may still yield, for the whole file.
    pub(crate) budget: Rc<Cell<u64>>,
    /// Entries of archives that may still be looked into.
    pub(crate) entries_left: u32,
    count: usize,
    findings: FileFindings,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(service: &'a ServiceName, path: &'a str, budget: u64) -> Self {
        Self {
            service,
            path,
            inside: Vec::new(),
            shape: Shape::Other,
            budget: Rc::new(Cell::new(budget)),
            entries_left: 1_000_000,
            count: 0,
            findings: FileFindings::default(),
        }
    }

    /// `base`: where the window begins; `total`: the length of the whole, where it is known.
    pub(crate) fn add(&mut self, base: u64, total: Option<u64>, carved: Carved) {
        self.count += 1;
        if self.is_full() {
            return;
        }
        let (offset, len) = (base + carved.offset as u64, carved.len as u64);
        let container = match (carved.encoding, self.shape) {
            (Encoding::Base64, _) => Container::Base64,
            (Encoding::Der, _) if offset == 0 && Some(len) == total => Container::Der,
            (Encoding::Der, Shape::Elf) => Container::DerInElf,
            (Encoding::Der, Shape::Jks) => Container::Jks,
            (Encoding::Der, Shape::Other) => Container::DerInFile,
            (Encoding::OpenPgp, _) => Container::OpenPgp,
            (Encoding::Pem, _) => Container::Pem,
            (Encoding::Text, _) => Container::Text,
        };
        let place = Place {
            service: self.service.clone(),
            path: self.path.to_owned(),
            inside: self.inside.clone(),
            offset,
            len,
            container,
        };
        let known = self.findings.credentials.entry(carved.credential.fingerprint);
        known.or_insert(carved.credential).places.push(place);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count > MAX_CREDENTIALS
    }

    /// Says that what is looked at now was not looked into, or not to its end.
    pub(crate) fn opaque(&mut self, reason: String) {
        if self.findings.opaque.len() < MAX_OPAQUE {
            let chain =
                self.inside.iter().fold(self.path.to_owned(), |path, entry| format!("{path}!/{entry}"));
            self.findings.opaque.push((chain, reason));
        }
    }

    /// Encodings that were found so far.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn finish(mut self) -> FileFindings {
        self.inside.clear();
        if self.findings.opaque.len() == MAX_OPAQUE {
            self.findings
                .opaque
                .push((self.path.to_owned(), "holds more that cannot be looked into".to_owned()));
        }
        if self.is_full() {
            let reason = format!("holds more than {MAX_CREDENTIALS} credentials");
            self.findings.opaque.push((self.path.to_owned(), reason));
        }
        self.findings
    }
}
