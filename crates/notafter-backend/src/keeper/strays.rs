//! Processes that lost their init where there is no pid namespace to end them.

use notafter_sys::fork;
use notafter_sys::processes::{descendants, kill_below};
use rustix::process::Pid;
use std::io;
use std::time::Duration;

/// How often they are looked for; a process that forks without end is faster than one look.
const LOOKS: u32 = 2_000;
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// Ends everything below this process but `inits` and what is below those, and reaps it.
///
/// # Errors
/// Those of reading /proc; `TimedOut` where something was still there in the end.
pub(super) fn end(inits: &[Pid]) -> io::Result<()> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    for _ in 0..LOOKS {
        let mut spared: Vec<i32> = Vec::new();
        for init in inits {
            spared.push(init.as_raw_nonzero().get());
            spared.extend(descendants(init.as_raw_nonzero().get())?);
        }
        let left = kill_below(own, |pid| spared.contains(&pid))?;
        for orphan in descendants(own)?.into_iter().filter(|pid| !spared.contains(pid)) {
            // Only children of this very process can be reaped; the others become such.
            if let Some(orphan) = Pid::from_raw(orphan) {
                let _ = fork::reap_now(orphan);
            }
        }
        if left == 0 {
            return Ok(());
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    Err(io::ErrorKind::TimedOut.into())
}
