//! What `--keep` leaves for a person to read: logs per case and service, and the chains that were served.
//!
//! What must never happen here: writing a private key, or a log that was not redacted.

use crate::Error;
use notafter_core::{CaseId, RunRecord, ServedCertificate, ServiceName};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

/// Columns of base64 in PEM (RFC 7468 §2).
const PEM_COLUMNS: usize = 64;

/// The directory of one run.
pub(crate) struct Keep {
    directory: PathBuf,
    /// What could not be written: reported as remarks, since it changes nothing about the verdict.
    failures: RefCell<Vec<String>>,
}

impl Keep {
    /// Takes `directory`, made where it is missing.
    ///
    /// # Errors
    /// [`Error::Keep`] where it cannot be made or read, [`Error::KeepNotEmpty`] where it holds something.
    pub(crate) fn create(directory: &Path) -> Result<Self, Error> {
        let unusable = |source| Error::Keep { path: directory.to_owned(), source };
        fs::create_dir_all(directory).map_err(unusable)?;
        if fs::read_dir(directory).map_err(unusable)?.next().is_some() {
            return Err(Error::KeepNotEmpty { path: directory.to_owned() });
        }
        Ok(Self { directory: directory.to_owned(), failures: RefCell::default() })
    }

    /// Appends the log of one life of a service; `text` is redacted already.
    pub(crate) fn log(&self, case: &CaseId, service: &ServiceName, text: &str) {
        let path = self.case_directory(case).join(format!("{service}.log"));
        let append = || {
            fs::create_dir_all(self.case_directory(case))?;
            let again = path.exists();
            let mut file = fs::OpenOptions::new().append(true).create(true).open(&path)?;
            if again {
                writeln!(file, "--- {service} was started again ---")?;
            }
            file.write_all(text.as_bytes())
        };
        self.note(&path, append());
    }

    /// Writes every chain that was served, once per case and chain.
    pub(crate) fn chains(&self, record: &RunRecord) {
        for case in &record.cases {
            let directory = self.case_directory(&case.case.id).join("served");
            let mut written = BTreeSet::new();
            for observation in &case.observations {
                let Some(leaf) = observation.served.first() else { continue };
                let fingerprints: Vec<_> =
                    observation.served.iter().map(|served| served.credential.fingerprint).collect();
                if !written.insert(fingerprints) {
                    continue;
                }
                let name = format!(
                    "{:02}-{}-{}.pem",
                    written.len(),
                    observation.check,
                    leaf.credential.fingerprint.short()
                );
                let path = directory.join(name);
                let pem: String = observation
                    .served
                    .iter()
                    .filter(|served| !served.der_base64.is_empty())
                    .map(pem)
                    .collect();
                let write = || {
                    fs::create_dir_all(&directory)?;
                    fs::write(&path, pem)
                };
                self.note(&path, write());
            }
        }
    }

    /// Writes what was kept elsewhere: texts, by their paths below the directory. Whoever sends them has no say in
    /// where else something is written.
    pub(crate) fn take(&self, kept: Vec<(PathBuf, String)>) {
        for (name, text) in kept {
            let path = self.directory.join(&name);
            let is_below = name.components().all(|part| matches!(part, Component::Normal(_)));
            let write = || match (is_below, path.parent()) {
                (true, Some(directory)) => {
                    fs::create_dir_all(directory)?;
                    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
                    file.write_all(text.as_bytes())
                }
                _ => Err(io::Error::other("it would lie elsewhere")),
            };
            self.note(&path, write());
        }
    }

    /// What could not be written, as remarks.
    pub(crate) fn into_failures(self) -> Vec<String> {
        self.failures.into_inner()
    }

    fn case_directory(&self, case: &CaseId) -> PathBuf {
        self.directory.join("cases").join(case.as_str())
    }

    fn note(&self, path: &Path, result: io::Result<()>) {
        if let Err(error) = result {
            self.failures.borrow_mut().push(format!("{} was not kept: {error}", path.display()));
        }
    }
}

/// One certificate as PEM, with what it is above it.
fn pem(served: &ServedCertificate) -> String {
    let credential = &served.credential;
    let mut text = format!(
        "# subject {:?}, valid from {} to {}\n-----BEGIN CERTIFICATE-----\n",
        credential.subject, credential.not_before, credential.not_after
    );
    let mut rest = served.der_base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(PEM_COLUMNS).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_elsewhere_lies_where_it_belongs_or_nowhere() {
        let place = tempfile::tempdir().unwrap();
        let keep = Keep::create(&place.path().join("kept")).unwrap();
        let names = ["cases/control/box.log", "../beside", "/absolute", "cases/../../up", ""];
        keep.take(names.map(|name| (PathBuf::from(name), "text".to_owned())).to_vec());
        assert_eq!(fs::read_to_string(place.path().join("kept").join(names[0])).unwrap(), "text");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
        assert!(!Path::new("/absolute").exists());
        assert_eq!(keep.into_failures().len(), names.len() - 1);
    }
}
