//! `gate --attest`: what has to be there before anything runs, and the file that comes of it.

use crate::args::RunArgs;
use crate::error::Error;
use notafter_attest::{SigningKey, Subject, attest};
use notafter_core::{RunRecord, Scenario, Verdict};
use notafter_runner::Images;
use notafter_scenario::Source;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The variable with the password of an encrypted key.
const PASSWORD: &str = "NOTAFTER_KEY_PASSWORD";
/// Longer keys and attestations are none, in bytes.
const MAX_LEN: u64 = 32 << 20;

/// A verdict that is going to be signed.
pub(crate) struct Attesting {
    path: PathBuf,
    key: SigningKey,
    subject: Subject,
}

impl Attesting {
    /// Reads the key and names the image, where an attestation is asked for: what is wrong with them shows before
    /// anything runs.
    ///
    /// # Errors
    /// [`Error::Key`], [`Error::KeyUnreadable`], [`Error::Run`].
    pub(crate) fn prepare(
        args: &RunArgs,
        source: &Source,
        scenario: &Scenario,
        images: &Images,
    ) -> Result<Option<Self>, Error> {
        let (Some(path), Some(key)) = (&args.attest, &args.key) else { return Ok(None) };
        let password = std::env::var(PASSWORD).ok();
        let key = SigningKey::from_pem(&text(key)?, password.as_deref())
            .map_err(|source| Error::Key { path: key.clone(), source })?;
        let candidate = scenario.service(&scenario.candidate.service);
        let image = candidate.and_then(|service| scenario.image_of(service));
        let subject = Subject {
            name: image.map_or_else(String::new, ToString::to_string),
            sha256: images.digest(scenario)?,
            scenario_sha256: hex(&policy(source, scenario)),
        };
        Ok(Some(Self { path: path.clone(), key, subject }))
    }

    /// Signs and writes.
    ///
    /// # Errors
    /// [`Error::Attest`], [`Error::ReportUnwritable`].
    pub(crate) fn write(&self, record: &RunRecord, verdict: &Verdict) -> Result<(), Error> {
        let bundle = attest(record, verdict, &self.subject, &self.key).map_err(Error::Attest)?;
        fs::write(&self.path, bundle)
            .map_err(|source| Error::ReportUnwritable { path: self.path.clone(), source })
    }
}

/// The text of a key or an attestation.
///
/// # Errors
/// [`Error::KeyUnreadable`].
pub(crate) fn text(path: &Path) -> Result<String, Error> {
    let unreadable = |source| Error::KeyUnreadable { path: path.to_owned(), source };
    let mut text = String::new();
    File::open(path).map_err(unreadable)?.take(MAX_LEN).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// What the verdict is about beside the image: the text of the scenario, the policy that it shares and, where services come from other files, what
/// those came to.
fn policy(source: &Source, scenario: &Scenario) -> Vec<u8> {
    let mut policy = source.bytes();
    if scenario.services.iter().any(|service| service.location.file != source.file)
        || source.text.contains("compose")
    {
        let services = serde_json::to_vec(&scenario.services);
        policy.extend(services.expect("services are plain data, with texts for keys"));
    }
    policy
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
