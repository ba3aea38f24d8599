//! What a service may use and do at most, as Compose files and scenarios write it.

use crate::nearest::nearest;
use notafter_core::Capability;
use std::collections::BTreeSet;

/// With less, engines start no container.
const LEAST_MEMORY_BYTES: u64 = 6 << 20;
/// More than any machine has.
const MOST_MEMORY_BYTES: u64 = 1 << 50;
/// The shortest share that the kernel's scheduler takes: 1 ms of 100.
const LEAST_MILLI_CPUS: u32 = 10;
const MOST_MILLI_CPUS: u32 = 1_000_000;

/// Those of capabilities(7) that no service gets.
const WITHHELD: [&str; 27] = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "DAC_READ_SEARCH",
    "IPC_LOCK",
    "IPC_OWNER",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "NET_ADMIN",
    "NET_BROADCAST",
    "PERFMON",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

/// Bytes, as in `512m`, `1.5g`, `1GiB` or `67108864`: units are powers of 1024, as engines read them. The error is a
/// whole message.
pub(crate) fn memory(text: &str) -> Result<u64, String> {
    let no_amount = || format!("`{text}` is no amount of memory such as `512m`");
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let unit = lower.get(digits.len()..).unwrap_or_default();
    let shift = match unit {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(no_amount()),
    };
    let thousandths = thousandths(digits.trim_end()).ok_or_else(no_amount)?;
    let bytes = (u128::from(thousandths) << shift) / 1000;
    match u64::try_from(bytes) {
        Ok(bytes) if (LEAST_MEMORY_BYTES..=MOST_MEMORY_BYTES).contains(&bytes) => Ok(bytes),
        _ => Err(format!("`{text}` is not between 6m and 1024t of memory")),
    }
}

/// Thousandths of one processor, as in `0.5` or `2`. The error is a whole message.
pub(crate) fn cpus(text: &str) -> Result<u32, String> {
    let share = thousandths(text.trim())
        .ok_or_else(|| format!("`{text}` is no number of processors such as `1.5`"))?;
    match u32::try_from(share) {
        Ok(share) if (LEAST_MILLI_CPUS..=MOST_MILLI_CPUS).contains(&share) => Ok(share),
        _ => Err(format!("`{text}` is not between 0.01 and 1000 processors")),
    }
}

/// Thousandths of a decimal number, rounded down.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let fraction: String = fraction.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(fraction.parse().ok()?)
}

/// A name in `cap_drop` or `cap_add`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// Each of them.
    All,
    /// One that services hold by default.
    One(Capability),
    /// One that no service gets, by its name.
    Withheld(&'static str),
}

/// The capability of that name, with or without `CAP_`, in any case. The error is the name that it may be meant to be.
pub(crate) fn capability(text: &str) -> Result<Named, Option<&'static str>> {
    let upper = text.trim().to_ascii_uppercase();
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    if name == "ALL" {
        return Ok(Named::All);
    }
    if let Some(known) = Capability::ALL.into_iter().find(|known| known.as_str() == name) {
        return Ok(Named::One(known));
    }
    if let Some(known) = WITHHELD.into_iter().find(|known| *known == name) {
        return Ok(Named::Withheld(known));
    }
    Err(nearest(name, Capability::ALL.into_iter().map(Capability::as_str).chain(WITHHELD)))
}

/// What is left of the usual ones: whatever is added comes on top of what was not dropped, as in an engine. None where
/// nothing is said.
pub(crate) fn left(dropped: &[Named], added: &[Named]) -> Option<BTreeSet<Capability>> {
    if dropped.is_empty() && added.is_empty() {
        return None;
    }
    let names = |list: &[Named], capability: Capability| {
        list.iter().any(|named| matches!(named, Named::All) || *named == Named::One(capability))
    };
    let every = Capability::ALL.into_iter();
    Some(every.filter(|it| !names(dropped, *it) || names(added, *it)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_memory_are_those_of_engines() {
        for (text, expected) in [
            ("64m", Some(64 << 20)),
            ("64MB", Some(64 << 20)),
            ("1.5g", Some(3 << 29)),
            ("1 GiB", Some(1 << 30)),
            ("67108864", Some(64 << 20)),
            ("8192kb", Some(8 << 20)),
            ("6m", Some(6 << 20)),
            ("5m", None),
            ("0", None),
            ("-1", None),
            ("m", None),
            ("64x", None),
            ("1.m", None),
            ("64mm", None),
            ("99999999999999999999t", None),
            ("18446744073709551615t", None),
            ("", None),
        ] {
            assert_eq!(memory(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn shares_of_processors_are_numbers() {
        for (text, expected) in [
            ("0.5", Some(500)),
            ("2", Some(2000)),
            ("0.01", Some(10)),
            ("1.2345", Some(1234)),
            ("0.001", None),
            ("0", None),
            ("-1", None),
            ("1e3", None),
            ("5000", None),
            (".5", None),
        ] {
            assert_eq!(cpus(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_added_comes_back_after_all_was_dropped() {
        let named =
            |names: &[&str]| -> Vec<Named> { names.iter().map(|name| capability(name).unwrap()).collect() };
        assert_eq!(left(&[], &[]), None);
        assert_eq!(left(&named(&["ALL"]), &[]), Some(BTreeSet::new()));
        let back = left(&named(&["all"]), &named(&["CAP_CHOWN", "setuid"]));
        assert_eq!(back, Some(BTreeSet::from([Capability::Chown, Capability::Setuid])));
        let most = left(&named(&["NET_RAW", "SYS_ADMIN"]), &[]).unwrap();
        assert_eq!(most.len(), Capability::ALL.len() - 1);
        assert!(!most.contains(&Capability::NetRaw));
        assert_eq!(capability("NET_RAV"), Err(Some("NET_RAW")));
        assert_eq!(capability("SYS_TIME"), Ok(Named::Withheld("SYS_TIME")));
        assert_eq!(capability("flying"), Err(None));
    }
}
