//! Processes as /proc shows them: who descends from whom, and ending them all.

use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::io;

/// More processes than this are no service but a fork bomb.
const MAX_PROCESSES: usize = 1 << 16;

/// A process that has not ended yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Living {
    pid: i32,
    parent: i32,
}

/// Every process below `root`, which is not among them, zombies included; ids of the caller's pid namespace.
///
/// # Errors
/// Those of reading /proc.
pub fn descendants(root: i32) -> io::Result<Vec<i32>> {
    below(root, |_| true)
}

/// The same without zombies.
///
/// # Errors
/// Those of reading /proc.
pub fn living_descendants(root: i32) -> io::Result<Vec<i32>> {
    below(root, |pid| !is_zombie(pid))
}

/// Zombies are walked through: a thread group whose leader has ended can still have children.
fn below(root: i32, wanted: impl Fn(i32) -> bool) -> io::Result<Vec<i32>> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for Living { pid, parent } in all()? {
        children.entry(parent).or_default().push(pid);
    }
    let mut found = children.remove(&root).unwrap_or_default();
    let mut next = 0;
    while next < found.len() && found.len() <= MAX_PROCESSES {
        found.extend(children.remove(&found[next]).unwrap_or_default());
        next += 1;
    }
    found.retain(|pid| wanted(*pid));
    Ok(found)
}

fn all() -> io::Result<Vec<Living>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that has just ended is nobody's child.
        if let Some(parent) = field(pid, "PPid").and_then(|parent| parent.parse().ok()) {
            all.push(Living { pid, parent });
        }
    }
    Ok(all)
}

fn is_zombie(pid: i32) -> bool {
    field(pid, "State").is_none_or(|state| state.starts_with(['Z', 'X']))
}

/// Sends SIGKILL once to every living process below `root` that `spared` does not name; how many there were.
///
/// # Errors
/// Those of reading /proc.
pub fn kill_below(root: i32, spared: impl Fn(i32) -> bool) -> io::Result<usize> {
    let doomed: Vec<i32> = living_descendants(root)?.into_iter().filter(|pid| !spared(*pid)).collect();
    for pid in doomed.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        let _ = kill_process(pid, Signal::KILL); // it may have ended by itself
    }
    Ok(doomed.len())
}

/// A field of proc_pid_status(5), without the blanks around it; none where there is no such process.
#[must_use]
pub fn field(pid: i32, name: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// When a process started, in clock ticks since the machine did: with its id, a name that no other process ever has
/// (proc_pid_stat(5), field 22).
#[must_use]
pub fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field may hold anything, parentheses included; the state, field 3, follows the last one.
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn what_descends_is_found_and_ended() {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", "(sleep 1000 & echo ready; wait); true"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0; 6];
        std::io::Read::read_exact(shell.stdout.as_mut().unwrap(), &mut ready).unwrap();
        let root = i32::try_from(shell.id()).unwrap();
        let below = living_descendants(root).unwrap();
        assert!((1..=2).contains(&below.len()), "{below:?}");
        assert!(descendants(i32::try_from(std::process::id()).unwrap()).unwrap().contains(&below[0]));
        assert_eq!(kill_below(root, |_| true).unwrap(), 0);
        assert_eq!(kill_below(root, |_| false).unwrap(), below.len());
        shell.wait().unwrap();
        assert_eq!(living_descendants(root).unwrap(), Vec::<i32>::new());
    }

    #[test]
    fn a_process_has_a_start_of_its_own() {
        assert!(started(std::process::id()).unwrap() >= started(1).unwrap());
        assert_eq!(started(u32::MAX), None);
    }
}
