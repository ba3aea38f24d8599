//! The runner on the scripted back end.

mod connections;
mod doubt;
mod kept;
mod lives;
mod looks;
mod memory;
mod reissued;
pub(crate) mod scene;
