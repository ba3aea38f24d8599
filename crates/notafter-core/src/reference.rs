//! Names by which engines and registries know images.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longer references name nothing.
const MAX_BYTES: usize = 512;

/// A text that names no image of an engine or a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no image reference: write [HOST[:PORT]/]NAME[:TAG][@DIGEST], the name in lower case")]
pub struct ImageNameError {
    /// The text as it was given.
    pub text: String,
}

/// `[HOST[:PORT]/]NAME[:TAG][@DIGEST]`, or `sha256:HEX` for an image by its id: the grammar of the distribution project's
/// `reference` package, in 512 bytes at most.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct ImageName(String);

impl ImageName {
    /// Checks `text` and keeps it.
    ///
    /// # Errors
    /// [`ImageNameError`] for anything else.
    pub fn new(text: impl Into<String>) -> Result<Self, ImageNameError> {
        let text = text.into();
        if is_reference(&text) { Ok(Self(text)) } else { Err(ImageNameError { text }) }
    }

    /// The reference as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl TryFrom<String> for ImageName {
    type Error = ImageNameError;

    fn try_from(text: String) -> Result<Self, ImageNameError> {
        Self::new(text)
    }
}

impl From<ImageName> for String {
    fn from(name: ImageName) -> Self {
        name.0
    }
}

fn is_reference(text: &str) -> bool {
    if text.len() > MAX_BYTES {
        return false;
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    let (path, tag) = match rest.rsplit_once(':') {
        // A colon before a slash is that of a port.
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (rest, None),
    };
    let mut components = path.split('/').peekable();
    let first = components.peek().copied().unwrap_or_default();
    if path.contains('/') && (first.contains(['.', ':']) || first == "localhost") {
        components.next();
        if !is_host(first) {
            return false;
        }
    }
    components.all(is_component) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest)
}

fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.split('.').all(label) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// Runs of letters and digits with one separator between two of them: `.`, `_`, `__` or dashes.
fn is_component(text: &str) -> bool {
    let plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    let mut separators = text.split(plain).filter(|separator| !separator.is_empty());
    text.starts_with(plain)
        && text.ends_with(plain)
        && separators.all(|it| matches!(it, "." | "_" | "__") || it.bytes().all(|byte| byte == b'-'))
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_from_paths_and_mistakes() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for text in [
            "nginx",
            "nginx:1.25-alpine",
            "library/nginx",
            "registry.example:5000/team/a__b-c.d:v1",
            "localhost/web",
            &format!("ghcr.io/team/web:1@{digest}"),
            &digest,
        ] {
            assert_eq!(ImageName::new(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            "Nginx",
            "./image.tar",
            "/abs",
            "../up",
            "a//b",
            "a/",
            "a:",
            "a:b c",
            "a?b",
            "a..b",
            "a_-b",
            "host.example:99999/a",
            "a@sha256:00",
            "a%2f",
        ] {
            assert!(ImageName::new(text).is_err(), "{text:?}");
        }
        assert!(ImageName::new("a/".repeat(300) + "a").is_err());
    }
}
