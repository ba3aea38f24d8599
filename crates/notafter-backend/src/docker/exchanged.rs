//! Where files lie that are exchanged while their service runs. Whoever watches them, or their folder, must see there what
//! it would see elsewhere, so they lie at their very paths: in memory, mounted over a folder in which the image has nothing,
//! or else in what the container itself writes.

use crate::init::{MEMORY, canonical};
use crate::{Error, FileLayout, LaunchSpec, RootTree};
use notafter_core::RootAccess;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// What every container has, whatever the image holds.
const ALWAYS_THERE: [&str; 4] = ["/", "/etc", "/run", "/tmp"];
/// Below these the engine has mounts of its own.
const OF_THE_ENGINE: [&str; 4] = ["/dev", MEMORY, "/proc", "/sys"];

/// The folders over which memory is to be mounted, none below another.
///
/// # Errors
/// `Unsupported` where a folder can be neither mounted over nor written to.
pub(crate) fn in_memory(spec: &LaunchSpec) -> Result<Vec<String>, Error> {
    let place = Place::of(spec).map_err(|source| Error::Sandbox {
        action: format!("look where the files of {} are to lie", spec.service),
        source,
    })?;
    let mut folders: Vec<PathBuf> = Vec::new();
    for file in spec.files.iter().filter(|file| file.layout != FileLayout::Plain) {
        let folder = place.folder_of(&file.path).map_err(|source| Error::Sandbox {
            action: format!("look where {} of {} is to lie", file.path, spec.service),
            source,
        })?;
        if folders.iter().any(|known| folder.starts_with(known)) {
            continue;
        }
        if place.can_cover(&folder) {
            folders.retain(|known| !known.starts_with(&folder));
            folders.push(folder);
        } else if spec.restrictions.root() == RootAccess::ReadOnly && !place.is_in_volume(&folder) {
            let what = format!(
                "exchange {}: the container of {} may not write to {}, where the image has something; give the file a \
                 folder of its own, or take the embedded back end",
                file.path,
                spec.service,
                folder.display()
            );
            return Err(Error::Unsupported { backend: "docker", what });
        }
    }
    Ok(folders.into_iter().map(|folder| folder.to_string_lossy().into_owned()).collect())
}

/// What a container will have before anything of the scenario is laid in.
struct Place<'a> {
    tree: Option<&'a Path>,
    /// Where executables beside the tree come to lie, and where volumes are mounted.
    beside: Vec<PathBuf>,
    volumes: Vec<PathBuf>,
}

impl<'a> Place<'a> {
    fn of(spec: &'a LaunchSpec) -> io::Result<Self> {
        let tree = match &spec.root {
            RootTree::Empty | RootTree::Host => None,
            RootTree::Tree(tree) => Some(tree.as_path()),
        };
        let mut place = Self { tree, beside: Vec::new(), volumes: Vec::new() };
        place.beside =
            spec.binds.iter().map(|bind| place.canonical(&bind.target)).collect::<io::Result<_>>()?;
        place.volumes =
            spec.volumes.iter().map(|volume| place.canonical(&volume.path)).collect::<io::Result<_>>()?;
        Ok(place)
    }

    fn found(&self, canonical: &Path) -> Option<(PathBuf, Metadata)> {
        let place = self.tree?.join(canonical.strip_prefix("/").unwrap_or(canonical));
        fs::symlink_metadata(&place).ok().map(|meta| (place, meta))
    }

    fn canonical(&self, inside: &str) -> io::Result<PathBuf> {
        Ok(canonical(inside, &|path| self.found(path))?)
    }

    fn folder_of(&self, path: &str) -> io::Result<PathBuf> {
        let folder = Path::new(path).parent().and_then(Path::to_str);
        self.canonical(folder.ok_or(io::ErrorKind::InvalidInput)?)
    }

    fn is_in_volume(&self, folder: &Path) -> bool {
        self.volumes.iter().any(|volume| folder.starts_with(volume))
    }

    /// Whether nothing is hidden by a mount over `folder`.
    fn can_cover(&self, folder: &Path) -> bool {
        let is_empty = match self.found(folder) {
            None => true,
            Some((place, meta)) => {
                meta.is_dir() && fs::read_dir(place).is_ok_and(|mut entries| entries.next().is_none())
            }
        };
        is_empty
            && !ALWAYS_THERE.iter().any(|path| folder == Path::new(path))
            && !OF_THE_ENGINE.iter().any(|path| folder.starts_with(path))
            && !self.beside.iter().any(|path| path.starts_with(folder))
            && !self.is_in_volume(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileSpec, VolumeContent, VolumeMount};
    use notafter_core::{Restrictions, ServiceName, VolumeName, VolumeState};
    use notafter_image::Bind;
    use std::os::unix::fs::symlink;

    /// A service with `layout`'s files at these paths on a tree that has `/srv/app/main`, an empty `/srv/tls`, and
    /// `/var/run`, which leads to `/run`.
    fn folders(layout: FileLayout, root: RootAccess, paths: &[&str]) -> Result<Vec<String>, String> {
        let tree = tempfile::tempdir().unwrap();
        for directory in ["srv/app", "srv/tls", "run", "var"] {
            fs::create_dir_all(tree.path().join(directory)).unwrap();
        }
        fs::write(tree.path().join("srv/app/main"), "").unwrap();
        symlink("../run", tree.path().join("var/run")).unwrap();
        let file =
            |path: &&str| FileSpec { path: (*path).to_owned(), contents: Vec::new(), mode: 0o644, layout };
        let mut spec =
            LaunchSpec::idle(ServiceName::new("a").unwrap(), RootTree::Tree(tree.path().to_owned()));
        spec.files = paths.iter().map(file).collect();
        spec.binds = vec![Bind { source: "/bin/true".into(), target: "/opt/tool".to_owned() }];
        spec.volumes = vec![VolumeMount {
            name: VolumeName::new("v").unwrap(),
            path: "/data".to_owned(),
            state: VolumeState::Fresh,
            content: VolumeContent::Empty,
        }];
        spec.restrictions = Restrictions { root: Some(root), ..Restrictions::default() };
        in_memory(&spec).map_err(|error| error.to_string())
    }

    #[test]
    fn memory_covers_folders_in_which_the_image_has_nothing() {
        let writable = |paths: &[&str]| folders(FileLayout::Exchanged, RootAccess::ReadWrite, paths).unwrap();
        for (path, folder) in [
            ("/etc/app/tls/tls.crt", Some("/etc/app/tls")),
            ("/srv/tls/tls.crt", Some("/srv/tls")),
            ("/var/run/app/tls.crt", Some("/run/app")),
            ("/srv/app/tls.crt", None),
            ("/etc/tls.crt", None),
            ("/var/run/tls.crt", None),
            ("/opt/tls.crt", None),
            ("/data/tls.crt", None),
            ("/data/deep/tls.crt", None),
            ("/dev/shm/tls/tls.crt", None),
        ] {
            assert_eq!(
                writable(&[path]),
                folder.map(str::to_owned).into_iter().collect::<Vec<_>>(),
                "{path}"
            );
        }
        for paths in [["/new/deep/a", "/new/b"], ["/new/b", "/new/deep/a"]] {
            assert_eq!(writable(&paths), ["/new"]);
        }
        assert_eq!(folders(FileLayout::Plain, RootAccess::ReadOnly, &["/etc/app/tls.crt"]), Ok(Vec::new()));
    }

    #[test]
    fn a_folder_that_is_neither_covered_nor_written_to_is_refused() {
        let sealed = |path| folders(FileLayout::Linked, RootAccess::ReadOnly, &[path]);
        assert_eq!(sealed("/srv/tls/tls.crt"), Ok(vec!["/srv/tls".to_owned()]));
        assert_eq!(sealed("/data/tls.crt"), Ok(Vec::new()));
        let refusal = sealed("/srv/app/tls.crt").unwrap_err();
        assert!(refusal.contains("/srv/app/tls.crt") && refusal.contains("a folder of its own"), "{refusal}");
    }
}
