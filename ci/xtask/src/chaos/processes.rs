//! The processes of one run: who they are while they live, and which of them are left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The first argument with which the tool starts the keeper of a sandbox; the init is a fork of it.
const KEEPER: &[u8] = b"__sandbox";
const NAMESPACES: [&str; 6] = ["ipc", "mnt", "net", "pid", "user", "uts"];

/// One process, told from a later one of the same id by when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Process {
    pid: i32,
    began: u64,
}

/// A process as /proc shows it.
#[derive(Debug)]
struct Entry {
    process: Process,
    parent: i32,
    is_zombie: bool,
    words: Vec<Vec<u8>>,
}

impl Entry {
    /// The runner for which this process keeps a sandbox.
    fn keeps_for(&self) -> Option<i32> {
        let mut words = self.words.iter().skip_while(|word| *word != KEEPER);
        words.next()?;
        std::str::from_utf8(words.next()?).ok()?.parse().ok()
    }
}

/// Everything that was seen of a run.
#[derive(Debug, Default)]
pub(super) struct Traces {
    processes: BTreeSet<Process>,
    /// As the links below /proc/PID/ns read; those of this process are not among them.
    namespaces: BTreeSet<String>,
}

impl Traces {
    /// Adds what descends from `runner` now; returns the ids of keepers and of inits among it.
    pub(super) fn note(&mut self, runner: i32) -> (Vec<i32>, Vec<i32>) {
        let entries = entries();
        let own: BTreeSet<String> = namespaces_of(&std::process::id().to_string()).collect();
        let (mut keepers, mut inits) = (Vec::new(), Vec::new());
        let mut family: BTreeSet<i32> = BTreeSet::from([runner]);
        // Ids need not grow from parent to child, so that one pass may not reach everybody.
        loop {
            let before = family.len();
            let children = entries.values().filter(|entry| family.contains(&entry.parent));
            let children: Vec<i32> = children.map(|entry| entry.process.pid).collect();
            family.extend(children);
            if family.len() == before {
                break;
            }
        }
        for entry in family.iter().filter_map(|pid| entries.get(pid)) {
            let pid = entry.process.pid;
            self.processes.insert(entry.process);
            self.namespaces.extend(namespaces_of(&pid.to_string()).filter(|name| !own.contains(name)));
            if entry.words.iter().any(|word| word == KEEPER) && !entry.is_zombie {
                if entry.parent == runner { keepers.push(pid) } else { inits.push(pid) }
            }
        }
        (keepers, inits)
    }

    /// How many processes and namespaces were seen.
    pub(super) fn seen(&self) -> (usize, usize) {
        (self.processes.len(), self.namespaces.len())
    }

    /// What is left of the run of `runner`: processes seen before, whoever lives in a namespace of the run, and
    /// whoever names `marker` or is a keeper of that runner. One line each.
    pub(super) fn left(&self, runner: i32, marker: &str) -> Vec<String> {
        let entries = entries();
        let mut left = Vec::new();
        for entry in entries.values().filter(|entry| !entry.is_zombie) {
            let pid = entry.process.pid;
            let is_named = entry.words.iter().any(|word| word == marker.as_bytes());
            // Numbers of namespaces are given anew as soon as they are free, to other people's runs as well.
            let is_inside = || {
                namespaces_of(&pid.to_string()).any(|namespace| self.namespaces.contains(&namespace))
                    && sandbox_of(entry, &entries).is_none_or(|of| of == runner)
            };
            if self.processes.contains(&entry.process)
                || entry.keeps_for() == Some(runner)
                || is_named
                || is_inside()
            {
                let line = entry.words.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>();
                left.push(format!("process {pid}: {}", line.join(" ")));
            }
        }
        left
    }
}

fn entries() -> BTreeMap<i32, Entry> {
    let Ok(directory) = fs::read_dir("/proc") else { return BTreeMap::new() };
    let pids = directory.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| Some((pid, entry(pid)?))).collect()
}

fn entry(pid: i32) -> Option<Entry> {
    let directory = Path::new("/proc").join(pid.to_string());
    let stat = fs::read_to_string(directory.join("stat")).ok()?;
    // Behind the name, which may hold anything: state, parent, and 17 fields further when it began.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let line = fs::read(directory.join("cmdline")).ok()?;
    Some(Entry {
        process: Process { pid, began: fields.get(19)?.parse().ok()? },
        parent: fields.get(1)?.parse().ok()?,
        is_zombie: matches!(*fields.first()?, "Z" | "X"),
        words: line.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect(),
    })
}

/// Whether a process still runs, or could.
pub(super) fn is_alive(pid: i32) -> bool {
    entry(pid).is_some_and(|entry| !entry.is_zombie)
}

/// The runner of the sandbox in which a process lives, as far as its ancestors tell.
fn sandbox_of(entry: &Entry, entries: &BTreeMap<i32, Entry>) -> Option<i32> {
    let ancestors = std::iter::successors(Some(entry), |entry| entries.get(&entry.parent));
    ancestors.take(64).find_map(Entry::keeps_for)
}

fn namespaces_of(pid: &str) -> impl Iterator<Item = String> {
    let directory = Path::new("/proc").join(pid).join("ns");
    NAMESPACES.into_iter().filter_map(move |name| {
        Some(fs::read_link(directory.join(name)).ok()?.to_string_lossy().into_owned())
    })
}
