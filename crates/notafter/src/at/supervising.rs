//! The process behind the front: it starts the command under the clock and answers its time calls.

use super::front::Message;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{getegid, geteuid, getppid};
use notafter_clock::{ClockPage, Executable, Happening, Launch, Supervisor};
use notafter_core::{FileTimes, UnixTime};
use notafter_sys::fork;
use notafter_sys::namespaces::{Namespaces, unshare};
use notafter_sys::notify::NewPrivileges;
use notafter_sys::signals;
use std::ffi::{CString, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Starts the command, serves it and what it starts, and ends when nothing of that is left.
pub(super) fn main(instant: UnixTime, file_times: FileTimes, command: Vec<OsString>, front: UnixStream) -> ! {
    let front = Front(front);
    if let Err(error) = serve(instant, file_times, command, &front) {
        front.tell(&Message::Failed { reason: with_causes(error.as_ref()) });
    }
    fork::exit_now(0)
}

struct Front(UnixStream);

impl Front {
    /// The front may have been killed: then nobody is there to be told.
    fn tell(&self, message: &Message) {
        if let Ok(mut line) = serde_json::to_string(message) {
            line.push('\n');
            let _ = (&self.0).write_all(line.as_bytes());
        }
    }
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn serve(
    instant: UnixTime,
    file_times: FileTimes,
    command: Vec<OsString>,
    front: &Front,
) -> Result<(), Box<dyn std::error::Error>> {
    // Until the command has ended, the death of the front ends the supervisor, and that the command.
    let maker = getppid();
    prctl::set_child_subreaper(true)?;
    gain_ptrace_access()?;
    // After that: new credentials clear it.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    let page = ClockPage::flowing_from(instant, file_times)?;
    let mut supervisor = Supervisor::new(page.face().read_only()?)?;
    let own = std::process::id();
    let launch = Launch {
        executable: Executable::FirstArgument,
        argv: command.into_iter().map(|word| CString::new(word.into_vec())).collect::<Result<_, _>>()?,
        env: environment()?,
        new_privileges: new_privileges()?,
        prepare: Box::new(move || {
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            if u32::try_from(getppid().as_raw()) != Ok(own) {
                return Err(io::Error::other("the supervisor is gone"));
            }
            // Rust programs ignore it; others expect to be ended by it.
            signals::restore_default(Signal::SIGPIPE)
        }),
    };
    let name = launch.argv.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let pid = supervisor.spawn(launch)?;
    // Only now: a process that cannot be inspected cannot be its children's /proc neighbour either.
    prctl::set_dumpable(false)?;
    front.tell(&Message::Started { pid });
    if getppid() != maker {
        return Ok(());
    }
    let mut told = 0;
    loop {
        for happening in supervisor.turn(&[], None)? {
            match happening {
                Happening::Unstartable { errno, reason, .. } => {
                    front.tell(&Message::Unstartable { errno, reason: format!("{name}: {reason}") });
                }
                Happening::Ended { pid: ended, code, signal } if ended == pid => {
                    tell_faults(&supervisor, front, &mut told);
                    // What the command left behind goes on, as it would without us.
                    prctl::set_pdeathsig(None)?;
                    front.tell(&Message::Ended { code, signal });
                }
                Happening::Ended { .. } | Happening::Readable(_) => {}
            }
        }
        tell_faults(&supervisor, front, &mut told);
        if !supervisor.serves_any() {
            return Ok(());
        }
    }
}

fn tell_faults(supervisor: &Supervisor, front: &Front, told: &mut usize) {
    let faults = &supervisor.ledger().faults;
    if faults.len() > *told {
        *told = faults.len();
        let reasons = faults.iter().map(|fault| format!("process {}: {}", fault.pid, fault.reason)).collect();
        front.tell(&Message::Unshifted { reasons });
    }
}

/// A plain user's supervisor loses access to a program that changes its user id or clears its dumpable flag, unless
/// it holds CAP_SYS_PTRACE; in a user namespace of its own it does. Where the machine refuses one, such programs
/// are refused and reported.
fn gain_ptrace_access() -> io::Result<()> {
    let (uid, gid) = (geteuid(), getegid());
    if uid.is_root() || unshare(Namespaces::USER).is_err() {
        return Ok(());
    }
    let map =
        |file: &str, id: u32| std::fs::write(Path::new("/proc/self").join(file), format!("{id} {id} 1"));
    // Unmapped ids would be seen by the command: better to tell and to stop than to run it as nobody.
    std::fs::write("/proc/self/setgroups", "deny")
        .and_then(|()| map("uid_map", uid.as_raw()))
        .and_then(|()| map("gid_map", gid.as_raw()))
}

/// What the command may gain without the clock, where the kernel lets the filter be installed all the same.
fn new_privileges() -> std::io::Result<NewPrivileges> {
    let own = rustix::thread::capabilities(None)?;
    let allowed = own.effective.contains(rustix::thread::CapabilitySet::SYS_ADMIN);
    Ok(if allowed { NewPrivileges::Allowed } else { NewPrivileges::Denied })
}

fn environment() -> Result<Vec<CString>, std::ffi::NulError> {
    let entries = std::env::vars_os();
    entries.map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat())).collect()
}
