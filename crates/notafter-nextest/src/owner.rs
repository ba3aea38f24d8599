//! The process on whose behalf a run of tests goes on, told from another that got the same number later.

use std::fs;
use std::path::Path;

/// Number and start of a process; the start in ticks since the machine started, as /proc/PID/stat has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pid: String,
    started: String,
}

impl Owner {
    /// The process of this number, where it lives.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name of the program may hold anything, parentheses too; the fields behind it do not.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace();
        let state = fields.next()?;
        let started = fields.nth(18)?.to_owned();
        (!matches!(state, "Z" | "X")).then(|| Self { pid: pid.to_string(), started })
    }

    /// What is written into `path`; none where it was not written whole.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let (pid, started) = text.strip_suffix('\n')?.split_once(' ')?;
        Some(Self { pid: pid.to_owned(), started: started.to_owned() })
    }

    /// What [`Self::read`] reads.
    pub(crate) fn written(&self) -> String {
        format!("{} {}\n", self.pid, self.started)
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.pid.parse().ok().and_then(Self::of).as_ref() == Some(self)
    }

    /// `4711-8154`: a name for what belongs to this process alone.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.pid, self.started)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_another_with_its_number() {
        let own = Owner::of(std::process::id()).unwrap();
        assert!(own.is_alive());
        assert!(!Owner { started: "1".to_owned(), ..own.clone() }.is_alive());
        assert!(!Owner { pid: "x".to_owned(), ..own.clone() }.is_alive());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("owner");
        fs::write(&path, own.written()).unwrap();
        assert_eq!(Owner::read(&path), Some(own.clone()));
        fs::write(&path, own.written().trim_end()).unwrap();
        assert_eq!(Owner::read(&path), None, "half written");
    }
}
