//! The sweep: an independent look, from outside, at whether a live process is under the clock.

use crate::error::Error;
use crate::guest;
use crate::page::Face;
use notafter_sys::vdso::{PAGE_ADDRESS, PatchedVdso};
use notafter_sys::{maps, memory};
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

    /// Looks at the process `pid`, an id of the caller's pid namespace. None where it is no longer there, a zombie, or
    /// so far on its way out that nothing of it runs any more: there is no time for it. One that ends by itself was
    /// looked at by its supervisor before.
    ///
    /// # Errors
    /// [`Gap`]. A process that is just being started shows gaps for a moment: look again before believing it.
    pub fn look(&self, pid: i32, page: &Face) -> Option<Result<(), Gap>> {
        let tid = guest::living_thread(pid)?;
        match self.inspect(tid, page) {
            Ok(result) => Some(result),
            // Whatever it is that cannot be looked at, it does not run.
            Err(_) if !guest::is_alive(pid) => None,
            Err(error) => Some(Err(Gap::Opaque(error.to_string()))),
        }
    }

    fn inspect(&self, pid: i32, page: &Face) -> io::Result<Result<(), Gap>> {
        if guest::status_field(pid, "Seccomp")? != "2" {
            return Ok(Err(Gap::NoFilter));
        }
        let image = read_image(pid, guest::vdso_base(pid)?, self.vdso.len())?;
        if !image.is_some_and(|image| self.vdso.matches(&image)) {
            return Ok(Err(Gap::OtherVdso));
        }
        Ok(if has_page(pid, page.identity())? { Ok(()) } else { Err(Gap::NoPage) })
    }
}

/// The first `len` bytes of the vDSO at `base`; none where it is not there any more.
pub(crate) fn read_image(tid: i32, base: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
    let mut image = vec![0; len];
    match memory::read(tid, base, &mut image) {
        Ok(()) => Ok(Some(image)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EFAULT | libc::EIO)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the file with this device and inode is mapped where the wrapper looks for the clock page, shared and
/// read-only.
pub(crate) fn has_page(tid: i32, page: (u64, u64)) -> io::Result<bool> {
    let found = maps::mapping_at(tid, PAGE_ADDRESS)?;
    Ok(found.is_some_and(|mapping| {
        mapping.start == PAGE_ADDRESS && mapping.is_read_only && mapping.is_shared && mapping.file == page
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    /// A process of Python that says when it is ready, and goes on when it hears a line.
    fn python(program: &str) -> std::process::Child {
        let mut child = Command::new("python3")
            .args(["-c", &format!("import os, sys, threading, ctypes\n{program}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0; 6];
        child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
        child
    }

    const READY: &str = "print('ready', flush=True)\nsys.stdin.readline()\n";

    #[test]
    fn a_process_that_gives_its_memory_back_at_its_end_is_gone() {
        let page =
            crate::ClockPage::held_at(notafter_core::UnixTime::clamped(0), notafter_core::FileTimes::Real)
                .unwrap();
        let sweep = Sweep::new().unwrap();
        // Giving this much back takes the kernel many looks.
        let mut child = python(&format!("held = b'x' * (256 << 20)\n{READY}os._exit(0)"));
        let pid = i32::try_from(child.id()).unwrap();
        assert!(matches!(sweep.look(pid, page.face()), Some(Err(_))));
        child.stdin.take().unwrap().write_all(b"go on\n").unwrap();
        while let Some(look) = sweep.look(pid, page.face()) {
            assert!(!matches!(look, Err(Gap::Opaque(_))), "{look:?}");
        }
        child.wait().unwrap();
    }

    #[test]
    fn a_process_without_its_first_thread_is_looked_at() {
        let page =
            crate::ClockPage::held_at(notafter_core::UnixTime::clamped(0), notafter_core::FileTimes::Real)
                .unwrap();
        let sweep = Sweep::new().unwrap();
        let program = "threading.Thread(target=lambda: (sys.stdin.readline(), os._exit(0))).start()\n\
                       print('ready', flush=True)\nctypes.CDLL(None).syscall(60, 0)";
        let mut child = python(program);
        let pid = i32::try_from(child.id()).unwrap();
        // Its first thread may take a moment to its end.
        while guest::living_thread(pid) == Some(pid) {
            std::thread::yield_now();
        }
        let look = sweep.look(pid, page.face());
        assert!(matches!(look, Some(Err(Gap::NoFilter | Gap::OtherVdso))), "{look:?}");
        child.stdin.take().unwrap().write_all(b"go on\n").unwrap();
        child.wait().unwrap();
        assert_eq!(sweep.look(pid, page.face()), None);
    }

    #[test]
    fn a_process_that_was_not_started_under_the_clock_shows_gaps() {
        let page =
            crate::ClockPage::held_at(notafter_core::UnixTime::clamped(0), notafter_core::FileTimes::Real)
                .unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let look = Sweep::new().unwrap().look(own, page.face()).unwrap();
        assert!(matches!(look, Err(Gap::NoFilter | Gap::OtherVdso)), "{look:?}");
    }
}
