//! The sweep: an independent look, from outside, at whether a live process is under the clock.

use crate::error::Error;
use crate::guest;
use crate::page::ClockPage;
use notafter_sys::memory;
use notafter_sys::vdso::{PAGE_ADDRESS, PatchedVdso};
use std::io;

/// What a live process lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Gap {
    /// No seccomp filter is on it.
    #[error("no seccomp filter is on it")]
    NoFilter,
    /// The clock page is not mapped where the wrapper looks for it.
    #[error("the clock page is not mapped")]
    NoPage,
    /// It cannot be looked at.
    #[error("it cannot be looked at: {0}")]
    Opaque(String),
    /// Its vDSO is not the patched one.
    #[error("its vDSO is not the patched one")]
    OtherVdso,
}

/// Looks at processes from outside their sandbox.
#[derive(Debug)]
pub struct Sweep {
    vdso: PatchedVdso,
}

impl Sweep {
    /// A sweep for this kernel.
    ///
    /// # Errors
    /// [`Error::Vdso`].
    pub fn new() -> Result<Self, Error> {
        Ok(Self { vdso: PatchedVdso::of_this_kernel()? })
    }

    /// Looks at the process `pid`, an id of the caller's pid namespace. None where it is no longer there or a
    /// zombie, for which there is no time any more.
    ///
    /// # Errors
    /// [`Gap`]. A process that is just being started shows gaps for a moment: look again before believing it.
    pub fn look(&self, pid: i32, page: &ClockPage) -> Option<Result<(), Gap>> {
        let gone = |error: &io::Error| {
            matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT))
                || error.kind() == io::ErrorKind::NotFound
        };
        if !guest::is_alive(pid) {
            return None;
        }
        match self.inspect(pid, page) {
            Ok(result) => Some(result),
            Err(error) if gone(&error) && !guest::is_alive(pid) => None,
            Err(error) => Some(Err(Gap::Opaque(error.to_string()))),
        }
    }

    fn inspect(&self, pid: i32, page: &ClockPage) -> io::Result<Result<(), Gap>> {
        if guest::status_field(pid, "Seccomp")? != "2" {
            return Ok(Err(Gap::NoFilter));
        }
        let base = guest::vdso_base(pid)?;
        let mut image = vec![0; self.vdso.len()];
        memory::read(pid, base, &mut image)?;
        if !self.vdso.matches(&image) {
            return Ok(Err(Gap::OtherVdso));
        }
        let mapped = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
        let is_page = mapped.lines().any(|line| maps_page(line, page.identity()).unwrap_or(false));
        Ok(if is_page { Ok(()) } else { Err(Gap::NoPage) })
    }
}

/// Whether a line of /proc/PID/maps shows the page's file at its address, shared and read-only.
fn maps_page(line: &str, (device, inode): (u64, u64)) -> Option<bool> {
    let mut fields = line.split_ascii_whitespace();
    let start = u64::from_str_radix(fields.next()?.split_once('-')?.0, 16).ok()?;
    let access = fields.next()?;
    let _offset = fields.next()?;
    let (major, minor) = fields.next()?.split_once(':')?;
    let major = u32::from_str_radix(major, 16).ok()?;
    let minor = u32::from_str_radix(minor, 16).ok()?;
    let found: u64 = fields.next()?.parse().ok()?;
    let same_device = nix::libc::makedev(major, minor) == device;
    Some(start == PAGE_ADDRESS && access == "r--s" && same_device && found == inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_was_not_started_under_the_clock_shows_gaps() {
        let page = ClockPage::held_at(notafter_core::UnixTime::clamped(0)).unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let look = Sweep::new().unwrap().look(own, &page).unwrap();
        assert!(matches!(look, Err(Gap::NoFilter | Gap::OtherVdso)), "{look:?}");
    }

    #[test]
    fn the_page_is_recognised_by_address_access_and_file() {
        let identity = (nix::libc::makedev(0, 1), 42);
        let good = "7e8042003000-7e8042004000 r--s 00000000 00:01 42    /memfd:notafter-clock (deleted)";
        assert_eq!(maps_page(good, identity), Some(true));
        for wrong in [
            good.replace("r--s", "rw-p"),
            good.replace(" 42 ", " 43 "),
            good.replace("7e8042003000-", "7e8042002000-"),
        ] {
            assert_eq!(maps_page(&wrong, identity), Some(false), "{wrong}");
        }
    }
}
