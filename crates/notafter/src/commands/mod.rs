//! One module per command.

mod check;
mod doctor;
mod explain;
mod gate;
mod init;
mod judge;
mod plan;
mod replay;
mod scan;
mod schema;
mod start;
mod sweep;
mod verify;

pub(crate) use start::run;
