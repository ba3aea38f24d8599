//! Programs that keep a clock of their own and steer it. Erlang lets its system time run up to 1 % faster or slower than
//! the kernel's monotonic clock until it is what the wall clock shows (erts, erl_time_sup.c). Wall time that stands still
//! between motions is such an error to it, and whatever elapses then is multiplied: hours for some weeks.
//!
//! In its mode `multi_time_warp` Erlang takes over what the wall clock shows at once, and is right.

use super::engine::Supervisor;
use crate::guest;
use crate::nanos::Nanos;
use std::collections::HashMap;

/// The virtual machine of Erlang and Elixir, with and without threads.
const MACHINES: [&str; 2] = ["beam.smp", "beam"];
/// The mode in which it does not steer, among its arguments.
const LEAPING: &str = "multi_time_warp";
/// What may elapse for a clock that is steered: it is wrong by less than a second then.
const HARMLESS: Nanos = Nanos(60 * 1_000_000_000);

/// Processes that steer a clock, with what had elapsed when they began.
#[derive(Debug, Default)]
pub(super) struct Steered(HashMap<i32, Nanos>);

impl Supervisor {
    /// A process has become another program.
    pub(super) fn note_if_steered(&mut self, pid: i32, exe: &str) {
        let is_machine = exe.rsplit('/').next().is_some_and(|name| MACHINES.contains(&name));
        if is_machine && !guest::arguments(pid).iter().any(|argument| argument == LEAPING) {
            self.steered.0.insert(pid, self.clock().state().mono.into());
        } else {
            self.steered.0.remove(&pid);
        }
    }

    /// Time has elapsed: whoever steers a clock is not to be believed any more.
    pub(super) fn doubt_steered(&mut self) {
        let elapsed = Nanos::from(self.clock().state().mono);
        self.steered.0.retain(|pid, begun| guest::is_alive(*pid) && {
            let is_wrong = elapsed - *begun > HARMLESS;
            if is_wrong {
                let exe = guest::exe(*pid);
                let reason = "keeps a clock that is wrong once time elapses: start it with ERL_ZFLAGS=\"+C multi_time_warp\"";
                self.ledger.fault(*pid, format!("{exe} {reason}"));
            }
            !is_wrong
        });
    }
}
