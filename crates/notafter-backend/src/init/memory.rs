//! The processes of a service and their memory, opened for the runner: it may not look into the sandbox itself.

use crate::wire::{Attempt, Failure, ProcessHead};
use notafter_sys::processes::living_descendants;
use std::fs::File;
use std::os::fd::OwnedFd;

/// Every living process below this init.
pub(super) fn processes() -> Result<Vec<ProcessHead>, Failure> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let pids = living_descendants(own).doing(|| "list the processes of the service".to_owned())?;
    // One that has just ended has no executable any more.
    let head = |pid: i32| {
        let exe = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        Some(ProcessHead { pid: u32::try_from(pid).ok()?, exe: exe.to_string_lossy().into_owned() })
    };
    Ok(pids.into_iter().filter_map(head).collect())
}

/// The files through which the mappings, the memory and the pages of a process can be read, in this order. Whoever holds
/// them needs no further leave (proc_pid_mem(5): access is checked when the file is opened).
pub(super) fn open(pid: u32) -> Result<[OwnedFd; 3], Failure> {
    let file = |name: &str| -> Result<OwnedFd, Failure> {
        let path = format!("/proc/{pid}/{name}");
        File::open(&path).map(OwnedFd::from).doing(|| format!("open {path}"))
    };
    Ok([file("maps")?, file("mem")?, file("pagemap")?])
}
