//! Where an image lies: which registry, which repository, which tag or digest.

use crate::digest::Digest;
use notafter_core::ImageName;

/// The registry that references without a host name mean.
const USUAL_HOST: &str = "docker.io";
/// The server that speaks for it.
const USUAL_SERVER: &str = "registry-1.docker.io";

/// A reference, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// `HOST[:PORT]` as references name the registry.
    pub(crate) host: String,
    pub(crate) repository: String,
    /// `latest` where the reference has neither tag nor digest.
    pub(crate) tag: Option<String>,
    pub(crate) digest: Option<Digest>,
}

impl Place {
    /// None for an image that is named by its id, which registries do not know.
    pub(crate) fn of(name: &ImageName) -> Option<Self> {
        let text = name.as_str();
        if Digest::parse(text).is_ok() {
            return None;
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest).ok()?)),
            None => (text, None),
        };
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag.to_owned())),
            _ => (rest, None),
        };
        let (host, repository) = match path.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest.to_owned()),
            _ => (USUAL_HOST, path.to_owned()),
        };
        let host = if host == "index.docker.io" { USUAL_HOST } else { host };
        let repository = match host == USUAL_HOST && !repository.contains('/') {
            true => format!("library/{repository}"),
            false => repository,
        };
        let tag = match (tag, &digest) {
            (None, None) => Some("latest".to_owned()),
            // The digest says which image it is.
            (tag, _) => tag,
        };
        Some(Self { host: host.to_owned(), repository, tag, digest })
    }

    /// `HOST[:PORT]` of the server.
    pub(super) fn server(&self) -> &str {
        if self.host == USUAL_HOST { USUAL_SERVER } else { &self.host }
    }

    /// The name under which Docker keeps credentials.
    pub(super) fn login_key(&self) -> &str {
        if self.host == USUAL_HOST { "https://index.docker.io/v1/" } else { &self.host }
    }
}
