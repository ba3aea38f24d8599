//! What is found in one file, with the places that lead to it.

use crate::ScanOptions;
use crate::carve::{Encoding, Found};
use crate::unpack::store;
use notafter_core::{
    CompiledIn, Container, Credential, CredentialKind, Fingerprint, Package, Place, ServiceName,
};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A file with more credentials than this is told to be opaque from there on. The largest trust bundles hold 300.
const MAX_CREDENTIALS: usize = 20_000;
/// Archives in one file that are told to be opaque one by one; the rest is counted.
const MAX_OPAQUE: usize = 100;

/// Places of one private key that are kept.
const MAX_KEY_PLACES: usize = 4;
/// Whoever carries so many roots, or keys of OpenPGP, carries a trust store; a few are peers that a program was made for.
const MIN_BUNDLE: usize = 10;
/// Bytes between two roots of one store: names, and what is trusted of each. What lies further away is no part of it.
const MAX_BUNDLE_GAP: u64 = 4_096;
/// Archives in one file that may say what they are.
const MAX_LABELS: usize = 10_000;

/// What one file holds.
#[derive(Debug, Default)]
pub(crate) struct FileFindings {
    pub(crate) credentials: BTreeMap<Fingerprint, Credential>,
    /// What was not looked into, or not to its end: the chain of paths, and why.
    pub(crate) opaque: Vec<(String, String)>,
    /// Private keys, by the public ones that belong to them: the chains of paths to where they lie.
    pub(crate) keys: BTreeMap<Fingerprint, BTreeSet<String>>,
}

/// What the bytes that are looked at are as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Elf,
    Jks,
    /// Memory of a process.
    Memory,
    Other,
    /// A program or library of Windows or .NET.
    Pe,
}

/// Collects what is carved from one file and from the archives in it.
pub(crate) struct Collector<'a> {
    service: &'a ServiceName,
    path: &'a str,
    pub(crate) options: &'a ScanOptions,
    /// Entries of archives that lead to what is looked at now.
    pub(crate) inside: Vec<String>,
    pub(crate) shape: Shape,
    /// Bytes that unpacking may still yield, for the whole file.
    pub(crate) budget: Rc<Cell<u64>>,
    /// Entries of archives that may still be looked into.
    pub(crate) entries_left: u32,
    /// Stores in base64 that may still be opened: each costs time.
    stores_left: u32,
    count: usize,
    findings: FileFindings,
    /// What archives and programs say that they are: the entries that lead to them, and the package.
    labels: Vec<(Vec<String>, Package)>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(service: &'a ServiceName, path: &'a str, options: &'a ScanOptions) -> Self {
        Self {
            service,
            path,
            options,
            inside: Vec::new(),
            shape: Shape::Other,
            budget: Rc::new(Cell::new(options.max_file_bytes)),
            entries_left: 1_000_000,
            stores_left: 16,
            count: 0,
            findings: FileFindings::default(),
            labels: Vec::new(),
        }
    }

    /// `base`: where the window begins; `total`: the length of the whole, where it is known.
    pub(crate) fn add(&mut self, base: u64, total: Option<u64>, found: Found) {
        let carved = match found {
            Found::Credential(carved) => carved,
            Found::PrivateKey(key) => return self.add_key(key.fingerprint),
            Found::Program(package) => return self.add_label(self.inside.clone(), package),
            // A gate reads memory again and again, and what a process made of a store lies there too.
            Found::Store(_) if self.shape == Shape::Memory => return,
            Found::Store(store) if self.stores_left > 0 => {
                self.stores_left -= 1;
                return store::look_at_encoded(&store, base, self);
            }
            Found::Store(_) => return self.opaque("holds more stores in base64 than are opened".to_owned()),
        };
        self.count += 1;
        if self.is_full() {
            return;
        }
        let (offset, len) = (base + carved.offset as u64, carved.len as u64);
        let container = match (carved.encoding, self.shape) {
            (Encoding::Body, _) => Container::MemoryBody,
            (_, Shape::Memory) => Container::Memory,
            (Encoding::Base64, _) => Container::Base64,
            (Encoding::Der, _) if offset == 0 && Some(len) == total => Container::Der,
            (Encoding::Der, Shape::Elf) => Container::DerInElf,
            (Encoding::Der, Shape::Jks) => Container::Jks,
            (Encoding::Der, Shape::Other | Shape::Pe) => Container::DerInFile,
            (Encoding::OpenPgp, _) => Container::OpenPgp,
            (Encoding::Pem, _) => Container::Pem,
            (Encoding::Pkcs12, _) => Container::Pkcs12,
            (Encoding::Text, _) => Container::Text,
        };
        let place = Place {
            inside: self.inside.clone(),
            offset,
            private_key: carved.with_key.then(|| self.chain()),
            compiled_in: matches!(self.shape, Shape::Elf | Shape::Pe).then_some(CompiledIn::Alone),
            ..Place::in_file(self.service.clone(), self.path.to_owned(), len, container)
        };
        let known = self.findings.credentials.entry(carved.credential.fingerprint);
        known.or_insert(carved.credential).places.push(place);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count > MAX_CREDENTIALS
    }

    /// A private key lies in what is looked at now.
    pub(crate) fn add_key(&mut self, public: Fingerprint) {
        let chain = self.chain();
        let places = self.findings.keys.entry(public).or_default();
        if places.len() < MAX_KEY_PLACES {
            places.insert(chain);
        }
    }

    /// What the entries `inside` lead to says that it is `package`.
    pub(crate) fn add_label(&mut self, inside: Vec<String>, package: Package) {
        if self.labels.len() < MAX_LABELS {
            self.labels.push((inside, package));
        }
    }

    /// The path of what is looked at now: the file, then the entries of archives in it.
    fn chain(&self) -> String {
        self.inside.iter().fold(self.path.to_owned(), |path, entry| format!("{path}!/{entry}"))
    }

    /// Says that what is looked at now was not looked into, or not to its end.
    pub(crate) fn opaque(&mut self, reason: String) {
        if self.findings.opaque.len() < MAX_OPAQUE {
            self.findings.opaque.push((self.chain(), reason));
        }
    }

    pub(crate) fn finish(mut self) -> FileFindings {
        self.inside.clear();
        self.labels.sort_by_key(|(inside, _)| std::cmp::Reverse(inside.len()));
        for place in self.findings.credentials.values_mut().flat_map(|known| &mut known.places) {
            let labels = self.labels.iter().filter(|(inside, _)| place.inside.starts_with(inside));
            place.owners.extend(labels.map(|(_, package)| package.clone()));
        }
        find_bundles(&mut self.findings.credentials);
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

/// Tells trust stores in programs from what programs were built with one by one.
fn find_bundles(credentials: &mut BTreeMap<Fingerprint, Credential>) {
    let mut programs: BTreeMap<(CredentialKind, &[String]), Vec<Compiled>> = BTreeMap::new();
    for (fingerprint, credential) in &*credentials {
        let is_root =
            (credential.ca && credential.self_issued) || credential.kind == CredentialKind::OpenPgpKey;
        for place in credential.places.iter().filter(|place| place.compiled_in.is_some()) {
            let known = programs.entry((credential.kind, &place.inside)).or_default();
            let begin = place.offset;
            known.push(Compiled { begin, end: begin + place.len, fingerprint: *fingerprint, is_root });
        }
    }
    let mut stores: BTreeSet<(Fingerprint, Vec<String>, u64)> = BTreeSet::new();
    for ((_, inside), mut known) in programs {
        known.sort_by_key(|it| it.begin);
        for run in known.chunk_by(|one, next| next.begin.saturating_sub(one.end) <= MAX_BUNDLE_GAP) {
            let roots = run.iter().filter(|it| it.is_root).map(|it| it.fingerprint);
            if roots.collect::<BTreeSet<Fingerprint>>().len() >= MIN_BUNDLE {
                stores.extend(run.iter().map(|it| (it.fingerprint, inside.to_vec(), it.begin)));
            }
        }
    }
    for (fingerprint, credential) in credentials {
        for place in credential.places.iter_mut().filter(|place| place.compiled_in.is_some()) {
            if stores.contains(&(*fingerprint, place.inside.clone(), place.offset)) {
                place.compiled_in = Some(CompiledIn::InBundle);
            }
        }
    }
}

/// One credential in a program.
struct Compiled {
    begin: u64,
    end: u64,
    fingerprint: Fingerprint,
    is_root: bool,
}
