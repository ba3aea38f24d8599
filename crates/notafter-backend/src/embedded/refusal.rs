//! Why a machine refuses namespaces, and the way out.

use std::fs;
use std::io;

/// What stands in the way, as far as the machine tells; a lower-case fragment that names the cause and the way out.
pub(crate) fn explain(error: &io::Error) -> String {
    match known_cause(&|path| fs::read_to_string(path).ok()) {
        Some(cause) => format!("{error}: {cause}"),
        None => format!(
            "{error}: nothing on this machine names the cause; inside a container its seccomp profile or missing \
             capabilities refuse namespaces: run it with `--security-opt seccomp=unconfined --security-opt \
             systempaths=unconfined` (Docker), or on the machine itself"
        ),
    }
}

fn known_cause(read: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let number = |path: &str| read(path).and_then(|text| text.trim().parse::<u64>().ok());
    if number("/proc/sys/user/max_user_namespaces") == Some(0) {
        return Some(
            "the sysctl user.max_user_namespaces is 0; let root run `sysctl user.max_user_namespaces=65536`"
                .to_owned(),
        );
    }
    if number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0) {
        return Some(
            "the sysctl kernel.unprivileged_userns_clone is 0; let root run `sysctl \
             kernel.unprivileged_userns_clone=1`"
                .to_owned(),
        );
    }
    if number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        return Some(
            "AppArmor restricts user namespaces (Ubuntu 23.10 and later); let root run `sysctl \
             kernel.apparmor_restrict_unprivileged_userns=0`, or give this binary a profile with `userns,`"
                .to_owned(),
        );
    }
    let status = read("/proc/self/status")?;
    let filtered = status.lines().any(|line| line.starts_with("Seccomp:") && line.trim_end().ends_with('2'));
    filtered.then(|| {
        "a seccomp filter, as of a container, is at work; run the container with `--security-opt \
         seccomp=unconfined --security-opt systempaths=unconfined`, or the gate on the machine itself"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: &str) {
        let read =
            |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned());
        let cause = known_cause(&read).unwrap_or_default();
        assert!(cause.contains(expected) && cause.is_empty() == expected.is_empty(), "{cause:?}");
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
