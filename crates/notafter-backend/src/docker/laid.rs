//! What must be in an image because its container can lay nothing in later: the directories that every service finds, and
//! links to where the scenario's files will lie in memory. The image holds none of their bytes.

use crate::init::{canonical, place_of_file};
use notafter_image::Layer;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Directories with their modes; none keeps that of the tree.
const DIRECTORIES: [(&str, Option<u32>); 3] = [("/etc", None), ("/run", None), ("/tmp", Some(0o1777))];
const NSSWITCH: &str = "/etc/nsswitch.conf";

/// The topmost layer over `tree`, for files of these numbers at these absolute paths.
pub(super) fn layer(tree: Option<&Path>, files: &[(usize, String)]) -> io::Result<Layer> {
    let mut laid = Laid { tree, directories: BTreeMap::new(), links: BTreeMap::new() };
    for (path, mode) in DIRECTORIES {
        laid.directory(&laid.canonical(path)?, mode)?;
    }
    for (index, path) in files {
        laid.link(Path::new(path), place_of_file(*index))?;
    }
    let nsswitch = laid.canonical(NSSWITCH)?;
    let has_nsswitch = laid.links.contains_key(&nsswitch) || laid.found(&nsswitch).is_some();
    let mut layer = Layer::new()?;
    // A directory that a layer only implies would become root's alone; parents come before what is in them.
    for (path, (mode, owner)) in &laid.directories {
        layer.directory(&path.to_string_lossy(), *mode, *owner)?;
    }
    for (path, target) in &laid.links {
        layer.symlink(&path.to_string_lossy(), target)?;
    }
    if !has_nsswitch {
        layer.file(&nsswitch.to_string_lossy(), b"hosts: files\n", 0o644, (0, 0))?;
    }
    Ok(layer)
}

struct Laid<'a> {
    tree: Option<&'a Path>,
    /// Mode, and user and group.
    directories: BTreeMap<PathBuf, (u32, (u32, u32))>,
    links: BTreeMap<PathBuf, String>,
}

impl Laid<'_> {
    fn found(&self, canonical: &Path) -> Option<(PathBuf, fs::Metadata)> {
        let place = self.tree?.join(canonical.strip_prefix("/").unwrap_or(canonical));
        fs::symlink_metadata(&place).ok().map(|meta| (place, meta))
    }

    fn canonical(&self, inside: &str) -> io::Result<PathBuf> {
        Ok(canonical(inside, &|path| self.found(path))?)
    }

    /// A directory and those above it, as they are in the tree or as root's.
    fn directory(&mut self, canonical: &Path, mode: Option<u32>) -> io::Result<()> {
        for above in canonical.ancestors().filter(|above| above.parent().is_some()) {
            let looks = match self.found(above) {
                Some((_, meta)) if meta.is_dir() => (meta.mode() & 0o7777, (meta.uid(), meta.gid())),
                Some(_) => {
                    let words = format!("{} is no directory", above.display());
                    return Err(io::Error::new(io::ErrorKind::NotADirectory, words));
                }
                None => (0o755, (0, 0)),
            };
            self.directories.entry(above.to_owned()).or_insert(looks);
        }
        if let (Some(mode), Some(looks)) = (mode, self.directories.get_mut(canonical)) {
            looks.0 = mode;
        }
        Ok(())
    }

    fn link(&mut self, path: &Path, target: String) -> io::Result<()> {
        let (Some(parent), Some(name)) = (path.parent().and_then(Path::to_str), path.file_name()) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} names no file", path.display()),
            ));
        };
        let parent = self.canonical(parent)?;
        let place = parent.join(name);
        if self.found(&place).is_some_and(|(_, meta)| meta.is_dir()) {
            let words = format!("{} is a directory of the image", path.display());
            return Err(io::Error::new(io::ErrorKind::IsADirectory, words));
        }
        self.directory(&parent, None)?;
        self.links.insert(place, target);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn links_lie_where_a_process_inside_finds_them() {
        let tree = tempfile::tempdir().unwrap();
        let at = |path: &str| tree.path().join(path);
        fs::create_dir_all(at("var")).unwrap();
        fs::create_dir_all(at("srv/app")).unwrap();
        fs::set_permissions(at("srv"), fs::Permissions::from_mode(0o750)).unwrap();
        fs::create_dir(at("run")).unwrap();
        symlink("../run", at("var/run")).unwrap();
        let mut laid = Laid { tree: Some(tree.path()), directories: BTreeMap::new(), links: BTreeMap::new() };
        for (path, target) in
            [("/var/run/app/key.pem", "0"), ("/srv/app/ca.pem", "1"), ("/new/deep/file", "2")]
        {
            laid.link(Path::new(path), target.to_owned()).unwrap();
        }
        let links: Vec<_> = laid.links.keys().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(links, ["/new/deep/file", "/run/app/key.pem", "/srv/app/ca.pem"]);
        let modes: Vec<_> =
            laid.directories.iter().map(|(path, (mode, _))| (path.to_str().unwrap(), *mode)).collect();
        let srv = [("/srv", 0o750), ("/srv/app", 0o755)];
        assert_eq!(
            modes,
            [&[("/new", 0o755), ("/new/deep", 0o755), ("/run", 0o755), ("/run/app", 0o755)], &srv[..]]
                .concat()
        );
        for wrong in ["/srv/app", "/srv/app/ca.pem/below", "/"] {
            let name = wrong.to_owned();
            fs::write(at("srv/app/ca.pem"), "").unwrap();
            assert!(laid.link(Path::new(wrong), name).is_err(), "{wrong}");
        }
        assert!(layer(Some(tree.path()), &[(0, "/srv/app/ca.pem".to_owned())]).is_ok());
        assert!(layer(None, &[]).is_ok());
    }
}
