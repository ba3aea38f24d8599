//! One module per command.

mod check;
mod doctor;
mod explain;
mod gate;
mod history;
mod init;
mod judge;
mod nightly;
mod plan;
mod replay;
mod scan;
mod schema;
mod start;
mod sweep;
mod verify;
mod watch;

pub(crate) use start::run;
