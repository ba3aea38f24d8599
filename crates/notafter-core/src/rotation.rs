//! Rotations: when mounted material is replaced by other material while its services run, and what is wrong with it
//! that can be told beforehand.

use crate::{
    Check, CheckName, CredentialName, MountedSource, Probe, RotationName, Scenario, ServiceName,
    SourceLocation, Span, UnixTime, X509Issuer,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How files are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Replacement {
    /// Each file is written beside the old one and renamed over it, as certbot's hooks and most tools do.
    Rename,
    /// The files of a folder are links into a directory that one more link names; that link is exchanged, as the
    /// kubelet does with secrets.
    SymlinkSwap,
    /// Each file is cut to nothing and written in place, as `cp` does.
    TruncateWrite,
    /// Each file is removed and made anew, as `install` does.
    UnlinkCreate,
}

impl fmt::Display for Replacement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Rename => "rename",
            Self::SymlinkSwap => "symlink-swap",
            Self::TruncateWrite => "truncate-write",
            Self::UnlinkCreate => "unlink-create",
        })
    }
}

/// What tells a service that its files are new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reload {
    /// A command inside a service; one that does not exit with 0 is a failure of the rotation.
    Exec {
        /// The service.
        service: ServiceName,
        /// Command and arguments, without a shell.
        command: Vec<String>,
    },
    /// A signal to the main process of a service.
    Signal {
        /// The service.
        service: ServiceName,
        /// Its name without `SIG`, as in `HUP`.
        name: String,
        /// Its number.
        number: i32,
    },
}

/// What must be on the wire after a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Served {
    /// The check that looks whose certificate is shown.
    pub check: CheckName,
    /// The service that shows it.
    pub by: ServiceName,
    /// How long it may take, on the candidate's clock.
    pub within: Duration,
    /// Whether the service may not end meanwhile, even where it is started again.
    pub without_restart: bool,
}

/// One replacement of the material of one credential, at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rotation {
    /// Its name in the scenario; that of a repetition ends in its number.
    pub name: RotationName,
    /// From this second on the new material is there, on the candidate's clock; inside the support window.
    pub at: UnixTime,
    /// The credential as files and probes name it.
    pub credential: CredentialName,
    /// What it stands for until then.
    pub replaces: CredentialName,
    /// What it stands for from then on.
    pub brings: CredentialName,
    /// How its files are replaced.
    pub replacement: Replacement,
    /// Absolute paths of the files that are replaced; all that hold the credential where none is named. Where some are,
    /// probes keep what they have.
    pub files: Vec<String>,
    /// What follows; nothing where services watch their files.
    pub then: Option<Reload>,
    /// What must be on the wire.
    pub served: Option<Served>,
    /// Where the scenario says so.
    pub location: SourceLocation,
}

/// Something wrong with a rotation that its scenario shows without running.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RotationProblem {
    /// What it brings has ended by then.
    AlreadyEnded {
        /// Its last second.
        ended: UnixTime,
    },
    /// A service then has a certificate and a key that do not belong together.
    KeyMismatch {
        /// The service.
        service: ServiceName,
        /// Where the certificate lies.
        certificate: String,
        /// Where the key lies.
        key: String,
    },
    /// What it brings is not valid yet.
    NotYetValid {
        /// Its first second.
        begins: UnixTime,
    },
    /// What it replaces has ended by then.
    TooLate {
        /// Its last second.
        ended: UnixTime,
    },
    /// What it brings leads to another root.
    WrongChain {
        /// The root of the old chain.
        old_root: CredentialName,
        /// The root of the new one.
        new_root: CredentialName,
    },
}

/// What a rotation came to when a case performed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rotated {
    /// Which.
    pub rotation: RotationName,
    /// Index of the [`crate::Step`] of the case that asked.
    pub step: usize,
    /// When, on the candidate's clock.
    pub at: crate::ClockReading,
    /// Why the reload failed, as a lower-case fragment; none where it did not, or none was asked for.
    pub failed: Option<String>,
}

impl Scenario {
    /// The rotation of this name.
    #[must_use]
    pub fn rotation(&self, name: &RotationName) -> Option<&Rotation> {
        self.rotations.iter().find(|rotation| rotation.name == *name)
    }

    /// What the declared `credential` stands for at `at` in the file at `path`, or in the hands of probes where none is
    /// given.
    #[must_use]
    pub fn standing_for<'a>(
        &'a self,
        credential: &'a CredentialName,
        path: Option<&str>,
        at: UnixTime,
    ) -> &'a CredentialName {
        let reaches = |rotation: &&Rotation| {
            rotation.credential == *credential && rotation.at <= at && rotation.reaches(path)
        };
        let latest = self.rotations.iter().filter(reaches).max_by_key(|rotation| rotation.at);
        latest.map_or(credential, |rotation| &rotation.brings)
    }

    /// What is wrong with `rotation`, as far as it can be told without running.
    #[must_use]
    pub fn problems(&self, rotation: &Rotation) -> Vec<RotationProblem> {
        let mut found = Vec::new();
        if let Some(old) = self.credential(&rotation.replaces)
            && old.x509.not_after < rotation.at
        {
            found.push(RotationProblem::TooLate { ended: old.x509.not_after });
        }
        if let Some(new) = self.credential(&rotation.brings) {
            if new.x509.not_before > rotation.at {
                found.push(RotationProblem::NotYetValid { begins: new.x509.not_before });
            }
            if new.x509.not_after < rotation.at {
                found.push(RotationProblem::AlreadyEnded { ended: new.x509.not_after });
            }
        }
        let (old_root, new_root) = (self.root_of(&rotation.replaces), self.root_of(&rotation.brings));
        if old_root != new_root {
            let (old_root, new_root) = (old_root.clone(), new_root.clone());
            found.push(RotationProblem::WrongChain { old_root, new_root });
        }
        found.extend(self.mismatches(rotation));
        found.sort();
        found
    }

    /// The credential that the chain of `name` ends at.
    fn root_of<'a>(&'a self, name: &'a CredentialName) -> &'a CredentialName {
        let mut current = name;
        // Issuers form no loop; as many steps as there are credentials are enough.
        for _ in &self.credentials {
            match self.credential(current).map(|credential| &credential.x509.issuer) {
                Some(X509Issuer::Intermediate(issuer) | X509Issuer::IssuedBy(issuer)) => current = issuer,
                Some(X509Issuer::Root | X509Issuer::SelfSigned) | None => break,
            }
        }
        current
    }

    /// Certificates beside keys of another generation, once `rotation` is done.
    fn mismatches(&self, rotation: &Rotation) -> Vec<RotationProblem> {
        let mut found = Vec::new();
        for service in &self.services {
            let of = |wanted: fn(&MountedSource) -> Option<&CredentialName>| {
                let files = service.files.iter();
                files.filter_map(move |file| wanted(&file.source).map(|name| (name, &file.path)))
            };
            let certificates = of(|source| match source {
                MountedSource::Certificate(name) | MountedSource::Chain(name) => Some(name),
                MountedSource::Content(_)
                | MountedSource::Crl(_)
                | MountedSource::Jwks(_)
                | MountedSource::Key(_)
                | MountedSource::Source(_)
                | MountedSource::Token(_) => None,
            });
            let keys = of(|source| match source {
                MountedSource::Key(name) => Some(name),
                MountedSource::Certificate(_)
                | MountedSource::Chain(_)
                | MountedSource::Content(_)
                | MountedSource::Crl(_)
                | MountedSource::Jwks(_)
                | MountedSource::Source(_)
                | MountedSource::Token(_) => None,
            });
            let keys: Vec<_> = keys.filter(|(name, _)| **name == rotation.credential).collect();
            for (name, certificate) in certificates.filter(|(name, _)| **name == rotation.credential) {
                let stands = |path: &str| self.standing_for(name, Some(path), rotation.at);
                let other = keys.iter().find(|(_, key)| stands(key) != stands(certificate));
                if let Some((_, key)) = other {
                    let service = service.name.clone();
                    let (certificate, key) = (certificate.clone(), (*key).clone());
                    found.push(RotationProblem::KeyMismatch { service, certificate, key });
                }
            }
        }
        found
    }

    /// Whether files or probes name `credential` itself, or something that it issued.
    fn is_named(&self, credential: &CredentialName) -> bool {
        let mut files = self.services.iter().flat_map(|service| &service.files);
        let mounted = files.any(|file| file.source.credential() == Some(credential));
        let probes = || self.checks.iter().flat_map(Check::probes);
        let identities = probes().filter_map(|probe| probe.tls()?.identity.as_ref());
        let probed = identities.chain(probes().filter_map(Probe::trusted)).any(|name| name == credential);
        mounted || probed || self.issues(credential)
    }

    /// Whether it signed another credential of the scenario.
    fn issues(&self, credential: &CredentialName) -> bool {
        self.credentials.iter().any(|other| match &other.x509.issuer {
            X509Issuer::Intermediate(issuer) | X509Issuer::IssuedBy(issuer) => issuer == credential,
            X509Issuer::Root | X509Issuer::SelfSigned => false,
        })
    }

    /// The first second in which anything uses `credential`; none where it is in use from the beginning.
    pub(crate) fn introduced(&self, credential: &CredentialName) -> Option<UnixTime> {
        let brought = self.rotations.iter().filter(|rotation| rotation.brings == *credential);
        brought.map(|rotation| rotation.at).min().filter(|_| !self.is_named(credential))
    }

    /// The first second in which nothing is meant to use `credential` any more; none where something does to the end, and
    /// none where nobody looks at the wire of each service that holds it: what took its place is then known only once its
    /// end has gone by.
    pub(crate) fn retired(&self, credential: &CredentialName) -> Option<UnixTime> {
        let replaced = |rotation: &&Rotation| {
            rotation.replaces == *credential && rotation.files.is_empty() && self.is_seen_everywhere(rotation)
        };
        let rotation = self.rotations.iter().find(replaced)?;
        let again = self.rotations.iter().any(|r| r.brings == *credential && r.at >= rotation.at);
        // The first generation is named as all of them are.
        let only_so = rotation.credential == *credential || !self.is_named(credential);
        (only_so && !again && !self.issues(credential)).then_some(rotation.at)
    }

    /// Whether the check of `rotation` looks at the wire of every service whose files it replaces.
    fn is_seen_everywhere(&self, rotation: &Rotation) -> bool {
        rotation.served.as_ref().is_some_and(|served| {
            let mut others = self.services.iter().filter(|service| service.name != served.by);
            !others.any(|other| {
                other.files.iter().any(|file| file.source.credential() == Some(&rotation.credential))
            })
        })
    }

    /// Whether `at` lies between a rotation and the end of what it replaced: while it does, a restart would hide that
    /// the old material is still in use.
    pub(crate) fn is_rotating(&self, at: UnixTime) -> bool {
        self.rotations.iter().any(|rotation| {
            let old = self.credential(&rotation.replaces);
            rotation.at <= at && old.is_some_and(|old| at <= old.x509.not_after.plus_secs(1))
        })
    }
}

impl Rotation {
    /// Whether it replaces the file at `path`, or what probes hold where none is given.
    #[must_use]
    pub fn reaches(&self, path: Option<&str>) -> bool {
        self.files.is_empty() || path.is_some_and(|path| self.files.iter().any(|file| file == path))
    }

    /// The last second in which the old certificate may still be on the wire.
    #[must_use]
    pub fn deadline(&self) -> Option<UnixTime> {
        let within = self.served.as_ref()?.within.as_secs();
        Some(self.at.plus_secs(i64::try_from(within).unwrap_or(i64::MAX)))
    }
}

impl RotationProblem {
    /// What is wrong with `rotation`, as a clause.
    #[must_use]
    pub fn told(&self, rotation: &Rotation) -> String {
        let (name, at) = (&rotation.name, rotation.at);
        match self {
            RotationProblem::AlreadyEnded { ended } => {
                format!("rotation {name} brings {} at {at}, which had ended at {ended}", rotation.brings)
            }
            RotationProblem::KeyMismatch { service, certificate, key } => format!(
                "after rotation {name} the key in {key} of {service} does not belong to the certificate in {certificate}"
            ),
            RotationProblem::NotYetValid { begins } => {
                format!(
                    "rotation {name} brings {} at {at}, which is not valid before {begins}",
                    rotation.brings
                )
            }
            RotationProblem::TooLate { ended } => {
                let late = Span::from_secs(at.secs_since(*ended));
                format!("rotation {name} comes too late by {late}, at {at}")
            }
            RotationProblem::WrongChain { old_root, new_root } => format!(
                "rotation {name} brings {} at {at}, whose chain ends at {new_root} and not at {old_root}",
                rotation.brings
            ),
        }
    }
}
