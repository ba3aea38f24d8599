//! Layers to what a container sees: what a later layer replaces or removes is hidden (image-spec, layer.md).

use super::layer::LayerFindings;
use std::collections::BTreeSet;

/// What the layers above hide.
#[derive(Default)]
pub(super) struct Shadow {
    /// Files and links, which replace what had their path, directories too.
    replaced: BTreeSet<String>,
    removed: BTreeSet<String>,
    emptied: BTreeSet<String>,
}

impl Shadow {
    /// Adds what `layer` hides of those below it.
    pub(super) fn add(&mut self, layer: &LayerFindings) {
        self.replaced.extend(layer.paths.iter().cloned());
        self.removed.extend(layer.removed.iter().cloned());
        self.emptied.extend(layer.emptied.iter().cloned());
    }

    /// Whether a container does not see `path` of a layer below.
    pub(super) fn hides(&self, path: &str) -> bool {
        let file = path.split("!/").next().unwrap_or(path);
        let mut above = file;
        loop {
            if self.replaced.contains(above) || self.removed.contains(above) {
                return true;
            }
            let Some((folder, _)) = above.rsplit_once('/') else { return false };
            if self.emptied.contains(folder) {
                return true;
            }
            above = folder;
        }
    }
}
