//! Programs that keep credentials, by the protocol of docker-credential-helpers: a server's name goes in, a JSON document
//! comes out.

use super::secret::Secret;
use serde::Deserialize;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long one may take; some ask a person.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it may live on after its answer.
const LOOKS: u32 = 500;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
/// Most bytes of an answer.
const MAX_ANSWER_BYTES: u64 = 1 << 20;
/// What one says that has none.
const NONE: &str = "credentials not found";

/// What a program gave.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    #[serde(default)]
    username: String,
    secret: String,
}

/// The program that `name` stands for.
pub(super) fn program(name: &str) -> String {
    format!("docker-credential-{name}")
}

/// User and secret for `server`; none where the program has none. The error is a fragment that follows its name.
pub(super) fn ask(name: &str, server: &str) -> Result<Option<(String, Secret)>, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if name.is_empty() || !name.bytes().all(plain) {
        return Err("is no name of a program".to_owned());
    }
    ask_at(Path::new(&program(name)), server)
}

/// The same of the program at `path`, or of that name on the PATH.
pub(super) fn ask_at(path: &Path, server: &str) -> Result<Option<(String, Secret)>, String> {
    let mut child = Command::new(path)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot be started: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read may know all the same.
        _ = stdin.write_all(server.as_bytes());
    }
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut answer = Zeroizing::new(Vec::new());
            let read = stdout.take(MAX_ANSWER_BYTES).read_to_end(&mut answer);
            _ = sender.send(read.map(|_| answer));
        });
    }
    let answer = receiver.recv_timeout(PATIENCE);
    // Whoever has said everything ends; whoever does not, is ended.
    let looks = if matches!(answer, Ok(Ok(_))) { LOOKS } else { 0 };
    for _ in 0..looks {
        if !matches!(child.try_wait(), Ok(None)) {
            break;
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    _ = child.kill();
    let status = child.wait().map_err(|error| format!("cannot be waited for: {error}"))?;
    let answer = match answer {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(format!("cannot be read: {error}")),
        Err(_) => return Err(format!("does not answer within {} s", PATIENCE.as_secs())),
    };
    if !status.success() {
        let says_none = String::from_utf8_lossy(&answer).contains(NONE);
        return if says_none { Ok(None) } else { Err(format!("fails: {status}")) };
    }
    // What serde says may quote the document.
    let given: Given =
        serde_json::from_slice(&answer).map_err(|_| "gives no document of credentials".to_owned())?;
    Ok(Some((given.username, Secret::new(given.secret))))
}
