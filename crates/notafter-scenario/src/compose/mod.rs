//! Compose files in place of services: the subset that says what runs, with which files, and when it is ready.
//!
//! Texts become nodes with their variables put in; each file is decoded into partial services; those of several files
//! and of `extends` are merged; what is left becomes the services of a scenario. See docs/compose.md.
//!
//! What must never happen here: a key that changes what runs and is passed over. Whatever has no counterpart is an error
//! with its line, or a remark of the record where it makes a sandbox wider than the deployment.

mod decode;
mod dotenv;
mod draft;
mod durations;
mod folder;
mod interpolate;
mod keys;
mod limits;
mod mounts;
mod partial;
mod project;
mod services;
mod values;
mod words;

pub use draft::compose_draft;
pub(crate) use folder::At;
pub(crate) use partial::keyed;
pub(crate) use project::{Project, read};
pub(crate) use services::ComposeService;
