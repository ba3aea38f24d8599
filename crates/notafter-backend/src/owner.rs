//! Whose something is that outlives a killed run, a container or a control group, so that others can tell whether its
//! owner is dead.

use crate::traces::pid_namespace;
use notafter_sys::processes::started;
use std::io;

/// This process.
pub(crate) fn this_process() -> io::Result<String> {
    let pid = std::process::id();
    let start = started(pid).ok_or(io::ErrorKind::NotFound)?;
    Ok(format!("{}-{pid}-{start}", pid_namespace()?))
}

/// Whether the owner was a process of this pid namespace and is gone.
pub(crate) fn is_dead(owner: &str) -> bool {
    let fields: Vec<&str> = owner.split('-').collect();
    let [namespace, pid, start] = fields[..] else { return false };
    let here = pid_namespace().is_ok_and(|here| here == namespace);
    match (pid.parse(), start.parse()) {
        (Ok(pid), Ok(start)) => here && started(pid) != Some::<u64>(start),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_owner_of_this_namespace_that_is_gone_is_dead() {
        let own = this_process().unwrap();
        assert!(!is_dead(&own));
        let (rest, _) = own.rsplit_once('-').unwrap();
        assert!(is_dead(&format!("{rest}-1")));
        assert!(!is_dead("elsewhere.1-1-1"));
        assert!(!is_dead("nonsense"));
    }
}
