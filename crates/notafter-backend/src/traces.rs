//! What a run without namespaces leaves on the machine while it lasts, and taking all of it away again.
//!
//! Each sandbox has a **house**: a directory in memory, with every file and volume of its services in it, and one on
//! disk for trees that memory cannot hold. Where a service of the machine's own tree expects a file, a symbolic link
//! leads into the house. Every link, every directory above one and every line of /etc/hosts is written into a journal
//! in the house before it is made. So whoever is left can clear up: the keeper, the runner when the keeper was killed,
//! and the next run when both were.

use notafter_sys::processes::started;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

/// The journal of a house.
const JOURNAL: &str = "journal";
/// Where the lines lie that services find each other by; hosts(5).
const HOSTS: &str = "/etc/hosts";
/// What the name of every house begins with.
const PREFIX: &str = "notafter-house-";

/// One thing that was made outside the house.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Trace {
    /// A directory; removed once it is empty.
    Directory(PathBuf),
    /// Lines at the end of /etc/hosts, as they stand there.
    Hosts(String),
    /// A symbolic link into the house.
    Link(PathBuf),
}

/// Where memory is lent as files; the first that may be written to.
const MEMORY: [&str; 2] = ["/dev/shm", "/run"];

/// Where trees are copied to when the directory for temporary files is on a file system that holds no devices or
/// programs: containers have it so where their root is a FUSE file system. Their /dev is a tmpfs that does hold them.
const FOR_TREES: [&str; 2] = ["/run", "/dev"];

/// The two directories of one sandbox. Only its maker removes them, or whoever finds its maker dead.
#[derive(Debug)]
pub(crate) struct House {
    memory: PathBuf,
    disk: PathBuf,
}

impl House {
    /// Builds one, its second half below `disk` if that can hold trees; where no memory is lent, both stand there. It is
    /// named after this
    /// process, so that others can tell whether that is dead: one process builds one house.
    pub(crate) fn build(disk: &Path) -> io::Result<Self> {
        let for_trees = std::iter::once(disk).chain(FOR_TREES.iter().map(Path::new));
        let disk = for_trees.into_iter().find(|base| can_hold_trees(base)).unwrap_or(disk);
        let mut built = Err(io::ErrorKind::NotFound.into());
        for memory in MEMORY.iter().map(Path::new).chain([disk]) {
            built = Self::build_in(memory, disk);
            if built.is_ok() {
                break;
            }
        }
        built
    }

    /// Builds one with its halves in these directories.
    pub(crate) fn build_in(memory: &Path, disk: &Path) -> io::Result<Self> {
        let pid = std::process::id();
        let start = started(pid).ok_or(io::ErrorKind::NotFound)?;
        let name = format!("{PREFIX}{}-{pid}-{start}", pid_namespace()?);
        let make = |base: &Path, half: &str| -> io::Result<PathBuf> {
            let path = base.join(format!("{name}-{half}"));
            // Services of other users find their files in it, and nobody lists it.
            fs::DirBuilder::new().mode(0o711).create(&path)?;
            Ok(path)
        };
        let memory = make(memory, "memory")?;
        let disk = make(disk, "disk").inspect_err(|_| {
            let _ = fs::remove_dir(&memory); // empty, and of no use without the other
        })?;
        Ok(Self { memory, disk })
    }

    /// In memory.
    pub(crate) fn memory(&self) -> &Path {
        &self.memory
    }

    /// On disk, unless the machine's directory for temporary files lies in memory too.
    pub(crate) fn disk(&self) -> &Path {
        &self.disk
    }

    /// Takes away everything that the journal tells of, then the house.
    ///
    /// # Errors
    /// The first thing that could not be removed; the rest is gone.
    pub(crate) fn raze(&self) -> io::Result<()> {
        let outside = undo(&self.memory);
        let (memory, disk) = (remove(&self.memory), remove(&self.disk));
        outside.and(memory).and(disk)
    }
}

/// An empty directory that nothing but this process has made, as evidence of who sees the same files. It goes when it is
/// dropped, or else as houses do.
#[derive(Debug)]
pub(crate) struct Token(PathBuf);

impl Token {
    /// One wherever a house may stand that this machine lets stand there; `disk` as for [`House::build`]. As with a house,
    /// one process has them once.
    ///
    /// # Errors
    /// Where none can be made.
    pub(crate) fn lay(disk: &Path) -> io::Result<Vec<Self>> {
        let pid = std::process::id();
        let start = started(pid).ok_or(io::ErrorKind::NotFound)?;
        let name = format!("{PREFIX}{}-{pid}-{start}-token", pid_namespace()?);
        let lay = |base: &Path| {
            let path = base.join(&name);
            fs::DirBuilder::new().mode(0o700).create(&path).map(|()| Self(path))
        };
        let in_memory =
            MEMORY.iter().map(Path::new).filter(|base| *base != disk).find_map(|base| lay(base).ok());
        Ok(in_memory.into_iter().chain([lay(disk)?]).collect())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0); // the next run tries again
    }
}

/// Whether devices and programs in a file of `base` can be used, and one can be made.
fn can_hold_trees(base: &Path) -> bool {
    use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};
    let refused = StatVfsMountFlags::NODEV | StatVfsMountFlags::NOEXEC | StatVfsMountFlags::RDONLY;
    access(base, Access::WRITE_OK).is_ok() && statvfs(base).is_ok_and(|fs| !fs.f_flag.intersects(refused))
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// Razes the houses whose makers are dead, as far as that is possible; `disk` as for [`House::build`]. How many halves
/// there were, and how many of them still stand.
pub(crate) fn raze_abandoned(disk: &Path) -> (usize, usize) {
    let (mut found, mut left) = (0, 0);
    let bases: BTreeSet<&Path> = MEMORY.iter().chain(&FOR_TREES).map(Path::new).chain([disk]).collect();
    for base in bases {
        let Ok(entries) = fs::read_dir(base) else { continue };
        for entry in entries.flatten() {
            let is_ours = fs::symlink_metadata(entry.path()).is_ok_and(|meta| {
                // Anybody may make a directory here: another user's journal is none to act upon.
                meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw()
            });
            let name = entry.file_name();
            if is_ours && name.to_str().is_some_and(is_abandoned) {
                found += 1;
                left += usize::from(undo(&entry.path()).and(remove(&entry.path())).is_err());
            }
        }
    }
    (found, left)
}

/// Whether a house of this name was made by a process that this pid namespace had and that is gone.
fn is_abandoned(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    let fields: Vec<&str> = rest.split('-').collect();
    let [namespace, pid, start, _] = fields[..] else { return false };
    let here = pid_namespace().is_ok_and(|here| here == namespace);
    match (pid.parse(), start.parse()) {
        (Ok(pid), Ok(start)) => here && started(pid) != Some::<u64>(start),
        _ => false,
    }
}

/// The number of the calling process's pid namespace, with the machine's boot: several containers may share the
/// directories in which houses stand.
pub(crate) fn pid_namespace() -> io::Result<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let boot: String = boot.chars().filter(char::is_ascii_hexdigit).take(8).collect();
    Ok(format!("{boot}.{}", fs::metadata("/proc/self/ns/pid")?.ino()))
}

/// The journal of the house whose memory half is `house`, open for more.
#[derive(Debug)]
pub(crate) struct Journal {
    house: PathBuf,
    file: File,
}

impl Journal {
    /// Opens it, anew or again.
    pub(crate) fn open(house: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(house.join(JOURNAL))?;
        Ok(Self { house: house.to_owned(), file })
    }

    fn note(&mut self, trace: &Trace) -> io::Result<()> {
        let mut line = serde_json::to_vec(trace)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }

    /// Makes what is missing of the directory `path`, which is absolute.
    pub(crate) fn directories(&mut self, path: &Path) -> io::Result<()> {
        for ancestor in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
            if !ancestor.exists() {
                self.note(&Trace::Directory(ancestor.to_owned()))?;
                fs::DirBuilder::new().mode(0o755).create(ancestor)?;
            }
        }
        Ok(())
    }

    /// Makes a link at `path` to `target`, which lies in the house.
    ///
    /// # Errors
    /// `AlreadyExists` where there is anything at `path`.
    pub(crate) fn link(&mut self, path: &Path, target: &Path) -> io::Result<()> {
        if fs::symlink_metadata(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.note(&Trace::Link(path.to_owned()))?;
        symlink(target, path)
    }

    /// Whether `path` is a link into the house, and where to.
    pub(crate) fn target_of(&self, path: &Path) -> Option<PathBuf> {
        fs::read_link(path).ok().filter(|target| target.starts_with(&self.house))
    }

    /// Adds lines to /etc/hosts, in one write.
    pub(crate) fn hosts(&mut self, lines: &str) -> io::Result<()> {
        let mut file = File::options().append(true).open(HOSTS)?;
        self.note(&Trace::Hosts(lines.to_owned()))?;
        file.write_all(lines.as_bytes())
    }
}

/// Which volumes lie in the tree of an instance, by name and path inside, written beside that tree.
const LENT: &str = "lent";

/// Notes that the volume `name` is about to be moved to `inside`, a path of the tree below `stage`.
pub(crate) fn lend(stage: &Path, name: &str, inside: &Path) -> io::Result<()> {
    let mut line = serde_json::to_vec(&(name, inside))?;
    line.push(b'\n');
    File::options().create(true).append(true).open(stage.join(LENT))?.write_all(&line)
}

/// What [`lend`] noted; nothing where it noted nothing.
pub(crate) fn lent(stage: &Path) -> Vec<(String, PathBuf)> {
    let text = fs::read_to_string(stage.join(LENT)).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Undoes what the journal in `house` tells of, the last first.
fn undo(house: &Path) -> io::Result<()> {
    let file = match File::open(house.join(JOURNAL)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let lines: Vec<String> = BufReader::new(file).lines().collect::<io::Result<_>>()?;
    let mut outcome = Ok(());
    // A last line that was cut short tells of something that was never made.
    for trace in lines.iter().rev().filter_map(|line| serde_json::from_str(line).ok()) {
        outcome = outcome.and(undo_one(house, &trace));
    }
    outcome
}

fn undo_one(house: &Path, trace: &Trace) -> io::Result<()> {
    let outcome = match trace {
        Trace::Directory(path) => fs::remove_dir(path),
        Trace::Hosts(lines) => remove_hosts(Path::new(HOSTS), lines),
        // Somebody may have put something else there since.
        Trace::Link(path) if fs::read_link(path).is_ok_and(|target| target.starts_with(house)) => {
            fs::remove_file(path)
        }
        Trace::Link(_) => Ok(()),
    };
    match outcome {
        // What others have put into a directory since keeps it.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
            Ok(())
        }
        outcome => outcome,
    }
}

/// Takes `lines` out of the file at `path`. It is changed in place: in a container it is a mount.
fn remove_hosts(path: &Path, lines: &str) -> io::Result<()> {
    let text = fs::read_to_string(path)?;
    let Some(at) = text.rfind(lines) else { return Ok(()) };
    let after = &text[at + lines.len()..];
    let file = File::options().write(true).open(path)?;
    if !after.is_empty() {
        std::os::unix::fs::FileExt::write_all_at(&file, after.as_bytes(), at as u64)?;
    }
    file.set_len((at + after.len()) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_razed_house_leaves_nothing_behind() {
        let base = tempfile::tempdir().unwrap();
        let (outside, kept) = (base.path().join("etc/app/tls"), base.path().join("etc/kept"));
        let house = House::build_in(base.path(), base.path()).unwrap();
        let mut journal = Journal::open(house.memory()).unwrap();
        journal.directories(&outside).unwrap();
        journal.directories(&kept).unwrap();
        let key = house.memory().join("key.pem");
        fs::write(&key, "secret").unwrap();
        journal.link(&outside.join("key.pem"), &key).unwrap();
        assert_eq!(journal.target_of(&outside.join("key.pem")), Some(key.clone()));
        let again = journal.link(&outside.join("key.pem"), &key).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        // What is not ours stays.
        journal.link(&kept.join("replaced"), &key).unwrap();
        fs::remove_file(kept.join("replaced")).unwrap();
        fs::write(kept.join("replaced"), "another's").unwrap();
        house.raze().unwrap();
        assert_eq!(fs::read_to_string(kept.join("replaced")).unwrap(), "another's");
        assert!(!base.path().join("etc/app").exists());
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_the_house_of_a_dead_process_is_abandoned() {
        let base = tempfile::tempdir().unwrap();
        let house = House::build_in(base.path(), base.path()).unwrap();
        assert_eq!(raze_abandoned(base.path()).0, 0);
        // The same process id, another start: its maker is gone, and with it the link that it left.
        let name = house.memory().file_name().unwrap().to_str().unwrap();
        let start = started(std::process::id()).unwrap();
        let old = base.path().join(name.replace(&format!("-{start}-"), "-1-"));
        fs::create_dir(&old).unwrap();
        let link = base.path().join("link");
        Journal::open(&old).unwrap().link(&link, &old.join("key")).unwrap();
        for odd in ["notafter-house-", "notafter-house-a-b-c-d", "other"] {
            fs::create_dir(base.path().join(odd)).unwrap();
        }
        assert_eq!(raze_abandoned(base.path()), (1, 0));
        assert!(!old.exists() && fs::symlink_metadata(&link).is_err());
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 5);
        house.raze().unwrap();
    }

    #[test]
    fn lines_of_hosts_are_taken_out_wherever_they_stand() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (before, lines, after) in [("a\n", "x\ny\n", ""), ("a\n", "x\n", "b\n"), ("", "x\n", "")] {
            fs::write(file.path(), format!("{before}{lines}{after}")).unwrap();
            remove_hosts(file.path(), lines).unwrap();
            assert_eq!(fs::read_to_string(file.path()).unwrap(), format!("{before}{after}"));
        }
        remove_hosts(file.path(), "never there\n").unwrap();
    }
}
