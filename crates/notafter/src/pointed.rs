//! What somebody points at with a path or a reference, as an image of a scenario.

use crate::error::Error;
use notafter_core::{ImageName, ImageRef, Transport};
use notafter_runner::Recognised;
use std::path::{Path, PathBuf};

/// Directories that services on this machine's own files have to themselves.
const OWN: [&str; 2] = ["/run", "/tmp"];

/// What to run.
pub(crate) struct Pointed {
    pub(crate) image: ImageRef,
    /// The command; for programs with the program before its arguments.
    pub(crate) command: Option<Vec<String>>,
    /// Where a program of this machine runs.
    pub(crate) workdir: Option<String>,
    /// What to call it.
    pub(crate) name: String,
}

/// Tells what `target` is. Paths come out absolute where `absolute` says so, for a scenario that lies elsewhere.
///
/// # Errors
/// [`Error::Target`] where it is nothing that can be run.
pub(crate) fn pointed(target: &str, command: &[String], absolute: bool) -> Result<Pointed, Error> {
    let given = Some(command.to_vec()).filter(|command| !command.is_empty());
    let no = |reason: String| Error::Target { target: target.to_owned(), reason };
    if let Some((transport, path, selector)) = stored(target) {
        let selector = selector.map(str::to_owned);
        let reference = selector.as_deref().filter(|selector| !selector.starts_with('@'));
        let name = reference.map_or_else(|| stem(Path::new(path)), image_name);
        let image = ImageRef::Stored { transport, path: placed(Path::new(path), absolute)?, selector };
        return Ok(Pointed { image, command: given, workdir: None, name });
    }
    for form in ["docker://", "docker-daemon:"] {
        let Some(name) = target.strip_prefix(form) else { continue };
        let name = ImageName::new(name).map_err(|error| no(error.to_string()))?;
        let called = image_name(name.as_str());
        let image = match form {
            "docker://" => ImageRef::Docker(name),
            _ => ImageRef::DockerDaemon(name),
        };
        return Ok(Pointed { image, command: given, workdir: None, name: called });
    }
    let (path, as_tree) = match target.strip_prefix("rootfs:") {
        Some(path) => (path, true),
        None => (target.strip_prefix("binary:").unwrap_or(target), false),
    };
    let path = Path::new(path);
    if !path.exists() {
        let name = match (as_tree, ImageName::new(target)) {
            (false, Ok(name)) => name,
            _ => return Err(no("there is no such file or directory, and no image is called so".to_owned())),
        };
        let called = image_name(name.as_str());
        let image = ImageRef::Reference(name);
        return Ok(Pointed { image, command: given, workdir: None, name: called });
    }
    let found = match as_tree {
        true => Some(Recognised::Tree),
        false => notafter_runner::recognise(path).map_err(|error| no(error.to_string()))?,
    };
    let name = stem(path);
    let at = placed(path, absolute)?;
    match found {
        None => {
            Err(no("it is no program, no archive of an image or a root tree, and no directory".to_owned()))
        }
        Some(Recognised::Stored(transport)) => {
            let image = ImageRef::Stored { transport, path: at, selector: None };
            Ok(Pointed { image, command: given, workdir: None, name })
        }
        Some(Recognised::Tree) if given.is_none() => {
            Err(no("a root tree does not say what runs in it: give the command after `--`".to_owned()))
        }
        Some(Recognised::Tree) => {
            Ok(Pointed { image: ImageRef::Rootfs(at), command: given, workdir: None, name })
        }
        Some(Recognised::StaticProgram) => {
            let own = path.file_name().map(|name| format!("/{}", name.to_string_lossy())).unwrap_or_default();
            let command = given.map(|arguments| [vec![own], arguments].concat());
            Ok(Pointed { image: ImageRef::Binary(at), command, workdir: None, name })
        }
        Some(Recognised::Program) => {
            let program = path.canonicalize().map_err(|error| no(error.to_string()))?;
            let here = std::env::current_dir().map_err(|error| no(error.to_string()))?;
            if let Some(own) = own_to_services(&program) {
                return Err(no(format!(
                    "it needs this machine's files, and services have {own} to themselves: put it elsewhere"
                )));
            }
            let program = vec![program.to_string_lossy().into_owned()];
            let command = Some([program, given.unwrap_or_default()].concat());
            let is_there = own_to_services(&here).is_none();
            let workdir = is_there.then(|| here.to_string_lossy().into_owned());
            Ok(Pointed { image: ImageRef::Host, command, workdir, name })
        }
    }
}

/// The transport, path and selector of an image that is named by its transport.
pub(crate) fn stored(target: &str) -> Option<(Transport, &str, Option<&str>)> {
    Transport::ALL.into_iter().find_map(|transport| {
        let rest = target.strip_prefix(transport.name())?.strip_prefix(':')?;
        Some(match (transport, rest.split_once(':')) {
            (Transport::Dir, _) | (_, None) => (transport, rest, None),
            (_, Some((path, selector))) => (transport, path, Some(selector)),
        })
    })
}

/// The directory around `path` that services on this machine's own files have to themselves.
fn own_to_services(path: &Path) -> Option<&'static str> {
    OWN.into_iter().find(|own| path.starts_with(own))
}

/// `path` as a scenario may name it.
fn placed(path: &Path, absolute: bool) -> Result<PathBuf, Error> {
    match absolute {
        false => Ok(path.to_owned()),
        true => std::path::absolute(path)
            .map_err(|error| Error::Target { target: path.display().to_string(), reason: error.to_string() }),
    }
}

fn stem(path: &Path) -> String {
    let name = path.file_name().or_else(|| path.parent()?.file_name());
    let name = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let endings = [".tar", ".tar.gz", ".tgz", ".tar.zst", ".oci"];
    let ending = endings.iter().find_map(|ending| name.strip_suffix(ending));
    ending.unwrap_or(&name).to_owned()
}

/// The last word of a reference, without tag and digest.
fn image_name(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or(reference);
    last.split([':', '@']).find(|part| !part.is_empty()).unwrap_or("image").to_owned()
}

/// `text` in the letters that names of services and scenarios, and so of hosts, are made of.
pub(crate) fn named(text: &str) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '-' };
    let name: String = text.chars().map(plain).take(40).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "candidate".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_from_paths_and_references() {
        for (target, name) in [
            ("docker-archive:out/Shop_2.tar.gz", "shop-2"),
            ("oci-archive:x.tar:registry.example:5000/team/web:1.2", "web"),
            ("oci:layout:@0", "layout"),
            ("dir:a/b", "b"),
        ] {
            let pointed = pointed(target, &[], false).unwrap();
            assert_eq!(named(&pointed.name), name, "{target}");
        }
        assert_eq!(named("..."), "candidate");
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_the_way_out() {
        let place = tempfile::tempdir().unwrap();
        let text = place.path().join("text");
        std::fs::write(&text, "words").unwrap();
        let why = |target: &str| pointed(target, &[], false).map(|_| ()).unwrap_err().to_string();
        assert!(why("Nginx:1.27").contains("no image is called so"));
        assert!(why("docker-daemon:a b").contains("no image reference"));
        assert!(why(text.to_str().unwrap()).contains("no program"));
        assert!(why(place.path().to_str().unwrap()).contains("after `--`"));
    }

    #[test]
    fn a_program_that_needs_this_machine_runs_on_it_with_its_arguments() {
        let pointed = pointed("/bin/sh", &["-c".to_owned()], false).unwrap();
        assert_eq!(pointed.image, ImageRef::Host);
        let command = pointed.command.unwrap();
        assert!(Path::new(&command[0]).is_absolute() && command[1] == "-c", "{command:?}");
    }

    #[test]
    fn a_script_where_services_cannot_see_it_is_refused() {
        let place = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
        let script = place.path().join("serve.py");
        std::fs::write(&script, "#!/usr/bin/python3\n").unwrap();
        let why = pointed(script.to_str().unwrap(), &[], false).map(|_| ()).unwrap_err().to_string();
        assert!(why.contains("have /tmp to themselves"), "{why}");
    }
}
