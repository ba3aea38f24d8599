//! Where the services of a sandbox live, and what is left there when its keeper was lost.

use super::tenancy::Tenancy;
use crate::docker::Images;
use crate::traces::raze_abandoned;
use notafter_core::Isolation;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Where services live.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In containers of an engine, from images that are made for it.
    Containers(Arc<Images>),
    /// On the machine itself.
    Machine,
    /// In namespaces of the sandbox's own.
    Namespaces,
}

impl Place {
    /// What keeps services apart there.
    pub(super) fn isolation(&self) -> Isolation {
        match self {
            Self::Containers(_) => Isolation::Containers,
            Self::Machine => Isolation::None,
            Self::Namespaces => Isolation::Namespaces,
        }
    }

    /// Takes away what is left there by a keeper that was `lost`, may be killed; one that ends by itself leaves nothing.
    ///
    /// # Errors
    /// Where something is still there in the end.
    pub(super) fn clear(
        &self,
        tenancy: Option<&Tenancy>,
        disk: &Path,
        inits: &[i32],
        lost: bool,
    ) -> io::Result<()> {
        match (self, tenancy) {
            (Self::Containers(images), _) => {
                let swept = if lost { images.sweep_after_loss() } else { Ok(()) };
                match raze_abandoned(disk) {
                    (_, 0) => swept,
                    (_, left) => Err(io::Error::other(format!("{left} directories of a sandbox"))),
                }
            }
            (Self::Machine | Self::Namespaces, Some(tenancy)) => tenancy.end(inits),
            (Self::Machine | Self::Namespaces, None) => Ok(()),
        }
    }
}
