//! What a build and a scenario hold that can expire.

use crate::{Credential, Edge, Fingerprint, ServiceName, UnixTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A file that the scan could not look into; never reported as nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct OpaqueFile {
    /// The service whose root tree holds the file.
    pub service: ServiceName,
    /// Absolute path as that service sees it.
    pub path: String,
    /// Why it could not be read, as a lower-case fragment.
    pub reason: String,
}

/// Every credential known before anything runs, and those learnt while it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inventory {
    /// The credentials, each once, sorted by fingerprint.
    pub credentials: Vec<Credential>,
    /// What could not be looked into.
    pub opaque: Vec<OpaqueFile>,
}

impl Inventory {
    /// The credential with this fingerprint.
    #[must_use]
    pub fn find(&self, fingerprint: Fingerprint) -> Option<&Credential> {
        self.credentials.iter().find(|credential| credential.fingerprint == fingerprint)
    }

    /// Adds `credential`, or its places where it is known already. A declared origin outranks any other.
    pub fn add(&mut self, credential: Credential) {
        match self.credentials.binary_search_by_key(&credential.fingerprint, |known| known.fingerprint) {
            Ok(index) => {
                let known = &mut self.credentials[index];
                known.places.extend(credential.places);
                known.places.sort();
                known.places.dedup();
                known.origin = known.origin.clone().min(credential.origin);
            }
            Err(index) => self.credentials.insert(index, credential),
        }
    }

    /// The same finds in the tree of another service that has the same files.
    #[must_use]
    pub fn of_service(mut self, service: &ServiceName) -> Self {
        for place in self.credentials.iter_mut().flat_map(|credential| &mut credential.places) {
            place.service = service.clone();
        }
        for opaque in &mut self.opaque {
            opaque.service = service.clone();
        }
        self
    }

    /// Every edge in (`after`, `through`], in time order.
    #[must_use]
    pub fn edges_between(&self, after: UnixTime, through: UnixTime) -> Vec<Edge> {
        let mut edges: Vec<Edge> = self
            .credentials
            .iter()
            .flat_map(Credential::edges)
            .filter(|edge| edge.at > after && edge.at <= through)
            .collect();
        edges.sort();
        edges
    }
}
