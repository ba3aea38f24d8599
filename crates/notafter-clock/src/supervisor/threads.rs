//! Whether the threads of the guests sleep, looked at again and again while time elapses.

use super::survey::Busy;
use crate::guest;
use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::FileExt;

/// Threads whose files are kept open, two each. Opening them costs more than reading them.
const MAX_KEPT: usize = 96;

/// Files of threads, by process and thread.
#[derive(Debug, Default)]
pub(super) struct Threads {
    kept: BTreeMap<(i32, i32), Files>,
}

/// What /proc tells of one thread. They belong to that very thread: when it has gone they cannot be read any more,
/// though another has its number.
#[derive(Debug)]
struct Files {
    stat: File,
    /// None where the kernel does not count.
    schedstat: Option<File>,
}

impl Threads {
    /// Threads that run or wait uninterruptibly, and a digest of which there are and how often each was given a
    /// processor. What vanishes while it is looked at was busy, and the next look tells.
    pub(super) fn look(&mut self) -> (Vec<Busy>, u64) {
        let mut before = std::mem::take(&mut self.kept);
        let mut busy = Vec::new();
        let mut runs = DefaultHasher::new();
        for pid in guest::processes().unwrap_or_default() {
            for tid in guest::threads(pid).unwrap_or_default() {
                let kept = before.remove(&(pid, tid)).and_then(|files| Some((files.read()?, files)));
                let looked = kept.or_else(|| {
                    let files = Files::open(pid, tid).ok()?;
                    Some((files.read()?, files))
                });
                let Some((look, files)) = looked else {
                    busy.push(Busy { pid, name: "?".to_owned() });
                    continue;
                };
                (tid, look.runs).hash(&mut runs);
                // `t` stands still for the supervisor.
                if matches!(look.state, 'R' | 'D' | 't') {
                    busy.push(Busy { pid, name: look.name });
                }
                if self.kept.len() < MAX_KEPT {
                    self.kept.insert((pid, tid), files);
                }
            }
        }
        (busy, runs.finish())
    }
}

struct Look {
    runs: u64,
    state: char,
    name: String,
}

impl Files {
    fn open(pid: i32, tid: i32) -> io::Result<Self> {
        let open = |name| File::open(format!("/proc/{pid}/task/{tid}/{name}"));
        Ok(Self { stat: open("stat")?, schedstat: open("schedstat").ok() })
    }

    /// None where the thread has gone.
    fn read(&self) -> Option<Look> {
        // Before its state: what sleeps then and has the same number later slept all the while.
        let runs = match &self.schedstat {
            Some(file) => guest::runs_in(&text(file)?).unwrap_or(0),
            None => 0,
        };
        let (state, name) = guest::state_in(&text(&self.stat)?)?;
        Some(Look { runs, state, name })
    }
}

/// What such a file says now, made anew by the kernel.
fn text(file: &File) -> Option<String> {
    let mut bytes = [0; 1024];
    let read = file.read_at(&mut bytes, 0).ok()?;
    Some(String::from_utf8_lossy(&bytes[..read]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_thread_is_told_asleep_running_and_gone_by_the_files_that_were_kept() {
        let mut child = Command::new("sh")
            .args(["-c", "read line; while :; do :; done"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let mut threads = Threads::default();
        let mut look = || {
            let (busy, runs) = threads.look();
            let kept = threads.kept.contains_key(&(pid, pid));
            (busy.iter().any(|it| it.pid == pid), runs, kept)
        };
        let patiently = |mut is_so: Box<dyn FnMut() -> bool + '_>| {
            (0..2000).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(1));
                is_so()
            })
        };
        assert!(patiently(Box::new(|| matches!(look(), (false, _, true)))), "it never sleeps");
        drop(child.stdin.take());
        assert!(patiently(Box::new(|| look().0)), "it never runs");
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((look().0, look().2), (false, false));
    }

    #[test]
    fn files_of_a_thread_that_has_gone_tell_nothing() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let files = Files::open(pid, pid).unwrap();
        child.wait().unwrap();
        assert!(files.read().is_none());
    }
}
