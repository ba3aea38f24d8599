//! The supervisor: the process that starts programs under the clock and answers for every time call that they make.

mod answer;
mod arming;
mod connections;
mod engine;
mod execution;
mod file_times;
mod guard;
mod machine;
mod remainders;
mod segments;
mod signal_timers;
mod sleepers;
mod socket_waits;
mod spawn;
mod steered;
mod survey;
mod threads;
mod timer_fds;
mod tracees;

pub use engine::{Happening, Supervisor};
pub use spawn::{Executable, Launch};
pub use survey::{Busy, Survey, Waiter};
