//! A deputy: this program in a container beside an engine that does not see our files. It runs there what is asked of it,
//! with the engine's socket, and with one room of files that the engine sees as well.
//!
//! Whoever posts a deputy speaks with it over one stream of bytes. When that ends, so does the deputy, and the engine
//! takes its container and its room away.

use super::address::Address;
use super::client::{Client, LABEL, bind, plain};
use super::images;
use crate::embedded::{Spawner, farewell};
use crate::keeper::{GUARD_ARGUMENT, ROOM};
use crate::wire::{Channel, KeeperReply, KeeperRequest, Post, Premises};
use crate::{Error, owner};
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType};
use bollard::query_parameters::AttachContainerOptions;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use notafter_image::Layer;
use notafter_sys::arch;
use std::collections::HashMap;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Where the deputy finds itself.
const PROGRAM: &str = "/bin/notafter";
/// Where it finds the engine.
pub(crate) const ENGINE: &str = "/engine.sock";
/// Where engines answer on their own machine, and the variable that says otherwise.
const USUAL_SOCKET: &str = "/var/run/docker.sock";
const SOCKET_VARIABLE: &str = "NOTAFTER_ENGINE_SOCKET";
/// How long the engine may take to get a deputy going, this program's way there not counted.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long a deputy may take to end everything after it was hung up on.
const FAREWELL: Duration = Duration::from_secs(12);
/// The same of its keeper.
const LONGEST_FAREWELL: Duration = Duration::from_secs(30);
/// How much of what a deputy complains of is told.
const MOST_LAST_WORDS: usize = 4096;
const CHUNK_BYTES: usize = 64 << 10;
/// The oldest kernel with everything that the clock needs: see `doctor`.
const OLDEST_KERNEL: (u32, u32) = crate::doctor::OLDEST_KERNEL;

/// An engine that does not see our files, and how to have a deputy beside it.
#[derive(Debug)]
pub struct Posting {
    client: Client,
    address: Address,
    spawner: Arc<Spawner>,
}

impl Posting {
    /// # Errors
    /// Where nothing can run there.
    pub(super) fn new(client: Client, address: Address, spawner: Arc<Spawner>) -> io::Result<Self> {
        client.fits()?;
        client.sweep()?;
        Ok(Self { client, address, spawner })
    }

    /// Where the engine answers, as in `tcp://docker:2375`.
    #[must_use]
    pub fn place(&self) -> String {
        self.address.to_string()
    }

    /// Brings this program there and starts it.
    ///
    /// # Errors
    /// [`Error::Sandbox`] where the engine does not let it run.
    pub fn start(&self) -> Result<Deputy, Error> {
        let failed = |action: &'static str| {
            move |source: io::Error| Error::Sandbox { action: action.to_owned(), source }
        };
        let image = self.image().map_err(failed("bring this program to the engine"))?;
        let socket = std::env::var_os(SOCKET_VARIABLE).filter(|path| !path.is_empty());
        let post = Post {
            address: self.address.clone(),
            api: self.client.version(),
            owner: owner::this_process().map_err(failed("name this run"))?,
            image,
            socket: socket.map_or_else(|| PathBuf::from(USUAL_SOCKET), PathBuf::from),
        };
        let (ours, theirs) = Channel::pair().map_err(failed("make a socket"))?;
        let child = self.spawner.spawn(theirs.into()).map_err(failed("start the keeper of the deputy"))?;
        let asked = ours
            .set_patience(Some(PATIENCE))
            .and_then(|()| ours.send(&KeeperRequest::Open(Premises::Deputy(post)), &[]))
            .and_then(|()| ours.receive::<KeeperReply>());
        let mut deputy =
            Deputy { child, stream: UnixStream::from(OwnedFd::from(ours)), outside: PathBuf::new() };
        match asked {
            Ok((KeeperReply::Posted { outside }, _)) => {
                deputy.outside = outside;
                // What follows has its own patience.
                deputy.stream.set_read_timeout(None).map_err(failed("listen to the deputy"))?;
                Ok(deputy)
            }
            Ok((KeeperReply::Failed(failure), _)) => Err(failure.into()),
            Ok(_) => {
                Err(Error::Lost { reason: "the keeper of the deputy answered something else".to_owned() })
            }
            Err(source) => Err(failed("start a deputy beside the engine")(source)),
        }
    }

    fn image(&self) -> io::Result<String> {
        let mut layer = Layer::new()?;
        layer.file(PROGRAM, &std::fs::read("/proc/self/exe")?, 0o755, (0, 0))?;
        images::load(&self.client, vec![layer])
    }
}

/// A deputy that runs. Dropping it ends it, and waits for its end.
#[derive(Debug)]
pub struct Deputy {
    child: Child,
    stream: UnixStream,
    outside: PathBuf,
}

impl Deputy {
    /// To and from the deputy's standard input and output.
    #[must_use]
    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Its room, as the engine's machine has it.
    #[must_use]
    pub fn outside(&self) -> &Path {
        &self.outside
    }

    /// Ends it; what it, or its keeper, complained of last.
    pub fn end(&mut self) -> String {
        let _ = self.stream.shutdown(std::net::Shutdown::Both); // it may be gone
        let _ = farewell(&mut self.child, LONGEST_FAREWELL); // it fails only where it is dead and reaped already
        let mut last_words = Vec::new();
        if let Some(stderr) = self.child.stderr.take() {
            let _ = stderr.take(MOST_LAST_WORDS as u64).read_to_end(&mut last_words); // whose writer is dead
        }
        String::from_utf8_lossy(&last_words).trim().to_owned()
    }
}

impl Drop for Deputy {
    fn drop(&mut self) {
        self.end();
    }
}

impl Client {
    /// Whether programs of this machine can run on the engine's, under a clock.
    fn fits(&self) -> io::Result<()> {
        let info = self.runtime.block_on(self.engine.info()).map_err(|error| plain(&error))?;
        let text = Option::unwrap_or_default;
        match unfit(&text(info.os_type), &text(info.architecture), &text(info.kernel_version)) {
            None => Ok(()),
            Some(what) => {
                Err(io::Error::new(io::ErrorKind::Unsupported, format!("the machine of the engine {what}")))
            }
        }
    }

    /// Whether the engine has the files of this machine. It is asked for a container of no image with these
    /// paths in it: where it sees them, it is the image that it misses.
    pub(super) fn sees(&self, paths: &[PathBuf]) -> io::Result<bool> {
        let body = ContainerCreateBody {
            image: Some("notafter-nowhere:none".to_owned()),
            host_config: Some(HostConfig {
                mounts: Some(paths.iter().map(|path| bind(path, &path.to_string_lossy(), true)).collect()),
                ..Default::default()
            }),
            ..Default::default()
        };
        match self.create_from(body) {
            Ok(container) => self.remove(&[container]).map(|_| true),
            // Any other complaint is none about our files.
            Err(error) => Ok(!error.to_string().contains("bind source path does not exist")),
        }
    }

    /// Makes the container of a deputy; its id, and where the engine has its room.
    pub(crate) fn post(&self, post: &Post) -> io::Result<(String, PathBuf)> {
        let id = self.create_from(body(post)).map_err(|error| {
            let hint = if error.to_string().contains("bind source path") {
                format!("; {SOCKET_VARIABLE} says where the engine's socket lies on its own machine")
            } else {
                String::new()
            };
            io::Error::new(error.kind(), format!("{error}{hint}"))
        })?;
        let inspected = self.runtime.block_on(self.engine.inspect_container(&id, None));
        let inspected = inspected.map_err(|error| plain(&error))?;
        let mut mounts = inspected.mounts.unwrap_or_default().into_iter();
        let room = mounts.find(|mount| mount.destination.as_deref() == Some(ROOM));
        match room.and_then(|room| room.source).filter(|source| source.starts_with('/')) {
            Some(outside) => Ok((id, outside.into())),
            None => {
                self.remove(&[id])?;
                Err(io::Error::other("the engine does not tell where it has the deputy's room"))
            }
        }
    }

    /// Starts the deputy and carries bytes between it and `near` until either ends, and the deputy with it. What it
    /// complained of last is returned.
    pub(crate) fn relay(
        &self,
        id: &str,
        near: UnixStream,
        on_running: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<String> {
        self.runtime.block_on(async {
            let streams = AttachContainerOptions {
                stdin: true,
                stdout: true,
                stderr: true,
                stream: true,
                ..Default::default()
            };
            let attached = self.engine.attach_container(id, Some(streams)).await;
            let AttachContainerResults { mut output, mut input } = attached.map_err(|error| plain(&error))?;
            self.engine.start_container(id, None).await.map_err(|error| plain(&error))?;
            on_running()?;
            near.set_nonblocking(true)?;
            let (mut from, mut to) = tokio::net::UnixStream::from_std(near)?.into_split();
            let mut last_words = Vec::new();
            {
                let mut there = pin!(async {
                    let mut chunk = vec![0; CHUNK_BYTES];
                    loop {
                        let len = from.read(&mut chunk).await?;
                        if len == 0 {
                            return input.shutdown().await;
                        }
                        input.write_all(&chunk[..len]).await?;
                        input.flush().await?;
                    }
                });
                let mut back = pin!(async {
                    while let Some(Ok(piece)) = output.next().await {
                        match piece {
                            LogOutput::StdErr { message } => {
                                let room = MOST_LAST_WORDS.saturating_sub(last_words.len());
                                last_words.extend_from_slice(&message[..message.len().min(room)]);
                            }
                            LogOutput::StdOut { message } => {
                                if to.write_all(&message).await.is_err() {
                                    break; // nobody listens; the other direction ends as well
                                }
                            }
                            LogOutput::Console { .. } | LogOutput::StdIn { .. } => {}
                        }
                    }
                });
                match select(&mut there, &mut back).await {
                    Either::Left(_) => {
                        // Where it does not end by itself, it is taken away.
                        let _ = tokio::time::timeout(FAREWELL, back).await;
                    }
                    Either::Right(_) => {}
                }
            }
            Ok(String::from_utf8_lossy(&last_words).into_owned())
        })
    }

    /// Takes the deputy away where it is not gone by itself.
    pub(crate) fn dismiss(&self, id: &str) -> io::Result<()> {
        if self.remove(&[id.to_owned()])?.is_empty() {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("the engine does not take the container {id} away"),
        ))
    }
}

/// Why programs of this machine, or their clocks, do not work on one like that.
fn unfit(os: &str, architecture: &str, kernel: &str) -> Option<String> {
    if os != "linux" || architecture != arch::NAME {
        return Some(format!(
            "is {os} on {architecture}: this program is built for linux on {} alone",
            arch::NAME
        ));
    }
    let (major, minor) = OLDEST_KERNEL;
    let is_new = crate::doctor::version_of(kernel).is_some_and(|version| version >= OLDEST_KERNEL);
    (!is_new).then(|| format!("has the kernel {kernel}: use {major}.{minor} or later"))
}

/// It holds the engine's socket, with which it could do anything on that machine: that it may look at the processes there
/// adds nothing. What it runs gets none of it.
fn body(post: &Post) -> ContainerCreateBody {
    let unconfined = ["apparmor=unconfined", "label=disable", "seccomp=unconfined"];
    // Without a name it goes with its container.
    let room = Mount { typ: Some(MountType::VOLUME), target: Some(ROOM.to_owned()), ..Default::default() };
    ContainerCreateBody {
        image: Some(post.image.clone()),
        entrypoint: Some(vec![PROGRAM.to_owned(), GUARD_ARGUMENT.to_owned()]),
        cmd: Some(Vec::new()),
        user: Some("0:0".to_owned()),
        working_dir: Some("/".to_owned()),
        labels: Some(HashMap::from([(LABEL.to_owned(), post.owner.clone())])),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        stdin_once: Some(true),
        tty: Some(false),
        host_config: Some(HostConfig {
            auto_remove: Some(true),
            cap_add: Some(vec!["SYS_PTRACE".to_owned()]),
            log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
            mounts: Some(vec![room, bind(&post.socket, ENGINE, false)]),
            network_mode: Some("none".to_owned()),
            pid_mode: Some("host".to_owned()),
            readonly_rootfs: Some(true),
            security_opt: Some(unconfined.map(str::to_owned).to_vec()),
            userns_mode: Some("host".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_on_which_nothing_can_run_is_told_from_one_on_which_it_can() {
        for (os, architecture, kernel, expected) in [
            ("linux", arch::NAME, "6.10.14-linuxkit", None),
            ("linux", arch::NAME, "5.14.0", None),
            ("linux", "s390x", "6.10.14-linuxkit", Some("s390x")),
            ("windows", arch::NAME, "10.0 17763", Some("windows")),
            ("linux", arch::NAME, "5.10.0-28-amd64", Some("5.14 or later")),
            ("linux", arch::NAME, "", Some("5.14 or later")),
        ] {
            let what = unfit(os, architecture, kernel);
            assert_eq!(what.is_some(), expected.is_some(), "{os} {architecture} {kernel}: {what:?}");
            assert!(what.unwrap_or_default().contains(expected.unwrap_or_default()));
        }
    }

    #[test]
    fn the_socket_goes_to_the_deputy_alone_and_what_it_leaves_goes_with_it() {
        let post = Post {
            address: Address::Tcp("docker:2375".to_owned()),
            api: (1, 41),
            owner: "someone".to_owned(),
            image: "sha256:0".to_owned(),
            socket: "/run/e.sock".into(),
        };
        let body = body(&post);
        let host = body.host_config.unwrap();
        let sources: Vec<_> =
            host.mounts.unwrap().into_iter().map(|mount| (mount.source, mount.target)).collect();
        let named = |text: &str| Some(text.to_owned());
        assert_eq!(sources, [(None, named(ROOM)), (named("/run/e.sock"), named(ENGINE))]);
        assert_eq!((host.auto_remove, body.stdin_once, host.privileged), (Some(true), Some(true), None));
        assert_eq!(host.network_mode.as_deref(), Some("none"));
    }
}
