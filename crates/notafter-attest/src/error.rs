//! Why nothing can be signed, and why what was signed is not accepted.

use notafter_core::UnixTime;

/// Why a key cannot be used or a statement not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key is encrypted, and there is no password.
    #[error("the private key is encrypted, and there is no password for it")]
    NoPassword,
    /// The text is no such key.
    #[error("not a PEM file with {wanted}: {found}")]
    NotAKey {
        /// What was asked for.
        wanted: &'static str,
        /// What stands there instead, as a fragment.
        found: String,
    },
    /// The key could not sign.
    #[error("the key cannot sign")]
    Sign,
    /// The statement cannot be written.
    #[error("the statement cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
    /// The password does not open the key, or the key is encrypted in a way that is not known.
    #[error("the private key cannot be decrypted: a wrong password, or an encryption other than PBES2")]
    WrongPassword,
}

/// Why an attestation is not accepted. Each is a reason not to deploy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The file is no bundle of attestations.
    #[error("not a bundle of attestations: {reason}")]
    Malformed {
        /// What is wrong and in which line.
        reason: String,
    },
    /// One of the two statements is missing.
    #[error("the bundle holds no statement of type {predicate}")]
    Missing {
        /// The predicate type.
        predicate: &'static str,
    },
    /// The verdict is another.
    #[error("the image was not allowed: the gate said {decision}")]
    NotAllowed {
        /// What it said.
        decision: String,
    },
    /// It was made too long ago.
    #[error("the verdict of {verified} is older than {max_age_secs} s")]
    TooOld {
        /// When the gate began.
        verified: UnixTime,
        /// The most that was asked for, in seconds.
        max_age_secs: i64,
    },
    /// It was made in the future.
    #[error("the verdict is of {verified}, which lies in the future")]
    TooNew {
        /// When it says that the gate began.
        verified: UnixTime,
    },
    /// It is about something else.
    #[error("the attestation is about sha256:{attested}, and the image is sha256:{image}")]
    WrongImage {
        /// What it is about.
        attested: String,
        /// What is to be deployed.
        image: String,
    },
    /// Nobody who is trusted signed it.
    #[error("no signature in line {line} is by this key")]
    WrongKey {
        /// The line of the bundle, from 1.
        line: usize,
    },
}
