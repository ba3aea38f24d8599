//! From image references to images.

use crate::archive::Limits;
use crate::cache;
use crate::cargo::{self, Target};
use crate::elf::{self, Linkage};
use crate::{Bind, Error, Image, RootTree};
use notafter_core::ImageRef;
use std::path::{Path, PathBuf};

/// Finds and builds images.
#[derive(Debug, Clone)]
pub struct Resolver {
    cache: Option<PathBuf>,
}

impl Resolver {
    /// Keeps unpacked archives in `$XDG_CACHE_HOME/notafter`, or `~/.cache/notafter`.
    #[must_use]
    pub fn from_environment() -> Self {
        Self { cache: cache::usual_place() }
    }

    /// Keeps unpacked archives below `cache`.
    #[must_use]
    pub fn with_cache(cache: PathBuf) -> Self {
        Self { cache: Some(cache) }
    }

    /// Resolves every reference, in the same order; relative paths start at `directory`, and the Cargo workspace is
    /// the one around it. All cargo images are built by one call of cargo, and `on_line` hears each line of what it
    /// says meanwhile.
    ///
    /// # Errors
    /// The first image that cannot be had.
    pub fn resolve(
        &self,
        directory: &Path,
        references: &[ImageRef],
        on_line: &mut dyn FnMut(&str),
    ) -> Result<Vec<Image>, Error> {
        // What is missing shows before a long build begins.
        for reference in references {
            if let ImageRef::Rootfs(path) = reference
                && !directory.join(path).exists()
            {
                return Err(Error::Missing { image: reference.clone(), path: directory.join(path) });
            }
        }
        let mut built = build_all(directory, references, on_line)?.into_iter();
        references
            .iter()
            .map(|reference| match reference {
                ImageRef::Cargo { bin, .. } => {
                    let executable =
                        built.next().ok_or_else(|| Error::NoSuchBinary { image: reference.clone() })?;
                    of_binary(reference, executable, bin)
                }
                ImageRef::Host => Ok(of_tree(RootTree::Host, Vec::new())),
                ImageRef::Rootfs(path) => self.of_rootfs(reference, &directory.join(path)),
            })
            .collect()
    }

    fn of_rootfs(&self, reference: &ImageRef, path: &Path) -> Result<Image, Error> {
        let path = path.canonicalize().map_err(|source| Error::Io {
            image: reference.clone(),
            action: format!("find {}", path.display()),
            source,
        })?;
        if path.is_dir() {
            return Ok(of_tree(RootTree::Tree(path), Vec::new()));
        }
        let cache = self.cache.as_ref().ok_or_else(|| Error::NoCache { image: reference.clone() })?;
        let (tree, remarks) = cache::tree_of(cache, reference, &path, Limits::USUAL)?;
        Ok(of_tree(RootTree::Tree(tree), remarks))
    }
}

/// The executables of all cargo images among `references`, in their order.
fn build_all(
    directory: &Path,
    references: &[ImageRef],
    on_line: &mut dyn FnMut(&str),
) -> Result<Vec<PathBuf>, Error> {
    let targets: Vec<Target> = references
        .iter()
        .filter_map(|reference| match reference {
            ImageRef::Cargo { package, bin } => Some(Target { package: package.clone(), bin: bin.clone() }),
            ImageRef::Host | ImageRef::Rootfs(_) => None,
        })
        .collect();
    if targets.is_empty() { Ok(Vec::new()) } else { cargo::build(directory, &targets, on_line) }
}

fn of_tree(root: RootTree, remarks: Vec<String>) -> Image {
    Image { root, binds: Vec::new(), executable: None, remarks }
}

/// A static binary needs nothing beside it; any other gets the machine's libraries, and a remark says so.
fn of_binary(reference: &ImageRef, source: PathBuf, bin: &str) -> Result<Image, Error> {
    let linkage = elf::linkage(&source).map_err(|error| Error::Io {
        image: reference.clone(),
        action: format!("read {}", source.display()),
        source: error,
    })?;
    let (root, remarks) = match linkage {
        Linkage::Static => (RootTree::Empty, Vec::new()),
        Linkage::Dynamic => {
            let remark = format!("{reference} is linked dynamically and runs on the machine's own files");
            (RootTree::Host, vec![remark])
        }
    };
    let target = format!("/{bin}");
    Ok(Image {
        root,
        binds: vec![Bind { source, target: target.clone() }],
        executable: Some(target),
        remarks,
    })
}
