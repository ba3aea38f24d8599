//! The init of one service: pid 1 of its pid namespace, where it has one. Builds the root tree, starts the main process,
//! runs commands beside it, reaps.
//!
//! It runs in a fork of the keeper, with one thread, and holds all capabilities of the sandbox's user namespace; what
//! it starts holds few or none.
//!
//! What must never happen here: ending while a process of the service could go on, or answering a request twice.

mod clocked;
mod container_tree;
mod copied_tree;
mod copy;
mod devices;
mod engine;
mod engine_profile;
mod host_tree;
mod kernel_view;
mod launch;
mod machine_tree;
mod machine_user;
mod members;
mod memory;
mod mount_table;
mod own_tree;
mod plain;
mod replace;
mod serve;
mod tree;
mod users;

pub(crate) use container_tree::{MEMORY, place_of_file};
pub(crate) use launch::{Site, hosts_file, prepare_volumes};
pub(crate) use machine_user::may_look_at_others;
pub(crate) use serve::{Birth, run};
pub(crate) use tree::canonical;
