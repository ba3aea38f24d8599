//! The id maps of a sandbox's user namespace (user_namespaces(7)), written from outside it.

use std::fs;
use std::io;

/// Writes the maps of the process `pid`, which has just entered a new user namespace.
///
/// For root every id of the runner's own namespace keeps its number, so that services can use any of them. A plain
/// user may map one id alone: its own, which is root inside.
pub(super) fn write(pid: u32) -> io::Result<()> {
    let ours = |kind: &str| fs::read_to_string(format!("/proc/self/{kind}"));
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let (uid_map, gid_map) = if uid.is_root() {
        (identity(&ours("uid_map")?), identity(&ours("gid_map")?))
    } else {
        fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
        (format!("0 {} 1\n", uid.as_raw()), format!("0 {} 1\n", gid.as_raw()))
    };
    fs::write(format!("/proc/{pid}/gid_map"), gid_map)?;
    fs::write(format!("/proc/{pid}/uid_map"), uid_map)
}

/// The map under which every id that `map` knows keeps its number.
fn identity(map: &str) -> String {
    map.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            Some(format!("{0} {0} {1}\n", fields.first()?, fields.get(2)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_keeps_every_id_that_its_own_namespace_knows() {
        assert_eq!(identity("         0          0 4294967295\n"), "0 0 4294967295\n");
        assert_eq!(identity("0 100000 65536\n65536 7 1\n"), "0 0 65536\n65536 65536 1\n");
    }
}
