//! The few files that tell about packages, wherever a tree comes from.

use crate::tree::Root;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Longer ones are not read, in bytes. The status file of a large Debian system has 10 MB.
const MAX_LEN: u64 = 64 * 1024 * 1024;

/// A tree that can be asked for single files, by absolute paths without links.
pub(crate) trait Files {
    /// The contents; none where there is no such file, it cannot be read or is too long.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
    /// Names in a directory, sorted; empty where there is none.
    fn list(&self, directory: &str) -> Vec<String>;
}

impl Files for Root {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let resolved = self.resolve(Path::new(path)).ok()?;
        let host = self.host_path(&resolved);
        if !std::fs::metadata(&host).ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        std::fs::File::open(host).ok()?.take(MAX_LEN + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= MAX_LEN).then_some(bytes)
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let Ok(resolved) = self.resolve(Path::new(directory)) else { return Vec::new() };
        let Ok(entries) = std::fs::read_dir(self.host_path(&resolved)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// Files that were kept while an archive went by: absolute path to contents.
impl Files for BTreeMap<String, Vec<u8>> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.get(path).cloned()
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let below = format!("{}/", directory.trim_end_matches('/'));
        let paths = self.range(below.clone()..).take_while(|(path, _)| path.starts_with(&below));
        let mut names: Vec<String> =
            paths.filter_map(|(path, _)| path[below.len()..].split('/').next().map(str::to_owned)).collect();
        names.dedup();
        names
    }
}
