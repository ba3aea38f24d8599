//! The text of a scenario and where it came from.

use crate::Error;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The size in bytes beyond which a file is no scenario.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The text of a scenario and where it came from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file as the user named it; stands in diagnostics.
    pub file: String,
    /// Its text.
    pub text: String,
    /// Its directory; relative paths in the scenario start here.
    pub directory: PathBuf,
}

/// Reads the scenario at `path`: a file, or a directory that holds a `scenario.yaml`.
///
/// # Errors
/// [`Error::Unreadable`], [`Error::TooLarge`] beyond [`MAX_BYTES`], [`Error::NotText`].
pub fn load(path: &Path) -> Result<Source, Error> {
    let path = if path.is_dir() { path.join("scenario.yaml") } else { path.to_owned() };
    let unreadable = |source| Error::Unreadable { path: path.clone(), source };
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    File::open(&path).map_err(unreadable)?.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge { path });
    }
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(Error::NotText { path });
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    Ok(Source { file: path.display().to_string(), text, directory })
}
