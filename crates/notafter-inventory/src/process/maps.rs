//! What is mapped into a process (proc_pid_maps(5)).

/// One mapping that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) begin: u64,
    /// The first address behind it.
    pub(super) end: u64,
    /// The file, `[heap]`, `[stack]`, or `anonymous`.
    pub(super) name: String,
    /// Whether what the process writes there is seen by it alone.
    pub(super) is_private: bool,
}

/// The readable mappings in the text of a maps file. Left out is what no program put there: pages of the kernel, and
/// devices, whose memory may do something when it is read.
pub(super) fn readable(text: &str) -> Vec<Mapping> {
    text.lines().filter_map(mapping).collect()
}

fn mapping(line: &str) -> Option<Mapping> {
    let mut fields = line.splitn(6, ' ');
    let (range, permissions) = (fields.next()?, fields.next()?);
    let name = fields.nth(3).unwrap_or_default().trim();
    let (begin, end) = range.split_once('-')?;
    let address = |digits| u64::from_str_radix(digits, 16).ok();
    let of_kernel = name.starts_with("[v");
    let of_device =
        name.starts_with("/dev/") && !name.starts_with("/dev/shm/") && !name.starts_with("/dev/zero");
    if !permissions.starts_with('r') || of_kernel || of_device {
        return None;
    }
    let name = if name.is_empty() { "anonymous" } else { name };
    let is_private = permissions.ends_with('p');
    Some(Mapping { begin: address(begin)?, end: address(end)?, name: name.to_owned(), is_private })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_can_read_is_listed() {
        let text = "\
00400000-00401000 r-xp 00000000 fd:00 123                                /usr/bin/a b
00601000-00602000 rw-p 00000000 00:00 0 
7f00-8f00 ---p 00000000 00:00 0 
9f00-af00 rw-s 00000000 00:05 9                                          /dev/dri/card0
bf00-cf00 rw-p 00000000 00:00 0                                          [heap]
df00-ef00 r--p 00000000 00:00 0                                          [vvar]
nonsense
";
        let found: Vec<(u64, u64, String)> =
            readable(text).into_iter().map(|found| (found.begin, found.end, found.name)).collect();
        assert!(readable(text).iter().all(|found| found.is_private));
        assert_eq!(
            found,
            [
                (0x40_0000, 0x40_1000, "/usr/bin/a b".to_owned()),
                (0x60_1000, 0x60_2000, "anonymous".to_owned()),
                (0xbf00, 0xcf00, "[heap]".to_owned()),
            ]
        );
    }
}
