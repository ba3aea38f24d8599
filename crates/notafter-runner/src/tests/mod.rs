//! The runner on the scripted back end.

mod connections;
mod doubt;
mod kept;
mod lives;
mod looks;
mod memory;
pub(crate) mod scene;
