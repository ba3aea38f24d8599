//! Root trees as images of the engine. An image is known by its content: a tree that the engine has is not loaded
//! again, in this run or in a later one.

use super::client::Client;
use super::laid;
use crate::wire::Machine;
use crate::{Bind, Error, RootTree};
use notafter_image::{Assembly, ImageConfig, Layer};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What an image holds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Content {
    root: RootTree,
    binds: Vec<Bind>,
    /// Files of the scenario, whose places must be in the image: nothing can be laid in later.
    sealed: Option<Vec<String>>,
}

/// The images that were made for this run.
#[derive(Debug)]
pub(crate) struct Images {
    client: Client,
    pub(crate) socket: PathBuf,
    pub(crate) owner: String,
    pub(crate) machine: Machine,
    made: Mutex<Vec<(Content, String)>>,
}

impl Images {
    pub(super) fn new(client: Client, socket: PathBuf, owner: String, machine: Machine) -> Arc<Self> {
        Arc::new(Self { client, socket, owner, machine, made: Mutex::default() })
    }

    /// The version of the engine's API.
    pub(crate) fn api(&self) -> (usize, usize) {
        self.client.version()
    }

    /// The id of the image of `root` and the files beside it.
    pub(crate) fn of(&self, root: &RootTree, binds: &[Bind]) -> Result<String, Error> {
        self.made(Content { root: root.clone(), binds: binds.to_vec(), sealed: None })
    }

    /// The same for a container whose root tree is read-only: with links to where `files` will lie.
    pub(crate) fn sealed(
        &self,
        root: &RootTree,
        binds: &[Bind],
        files: Vec<String>,
    ) -> Result<String, Error> {
        self.made(Content { root: root.clone(), binds: binds.to_vec(), sealed: Some(files) })
    }

    fn made(&self, content: Content) -> Result<String, Error> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, id)) = made.iter().find(|(known, _)| *known == content) {
            return Ok(id.clone());
        }
        let tree = match &content.root {
            RootTree::Empty => None,
            RootTree::Tree(tree) => Some(tree.as_path()),
            RootTree::Host => {
                let what = "run a service on the machine's own files: give it an image".to_owned();
                return Err(Error::Unsupported { backend: "docker", what });
            }
        };
        let failed = |source| Error::Sandbox { action: "make an image for the engine".to_owned(), source };
        let id = layers(tree, &content).and_then(|layers| self.load(layers)).map_err(failed)?;
        made.push((content, id.clone()));
        Ok(id)
    }

    fn load(&self, layers: Vec<Layer>) -> io::Result<String> {
        let mut archive = tempfile::tempfile()?;
        let assembly = layers.into_iter().fold(Assembly::new(ImageConfig::default()), Assembly::layer);
        let identity = assembly.write_archive(None, &archive)?;
        if !self.client.has_image(&identity.id)? {
            io::Seek::rewind(&mut archive)?;
            self.client.load(archive)?;
        }
        Ok(identity.id)
    }
}

fn layers(tree: Option<&Path>, content: &Content) -> io::Result<Vec<Layer>> {
    let mut layers = vec![layer(tree, &content.binds)?];
    if let Some(files) = &content.sealed {
        layers.push(laid::layer(tree, files)?);
    }
    Ok(layers)
}

fn layer(tree: Option<&Path>, binds: &[Bind]) -> io::Result<Layer> {
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
