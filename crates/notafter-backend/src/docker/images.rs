//! Root trees as images of the engine. An image is known by its content: a tree that the engine has is not loaded
//! again, in this run or in a later one.

use super::address::Address;
use super::client::Client;
use super::laid;
use super::view::View;
use crate::wire::{Host, Lease, Machine};
use crate::{Bind, Error, FileLayout, FileSpec, LaunchSpec, RootTree, owner};
use notafter_core::RootAccess;
use notafter_image::{Assembly, ImageConfig, Layer};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often is looked for what the engine still makes for somebody who is gone, and how long is waited in between.
const SWEEPS: u32 = 30;
const BETWEEN_SWEEPS: Duration = Duration::from_millis(100);

/// What an image holds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Content {
    root: RootTree,
    binds: Vec<Bind>,
    /// Files of the scenario, by their numbers among those of the launch, whose places must be in the image: nothing can
    /// be laid in later.
    sealed: Option<Vec<(usize, String)>>,
}

/// The images that were made for this run.
#[derive(Debug)]
pub(crate) struct Images {
    client: Client,
    address: Address,
    view: View,
    owner: String,
    machine: Machine,
    made: Mutex<Vec<(Content, String)>>,
}

impl Images {
    pub(super) fn new(client: Client, address: Address, view: View) -> io::Result<Arc<Self>> {
        let (owner, machine) = (owner::this_process()?, client.machine()?);
        Ok(Arc::new(Self { client, address, view, owner, machine, made: Mutex::default() }))
    }

    /// What a keeper of containers is told: who is to be known in their network, and where throw-away data may lie.
    pub(crate) fn lease(&self, hosts: &[Host], disk: &Path) -> Result<Lease, Error> {
        let bare = Content { root: RootTree::Empty, binds: Vec::new(), sealed: None };
        Ok(Lease {
            address: self.address.clone(),
            view: self.view.clone(),
            api: self.client.version(),
            owner: self.owner.clone(),
            bare_image: self.made(bare)?,
            machine: self.machine,
            hosts: hosts.to_vec(),
            disk: disk.to_owned(),
        })
    }

    /// Takes away what a keeper that was killed has left, also what the engine is still making for it.
    ///
    /// # Errors
    /// Where the engine does not answer, or keeps what is left.
    pub(crate) fn sweep_after_loss(&self) -> io::Result<()> {
        for _ in 0..SWEEPS {
            self.client.sweep()?;
            std::thread::sleep(BETWEEN_SWEEPS);
        }
        Ok(())
    }

    /// The id of the image of a service: its root tree and the files beside it, and where that will be read-only, links
    /// to where the scenario's files will lie.
    pub(crate) fn of(&self, spec: &LaunchSpec) -> Result<String, Error> {
        // What is exchanged lies in memory that is mounted, or in a volume.
        let linked = |file: &FileSpec| file.layout == FileLayout::Plain;
        let files = || {
            let files = spec.files.iter().enumerate().filter(|(_, file)| linked(file));
            files.map(|(index, file)| (index, file.path.clone())).collect()
        };
        let sealed = match spec.restrictions.root() {
            RootAccess::ReadOnly => Some(files()),
            RootAccess::ReadWrite => None,
        };
        self.made(Content { root: spec.root.clone(), binds: spec.binds.clone(), sealed })
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
        let id = layers(tree, &content).and_then(|layers| load(&self.client, layers)).map_err(failed)?;
        made.push((content, id.clone()));
        Ok(id)
    }
}

/// The id of an image of these layers, loaded now or before.
pub(super) fn load(client: &Client, layers: Vec<Layer>) -> io::Result<String> {
    let mut archive = tempfile::tempfile()?;
    let assembly = layers.into_iter().fold(Assembly::new(ImageConfig::default()), Assembly::layer);
    let identity = assembly.write_archive(None, &archive)?;
    if !client.has_image(&identity.id)? {
        io::Seek::rewind(&mut archive)?;
        client.load(archive)?;
    }
    Ok(identity.id)
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
