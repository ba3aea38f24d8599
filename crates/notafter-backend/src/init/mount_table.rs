//! Where this process sees mounts (proc_pid_mountinfo(5)).

use std::io;
use std::path::{Path, PathBuf};

pub(super) fn mount_points() -> io::Result<Vec<PathBuf>> {
    std::fs::read_to_string("/proc/self/mountinfo").map(|table| points_in(&table))
}

/// Those below `directory`, each named once, for a message; empty where there are none or they cannot be read.
pub(super) fn named_below(directory: &Path) -> String {
    let mut below = mount_points().unwrap_or_default();
    below.retain(|point| point != directory && point.starts_with(directory));
    below.sort();
    below.dedup();
    let names: Vec<String> = below.iter().map(|point| point.display().to_string()).collect();
    names.join(", ")
}

/// The mount points of a table, unescaped.
fn points_in(table: &str) -> Vec<PathBuf> {
    table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|point| PathBuf::from(unescape(point)))
        .collect()
}

/// `\040` and its like.
fn unescape(text: &str) -> String {
    let mut plain = text.to_owned();
    for (escape, character) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        plain = plain.replace(escape, character);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_and_unescaped() {
        let table = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n\
                     37 35 0:5 / /a\\040b\\134 rw - tmpfs tmpfs rw\nshort\n";
        assert_eq!(points_in(table), [PathBuf::from("/mnt2"), PathBuf::from("/a b\\")]);
    }

    #[test]
    fn what_is_mounted_below_a_directory_is_named_and_the_directory_itself_is_not() {
        let of_the_machine = named_below(Path::new("/"));
        assert!(of_the_machine.split(", ").any(|point| point == "/proc"), "{of_the_machine}");
        assert!(!of_the_machine.split(", ").any(|point| point == "/"), "{of_the_machine}");
        assert_eq!(named_below(Path::new("/nowhere")), "");
    }
}
