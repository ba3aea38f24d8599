//! State, timers and renewals: services that a test which stands at one instant cannot see through.

mod carried;
mod catch_up;
mod elapse;
mod gated;
mod in_memory;
mod jobs;
mod restless;
mod segments;
mod shell;
mod state;
mod steered;
mod stream;
