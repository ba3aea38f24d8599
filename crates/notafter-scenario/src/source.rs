//! The text of a scenario and where it came from.

use crate::Error;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The size in bytes beyond which a file is no scenario.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Where the files lie that a scenario is made of beside its own: Compose files, and what they name.
pub trait Files {
    /// The bytes of the regular file at `path`.
    ///
    /// # Errors
    /// Where it cannot be read, is no regular file, or holds more than `most_bytes`.
    fn read(&self, path: &Path, most_bytes: usize) -> io::Result<Vec<u8>>;

    /// What is at `path`; links are followed.
    ///
    /// # Errors
    /// Where that cannot be told. That nothing is there is no error.
    fn look(&self, path: &Path) -> io::Result<Entry>;
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A directory with these names in it, sorted.
    Directory(Vec<OsString>),
    /// A regular file with these permission bits.
    File {
        /// The lower nine bits.
        mode: u32,
    },
    /// Nothing.
    Missing,
    /// A socket, a pipe or a device.
    Special,
}

/// The files of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, most_bytes: usize) -> io::Result<Vec<u8>> {
        // A pipe would keep us waiting.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(most_bytes as u64 + 1).read_to_end(&mut bytes)?;
        match bytes.len() > most_bytes {
            true => Err(io::Error::other(format!("larger than {most_bytes} bytes"))),
            false => Ok(bytes),
        }
    }

    fn look(&self, path: &Path) -> io::Result<Entry> {
        let meta = match std::fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Entry::Missing),
            meta => meta?,
        };
        if meta.is_dir() {
            let names = std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.file_name()));
            let mut names = names.collect::<io::Result<Vec<OsString>>>()?;
            names.sort();
            return Ok(Entry::Directory(names));
        }
        Ok(match meta.is_file() {
            true => Entry::File { mode: meta.permissions().mode() & 0o777 },
            false => Entry::Special,
        })
    }
}

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
