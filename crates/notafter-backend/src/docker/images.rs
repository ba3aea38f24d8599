//! Root trees as images of the engine. An image is known by its content: a tree that the engine has is not loaded
//! again, in this run or in a later one.

use super::client::Client;
use crate::{Bind, Error, RootTree};
use notafter_image::{Assembly, ImageConfig, Layer};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

type Made = ((RootTree, Vec<Bind>), String);

/// The images that were made for this run.
#[derive(Debug)]
pub(crate) struct Images {
    client: Client,
    pub(crate) socket: PathBuf,
    pub(crate) owner: String,
    pub(crate) most_memory_bytes: Option<i64>,
    made: Mutex<Vec<Made>>,
}

impl Images {
    pub(super) fn new(
        client: Client,
        socket: PathBuf,
        owner: String,
        most_memory_bytes: Option<i64>,
    ) -> Arc<Self> {
        Arc::new(Self { client, socket, owner, most_memory_bytes, made: Mutex::default() })
    }

    /// The id of the image of `root` and the files beside it.
    pub(crate) fn of(&self, root: &RootTree, binds: &[Bind]) -> Result<String, Error> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, id)) = made.iter().find(|((tree, files), _)| tree == root && files == binds) {
            return Ok(id.clone());
        }
        let failed = |source| Error::Sandbox { action: "make an image for the engine".to_owned(), source };
        let layer = match root {
            RootTree::Empty => layer(None, binds),
            RootTree::Tree(tree) => layer(Some(tree), binds),
            RootTree::Host => {
                let what = "run a service on the machine's own files: give it an image".to_owned();
                return Err(Error::Unsupported { backend: "docker", what });
            }
        };
        let id = layer.and_then(|layer| self.load(layer)).map_err(failed)?;
        made.push(((root.clone(), binds.to_vec()), id.clone()));
        Ok(id)
    }

    fn load(&self, layer: Layer) -> io::Result<String> {
        let mut archive = tempfile::tempfile()?;
        let identity = Assembly::new(ImageConfig::default()).layer(layer).write_archive(None, &archive)?;
        if !self.client.has_image(&identity.id)? {
            io::Seek::rewind(&mut archive)?;
            self.client.load(archive)?;
        }
        Ok(identity.id)
    }
}

fn layer(tree: Option<&PathBuf>, binds: &[Bind]) -> io::Result<Layer> {
    let mut layer = Layer::new()?;
    if let Some(tree) = tree {
        layer.tree(tree)?;
    }
    // Engines refuse a layer that holds a path twice.
    if tree.is_none_or(|tree| tree.join("tmp").symlink_metadata().is_err()) {
        layer.directory("tmp", 0o1777, (0, 0))?;
    }
    for bind in binds {
        layer.file(&bind.target, &std::fs::read(&bind.source)?, 0o755, (0, 0))?;
    }
    Ok(layer)
}
