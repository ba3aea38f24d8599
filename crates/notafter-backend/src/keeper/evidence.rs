//! The keeper of directories that show who sees this machine's files. It outlives a killed runner to take them away; when
//! it is killed itself, the runner does.

use crate::traces::Token;
use crate::wire::{Attempt, Channel, KeeperReply, KeeperRequest};
use std::path::Path;

/// Lays them and keeps them until the runner is gone or hangs up; the exit code.
pub(super) fn keep(channel: &Channel, disk: &Path) -> i32 {
    // What a terminal sends to the runner's process group must not end both at once.
    let _ = rustix::process::setsid();
    let tokens = match Token::lay(disk).doing(|| "make directories to show to the engine".to_owned()) {
        Ok(tokens) => tokens,
        Err(failure) => {
            let _ = channel.send(&KeeperReply::Failed(failure), &[]); // the runner may be gone
            return 125;
        }
    };
    let paths = tokens.iter().map(|token| token.path().to_owned()).collect();
    let _ = channel.send(&KeeperReply::Laid { paths }, &[]); // what follows hears that it is gone
    let _ = channel.receive::<KeeperRequest>(); // nothing is asked of it: this is the end
    drop(tokens);
    0
}
