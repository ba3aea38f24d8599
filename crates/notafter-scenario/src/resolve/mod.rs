//! Raw structs → core's types: names that are declared, instants that are fixed, values within bounds.

mod assertions;
mod builds;
mod checks;
mod credentials;
mod files;
mod images;
mod instants;
mod policy;
mod probes;
mod requests;
mod restrictions;
mod rotations;
mod scenario;
mod scope;
mod services;
mod shared;
mod steps;
mod strangers;
mod tokens;

pub use scenario::parse;
pub(crate) use services::is_user;
