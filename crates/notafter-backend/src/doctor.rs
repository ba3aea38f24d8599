//! What this machine can do for the embedded back end: tried, not guessed, wherever trying is possible.

use crate::embedded::refusal;
use crate::{Backend, ExecOutcome, LaunchSpec, RootTree, Sandbox, SandboxSpec};
use notafter_core::{ServiceName, UnixTime, WitnessBasis};
use std::error::Error as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// One thing that a gate needs, or could use, from the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ability {
    /// What it is, such as `namespaces`.
    pub name: &'static str,
    /// Whether it is there.
    pub ok: bool,
    /// Whether gates need it on the embedded back end.
    pub required: bool,
    /// What was seen, as a lower-case fragment.
    pub detail: String,
    /// What to do where it is not there, as a lower-case fragment.
    pub way_out: Option<String>,
}

/// The oldest kernel on which everything exists that is used: `SECCOMP_ADDFD_FLAG_SEND` came last.
pub(crate) const OLDEST_KERNEL: (u32, u32) = (5, 14);
/// Longest that the trial command may take, on the host's clock.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a trial command runs in.
const SHELL: &str = "/bin/sh";

/// The name of the ability that `--isolation none` needs.
pub const WITHOUT_NAMESPACES: &str = "without namespaces";

/// Tries everything, a run without namespaces only where something is missing. `backend` is the embedded one, `bare` the
/// same without namespaces; `shifted` is an instant away from the host's time, at which the clock of the trial stands.
#[must_use]
pub fn probe_capabilities(backend: &dyn Backend, bare: &dyn Backend, shifted: UnixTime) -> Vec<Ability> {
    let mut abilities = vec![kernel(), pidfd(), notifications(), tracing()];
    abilities.extend(sandbox(backend));
    abilities.push(shifted_clock(backend, shifted));
    // Of interest where there are none; elsewhere it would change the machine for nothing.
    if abilities.iter().any(|ability| ability.required && !ability.ok) {
        abilities.push(without_namespaces(bare, shifted));
    }
    abilities.push(docker());
    abilities
}

/// What this machine lacks that a clock needs, whatever the back end; none where nothing does.
#[must_use]
pub fn unfit() -> Option<String> {
    let missing = [kernel(), pidfd(), notifications(), tracing()].into_iter().find(|ability| !ability.ok)?;
    let way_out = missing.way_out.map_or_else(String::new, |way_out| format!("; {way_out}"));
    Some(format!("{}: {}{way_out}", missing.name, missing.detail))
}

fn ability(name: &'static str, outcome: Result<String, (String, String)>) -> Ability {
    let (ok, detail, way_out) = match outcome {
        Ok(detail) => (true, detail, None),
        Err((detail, way_out)) => (false, detail, Some(way_out)),
    };
    Ability { name, ok, required: true, detail, way_out }
}

fn kernel() -> Ability {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let outcome = match version_of(&release) {
        Some(version) if version >= OLDEST_KERNEL => Ok(release),
        _ => Err((release, format!("use Linux {}.{} or later", OLDEST_KERNEL.0, OLDEST_KERNEL.1))),
    };
    ability("kernel", outcome)
}

pub(crate) fn version_of(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn pidfd() -> Ability {
    use rustix::process::{PidfdFlags, getpid, pidfd_open};
    ability(
        "pidfd",
        match pidfd_open(getpid(), PidfdFlags::empty()) {
            Ok(_) => Ok("processes can be held by descriptor".to_owned()),
            Err(errno) => Err((
                std::io::Error::from(errno).to_string(),
                "allow pidfd_open(2) in the seccomp profile of the container".to_owned(),
            )),
        },
    )
}

fn notifications() -> Ability {
    let path = "/proc/sys/kernel/seccomp/actions_avail";
    let outcome = match fs::read_to_string(path) {
        Ok(actions) if actions.split_whitespace().any(|action| action == "user_notif") => {
            Ok("seccomp can notify a supervisor".to_owned())
        }
        Ok(_) => Err((
            "seccomp cannot notify a supervisor".to_owned(),
            "use a kernel with CONFIG_SECCOMP_FILTER, 5.14 or later".to_owned(),
        )),
        Err(error) => Err((format!("{path}: {error}"), "use a kernel with CONFIG_SECCOMP_FILTER".to_owned())),
    };
    ability("seccomp notification", outcome)
}

fn tracing() -> Ability {
    // Absent without Yama; 1 and 2 let an init with CAP_SYS_PTRACE in its user namespace attach, 3 nobody.
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    ability(
        "ptrace",
        match scope.trim() {
            "3" => Err((
                "the sysctl kernel.yama.ptrace_scope is 3: nobody may attach".to_owned(),
                "set kernel.yama.ptrace_scope to 2 or less in /etc/sysctl.d and restart".to_owned(),
            )),
            "" => Ok("not restricted".to_owned()),
            scope => Ok(format!("kernel.yama.ptrace_scope is {scope}")),
        },
    )
}

/// Namespaces and overlays, by opening a sandbox and building the tree that asks for most.
fn sandbox(backend: &dyn Backend) -> Vec<Ability> {
    let spec = SandboxSpec { hosts: trial_host(), aliases: Vec::new(), clock: None, scratch: None };
    let mut sandbox = match backend.open(&spec) {
        Ok(sandbox) => sandbox,
        Err(error) => {
            let refused = (chain(&error), refusal::find().way_out.to_owned());
            return vec![ability("namespaces", Err(refused))];
        }
    };
    let namespaces = Ok("user, network, mount, process, ipc and host name".to_owned());
    let launched = launch(&mut *sandbox);
    let remarks = sandbox.close().unwrap_or_else(|error| vec![chain(&error)]);
    let read_only: Vec<String> =
        remarks.into_iter().filter(|remark| remark.contains("read-only inside")).collect();
    let overlay = match launched {
        Err(error) => {
            Err((error, "keep to `rootfs:` trees on a file system that overlayfs accepts".to_owned()))
        }
        Ok(()) if read_only.is_empty() => Ok("the machine's own files can be laid under".to_owned()),
        Ok(()) => Err((
            read_only.join("; "),
            "give services that write there a volume, or use `rootfs:` trees".to_owned(),
        )),
    };
    let overlay = Ability { required: false, ..ability("overlay", overlay) };
    vec![ability("namespaces", namespaces), overlay]
}

/// A command under a shifted clock, with its proof.
fn shifted_clock(backend: &dyn Backend, shifted: UnixTime) -> Ability {
    let way_out = || "see the abilities above; where all of them are there, please report it".to_owned();
    ability(
        "shifted clock",
        match try_clock(backend, shifted) {
            Ok(seen) => Ok(seen),
            Err(detail) => Err((detail, way_out())),
        },
    )
}

/// The same on the machine itself.
fn without_namespaces(bare: &dyn Backend, shifted: UnixTime) -> Ability {
    let outcome = match try_clock(bare, shifted) {
        Ok(_) => Ok("`--isolation none` works, with nothing between services and the machine".to_owned()),
        Err(detail) => Err((detail, "run the gate as root of the job container".to_owned())),
    };
    Ability { required: false, ..ability(WITHOUT_NAMESPACES, outcome) }
}

/// Who saw the time, with how many proofs.
fn try_clock(backend: &dyn Backend, shifted: UnixTime) -> Result<String, String> {
    let spec =
        SandboxSpec { hosts: trial_host(), aliases: Vec::new(), clock: Some(shifted.into()), scratch: None };
    let mut sandbox = backend.open(&spec).map_err(|error| chain(&error))?;
    launch(&mut *sandbox)?;
    // The tool's own image has no shell; there the canary looks alone.
    let has_shell = Path::new(SHELL).exists();
    if has_shell {
        let command = [SHELL, "-c", "date +%s"].map(str::to_owned);
        let service = trial_service().ok_or("no name for the trial")?;
        let outcome = sandbox.exec(&service, &command, PATIENCE).map_err(|error| chain(&error))?;
        let seen = match &outcome {
            ExecOutcome::Exited { code: 0, output } => output.trim().parse::<i64>().ok(),
            _ => None,
        };
        if seen != Some(shifted.as_secs()) {
            return Err(format!("`date` did not show {shifted}: {outcome:?}"));
        }
    }
    let report = sandbox.witnesses().map_err(|error| chain(&error))?;
    if let Some(gap) = report.unproven.first() {
        return Err(gap.reason.clone());
    }
    if !report.witnesses.iter().any(|witness| witness.basis == WitnessBasis::Canary) {
        return Err(format!("no canary read {shifted}"));
    }
    let who = if has_shell { "a command" } else { "a canary" };
    Ok(format!("{who} saw {shifted}, with {} proofs", report.witnesses.len()))
}

fn docker() -> Ability {
    let remote = std::env::var("DOCKER_HOST").ok();
    let detail = match remote {
        Some(host) => format!("DOCKER_HOST is {host}"),
        None if Path::new("/var/run/docker.sock").exists() => "/var/run/docker.sock is there".to_owned(),
        None => "no engine; the embedded back end needs none".to_owned(),
    };
    let ok = !detail.starts_with("no engine");
    Ability { name: "docker", ok, required: false, detail, way_out: None }
}

fn trial_service() -> Option<ServiceName> {
    ServiceName::new("doctor").ok()
}

fn trial_host() -> Vec<ServiceName> {
    trial_service().into_iter().collect()
}

fn launch(sandbox: &mut dyn Sandbox) -> Result<(), String> {
    let spec = LaunchSpec::idle(trial_service().ok_or("no name for the trial")?, RootTree::Host);
    sandbox.launch(&spec).map_err(|error| chain(&error))
}

/// An error with its causes.
fn chain(error: &crate::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_versions_are_read() {
        for (release, version) in [
            ("6.18.44-fc-v669", Some((6, 18))),
            ("5.14.0-427.el9.x86_64", Some((5, 14))),
            ("6.1-rc3", Some((6, 1))),
            ("linux", None),
        ] {
            assert_eq!(version_of(release), version);
        }
    }
}
