//! One module per command.

mod check;
mod completions;
mod doctor;
mod explain;
mod gate;
mod history;
mod init;
mod judge;
mod man;
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
