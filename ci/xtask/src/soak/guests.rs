//! The programs that play in every case: built once, laid into many trees.

use super::pki::run;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// On whose TLS a program stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Library {
    Go,
    Java,
    Nginx,
    OpenSsl,
    Rustls,
}

impl Library {
    /// As reports name it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Java => "java",
            Self::Nginx => "nginx",
            Self::OpenSsl => "openssl",
            Self::Rustls => "rustls",
        }
    }
}

/// Where the built programs lie.
#[derive(Debug, Clone)]
pub(super) struct Guests {
    /// `peer` of Go, static.
    go: PathBuf,
    /// `soak-peer` of rustls, static.
    rustls: PathBuf,
    /// `peer.jar` of Java.
    jar: PathBuf,
}

impl Guests {
    /// Builds those of Go and Java from `sources` into `directory`; that of rustls lies beside the tool.
    pub(super) fn build(sources: &Path, notafter: &Path, directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let (go, java) = (directory.join("peer"), directory.join("java"));
        run(Command::new("go")
            .env("CGO_ENABLED", "0")
            .env("GO111MODULE", "off")
            .args(["build", "-trimpath", "-o"])
            .arg(&go)
            .arg(sources.join("go/peer.go")))?;
        run(Command::new("javac").arg("-d").arg(&java).arg(sources.join("java/Peer.java")))?;
        let jar = directory.join("peer.jar");
        run(Command::new("jar").args(["--create", "--file"]).arg(&jar).arg("-C").arg(&java).arg("."))?;
        let rustls = notafter.with_file_name("soak-peer");
        ensure!(rustls.is_file(), "{} is missing: cargo build --workspace makes it", rustls.display());
        Ok(Self { go, rustls, jar })
    }

    /// Lays the program of a library with a static one into a tree.
    pub(super) fn lay(&self, library: Library, tree: &Path) -> Result<()> {
        let program = match library {
            Library::Go => &self.go,
            Library::Rustls => &self.rustls,
            Library::Java | Library::Nginx | Library::OpenSsl => return Ok(()),
        };
        fs::create_dir_all(tree)?;
        let place = tree.join("peer");
        if fs::hard_link(program, &place).is_err() {
            fs::copy(program, &place).with_context(|| format!("failed to make {}", place.display()))?;
        }
        Ok(())
    }

    /// The static program itself.
    pub(super) fn program(&self, library: Library) -> &Path {
        if library == Library::Rustls { &self.rustls } else { &self.go }
    }

    /// The program of Java.
    pub(super) fn jar(&self) -> &Path {
        &self.jar
    }
}
