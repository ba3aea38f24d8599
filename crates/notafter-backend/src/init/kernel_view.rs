//! /proc as a container sees it: its own processes, and no way to change the machine.
//!
//! Root of a sandbox that root made has the same user id as root of the machine, and the settings of the kernel ask
//! for nothing more. So they are mounted read-only, as Docker does; no candidate can undo that without CAP_SYS_ADMIN.

use crate::wire::{Attempt, Failure};
use notafter_sys::mounts::{self, Access};
use std::path::Path;

/// Views through which the machine could be changed.
const READ_ONLY: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];
/// Views that tell of the machine's memory, keys and timers.
const MASKED: [&str; 5] = ["kcore", "keys", "latency_stats", "sched_debug", "timer_list"];

/// Mounts the processes of the calling pid namespace at `proc`.
pub(super) fn mount(proc: &Path) -> Result<(), Failure> {
    mounts::proc(proc).doing(|| {
        "mount /proc (a container whose own /proc is masked does not allow it: give it `--security-opt \
         systempaths=unconfined`)"
            .to_owned()
    })?;
    for name in READ_ONLY {
        let path = proc.join(name);
        if path.exists() {
            mounts::bind(&path, &path, Access::ReadOnly).doing(|| format!("protect /proc/{name}"))?;
        }
    }
    for name in MASKED {
        let path = proc.join(name);
        if path.exists() {
            mounts::bind(Path::new("/dev/null"), &path, Access::ReadOnly)
                .doing(|| format!("mask /proc/{name}"))?;
        }
    }
    Ok(())
}
