//! The text of a scenario and where it came from.

use crate::Error;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

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
    /// The policy that it shares with other scenarios; see [`Source::sharing`].
    pub policy: Option<Box<Self>>,
}

/// The name of the file that holds the policy which scenarios share.
const POLICY_FILE: &str = "notafter.toml";

impl Source {
    /// A text that shares no policy with others.
    #[must_use]
    pub fn new(file: String, text: String, directory: PathBuf) -> Self {
        Self { file, text, directory, policy: None }
    }

    /// The same with the policy that holds in its directory: the nearest `notafter.toml` there or above, up to the
    /// directory that holds `.git`. Outside of a repository only the directory itself counts: what lies above may be
    /// anybody's.
    ///
    /// # Errors
    /// [`Error::Unreadable`], [`Error::TooLarge`] beyond [`MAX_BYTES`], [`Error::NotText`].
    pub fn sharing(self) -> Result<Self, Error> {
        let policy = match nearest_policy(&self.directory) {
            Some(path) => Some(Box::new(read(&path)?)),
            None => None,
        };
        Ok(Self { policy, ..self })
    }

    /// Its bytes and those of the policy that it shares: what a verdict is about beside the image.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        // No text of either kind holds a zero byte: none can pass for a part of the other.
        let shared = self.policy.iter().flat_map(|policy| [b"\0", policy.text.as_bytes()]);
        std::iter::once(self.text.as_bytes()).chain(shared).collect::<Vec<_>>().concat()
    }
}

/// Where the policy lies that the scenario at `path` shares, if it shares one.
#[must_use]
pub fn policy_file(path: &Path) -> Option<PathBuf> {
    nearest_policy(&directory_of(&text_file(path)))
}

/// The file of the scenario at `path`.
fn text_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("scenario.yaml") } else { path.to_owned() }
}

fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn nearest_policy(directory: &Path) -> Option<PathBuf> {
    // Without a real path there is no telling what lies above, and the scenario cannot be read either.
    let real = directory.canonicalize().ok()?;
    let depth = real.ancestors().position(|above| is_there(&above.join(".git"))).unwrap_or(0);
    let up = |levels| (0..levels).fold(directory.to_owned(), |path, _| path.join(".."));
    (0..=depth).map(|levels| plain(&up(levels).join(POLICY_FILE))).find(|path| is_there(path))
}

/// Whether something is there, were it a link that leads nowhere. What cannot be told is: reading it says why, and passing over it
/// would gate by a laxer policy without a word.
fn is_there(path: &Path) -> bool {
    !matches!(path.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

/// `a/./b/../c` as `a/c`; what leads out at the front stays.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// Reads the scenario at `path`, a file or a directory that holds a `scenario.yaml`, and the policy that it shares.
///
/// # Errors
/// [`Error::Unreadable`], [`Error::TooLarge`] beyond [`MAX_BYTES`], [`Error::NotText`].
pub fn load(path: &Path) -> Result<Source, Error> {
    read(&text_file(path))?.sharing()
}

fn read(path: &Path) -> Result<Source, Error> {
    let path = path.to_owned();
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
    Ok(Source::new(path.display().to_string(), text, directory_of(&path)))
}
