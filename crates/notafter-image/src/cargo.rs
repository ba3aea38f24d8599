//! Binaries of the Cargo workspace around a scenario.

use crate::Error;
use notafter_core::ImageRef;
use serde::Deserialize;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A binary target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) package: String,
    pub(crate) bin: String,
}

impl Target {
    pub(crate) fn image(&self) -> ImageRef {
        ImageRef::Cargo { package: self.package.clone(), bin: self.bin.clone() }
    }
}

/// The one message of `--message-format=json` that matters here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    package_id: Option<String>,
    target: Option<MessageTarget>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct MessageTarget {
    name: String,
    kind: Vec<String>,
}

/// What `cargo metadata` says, as far as it matters here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    #[serde(default)]
    workspace_default_members: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    targets: Vec<MessageTarget>,
}

/// Builds all of `targets`, at least one, with one call of cargo, and returns their executables in the same order.
/// `on_line` hears what cargo says meanwhile.
pub(crate) fn build(
    directory: &Path,
    targets: &[Target],
    on_line: &mut dyn FnMut(&str),
) -> Result<Vec<PathBuf>, Error> {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let images: Vec<ImageRef> = targets.iter().map(Target::image).collect();
    let first = images.first().cloned().unwrap_or(ImageRef::Host);
    let not_started =
        |source| Error::CargoNotStarted { image: first.clone(), program: program.clone(), source };
    let mut command = Command::new(&program);
    command.args(["build", "--release", "--message-format=json-render-diagnostics"]);
    for target in targets {
        command.args(["--package", &target.package, "--bin", &target.bin]);
    }
    command.current_dir(directory).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(not_started)?;
    // Standard output fills up while nobody reads it, so it is read on a thread of its own.
    let stdout = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.map_or(Ok(0), |mut stdout| stdout.read_to_string(&mut text)).map(|_| text)
    });
    let mut output = String::new();
    for line in child.stderr.take().into_iter().flat_map(|stderr| BufReader::new(stderr).lines()) {
        let line = line.map_err(not_started)?;
        on_line(&line);
        output.push_str(&line);
        output.push('\n');
    }
    let status = child.wait().map_err(not_started)?;
    let messages = match reader.join() {
        Ok(messages) => messages.map_err(not_started)?,
        Err(_) => String::new(),
    };
    if !status.success() {
        return Err(Error::BuildFailed { images, output: output.trim_end().to_owned() });
    }
    targets
        .iter()
        .map(|target| {
            executable_of(target, &messages).ok_or_else(|| Error::NoSuchBinary { image: target.image() })
        })
        .collect()
}

/// The binaries that the Cargo workspace in `directory` builds, each with its name; those that cargo would run first.
///
/// # Errors
/// Where cargo cannot say; with what it says instead.
pub fn cargo_binaries(directory: &Path) -> io::Result<Vec<(ImageRef, String)>> {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(program);
    command.args(["metadata", "--no-deps", "--format-version", "1", "--offline"]).current_dir(directory);
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(said.lines().next().unwrap_or("it fails").to_owned()));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let is_default = |package: &&Package| metadata.workspace_default_members.contains(&package.id);
    let (first, rest): (Vec<&Package>, Vec<&Package>) = metadata.packages.iter().partition(is_default);
    let binaries = first.into_iter().chain(rest).flat_map(|package| {
        let targets = package.targets.iter().filter(|target| target.kind.iter().any(|kind| kind == "bin"));
        targets.map(|target| {
            let (package, bin) = (package.name.clone(), target.name.clone());
            (ImageRef::Cargo { package, bin }, target.name.clone())
        })
    });
    Ok(binaries.collect())
}

fn executable_of(target: &Target, messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact")
        .filter(|message| {
            let made = message.target.as_ref();
            made.is_some_and(|made| made.name == target.bin && made.kind.iter().any(|kind| kind == "bin"))
        })
        .filter(|message| message.package_id.as_deref().and_then(package_name) == Some(&target.package))
        .find_map(|message| message.executable)
}

/// The package name in a package id specification: `…#name@version`, or `…/name#version`.
fn package_name(id: &str) -> Option<&str> {
    let (source, fragment) = id.rsplit_once('#')?;
    match fragment.split_once('@') {
        Some((name, _)) => Some(name),
        None => source.rsplit('/').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_names_are_read_from_ids() {
        for (id, name) in [
            ("path+file:///checkout/fixtures/o2#o2-fixtures@0.1.0", Some("o2-fixtures")),
            ("path+file:///checkout/hello#0.1.0", Some("hello")),
            ("registry+https://example.org/index#serde@1.0.0", Some("serde")),
            ("nonsense", None),
        ] {
            assert_eq!(package_name(id), name);
        }
    }

    #[test]
    fn the_executable_of_the_right_package_is_taken() {
        let line = |package: &str, kind: &str, path: &str| {
            format!(
                "{{\"reason\":\"compiler-artifact\",\"package_id\":\"path+file:///w#{package}@1.0.0\",\
                 \"target\":{{\"kind\":[\"{kind}\"],\"name\":\"tool\"}},\"executable\":\"{path}\"}}\n"
            )
        };
        let messages = format!(
            "not json\n{}{}{}{{\"reason\":\"build-finished\",\"success\":true}}\n",
            line("other", "bin", "/other"),
            line("mine", "test", "/test"),
            line("mine", "bin", "/mine")
        );
        let target = Target { package: "mine".to_owned(), bin: "tool".to_owned() };
        assert_eq!(executable_of(&target, &messages), Some(PathBuf::from("/mine")));
        let absent = Target { package: "absent".to_owned(), ..target };
        assert_eq!(executable_of(&absent, &messages), None);
    }
}
