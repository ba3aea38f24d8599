//! Limits of one launch of a service, by control groups of the machine (cgroups(7)) of either version. The processes
//! of the service enter them, its init does not.
//!
//! What must never happen here: a limit that is not kept and not told of.

use crate::owner;
use notafter_core::Restrictions;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What the name of every group begins with.
const PREFIX: &str = "notafter-";
/// The list of members of a group.
const MEMBERS: &str = "cgroup.procs";
/// A share of a processor is one of each of these spans.
const PERIOD_MICROS: u32 = 100_000;
/// How long the kernel may take to let go of the last process of a group.
const LOOKS: u32 = 200;
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// What bounds one kind of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Controller {
    Cpu,
    Memory,
    Pids,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// A hierarchy for each controller.
    One,
    /// One hierarchy for all of them.
    Two,
}

impl Controller {
    const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::Pids];

    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Pids => "pids",
        }
    }

    /// The key of a scenario that asks for it.
    fn key(self) -> &'static str {
        match self {
            Self::Cpu => "cpus",
            Self::Memory => "mem_limit",
            Self::Pids => "pids_limit",
        }
    }

    /// The files of a group that set the limit, in this order, and those that are not in every kernel; nothing where
    /// none is asked for.
    fn settings(self, asked: &Restrictions, version: Version) -> (Vec<Setting>, Vec<Setting>) {
        let quota = |milli: u32| milli.saturating_mul(PERIOD_MICROS / 1000);
        let (always, maybe) = match (self, version) {
            (Self::Cpu, Version::One) => (
                asked.milli_cpus.map(|milli| {
                    vec![
                        ("cpu.cfs_period_us", PERIOD_MICROS.to_string()),
                        ("cpu.cfs_quota_us", quota(milli).to_string()),
                    ]
                }),
                None,
            ),
            (Self::Cpu, Version::Two) => (
                asked.milli_cpus.map(|milli| vec![("cpu.max", format!("{} {PERIOD_MICROS}", quota(milli)))]),
                None,
            ),
            (Self::Memory, Version::One) => (
                asked.memory_bytes.map(|bytes| vec![("memory.limit_in_bytes", bytes.to_string())]),
                asked.memory_bytes.map(|bytes| vec![("memory.memsw.limit_in_bytes", bytes.to_string())]),
            ),
            (Self::Memory, Version::Two) => (
                asked.memory_bytes.map(|bytes| vec![("memory.max", bytes.to_string())]),
                asked.memory_bytes.map(|_| vec![("memory.swap.max", "0".to_owned())]),
            ),
            (Self::Pids, _) => (asked.pids.map(|pids| vec![("pids.max", pids.to_string())]), None),
        };
        (always.unwrap_or_default(), maybe.unwrap_or_default())
    }
}

type Setting = (&'static str, String);

/// The groups of one launch; dropping them takes them away.
#[derive(Debug, Default)]
pub(super) struct ControlGroups {
    directories: Vec<PathBuf>,
}

impl ControlGroups {
    /// Makes groups that keep the limits of `asked`, as far as this machine lets this process do so; and what is said of
    /// the limits that are not kept, as lower-case fragments.
    pub(super) fn make(asked: &Restrictions) -> (Self, Vec<String>) {
        let mut groups = Self::default();
        let mut unkept = Vec::new();
        let wanted: Vec<Controller> = Controller::ALL
            .into_iter()
            .filter(|controller| !controller.settings(asked, Version::Two).0.is_empty())
            .collect();
        let (hierarchies, name) = match (Hierarchies::here(), unused_name()) {
            (Ok(hierarchies), Ok(name)) => (hierarchies, name),
            (Err(error), _) | (_, Err(error)) => {
                let why = format!("the control groups of this machine cannot be seen: {error}");
                return (groups, wanted.into_iter().map(|it| unkept_words(it, &why)).collect());
            }
        };
        let (mut second, mut missing) = (BTreeSet::new(), Vec::new());
        for controller in wanted {
            match hierarchies.first(controller) {
                Some(places) => {
                    let made = groups.add(&places, &name, &[controller], asked, Version::One);
                    missing.extend(made.err().map(|error| (controller, error)));
                }
                None => {
                    second.insert(controller);
                }
            }
        }
        if !second.is_empty() {
            let (given, places) = hierarchies.second(&second);
            let given: Vec<Controller> = given.into_iter().collect();
            let made = match given.is_empty() {
                true => Ok(()),
                false => groups.add(&places, &name, &given, asked, Version::Two),
            };
            let refused = made.err().map(|error| error.to_string());
            for controller in second {
                let why = match (&refused, given.contains(&controller)) {
                    (None, true) => continue,
                    (Some(words), true) => words.clone(),
                    (_, false) => "no group in reach has that controller".to_owned(),
                };
                missing.push((controller, io::Error::other(why)));
            }
        }
        unkept.extend(missing.into_iter().map(|(it, error)| unkept_words(it, &error.to_string())));
        (groups, unkept)
    }

    /// Makes a group in the first of `places` that takes one.
    fn add(
        &mut self,
        places: &[PathBuf],
        name: &str,
        controllers: &[Controller],
        asked: &Restrictions,
        version: Version,
    ) -> io::Result<()> {
        let mut made = Err(io::ErrorKind::NotFound.into());
        for place in places {
            sweep(place);
            let directory = place.join(name);
            made = fs::create_dir(&directory).map_err(|error| {
                io::Error::new(error.kind(), format!("no group can be made in {}: {error}", place.display()))
            });
            if made.is_ok() {
                self.directories.push(directory.clone());
                made = controllers.iter().try_for_each(|controller| {
                    let (always, maybe) = controller.settings(asked, version);
                    always.iter().try_for_each(|(file, text)| fs::write(directory.join(file), text))?;
                    // Kernels that do not count swap have no such file.
                    maybe
                        .iter()
                        .filter(|(file, _)| directory.join(file).exists())
                        .try_for_each(|(file, text)| fs::write(directory.join(file), text))
                });
                if made.is_ok() {
                    return Ok(());
                }
                // Its members would be counted where nothing bounds them.
                self.directories.pop();
                let _ = fs::remove_dir(&directory); // empty
            }
        }
        made
    }

    /// Where a process enters each group by writing 0, whoever it is by then.
    pub(super) fn doors(&self) -> io::Result<Vec<OwnedFd>> {
        let open = |directory: &PathBuf| {
            File::options().write(true).open(directory.join(MEMBERS)).map(OwnedFd::from)
        };
        self.directories.iter().map(open).collect()
    }

    /// Takes the groups away once everybody in them has ended; what is left.
    pub(super) fn clear(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        for directory in std::mem::take(&mut self.directories) {
            let mut removed = Ok(());
            for _ in 0..LOOKS {
                removed = fs::remove_dir(&directory);
                if !matches!(&removed, Err(error) if error.kind() == io::ErrorKind::ResourceBusy) {
                    break;
                }
                std::thread::sleep(BETWEEN_LOOKS);
            }
            if let Err(error) = removed
                && error.kind() != io::ErrorKind::NotFound
            {
                left.push(format!("the control group {} is left behind: {error}", directory.display()));
            }
        }
        left
    }
}

impl Drop for ControlGroups {
    fn drop(&mut self) {
        self.clear();
    }
}

fn unkept_words(controller: Controller, why: &str) -> String {
    format!("`{}` is not kept, so that it may use more here: {why}", controller.key())
}

fn unused_name() -> io::Result<String> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    Ok(format!("{PREFIX}{}-{}", owner::this_process()?, MADE.fetch_add(1, Ordering::Relaxed)))
}

/// Takes away what runs that were killed have left in `place`: groups without members.
fn sweep(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.rsplit_once('-'));
        if owner.is_some_and(|(owner, _)| owner::is_dead(owner)) {
            let _ = fs::remove_dir(entry.path()); // where a member lives on, the kernel refuses
        }
    }
}

/// Where this process stands in the hierarchies of the machine.
#[derive(Debug)]
struct Hierarchies {
    /// Of the first version: the names of its controllers, where it is mounted, and the own group.
    first: Vec<(Vec<String>, PathBuf, PathBuf)>,
    /// Of the second: where it is mounted, and the own group.
    second: Option<(PathBuf, PathBuf)>,
}

impl Hierarchies {
    fn here() -> io::Result<Self> {
        let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}"));
        Ok(Self::of(&read("mountinfo")?, &read("cgroup")?))
    }

    /// From proc_pid_mountinfo(5) and cgroups(7).
    fn of(mounts: &str, own: &str) -> Self {
        let mut hierarchies = Self { first: Vec::new(), second: None };
        for line in mounts.lines() {
            let Some((head, tail)) = line.split_once(" - ") else { continue };
            let (head, tail): (Vec<&str>, Vec<&str>) = (head.split(' ').collect(), tail.split(' ').collect());
            let (Some(root), Some(mount)) = (head.get(3), head.get(4)) else { continue };
            let group = |path: &str| {
                // Seen from another cgroup namespace it lies beside the mount, which then is as near as one can get.
                let below = Path::new(path).strip_prefix(root).unwrap_or(Path::new(""));
                Path::new(mount).join(below)
            };
            match tail.first() {
                Some(&"cgroup") => {
                    let options: Vec<&str> = tail.last().map_or("", |it| it).split(',').collect();
                    let line = own.lines().find_map(|line| {
                        let (names, path) = line.split_once(':')?.1.split_once(':')?;
                        let names: Vec<String> = names.split(',').map(str::to_owned).collect();
                        names.iter().any(|name| options.contains(&name.as_str())).then_some((names, path))
                    });
                    if let Some((names, path)) = line {
                        hierarchies.first.push((names, mount.into(), group(path)));
                    }
                }
                Some(&"cgroup2") => {
                    let path = own.lines().find_map(|line| line.strip_prefix("0::"));
                    hierarchies.second = path.map(|path| (mount.into(), group(path)));
                }
                _ => {}
            }
        }
        hierarchies
    }

    /// Groups of the first version with this controller, the own one first and then those around it.
    fn first(&self, controller: Controller) -> Option<Vec<PathBuf>> {
        let has =
            |(names, _, _): &&(Vec<String>, PathBuf, PathBuf)| names.iter().any(|it| it == controller.name());
        self.first.iter().find(has).map(|(_, mount, own)| around(mount, own))
    }

    /// Those of `wanted` that groups of the second version can have, and the places for such groups. One group holds all
    /// of them.
    fn second(&self, wanted: &BTreeSet<Controller>) -> (BTreeSet<Controller>, Vec<PathBuf>) {
        let Some((mount, own)) = &self.second else { return (BTreeSet::new(), Vec::new()) };
        let places = around(mount, own).into_iter().filter(|place| {
            // Whoever moves a process must be allowed to write this list of the group around both.
            rustix::fs::access(place.join(MEMBERS), rustix::fs::Access::WRITE_OK).is_ok()
        });
        let offers: Vec<(BTreeSet<Controller>, PathBuf)> =
            places.map(|place| (lent(&place, wanted), place)).collect();
        let most = offers.iter().map(|(lent, _)| lent.len()).max().unwrap_or(0);
        let best = offers.iter().find(|(lent, _)| lent.len() == most).map(|(lent, _)| lent.clone());
        let best = best.unwrap_or_default();
        let places = offers.into_iter().filter(|(lent, _)| *lent == best).map(|(_, place)| place).collect();
        (best, places)
    }
}

/// `own` and the groups around it, up to `mount`.
fn around(mount: &Path, own: &Path) -> Vec<PathBuf> {
    own.ancestors().take_while(|group| group.starts_with(mount)).map(Path::to_owned).collect()
}

/// Which controllers groups below `place` have; those that are not lent yet are asked for. A group with members of its
/// own lends none.
fn lent(place: &Path, wanted: &BTreeSet<Controller>) -> BTreeSet<Controller> {
    let file = place.join("cgroup.subtree_control");
    let read = || {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let has = |it: &Controller| text.split_whitespace().any(|name| name == it.name());
        wanted.iter().copied().filter(has).collect::<BTreeSet<Controller>>()
    };
    for controller in wanted.difference(&read()) {
        let _ = fs::write(&file, format!("+{}", controller.name())); // the next look tells
    }
    read()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "\
30 23 0:26 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
31 23 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 23 0:28 /docker/ab /sys/fs/cgroup/memory rw shared:4 - cgroup cgroup rw,memory
33 23 0:29 / / rw - ext4 /dev/vda rw
";
    const OWN: &str = "4:memory:/docker/ab/job\n3:cpu,cpuacct:/\n1:name=systemd:/\n0::/user.slice/one\n";

    #[test]
    fn the_own_groups_are_found_below_their_mounts() {
        let here = Hierarchies::of(FIRST, OWN);
        let places = |controller| here.first(controller).unwrap_or_default();
        assert_eq!(places(Controller::Cpu), [Path::new("/sys/fs/cgroup/cpu,cpuacct")]);
        let memory = ["/sys/fs/cgroup/memory/job", "/sys/fs/cgroup/memory"];
        assert_eq!(places(Controller::Memory), memory.map(PathBuf::from));
        assert_eq!(here.first(Controller::Pids), None);
        assert_eq!(here.second.unwrap().1, Path::new("/sys/fs/cgroup/unified/user.slice/one"));
    }

    #[test]
    fn a_group_that_lends_controllers_takes_the_service() {
        let mount = tempfile::tempdir().unwrap();
        let own = mount.path().join("slice/job");
        fs::create_dir_all(&own).unwrap();
        for (place, lends) in [("slice/job", ""), ("slice", "memory pids"), ("", "cpu memory")] {
            let place = mount.path().join(place);
            fs::write(place.join(MEMBERS), "").unwrap();
            fs::write(place.join("cgroup.subtree_control"), lends).unwrap();
        }
        // What is asked for is not lent, as with members.
        for place in ["slice/job", "slice", ""] {
            let file = mount.path().join(place).join("cgroup.subtree_control");
            let mut permissions = fs::metadata(&file).unwrap().permissions();
            permissions.set_readonly(true);
            fs::set_permissions(&file, permissions).unwrap();
        }
        if rustix::process::geteuid().is_root() {
            return; // whom such a file does not keep from writing
        }
        let here = Hierarchies { first: Vec::new(), second: Some((mount.path().into(), own)) };
        let (given, places) = here.second(&[Controller::Memory, Controller::Pids].into());
        assert_eq!(given, [Controller::Memory, Controller::Pids].into());
        assert_eq!(places, [mount.path().join("slice")]);
    }

    #[test]
    fn limits_are_written_as_each_version_reads_them() {
        let asked = Restrictions {
            memory_bytes: Some(64 << 20),
            pids: Some(9),
            milli_cpus: Some(1500),
            ..Restrictions::default()
        };
        let files = |version| -> Vec<String> {
            let all = Controller::ALL.into_iter().flat_map(|it| {
                let (always, maybe) = it.settings(&asked, version);
                [always, maybe].concat()
            });
            all.map(|(file, text)| format!("{file}={text}")).collect()
        };
        let second = ["cpu.max=150000 100000", "memory.max=67108864", "memory.swap.max=0", "pids.max=9"];
        assert_eq!(files(Version::Two), second);
        let first = [
            "cpu.cfs_period_us=100000",
            "cpu.cfs_quota_us=150000",
            "memory.limit_in_bytes=67108864",
            "memory.memsw.limit_in_bytes=67108864",
            "pids.max=9",
        ];
        assert_eq!(files(Version::One), first);
        let (groups, unkept) = ControlGroups::make(&Restrictions::default());
        assert!(groups.directories.is_empty() && unkept.is_empty());
    }
}
