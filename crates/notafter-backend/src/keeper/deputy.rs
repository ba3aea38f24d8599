//! The keeper of a deputy: makes its container, carries bytes between it and the runner, and takes it away when either
//! is gone. When this process is killed too, the deputy sees the end of its input, and ends.

use crate::docker::Client;
use crate::wire::{Attempt, Channel, Failure, KeeperReply, Post};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// Keeps the deputy until it, or the runner, is gone; the exit code.
pub(super) fn keep(channel: Channel, post: &Post) -> i32 {
    // What a terminal sends to the runner's process group, the runner passes on in its own way.
    let _ = rustix::process::setsid();
    let posted = Client::reconnect(&post.address, post.api)
        .and_then(|client| client.post(post).map(|(id, outside)| (client, id, outside)))
        .doing(|| "make the container of the deputy".to_owned());
    let (client, id, outside) = match posted {
        Ok(posted) => posted,
        Err(failure) => return tell(&channel, failure),
    };
    let mut running = false;
    let relayed = channel.as_fd().try_clone_to_owned().and_then(|near| {
        client.relay(&id, UnixStream::from(near), || {
            running = true;
            channel.send(&KeeperReply::Posted { outside }, &[])
        })
    });
    let dismissed = client.dismiss(&id);
    match relayed {
        Err(error) if !running => {
            let failed: Result<(), _> = Err(error);
            match failed.doing(|| "start the container of the deputy".to_owned()) {
                Err(failure) => tell(&channel, failure),
                Ok(()) => 125,
            }
        }
        Err(error) => complain(&error.to_string()),
        Ok(last_words) => {
            complain(&last_words);
            match dismissed {
                Ok(()) => 0,
                Err(error) => complain(&error.to_string()),
            }
        }
    }
}

fn tell(channel: &Channel, failure: Failure) -> i32 {
    let _ = channel.send(&KeeperReply::Failed(failure), &[]); // the runner may be gone
    125
}

fn complain(words: &str) -> i32 {
    let _ = std::io::stderr().write_all(words.as_bytes()); // as above
    125
}
