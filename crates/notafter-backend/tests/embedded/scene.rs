//! What the behaviours are played with.

use notafter_backend::{
    Backend, Embedded, ExecOutcome, FileSpec, LaunchSpec, RootTree, Sandbox, SandboxSpec, ServiceState,
};
use notafter_core::{ClockReading, ServiceName, UnixTime};
use std::time::Duration;

/// Longer than anything here takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) fn host_clock() -> ClockReading {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    ClockReading { second: UnixTime::clamped(now.tv_sec), nanos: u32::try_from(now.tv_nsec).unwrap_or(0) }
}

pub(crate) fn name(text: &str) -> ServiceName {
    ServiceName::new(text).unwrap()
}

pub(crate) fn embedded() -> Embedded {
    Embedded::new(host_clock).unwrap()
}

/// A native sandbox with these hosts.
pub(crate) fn sandbox(hosts: &[&str]) -> Box<dyn Sandbox> {
    let spec = SandboxSpec {
        hosts: hosts.iter().map(|host| name(host)).collect(),
        aliases: Vec::new(),
        clock: None,
        scratch: None,
    };
    embedded().open(&spec).unwrap()
}

/// A service on the machine's own tree that runs a shell script.
pub(crate) fn shell(service: &str, script: &str) -> LaunchSpec {
    LaunchSpec { command: Some(["/bin/sh", "-c", script].map(str::to_owned).to_vec()), ..idle(service) }
}

/// A service without a main process.
pub(crate) fn idle(service: &str) -> LaunchSpec {
    LaunchSpec::idle(name(service), RootTree::Host)
}

/// A service that answers every connection with `answer` and closes it.
pub(crate) fn server(service: &str, port: u16, answer: &str) -> LaunchSpec {
    let script = format!(
        "import socket\n\
         s = socket.create_server(('0.0.0.0', {port}))\n\
         print('listening', flush=True)\n\
         while True:\n    c, peer = s.accept()\n    print('from', peer[0], flush=True)\n    \
         c.sendall(b'{answer}')\n    c.close()\n"
    );
    LaunchSpec {
        command: Some(["/usr/bin/python3", "-u", "/tmp/notafter-server.py"].map(str::to_owned).to_vec()),
        files: vec![FileSpec {
            path: "/tmp/notafter-server.py".to_owned(),
            contents: script.into_bytes(),
            mode: 0o644,
            layout: notafter_backend::FileLayout::Plain,
        }],
        ..idle(service)
    }
}

/// Waits until the log of a service holds `text`.
pub(crate) fn wait_for_log(sandbox: &mut dyn Sandbox, service: &str, text: &str) -> String {
    for _ in 0..2000 {
        let log = sandbox.log(&name(service)).unwrap().text;
        if log.contains(text) {
            return log;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let state = sandbox.state(&name(service));
    panic!("{service} never wrote {text:?}; {state:?}: {:?}", sandbox.log(&name(service)).unwrap().text);
}

/// Waits until the main process of a service has ended; returns its code.
pub(crate) fn wait_for_end(sandbox: &mut dyn Sandbox, service: &str) -> i32 {
    for _ in 0..2000 {
        match sandbox.state(&name(service)).unwrap() {
            ServiceState::Ended { code, .. } => return code,
            ServiceState::Running => std::thread::sleep(Duration::from_millis(10)),
            other => panic!("{service}: {other:?}"),
        }
    }
    panic!("{service} runs for ever")
}

/// Runs a shell script inside; returns its exit code and output.
pub(crate) fn run(sandbox: &mut dyn Sandbox, service: &str, script: &str) -> (i32, String) {
    let command = ["/bin/sh", "-c", script].map(str::to_owned);
    match sandbox.exec(&name(service), &command, LONG).unwrap() {
        ExecOutcome::Exited { code, output } => (code, output),
        other => panic!("{script}: {other:?}"),
    }
}
