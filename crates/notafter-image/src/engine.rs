//! Images that a container engine has: exported once, and kept unpacked like archives under the digest of their
//! configuration.

use crate::resolver::of_tree;
use crate::unpacking::Limits;
use crate::{Error, Identity, Image, cache, stored};
use notafter_core::{ImageName, ImageRef, Transport};
use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

/// Most bytes of an image on its way.
pub(crate) const MAX_EXPORT_BYTES: u64 = 32 << 30;

/// A container engine, as far as its images are concerned.
pub trait Engine: fmt::Debug {
    /// Where it answers, for messages.
    fn place(&self) -> String;

    /// The id of the image of that name; none where the engine has no such image.
    ///
    /// # Errors
    /// Where no engine answers.
    fn find(&self, name: &ImageName) -> io::Result<Option<String>>;

    /// Writes the image with this id to `archive` as `docker save` does: `most_bytes` at most, else it is an error.
    ///
    /// # Errors
    /// Where the engine stops answering, or `archive` cannot be written.
    fn save(&self, id: &str, archive: &File, most_bytes: u64) -> io::Result<()>;
}

/// The image of that name in `engine`.
pub(crate) fn of_engine(
    engine: Option<&dyn Engine>,
    cache: &Path,
    image: &ImageRef,
    name: &ImageName,
) -> Result<Image, Error> {
    let place = engine.map_or_else(String::new, Engine::place);
    let no_engine = |source| Error::NoEngine { image: image.clone(), place: place.clone(), source };
    let io = |action: String| move |source| Error::Io { image: image.clone(), action, source };
    let engine = engine.ok_or_else(|| no_engine(io::ErrorKind::Unsupported.into()))?;
    let found = engine.find(name).map_err(no_engine)?;
    let id = found.ok_or_else(|| Error::NotInEngine { image: image.clone(), place: place.clone() })?;
    cache::make(cache).map_err(io(format!("make the cache directory {}", cache.display())))?;
    // An engine that runs out of time in the middle leaves nothing: the file has a name for us alone.
    let archive =
        tempfile::NamedTempFile::new_in(cache).map_err(io(format!("write to {}", cache.display())))?;
    engine
        .save(&id, archive.as_file(), MAX_EXPORT_BYTES)
        .map_err(io(format!("export {id} from the engine at {place}")))?;
    // Named by its id: another image may have got the name meanwhile.
    let stored = stored::find(image, Transport::DockerArchive, archive.path(), None, None)?;
    let (tree, mut remarks) =
        cache::tree_of(cache, image, cache::Kind::Image, stored.id.hex(), |root, owners| {
            stored.unpack(image, root, Limits::USUAL, owners)
        })?;
    remarks.push(format!("{image} is {id} of the container engine at {place}"));
    let identity = Identity { id: stored.id.to_string(), manifest: None };
    let image = of_tree(crate::RootTree::Tree(tree), Some(identity), remarks);
    Ok(Image { config: stored.config, ..image })
}
