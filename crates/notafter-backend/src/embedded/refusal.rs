//! Why a machine refuses namespaces, and the way out.

use std::fs;
use std::io;

/// A cause and what to do about it, both as lower-case fragments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) cause: &'static str,
    pub(crate) way_out: &'static str,
}

const UNKNOWN: Refusal = Refusal {
    cause: "nothing on this machine names the cause; inside a container it is its seccomp profile or missing capabilities",
    way_out: CONTAINER,
};
const CONTAINER: &str = "run the container with `--security-opt seccomp=unconfined --security-opt \
                         systempaths=unconfined`, or the gate on the machine itself, or the gate with `--isolation none`";

/// What stands in the way of `error`, with the way out.
pub(crate) fn explain(error: &io::Error) -> String {
    let Refusal { cause, way_out } = find();
    format!("{error}: {cause}; {way_out}")
}

/// What stands in the way of namespaces, as far as this machine tells.
pub(crate) fn find() -> Refusal {
    known_cause(&|path| fs::read_to_string(path).ok()).unwrap_or(UNKNOWN)
}

fn known_cause(read: &dyn Fn(&str) -> Option<String>) -> Option<Refusal> {
    let number = |path: &str| read(path).and_then(|text| text.trim().parse::<u64>().ok());
    if number("/proc/sys/user/max_user_namespaces") == Some(0) {
        return Some(Refusal {
            cause: "the sysctl user.max_user_namespaces is 0",
            way_out: "let root run `sysctl user.max_user_namespaces=65536`",
        });
    }
    if number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0) {
        return Some(Refusal {
            cause: "the sysctl kernel.unprivileged_userns_clone is 0",
            way_out: "let root run `sysctl kernel.unprivileged_userns_clone=1`",
        });
    }
    if number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        return Some(Refusal {
            cause: "AppArmor restricts user namespaces (Ubuntu 23.10 and later)",
            way_out: "let root run `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or give this binary a \
                      profile with `userns,`",
        });
    }
    let status = read("/proc/self/status")?;
    let filtered = status.lines().any(|line| line.starts_with("Seccomp:") && line.trim_end().ends_with('2'));
    filtered
        .then_some(Refusal { cause: "a seccomp filter, as of a container, is at work", way_out: CONTAINER })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: &str) {
        let read =
            |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned());
        let text = known_cause(&read).map(|refusal| format!("{refusal:?}")).unwrap_or_default();
        assert!(text.contains(expected) && text.is_empty() == expected.is_empty(), "{text:?}");
    }

    #[test]
    fn the_cause_and_the_way_out_are_named() {
        check(&[("/proc/sys/user/max_user_namespaces", "0\n")], "sysctl user.max_user_namespaces=65536");
        check(&[("/proc/sys/kernel/unprivileged_userns_clone", "0\n")], "unprivileged_userns_clone=1");
        check(&[("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n")], "AppArmor");
        check(&[("/proc/self/status", "Name:\tx\nSeccomp:\t2\n")], "seccomp=unconfined");
        check(&[("/proc/self/status", "Seccomp:\t0\n")], "");
    }
}
