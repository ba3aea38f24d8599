//! The limit on descriptors of another process, raised for a moment.
//!
//! # Safety
//! Unsafe code makes the prlimit(2) calls, with pointers to live structures.
#![allow(unsafe_code, reason = "the safe wrapper cannot read another process's limit without changing it")]

use std::io;
use std::ptr;

/// How many descriptors more a process may have meanwhile whose hard limit is reached.
const ROOM: u64 = 1024;

/// Calls `act` while the process `pid` may have more descriptors than it was allowed, and puts its limit back. The
/// process must stand still: what it does meanwhile, it does under the other limit.
///
/// # Errors
/// Those of prlimit(2): `EPERM` where the hard limit is reached and this process has no CAP_SYS_RESOURCE on the
/// machine; those of `act`.
pub fn with_room_for_descriptors<T>(pid: i32, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let mut own = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `own` is a live `rlimit`, and no new limit is given.
    check(unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, ptr::null(), &raw mut own) })?;
    let raised = if own.rlim_cur < own.rlim_max {
        libc::rlimit { rlim_cur: own.rlim_max, ..own }
    } else {
        let more = own.rlim_max.saturating_add(ROOM);
        libc::rlimit { rlim_cur: more, rlim_max: more }
    };
    set(pid, &raised)?;
    let result = act();
    set(pid, &own)?;
    result
}

fn set(pid: i32, limit: &libc::rlimit) -> io::Result<()> {
    // SAFETY: `limit` is a live `rlimit`, which the kernel only reads; the old one is not asked for.
    check(unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, ptr::from_ref(limit), ptr::null_mut()) })
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn limits(pid: i32) -> String {
        let text = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        text.lines().find(|line| line.starts_with("Max open files")).unwrap().to_owned()
    }

    #[test]
    fn a_limit_is_raised_and_put_back() {
        let script = "ulimit -S -n 8; echo; exec sleep 1000";
        let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let before = limits(pid);
        let meanwhile = with_room_for_descriptors(pid, || Ok(limits(pid)));
        let after = limits(pid);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_ne!(meanwhile.unwrap(), before);
        assert_eq!(after, before);
    }
}
