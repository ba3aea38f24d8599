//! Places: where a credential lies, in which form, and who brought it there.

use crate::ServiceName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a credential was encoded where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Container {
    /// Base64 without armour, as in kubeconfig files and JSON Web Key Sets.
    Base64,
    /// The whole file is one DER encoding.
    Der,
    /// DER carved from an ELF file.
    DerInElf,
    /// DER carved from any other file.
    DerInFile,
    /// An entry of a Java key store (JKS or JCEKS).
    Jks,
    /// Bytes in the memory of a process.
    Memory,
    /// What is signed of a certificate, without the signature, in the memory of a process: OpenSSL keeps no more.
    MemoryBody,
    /// OpenPGP packets (RFC 9580), in binary form.
    OpenPgp,
    /// PEM text (RFC 7468) or OpenPGP armour, in a file of its own or inside another.
    Pem,
    /// An entry of a PKCS #12 store (RFC 7292), decrypted.
    Pkcs12,
    /// Text of a form of its own: JSON, an OpenSSH line, a compact token.
    Text,
}

impl fmt::Display for Container {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Base64 => "base64",
            Self::Der => "der",
            Self::DerInElf => "der-in-elf",
            Self::DerInFile => "der-in-file",
            Self::Jks => "jks",
            Self::Memory => "memory",
            Self::MemoryBody => "memory-body",
            Self::OpenPgp => "openpgp",
            Self::Pem => "pem",
            Self::Pkcs12 => "pkcs12",
            Self::Text => "text",
        })
    }
}

/// How a credential lies in a program that was built with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CompiledIn {
    /// By itself or beside a few others: what the program shows, or the one peer that it trusts.
    Alone,
    /// Among the roots of a whole trust store.
    InBundle,
}

/// One place at which a credential lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The service whose root tree holds the file.
    pub service: ServiceName,
    /// Absolute path as that service sees it. What lies in no file has the name of what it lies in, as in
    /// `environment variable API_TOKEN`.
    pub path: String,
    /// Entries of archives that lead from the file to the one that holds the encoding, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inside: Vec<String>,
    /// Where the encoding begins, in bytes: in the file, or in the innermost entry as it is unpacked.
    pub offset: u64,
    /// Length of the encoding in bytes.
    pub len: u64,
    /// How it is encoded there.
    pub container: Container,
    /// Where the private key that belongs to it lies, if it lies in the same tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<String>,
    /// What brought it there, the innermost package first: a JAR, then the Debian package that holds it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Package>,
    /// The layer of the image that holds the file, where layers are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Layer>,
    /// How it lies in the executable that holds it; none outside of executables, and in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compiled_in: Option<CompiledIn>,
}

impl Place {
    /// `len` bytes at the beginning of the file `path`, of which nothing else is known.
    #[must_use]
    pub const fn in_file(service: ServiceName, path: String, len: u64, container: Container) -> Self {
        Self {
            service,
            path,
            inside: Vec::new(),
            offset: 0,
            len,
            container,
            private_key: None,
            owners: Vec::new(),
            layer: None,
            compiled_in: None,
        }
    }

    /// Whether it is a part of a program, and not of a trust store that the program carries.
    #[must_use]
    pub fn is_part_of_program(&self) -> bool {
        match self.compiled_in {
            Some(CompiledIn::Alone) => true,
            Some(CompiledIn::InBundle) => false,
            None => self.container == Container::DerInElf,
        }
    }
}

/// Who keeps account of packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PackageSystem {
    /// Alpine Linux.
    Apk,
    /// Crates inside a Rust program, as cargo-auditable lists them.
    Cargo,
    /// Debian and its descendants.
    Dpkg,
    /// Modules inside a Go program.
    Go,
    /// The manifest of a Java archive.
    Java,
    /// Node.js.
    Npm,
    /// Python, by the `dist-info` of wheels.
    Python,
    /// Red Hat, SUSE and their descendants.
    Rpm,
}

impl fmt::Display for PackageSystem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Apk => "apk",
            Self::Cargo => "cargo",
            Self::Dpkg => "dpkg",
            Self::Go => "go",
            Self::Java => "java",
            Self::Npm => "npm",
            Self::Python => "python",
            Self::Rpm => "rpm",
        })
    }
}

/// A package that brought a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Package {
    /// Who says so.
    pub system: PackageSystem,
    /// Its name there.
    pub name: String,
    /// Its version; empty where none is told.
    pub version: String,
}

impl fmt::Display for Package {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} package {} {}", self.system, self.name, self.version)
    }
}

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Layer {
    /// Digest of the layer as the image names it, as in `sha256:…`.
    pub digest: String,
    /// The instruction that made it, as the history of the image tells it; empty where there is none.
    pub made_by: String,
}
