//! What is asked of the engine, one request after the other.

use super::address::Address;
use super::limits::Limits;
use crate::owner;
use crate::wire::Machine;
use bollard::errors::Error as EngineError;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType};
use bollard::query_parameters::{ImportImageOptions, ListContainersOptions, RemoveContainerOptions};
use bollard::{API_DEFAULT_VERSION, ClientVersion, body_try_stream};
use futures_util::StreamExt;
use notafter_core::{Restrictions, RootAccess};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Runtime;

/// The label that every container carries: the run that it is for.
pub(super) const LABEL: &str = "notafter.owner";
/// The label of those that have a keeper. Both are names as in [`owner::this_process`].
const KEEPER_LABEL: &str = "notafter.keeper";
/// How long the engine may take for one answer.
const PATIENCE_SECS: u64 = 60;
/// How long it may think about an image before it writes the next piece of it: it copies all layers first.
const EXPORT_SECS: u64 = 600;
/// How often a container's removal is asked for, and how long is waited in between.
const REMOVALS: u32 = 2_000;
const BETWEEN_REMOVALS: Duration = Duration::from_millis(5);
const CHUNK_BYTES: usize = 256 << 10;
/// Digits of an id as engines list it.
const SHORT_ID_LEN: usize = 12;

/// A conversation with an engine.
#[derive(Debug)]
pub(crate) struct Client {
    pub(super) runtime: Runtime,
    pub(super) engine: bollard::Docker,
}

/// A container to be made.
#[derive(Debug)]
pub(crate) struct Container<'a> {
    /// The run that it is for.
    pub(crate) owner: &'a str,
    /// The process without which it is of no use.
    pub(crate) keeper: &'a str,
    pub(crate) image: &'a str,
    /// `none`, or that of another container.
    pub(crate) network: &'a str,
    /// This program, where the engine has it.
    pub(crate) program: &'a Path,
    /// Where it runs inside, and with which argument.
    pub(crate) command: [&'a str; 2],
    /// Directories in memory, with their modes. Programs in them can be run, as anywhere else.
    pub(crate) memory: &'a [(String, u32)],
    /// Directories where the engine has them, and where they appear.
    pub(crate) directories: &'a [(PathBuf, String)],
    pub(crate) machine: Machine,
    pub(crate) restrictions: &'a Restrictions,
}

impl Client {
    /// Speaks the newest version of the API that both sides know.
    pub(crate) fn connect(address: &Address) -> io::Result<Self> {
        let client = Self::speaking(address, API_DEFAULT_VERSION)?;
        let engine = client.runtime.block_on(client.engine.negotiate_version());
        Ok(Self { engine: engine.map_err(|error| plain(&error))?, runtime: client.runtime })
    }

    /// Speaks a version that another client has agreed upon with this engine.
    pub(crate) fn reconnect(address: &Address, version: (usize, usize)) -> io::Result<Self> {
        let (major_version, minor_version) = version;
        Self::speaking(address, &ClientVersion { major_version, minor_version })
    }

    fn speaking(address: &Address, version: &ClientVersion) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let engine = match address {
            Address::Tcp(host) => bollard::Docker::connect_with_http(host, PATIENCE_SECS, version),
            Address::Unix(path) => {
                bollard::Docker::connect_with_unix(&path.to_string_lossy(), PATIENCE_SECS, version)
            }
        };
        Ok(Self { engine: engine.map_err(|error| plain(&error))?, runtime })
    }

    /// The version of the API that is spoken.
    pub(crate) fn version(&self) -> (usize, usize) {
        let version = self.engine.client_version();
        (version.major_version, version.minor_version)
    }

    /// What the engine's machine has.
    pub(crate) fn machine(&self) -> io::Result<Machine> {
        let info = self.runtime.block_on(self.engine.info()).map_err(|error| plain(&error))?;
        Ok(Machine { memory_bytes: info.mem_total, cpus: info.ncpu })
    }

    pub(crate) fn has_image(&self, id: &str) -> io::Result<bool> {
        Ok(self.image_id(id)?.is_some())
    }

    /// The id of the image of that name, or with that id, of which engines show twelve digits.
    pub(crate) fn image_id(&self, name: &str) -> io::Result<Option<String>> {
        match self.runtime.block_on(self.engine.inspect_image(name)) {
            Ok(image) if image.id.as_deref().is_some_and(|id| is_begin_of_id(name, id, &image.repo_tags)) => {
                Ok(None)
            }
            Ok(image) => image
                .id
                .map(Some)
                .ok_or_else(|| io::Error::other("the engine has the image and does not tell its id")),
            Err(EngineError::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(plain(&error)),
        }
    }

    /// Writes what `docker save` writes, in `most_bytes` at most.
    pub(crate) fn save(&self, id: &str, mut archive: &File, most_bytes: u64) -> io::Result<()> {
        let engine = self.engine.clone().with_timeout(Duration::from_secs(EXPORT_SECS));
        let mut left = most_bytes;
        self.runtime.block_on(async {
            let mut pieces = std::pin::pin!(engine.export_image(id));
            loop {
                let patience = Duration::from_secs(EXPORT_SECS);
                let piece = tokio::time::timeout(patience, pieces.next());
                let piece = piece.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
                let Some(piece) = piece else { return archive.flush() };
                let piece = piece.map_err(|error| plain(&error))?;
                left = left.checked_sub(piece.len() as u64).ok_or_else(|| {
                    io::Error::other(format!("the image holds more than {most_bytes} bytes"))
                })?;
                archive.write_all(&piece)?;
            }
        })
    }

    /// Loads what `docker save` would write.
    pub(crate) fn load(&self, archive: File) -> io::Result<()> {
        let body =
            body_try_stream(futures_util::stream::iter(Chunks(archive).map(|chunk| chunk.map(Into::into))));
        self.runtime.block_on(async {
            let mut answers =
                std::pin::pin!(self.engine.import_image(ImportImageOptions::default(), body, None));
            while let Some(answer) = answers.next().await {
                let answer = answer.map_err(|error| plain(&error))?;
                if let Some(error) = answer.error_detail {
                    return Err(io::Error::other(error.message.unwrap_or_default()));
                }
            }
            Ok(())
        })
    }

    /// Makes a container; its id.
    pub(crate) fn create(&self, container: &Container<'_>) -> io::Result<String> {
        self.create_from(body(container))
    }

    /// Makes a container that is described in the engine's own words; its id.
    pub(super) fn create_from(&self, body: ContainerCreateBody) -> io::Result<String> {
        let created = self.runtime.block_on(self.engine.create_container(None, body));
        created.map(|created| created.id).map_err(|error| plain(&error))
    }

    pub(crate) fn start(&self, id: &str) -> io::Result<()> {
        self.runtime.block_on(self.engine.start_container(id, None)).map_err(|error| plain(&error))
    }

    /// Ends containers and takes them away; those that are gone already, too. Asks again while the engine refuses: of a
    /// container that ends in the moment of its kill it says that it is not running (500), of one that another request
    /// takes away that this is in progress (409). Which of them others are still taking away after ten seconds.
    ///
    /// # Errors
    /// What the engine refuses until then for another reason, and where it does not answer.
    pub(crate) fn remove(&self, ids: &[String]) -> io::Result<Vec<String>> {
        let mut left = ids.to_vec();
        for _ in 1..REMOVALS {
            left = self.try_to_remove(&left)?.into_iter().map(|(id, _)| id).collect();
            if left.is_empty() {
                return Ok(left);
            }
            std::thread::sleep(BETWEEN_REMOVALS);
        }
        let refused = self.try_to_remove(&left)?;
        if let Some((_, refusal)) = refused.iter().find(|(_, refusal)| status(refusal) != Some(409)) {
            return Err(plain(refusal));
        }
        Ok(refused.into_iter().map(|(id, _)| id).collect())
    }

    /// The containers that the engine refuses to take away, and what it says of each.
    fn try_to_remove(&self, ids: &[String]) -> io::Result<Vec<(String, EngineError)>> {
        let options = RemoveContainerOptions { force: true, v: true, link: false };
        let removals = ids.iter().map(|id| self.engine.remove_container(id, Some(options.clone())));
        let mut refused = Vec::new();
        for (id, outcome) in ids.iter().zip(self.runtime.block_on(futures_util::future::join_all(removals))) {
            match outcome {
                Ok(()) => {}
                Err(error) => match status(&error) {
                    Some(404) => {}
                    Some(_) => refused.push((id.clone(), error)),
                    None => return Err(plain(&error)),
                },
            }
        }
        Ok(refused)
    }

    /// Takes away containers whose run or keeper is dead; how many there were.
    pub(crate) fn sweep(&self) -> io::Result<usize> {
        let filters = HashMap::from([("label".to_owned(), vec![LABEL.to_owned()])]);
        let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        let listed = self.runtime.block_on(self.engine.list_containers(Some(options)));
        let listed = listed.map_err(|error| plain(&error))?;
        let is_left = |labels: &HashMap<String, String>| {
            let names = [LABEL, KEEPER_LABEL].map(|label| labels.get(label));
            names.into_iter().flatten().any(|name| owner::is_dead(name))
        };
        let left = listed.into_iter().filter(|container| container.labels.as_ref().is_some_and(is_left));
        let left: Vec<String> = left.filter_map(|container| container.id).collect();
        self.remove(&left).map(|_| left.len())
    }
}

fn body(container: &Container<'_>) -> ContainerCreateBody {
    let [program, argument] = container.command;
    let limits = Limits::of(container.restrictions, container.machine);
    let mut mounts = vec![bind(container.program, program, true)];
    mounts.extend(container.directories.iter().map(|(source, target)| bind(source, target, false)));
    ContainerCreateBody {
        image: Some(container.image.to_owned()),
        entrypoint: Some(vec![program.to_owned(), argument.to_owned()]),
        cmd: Some(Vec::new()),
        // An engine that stops, or starts anew, ends what it finds; no init heeds any other signal.
        stop_signal: Some("SIGKILL".to_owned()),
        user: Some("0:0".to_owned()),
        working_dir: Some("/".to_owned()),
        labels: Some(HashMap::from(
            [(LABEL, container.owner), (KEEPER_LABEL, container.keeper)]
                .map(|(label, name)| (label.to_owned(), name.to_owned())),
        )),
        host_config: Some(HostConfig {
            auto_remove: Some(true),
            // For the init: to look at processes of any user, and to put a filter on them that lets set-id bits be.
            cap_add: Some(["SYS_PTRACE", "SYS_ADMIN"].map(str::to_owned).to_vec()),
            log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
            memory: limits.memory_bytes,
            memory_swap: limits.memory_and_swap_bytes,
            mounts: Some(mounts),
            nano_cpus: limits.nano_cpus,
            network_mode: Some(container.network.to_owned()),
            pids_limit: Some(limits.pids),
            readonly_rootfs: Some(container.restrictions.root() == RootAccess::ReadOnly),
            tmpfs: Some(container.memory.iter().map(in_memory).collect()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Whether an engine found the image only because its id begins with the few digits of `name`: whoever writes `9` means
/// no such image.
fn is_begin_of_id(name: &str, id: &str, tags: &Option<Vec<String>>) -> bool {
    let latest = format!("{name}:latest");
    let is_named = tags.iter().flatten().any(|tag| *tag == latest || tag == name);
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    name.len() < SHORT_ID_LEN && digits.starts_with(name) && !is_named
}

/// A directory in memory, in the engine's words.
fn in_memory((path, mode): &(String, u32)) -> (String, String) {
    (path.clone(), format!("mode={mode:04o},exec"))
}

/// A file or directory of the engine's machine, as it appears in a container.
pub(super) fn bind(source: &Path, target: &str, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(source.to_string_lossy().into_owned()),
        target: Some(target.to_owned()),
        read_only: Some(read_only),
        ..Default::default()
    }
}

/// A file, piece by piece.
struct Chunks(File);

impl Iterator for Chunks {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut chunk = vec![0; CHUNK_BYTES];
        match self.0.read(&mut chunk) {
            Ok(0) => None,
            Ok(len) => {
                chunk.truncate(len);
                Some(Ok(chunk))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// The HTTP status of an engine's answer that tells of an error.
fn status(error: &EngineError) -> Option<u16> {
    match error {
        EngineError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

pub(super) fn plain(error: &EngineError) -> io::Error {
    io::Error::other(match error {
        EngineError::DockerResponseServerError { message, .. } => format!("the engine says: {message}"),
        error => format!("the engine does not answer: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    /// An engine that gives these answers, one a request, and what is heard of it about one container's removal.
    fn removal(answers: Vec<(u16, &'static str)>) -> io::Result<Vec<String>> {
        let place = tempfile::tempdir().unwrap();
        let socket = place.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let engine = std::thread::spawn(move || {
            for (status, message) in answers {
                let (mut connection, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    connection.read_exact(&mut byte).unwrap();
                    request.extend(byte);
                }
                let request = String::from_utf8(request).unwrap();
                assert!(
                    request.starts_with("DELETE ") && request.contains("/containers/c0ffee?"),
                    "{request}"
                );
                let body = format!(r#"{{"message":"{message}"}}"#);
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status} -\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
                connection.write_all((head + &body).as_bytes()).unwrap();
            }
        });
        let heard =
            Client::reconnect(&Address::Unix(socket), (1, 41)).unwrap().remove(&["c0ffee".to_owned()]);
        engine.join().unwrap();
        heard
    }

    #[test]
    fn a_few_digits_are_no_name_of_an_image() {
        let id = "sha256:9d70a615c0ffee";
        let tags = |tag: &str| Some(vec![tag.to_owned()]);
        for (name, tags, is_begin) in [
            ("9", None, true),
            ("9d70", tags("shop:9"), true),
            ("9", tags("9:latest"), false),
            ("9d70a615c0ff", None, false),
            ("shop", tags("shop:latest"), false),
        ] {
            assert_eq!(is_begin_of_id(name, id, &tags), is_begin, "{name}");
        }
    }

    #[test]
    fn a_container_that_ends_in_the_moment_of_its_kill_is_taken_away_by_asking_again() {
        let refusal =
            "Could not kill running container c0ffee, cannot remove - Container c0ffee is not running";
        assert_eq!(removal(vec![(500, refusal), (204, "")]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_container_that_another_request_takes_away_is_waited_for() {
        let refusal = "removal of container c0ffee is already in progress";
        let gone = "No such container: c0ffee";
        assert_eq!(removal(vec![(409, refusal), (409, refusal), (404, gone)]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn an_engine_that_goes_away_is_not_asked_again() {
        let error = removal(vec![(409, "removal of container c0ffee is already in progress")]).unwrap_err();
        assert!(error.to_string().starts_with("the engine does not answer: "), "{error}");
    }
}
