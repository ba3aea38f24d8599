//! Processes: forking, becoming a service's user, replacing the program, reaping, dying together.
//!
//! # Safety
//! A child of fork(2) is a copy of the calling thread alone; what other threads held locked stays locked in it for
//! ever. So both forks refuse to run in a process with more than one thread: then the copy is whole, and any code may
//! run in it, allocation included. execve(2) gets pointers into strings that outlive the call. signalfd(2) and the
//! signal mask get sets that live on the stack.
#![expect(
    unsafe_code,
    reason = "fork, clone, execve, signal dispositions and signalfd are unsafe or raw by nature"
)]

use crate::namespaces::Namespaces;
use crate::notify::NewPrivileges;
use rustix::process::{Pid, Signal, WaitOptions};
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

/// On which side of a fork the caller is.
#[derive(Debug)]
pub enum Forked {
    /// In the new process.
    Child,
    /// In the old one; the child's id as seen from here.
    Parent(Pid),
}

/// Copies this process.
///
/// # Errors
/// Those of fork(2); `Other` where this process has more than one thread.
pub fn fork() -> io::Result<Forked> {
    refuse_threads()?;
    // SAFETY: this process has one thread (checked), so the child is a whole copy.
    forked(unsafe { libc::fork() }.into())
}

/// Copies this process into new namespaces; with [`Namespaces::PID`] the child is the init (pid 1) of its own.
///
/// # Errors
/// Those of clone(2); `Other` where this process has more than one thread.
pub fn fork_into(namespaces: Namespaces) -> io::Result<Forked> {
    refuse_threads()?;
    let flags = libc::c_long::from(namespaces.flags() | libc::SIGCHLD);
    // SAFETY: no CLONE_VM and no new stack, so this is a fork; one thread (checked), so the child is a whole copy.
    forked(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })
}

fn forked(code: libc::c_long) -> io::Result<Forked> {
    match i32::try_from(code) {
        Ok(0) => Ok(Forked::Child),
        Ok(pid) if pid > 0 => Pid::from_raw(pid).map(Forked::Parent).ok_or_else(io::Error::last_os_error),
        _ => Err(io::Error::last_os_error()),
    }
}

fn refuse_threads() -> io::Result<()> {
    let threads = std::fs::read_dir("/proc/self/task")?.take(2).count();
    if threads == 1 { Ok(()) } else { Err(io::Error::other("fork in a process with several threads")) }
}

/// Arranges that this process is killed when the thread that made it ends. Returns false where the maker is gone
/// already: `maker` is the id that getppid(2) must show, 0 for one outside this pid namespace.
///
/// Taking another user id or gaining capabilities clears the arrangement: make it after that.
///
/// # Errors
/// Those of prctl(2).
pub fn die_with_maker(maker: u32) -> io::Result<bool> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs());
    Ok(parent == maker)
}

/// Keeps processes of the same user from attaching to this one and from reading its memory and descriptors.
///
/// # Errors
/// Those of prctl(2).
pub fn forbid_inspection() -> io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?)
}

/// As whom a program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Real, effective, saved and file system user id.
    pub uid: u32,
    /// The same for the group.
    pub gid: u32,
    /// Supplementary groups; none where the user namespace refuses to change them.
    pub groups: Option<Vec<u32>>,
    /// Bit n stands for capability n; the most that the program and its children can ever have.
    pub capabilities: u64,
    /// Whether set-user-ID bits and file capabilities have their effect.
    pub new_privileges: NewPrivileges,
    /// Where only one user id is mapped: run as that one, in a user namespace of its own that shows it as `uid`
    /// and `gid`.
    pub shows_as: bool,
}

impl Identity {
    /// Turns this process into one that runs as told: no core dumps, and no more capabilities by any exec than told.
    ///
    /// # Errors
    /// Those of setresuid(2), capset(2), prctl(2), user_namespaces(7).
    pub fn assume(&self) -> io::Result<()> {
        let no_core = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
        rustix::process::setrlimit(rustix::process::Resource::Core, no_core)?;
        if self.shows_as {
            self.enter_own_user_namespace()?;
        }
        drop_from_bounding_set(self.capabilities, self.new_privileges)?;
        if let Some(groups) = &self.groups {
            let groups: Vec<_> = groups.iter().map(|&gid| rustix::process::Gid::from_raw(gid)).collect();
            rustix::thread::set_thread_groups(&groups)?;
        }
        if !self.shows_as {
            let gid = rustix::process::Gid::from_raw(self.gid);
            rustix::thread::set_thread_res_gid(gid, gid, gid)?;
            let uid = rustix::process::Uid::from_raw(self.uid);
            rustix::thread::set_thread_res_uid(uid, uid, uid)?;
        }
        rustix::thread::clear_ambient_capability_set()?;
        let kept = if self.uid == 0 { self.capabilities } else { 0 };
        let kept = rustix::thread::CapabilitySet::from_bits_retain(kept);
        rustix::thread::set_capabilities(
            None,
            rustix::thread::CapabilitySets {
                effective: kept,
                permitted: kept,
                inheritable: rustix::thread::CapabilitySet::empty(),
            },
        )?;
        match self.new_privileges {
            NewPrivileges::Allowed => Ok(()),
            NewPrivileges::Denied => Ok(rustix::thread::set_no_new_privs(true)?),
        }
    }

    fn enter_own_user_namespace(&self) -> io::Result<()> {
        // A process that may not be inspected cannot even write its own maps. For this moment it relies on holding
        // capabilities that no program in the namespace has, without which attaching is refused (commoncap.c).
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)?;
        let (outer_uid, outer_gid) = (rustix::process::geteuid(), rustix::process::getegid());
        crate::namespaces::unshare(Namespaces::USER)?;
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", format!("{} {} 1", self.uid, outer_uid.as_raw()))?;
        std::fs::write("/proc/self/gid_map", format!("{} {} 1", self.gid, outer_gid.as_raw()))
    }
}

/// Whether this process has CAP_SETPCAP.
fn may_drop() -> io::Result<bool> {
    Ok(rustix::thread::capabilities(None)?.effective.contains(rustix::thread::CapabilitySet::SETPCAP))
}

fn drop_from_bounding_set(keep: u64, new_privileges: NewPrivileges) -> io::Result<()> {
    for capability in (0..64).filter(|bit| keep & (1 << bit) == 0) {
        // SAFETY: a plain system call without pointers.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                // Capabilities beyond the kernel's last one.
                Some(libc::EINVAL) => Ok(()),
                // Who may not drop them cannot pass them on either: without new privileges, exec adds nothing to what
                // is permitted (commoncap.c, cap_bprm_creds_from_file).
                Some(libc::EPERM) if new_privileges == NewPrivileges::Denied && !may_drop()? => Ok(()),
                _ => Err(error),
            };
        }
    }
    Ok(())
}

/// Gives every signal its default disposition and blocks none, as a fresh program expects it. (The Rust runtime
/// ignores SIGPIPE, and an ignored signal stays ignored across exec.)
///
/// # Errors
/// Those of sigprocmask(2).
pub fn reset_signals() -> io::Result<()> {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: the default disposition runs no code of ours; refusals (SIGKILL, SIGSTOP) are harmless.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    mask(libc::SIG_SETMASK, &[])
}

fn mask(how: libc::c_int, signals: &[libc::c_int]) -> io::Result<()> {
    let set = set_of(signals);
    // SAFETY: `set` is initialised and outlives the call; the old mask is not asked for.
    if unsafe { libc::sigprocmask(how, &raw const set, ptr::null_mut()) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn set_of(signals: &[libc::c_int]) -> libc::sigset_t {
    // SAFETY: an all-zero `sigset_t` is a valid, empty set on Linux.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    for signal in signals {
        // SAFETY: `set` is a valid set; a signal out of range is refused with an error.
        unsafe { libc::sigaddset(&raw mut set, *signal) };
    }
    set
}

/// Becomes readable whenever children have changed state; SIGCHLD is blocked from its making on.
#[derive(Debug)]
pub struct ChildEvents(OwnedFd);

impl ChildEvents {
    /// Starts to listen.
    ///
    /// # Errors
    /// Those of signalfd(2).
    pub fn listen() -> io::Result<Self> {
        mask(libc::SIG_BLOCK, &[libc::SIGCHLD])?;
        let set = set_of(&[libc::SIGCHLD]);
        // SAFETY: `set` is initialised and outlives the call.
        let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just made this descriptor; nobody else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Takes what is pending off, so that the descriptor is quiet until the next child.
    pub fn clear(&self) {
        let mut record = [0; size_of::<libc::signalfd_siginfo>()];
        while rustix::io::read(&self.0, &mut record).is_ok_and(|len| len > 0) {}
    }
}

impl AsFd for ChildEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// One ended child: its id, and its exit code, or 128 + the number of the signal that ended it. None where no child
/// has ended.
///
/// # Errors
/// Those of waitpid(2); `ECHILD` counts as none.
pub fn reap_any() -> io::Result<Option<(Pid, i32)>> {
    match rustix::io::retry_on_intr(|| rustix::process::wait(WaitOptions::NOHANG)) {
        Ok(Some((pid, status))) => Ok(Some((pid, code_of(status)))),
        Ok(None) | Err(rustix::io::Errno::CHILD) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Waits for one child; the same code as [`reap_any`].
///
/// # Errors
/// Those of waitpid(2).
pub fn reap(pid: Pid) -> io::Result<i32> {
    let status = rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(pid), WaitOptions::empty()))?;
    Ok(status.map_or(0, |(_, status)| code_of(status)))
}

/// Reaps `pid` where it is a child that has ended; true where it was.
///
/// # Errors
/// Those of waitpid(2): `ECHILD` where it is none.
pub fn reap_now(pid: Pid) -> io::Result<bool> {
    let status = rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(pid), WaitOptions::NOHANG))?;
    Ok(status.is_some())
}

fn code_of(status: rustix::process::WaitStatus) -> i32 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => -1,
    }
}

/// Replaces the program of this process; returns only where that fails.
///
/// # Errors
/// Always those of execve(2).
pub fn exec(path: &CStr, argv: &[CString], env: &[CString]) -> io::Error {
    let argv = pointers(argv);
    let env = pointers(env);
    // SAFETY: both arrays end in a null pointer and point to C strings that outlive the call.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// The same for an open executable, wherever its file lies.
pub fn exec_open(file: BorrowedFd<'_>, argv: &[CString], env: &[CString]) -> io::Error {
    match nix::unistd::execveat(file, c"", argv, env, nix::fcntl::AtFlags::AT_EMPTY_PATH) {
        Ok(never) => match never {},
        Err(errno) => errno.into(),
    }
}

/// Marks every descriptor beyond standard error close-on-exec, whoever opened it, so that no program started from here
/// inherits what our own caller forgot to close.
///
/// # Errors
/// Those of close_range(2).
pub fn keep_descriptors_from_programs() -> io::Result<()> {
    // SAFETY: a plain system call; the flag leaves every descriptor open and its owner valid.
    let code = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Ends this process at once: no destructor, no buffer flushed.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: ends the process; nothing of it runs afterwards.
    unsafe { libc::_exit(code) }
}
