//! The machine's own file system as it is, without any mount: what the scenario lays in appears by symbolic links into
//! the sandbox's house, and only where nothing is.

use super::launch::{self, Ground, Site};
use super::{machine_user, replace};
use crate::traces::Journal;
use crate::wire::{Attempt, Blueprint, Failure};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

/// Lays everything in. As for [`launch::enter`], the inner error is why nothing can be started.
pub(super) fn lay(
    blueprint: &Blueprint,
    site: &Site,
    house: &Path,
    contents: &[u8],
) -> Result<Result<Ground, String>, Failure> {
    let mut remarks = vec![format!(
        "{}: it ran on the machine's own file system, and what it wrote stays there",
        blueprint.service
    )];
    let user = match machine_user::find(
        blueprint.user.as_deref(),
        &text_of("/etc/passwd"),
        &text_of("/etc/group"),
        site,
    ) {
        Ok(user) => user,
        Err(reason) => return Ok(Err(reason)),
    };
    let owner = (user.uid, user.gid);
    let mut journal = Journal::open(house).doing(|| "open the journal".to_owned())?;
    name_hosts(blueprint, &mut journal, &mut remarks)?;
    let mut ground = MachineTree { journal, own: house.join(blueprint.service.as_str()), house };
    for (head, bytes) in launch::files(&blueprint.files, contents) {
        replace::refuse_exchanged(head)?;
        ground.file(&head.path, bytes, head.mode, owner)?;
    }
    for (source, inside) in &blueprint.binds {
        ground.link(inside, source)?;
    }
    for volume in &blueprint.volumes {
        let source = launch::volume(site, volume, owner, None)?;
        ground.link(&volume.path, &source)?;
    }
    let identity = machine_user::identity(blueprint, &user, site);
    let env = launch::environment(blueprint, &user);
    Ok(Ok(Ground { root: None, identity, filter: Vec::new(), env, sealed: Vec::new(), remarks }))
}

pub(super) fn text_of(path: &str) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        let _ = io::Read::read_to_end(&mut io::Read::take(file, launch::MAX_USERS_BYTES), &mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Where services find each other by name there is one file for the whole machine.
fn name_hosts(
    blueprint: &Blueprint,
    journal: &mut Journal,
    remarks: &mut Vec<String>,
) -> Result<(), Failure> {
    let text = text_of("/etc/hosts");
    let mut lines = String::new();
    for host in &blueprint.hosts {
        match address_of(&text, host.name.as_str()) {
            Some(address) if address == host.address.to_string() => {}
            Some(address) => {
                return Err(Failure::new(
                    format!("name {} for the services", host.name),
                    format!("the machine's /etc/hosts gives it the address {address}: rename the service"),
                ));
            }
            None => lines.push_str(&format!("{}\t{}\n", host.address, host.name)),
        }
    }
    if lines.is_empty() {
        return Ok(());
    }
    if !text.is_empty() && !text.ends_with('\n') {
        lines.insert(0, '\n');
    }
    match journal.hosts(&lines) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && blueprint.hosts.len() == 1 => {
            remarks
                .push(format!("the name {} does not resolve for services and commands", blueprint.service));
            Ok(())
        }
        Err(error) => {
            let hint = "services that find each other by name need root of the job container";
            Err(Failure::new("write the names of the services to /etc/hosts", format!("{error}; {hint}")))
        }
    }
}

/// The first address of `name` in a hosts(5) file.
fn address_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let mut fields = line.split('#').next()?.split_whitespace();
        let address = fields.next()?;
        fields.any(|alias| alias.eq_ignore_ascii_case(name)).then_some(address)
    })
}

struct MachineTree<'a> {
    journal: Journal,
    /// Where the files of this service lie, by their paths.
    own: PathBuf,
    house: &'a Path,
}

impl MachineTree<'_> {
    fn file(&mut self, inside: &str, bytes: &[u8], mode: u32, owner: (u32, u32)) -> Result<(), Failure> {
        let action = || format!("lay in {inside}");
        let place = self.place(inside)?;
        let looks = (bytes, mode & 0o7777, owner);
        if let Some(target) = self.journal.target_of(Path::new(inside))
            && target != place
        {
            // Another service's; one file can serve both only where they want the same.
            return match is_like(&target, looks).doing(action)? {
                true => Ok(()),
                false => Err(Failure::new(action(), "another service has a different file there")),
            };
        }
        let make = || -> io::Result<()> {
            if let Some(parent) = place.parent() {
                make_passable(self.house, parent)?;
            }
            match fs::remove_file(&place) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&place)?;
            io::Write::write_all(&mut file, bytes)?;
            chown(&place, Some(owner.0), Some(owner.1))?;
            super::devices::set_mode(&place, mode & 0o7777)
        };
        make().doing(action)?;
        self.link(inside, &place)
    }

    /// Where the file that appears at `inside` lies.
    fn place(&self, inside: &str) -> Result<PathBuf, Failure> {
        let path = Path::new(inside);
        let is_plain = path.components().skip(1).all(|part| matches!(part, std::path::Component::Normal(_)));
        match path.strip_prefix("/") {
            Ok(relative) if is_plain => Ok(self.own.join(relative)),
            _ => Err(Failure::new(format!("lay in {inside}"), "the path is not absolute, or has `..` in it")),
        }
    }

    /// Makes `source` appear at `inside`, by way of the house where it lies outside of it.
    fn link(&mut self, inside: &str, source: &Path) -> Result<(), Failure> {
        let action = || format!("lay in {inside}");
        let mut target = source.to_owned();
        if !source.starts_with(self.house) {
            target = self.place(inside)?;
            if fs::read_link(&target).is_ok_and(|old| old == source) {
                return Ok(()); // an earlier launch
            }
            let make = || -> io::Result<()> {
                if let Some(parent) = target.parent() {
                    make_passable(self.house, parent)?;
                }
                std::os::unix::fs::symlink(source, &target)
            };
            make().doing(action)?;
        }
        match self.journal.target_of(Path::new(inside)) {
            Some(old) if old == target => return Ok(()), // an earlier launch
            Some(old) if fs::canonicalize(&old).ok() == fs::canonicalize(source).ok() => return Ok(()),
            Some(_) => return Err(Failure::new(action(), "another service has something else there")),
            None => {}
        }
        let parent = Path::new(inside).parent().unwrap_or(Path::new("/"));
        self.journal.directories(parent).doing(action)?;
        self.journal.link(Path::new(inside), &target).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::new(
                action(),
                "the machine has something there, which a run without namespaces does not touch: choose a path of the \
                 scenario's own",
            ),
            _ => Failure { action: action(), errno: error.raw_os_error(), message: error.to_string() },
        })
    }
}

/// Makes `directory`, which is below `house`, so that services of any user can pass through and list it.
fn make_passable(house: &Path, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for made in directory.ancestors().take_while(|made| *made != house) {
        super::devices::set_mode(made, 0o755)?;
    }
    Ok(())
}

fn is_like(path: &Path, (bytes, mode, owner): (&[u8], u32, (u32, u32))) -> io::Result<bool> {
    let meta = fs::metadata(path)?;
    Ok((meta.uid(), meta.gid()) == owner && meta.mode() & 0o7777 == mode && fs::read(path)? == bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_of_a_name_counts() {
        let text = "127.0.0.1 localhost # hss\n10.0.0.5\tdb DB.example hss\n10.0.0.6 db\n";
        for (name, address) in [("hss", Some("10.0.0.5")), ("db", Some("10.0.0.5")), ("mme", None)] {
            assert_eq!(address_of(text, name), address);
        }
    }
}
