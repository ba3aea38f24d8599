//! From image references to images.

use crate::cache::{self, Kind};
use crate::cargo::{self, Target};
use crate::elf::{self, Linkage};
use crate::registry::{self, Place, Registries, Wanted};
use crate::unpacking::{Limits, Unpacking};
use crate::{Bind, Engine, Error, Identity, Image, ImageConfig, RootTree, engine, stored};
use notafter_core::{ImageName, ImageRef, Transport};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Finds and builds images.
#[derive(Debug)]
pub struct Resolver {
    cache: Option<PathBuf>,
    engine: Option<Box<dyn Engine>>,
    registries: Option<Registries>,
}

impl Resolver {
    /// Keeps unpacked archives in `$XDG_CACHE_HOME/notafter`, or `~/.cache/notafter`.
    #[must_use]
    pub fn from_environment() -> Self {
        Self { cache: cache::usual_place(), engine: None, registries: None }
    }

    /// Keeps unpacked archives below `cache`.
    #[must_use]
    pub fn with_cache(cache: PathBuf) -> Self {
        Self { cache: Some(cache), engine: None, registries: None }
    }

    /// Looks into `engine` for images that are known by a reference; without one they cannot be had.
    #[must_use]
    pub fn with_engine(self, engine: Box<dyn Engine>) -> Self {
        Self { engine: Some(engine), ..self }
    }

    /// Asks registries for images that are theirs, and for those that no engine has; without this none is asked.
    #[must_use]
    pub fn with_registries(self, registries: Registries) -> Self {
        Self { registries: Some(registries), ..self }
    }

    /// Pulls `name` as a directory in the OCI image layout, into the empty directory `into`.
    ///
    /// # Errors
    /// Where the registry does not give it.
    pub fn pull_layout(
        &self,
        name: &ImageName,
        into: &Path,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let image = ImageRef::Docker(name.clone());
        let (registries, place) = self.registry_of(&image, name)?;
        let wanted = Wanted { image: &image, place: &place, because: None };
        registry::write_layout(registries, wanted, into, on_line)
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
            if let ImageRef::Binary(path) | ImageRef::Rootfs(path) | ImageRef::Stored { path, .. } = reference
                && !directory.join(path).exists()
            {
                return Err(Error::Missing { image: reference.clone(), path: directory.join(path) });
            }
        }
        let mut fetched = Vec::new();
        for reference in references {
            match reference {
                ImageRef::Docker(name) => fetched.push(self.of_registry(reference, name, None, on_line)?),
                ImageRef::DockerDaemon(name) => fetched.push(self.of_engine(reference, name, on_line)?),
                ImageRef::Reference(name) => fetched.push(self.of_either(reference, name, on_line)?),
                ImageRef::Binary(_)
                | ImageRef::Cargo { .. }
                | ImageRef::Host
                | ImageRef::Rootfs(_)
                | ImageRef::Stored { .. } => {}
            }
        }
        let mut fetched = fetched.into_iter();
        let mut built = build_all(directory, references, on_line)?.into_iter();
        references
            .iter()
            .map(|reference| match reference {
                ImageRef::Binary(path) => {
                    let path = found(reference, &directory.join(path))?;
                    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                    of_binary(reference, path, &name.unwrap_or_default())
                }
                ImageRef::Cargo { bin, .. } => {
                    let executable =
                        built.next().ok_or_else(|| Error::NoSuchBinary { image: reference.clone() })?;
                    of_binary(reference, executable, bin)
                }
                ImageRef::Docker(_) | ImageRef::DockerDaemon(_) | ImageRef::Reference(_) => {
                    fetched.next().ok_or_else(|| Error::NoCache { image: reference.clone() })
                }
                ImageRef::Host => Ok(of_tree(RootTree::Host, None, Vec::new())),
                ImageRef::Rootfs(path) => self.of_rootfs(reference, &directory.join(path)),
                ImageRef::Stored { transport, path, selector } => {
                    self.of_stored(reference, *transport, &directory.join(path), selector.as_deref())
                }
            })
            .collect()
    }

    fn of_engine(
        &self,
        reference: &ImageRef,
        name: &ImageName,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<Image, Error> {
        let cache = self.cache.as_ref().ok_or_else(|| Error::NoCache { image: reference.clone() })?;
        on_line(&format!("taking {name} from the container engine"));
        engine::of_engine(self.engine.as_deref(), cache, reference, name)
    }

    /// From the engine; where it has no such image, or none answers, from the registry that the name leads to.
    fn of_either(
        &self,
        reference: &ImageRef,
        name: &ImageName,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<Image, Error> {
        let because = match self.of_engine(reference, name, on_line) {
            Err(Error::NotInEngine { place, .. }) if self.can_pull(name) => {
                format!("the container engine at {place} has no such image")
            }
            Err(Error::NoEngine { place, .. }) if self.can_pull(name) => {
                format!("no container engine answers at {place}")
            }
            outcome => return outcome,
        };
        self.of_registry(reference, name, Some(&because), on_line)
    }

    fn of_registry(
        &self,
        reference: &ImageRef,
        name: &ImageName,
        because: Option<&str>,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<Image, Error> {
        let cache = self.cache.as_ref().ok_or_else(|| Error::NoCache { image: reference.clone() })?;
        let (registries, place) = self.registry_of(reference, name)?;
        registry::of_registry(registries, cache, Wanted { image: reference, place: &place, because }, on_line)
    }

    fn can_pull(&self, name: &ImageName) -> bool {
        self.registries.is_some() && Place::of(name).is_some()
    }

    fn registry_of(&self, image: &ImageRef, name: &ImageName) -> Result<(&Registries, Place), Error> {
        let registries = self.registries.as_ref().ok_or_else(|| Error::BadImage {
            image: image.clone(),
            reason: "lies in a registry, and none is asked here".to_owned(),
        })?;
        let place = Place::of(name).ok_or_else(|| Error::BadImage {
            image: image.clone(),
            reason: "is an id, which registries do not know: name a repository, with @DIGEST".to_owned(),
        })?;
        Ok((registries, place))
    }

    fn of_rootfs(&self, reference: &ImageRef, path: &Path) -> Result<Image, Error> {
        let path = found(reference, path)?;
        if path.is_dir() {
            return Ok(of_tree(RootTree::Tree(path), None, Vec::new()));
        }
        let cache = self.cache.as_ref().ok_or_else(|| Error::NoCache { image: reference.clone() })?;
        let io = |source| Error::Io {
            image: reference.clone(),
            action: format!("read {}", path.display()),
            source,
        };
        let digest = cache::digest_of(&path).map_err(io)?;
        let (tree, remarks) = cache::tree_of(cache, reference, Kind::Rootfs, &digest, |root, owners| {
            let mut unpacking = Unpacking::new(reference, root, Limits::USUAL, owners);
            unpacking.archive(&path, File::open(&path).map_err(io)?)?;
            unpacking.finish()
        })?;
        Ok(of_tree(RootTree::Tree(tree), Some(of_content(&digest)), remarks))
    }

    fn of_stored(
        &self,
        reference: &ImageRef,
        transport: Transport,
        path: &Path,
        selector: Option<&str>,
    ) -> Result<Image, Error> {
        let cache = self.cache.as_ref().ok_or_else(|| Error::NoCache { image: reference.clone() })?;
        cache::make(cache).map_err(|source| Error::Io {
            image: reference.clone(),
            action: format!("make the cache directory {}", cache.display()),
            source,
        })?;
        let stored = stored::find(reference, transport, path, selector, Some(cache))?;
        let (tree, remarks) =
            cache::tree_of(cache, reference, Kind::Image, stored.id.hex(), |root, owners| {
                stored.unpack(reference, root, Limits::USUAL, owners)
            })?;
        let image = of_tree(RootTree::Tree(tree), Some(stored.identity()), remarks);
        Ok(Image { config: stored.config, ..image })
    }
}

/// Where `path` leads, without links.
fn found(reference: &ImageRef, path: &Path) -> Result<PathBuf, Error> {
    let action = || format!("find {}", path.display());
    path.canonicalize().map_err(|source| Error::Io { image: reference.clone(), action: action(), source })
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
            ImageRef::Binary(_)
            | ImageRef::Docker(_)
            | ImageRef::DockerDaemon(_)
            | ImageRef::Host
            | ImageRef::Reference(_)
            | ImageRef::Rootfs(_)
            | ImageRef::Stored { .. } => None,
        })
        .collect();
    if targets.is_empty() { Ok(Vec::new()) } else { cargo::build(directory, &targets, on_line) }
}

pub(crate) fn of_tree(root: RootTree, identity: Option<Identity>, remarks: Vec<String>) -> Image {
    Image { root, binds: Vec::new(), config: ImageConfig::default(), identity, remarks }
}

/// Something that is known by the SHA-256 of its bytes.
fn of_content(digest: &str) -> Identity {
    Identity { id: format!("sha256:{digest}"), manifest: None }
}

/// A static binary needs nothing beside it; any other gets the machine's libraries, and a remark says so.
fn of_binary(reference: &ImageRef, source: PathBuf, bin: &str) -> Result<Image, Error> {
    let failed = |error| Error::Io {
        image: reference.clone(),
        action: format!("read {}", source.display()),
        source: error,
    };
    let linkage = elf::linkage(&source).map_err(failed)?;
    let digest = cache::digest_of(&source).map_err(failed)?;
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
        config: ImageConfig { command: vec![target], ..ImageConfig::default() },
        identity: Some(of_content(&digest)),
        remarks,
    })
}
