//! Services as a scenario describes them.

use super::guests::{Guests, Library};
use super::pki::Made;
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Where the program of a service looks for what is laid in for it.
pub(super) const PLACE: &str = "/etc/peer";

/// Where the program of Java lies.
const JAR: &str = "/etc/peer/peer.jar";

/// What a file holds.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Certificate(&'static str),
    Chain(&'static str),
    Crl(&'static str),
    Key(&'static str),
    /// A file of the case's `pki` directory.
    Pki(String),
    Text(String),
}

/// How files of a case come into a service's tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Laid {
    /// They lie in the image.
    InImage,
    /// The scenario lays them in.
    ByScenario,
}

/// One service.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) library: Library,
    pub(super) command: Vec<String>,
    /// Files below [`PLACE`].
    pub(super) files: Vec<(String, Content)>,
    pub(super) needs: Option<&'static str>,
    pub(super) port: Option<u16>,
    /// More of its own, as YAML.
    pub(super) more: String,
}

/// What services are written from.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) guests: &'a Guests,
    /// The directory of the case; what openssl made lies in `pki` below it.
    pub(super) directory: &'a Path,
    pub(super) made: Made,
    pub(super) laid: Laid,
}

impl Library {
    /// Whether its program is alone in a tree of its own.
    pub(super) fn has_tree(self) -> bool {
        matches!(self, Self::Go | Self::Rustls)
    }

    /// How its program is called, where it has one of the soak's.
    pub(super) fn peer(self, arguments: &[&str]) -> Vec<String> {
        let program: &[&str] = match self {
            Self::Java => &["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", JAR, "Peer"],
            Self::Go | Self::Nginx | Self::OpenSsl | Self::Rustls => &["/peer"],
        };
        program.iter().chain(arguments).map(|word| (*word).to_owned()).collect()
    }

    /// What does nothing, so that commands can be run beside it.
    pub(super) fn idle(self) -> Vec<String> {
        if self.has_tree() { self.peer(&["idle"]) } else { vec!["sleep".to_owned(), "infinity".to_owned()] }
    }
}

impl Service {
    /// What stands under `services:`; makes its tree.
    pub(super) fn yaml(&self, stage: &Stage<'_>) -> Result<String> {
        let Self { name, .. } = self;
        let mut text = format!("  {name}:\n");
        if self.library.has_tree() {
            let tree = format!("{name}-tree");
            stage.guests.lay(self.library, &stage.directory.join(&tree))?;
            let _ = writeln!(text, "    image: rootfs:{tree}");
        } else {
            text += "    image: host\n    user: nobody\n";
        }
        let command: Vec<String> = self.command.iter().map(|word| quoted(word)).collect();
        let _ = writeln!(text, "    command: [{}]", command.join(", "));
        if let Some(needs) = self.needs {
            let _ = writeln!(text, "    needs: [{needs}]");
        }
        if let Some(port) = self.port {
            let _ = writeln!(text, "    ready: {{ tcp: {{ port: {port} }}, within: 60s }}");
        }
        text += &self.more;
        let mut files = String::new();
        for (file, content) in &self.files {
            if let Some(what) = self.file(file, content, stage)? {
                let _ = writeln!(files, "      {PLACE}/{file}: {what}");
            }
        }
        if self.library == Library::Java {
            let jar = quoted(&stage.guests.jar().display().to_string());
            let _ = writeln!(files, "      {JAR}: {{ source: {jar} }}");
        }
        if !files.is_empty() {
            let _ = write!(text, "    files:\n{files}");
        }
        Ok(text)
    }

    /// What stands behind a file's path; nothing where the file now lies in the tree.
    fn file(&self, file: &str, content: &Content, stage: &Stage<'_>) -> Result<Option<String>> {
        let source = match (content, stage.made) {
            (Content::Text(text), _) => return Ok(Some(format!("{{ content: {} }}", quoted(text)))),
            (Content::Pki(name), _) => name.clone(),
            (Content::Certificate(name), Made::ByGate) => {
                return Ok(Some(format!("{{ certificate: {name} }}")));
            }
            (Content::Chain(name), Made::ByGate) => return Ok(Some(format!("{{ chain: {name} }}"))),
            (Content::Crl(name), Made::ByGate) => return Ok(Some(format!("{{ crl: {name} }}"))),
            (Content::Key(name), Made::ByGate) => return Ok(Some(format!("{{ key: {name} }}"))),
            (Content::Certificate(name) | Content::Crl(name), Made::ByOpenssl) => format!("{name}.pem"),
            (Content::Chain(name), Made::ByOpenssl) => format!("{name}.chain.pem"),
            (Content::Key(name), Made::ByOpenssl) => format!("{name}.key"),
        };
        let lies = stage.directory.join("pki").join(&source);
        if stage.laid == Laid::InImage && self.library.has_tree() {
            let place = stage.directory.join(format!("{}-tree{PLACE}/{file}", self.name));
            if let Some(above) = place.parent() {
                fs::create_dir_all(above)?;
            }
            fs::copy(&lies, &place).with_context(|| format!("failed to copy {}", lies.display()))?;
            return Ok(None);
        }
        Ok(Some(format!("{{ source: {} }}", quoted(&format!("pki/{source}")))))
    }
}

/// As a text of YAML.
pub(super) fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('$', "$$");
    format!("\"{escaped}\"")
}
