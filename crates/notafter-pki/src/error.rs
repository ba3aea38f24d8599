use notafter_core::{CredentialName, UnixTime};

/// Why a credential could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A date that no certificate can hold.
    #[error("credential `{name}`: {at} lies outside the years 0 to 9999 that a certificate can name")]
    DateNotEncodable {
        /// The credential.
        name: CredentialName,
        /// The date.
        at: UnixTime,
    },
    /// The DER has the shape of a certificate, but not its content.
    #[error("not an X.509 certificate")]
    Content(#[source] x509_parser::error::X509Error),
    /// Two credentials of one name.
    #[error("credential `{name}` is declared twice")]
    Duplicate {
        /// The name.
        name: CredentialName,
    },
    /// The issuer is an end entity.
    #[error("credential `{name}`: its issuer `{issuer}` is no CA")]
    IssuerNotCa {
        /// The credential.
        name: CredentialName,
        /// Its issuer.
        issuer: CredentialName,
    },
    /// A chain of issuers that leads back to itself.
    #[error("credential `{name}`: its issuers form a loop")]
    IssuerLoop {
        /// A credential in or below the loop.
        name: CredentialName,
    },
    /// The library that makes keys and certificates refused.
    #[error("credential `{name}` cannot be made")]
    Make {
        /// The credential.
        name: CredentialName,
        /// What it said.
        #[source]
        source: rcgen::Error,
    },
    /// The DER does not have the shape of a certificate.
    #[error("not an X.509 certificate: {reason}")]
    Shape {
        /// What is wrong, as a lower-case fragment.
        reason: &'static str,
    },
    /// A subject that is no list of known attributes.
    #[error("credential `{name}`: subject `{subject}`: {reason}")]
    Subject {
        /// The credential.
        name: CredentialName,
        /// The subject as it was given.
        subject: String,
        /// What is wrong, as a lower-case fragment.
        reason: String,
    },
    /// A DNS name that is not ASCII.
    #[error("credential `{name}`: `{dns}` is no DNS name (international ones go in as `xn--…`)")]
    DnsName {
        /// The credential.
        name: CredentialName,
        /// The DNS name as it was given.
        dns: String,
    },
    /// A name that is not among the credentials.
    #[error("there is no credential `{name}`")]
    UnknownCredential {
        /// The name.
        name: CredentialName,
    },
    /// An issuer that is not among the credentials.
    #[error("credential `{name}`: there is no credential `{issuer}` to issue it")]
    UnknownIssuer {
        /// The credential.
        name: CredentialName,
        /// Its issuer.
        issuer: CredentialName,
    },
    /// The validity ends before it begins.
    #[error("credential `{name}`: its validity ends at {not_after}, before it begins at {not_before}")]
    ValidityReversed {
        /// The credential.
        name: CredentialName,
        /// Its first second.
        not_before: UnixTime,
        /// Its last second.
        not_after: UnixTime,
    },
}

impl Error {
    /// The declared credential that it is about, where there is one; its spec knows the line of the scenario.
    #[must_use]
    pub fn credential(&self) -> Option<&CredentialName> {
        match self {
            Self::Content(_) | Self::Shape { .. } => None,
            Self::DateNotEncodable { name, .. }
            | Self::DnsName { name, .. }
            | Self::Duplicate { name }
            | Self::IssuerLoop { name }
            | Self::IssuerNotCa { name, .. }
            | Self::Make { name, .. }
            | Self::Subject { name, .. }
            | Self::UnknownCredential { name }
            | Self::UnknownIssuer { name, .. }
            | Self::ValidityReversed { name, .. } => Some(name),
        }
    }
}
