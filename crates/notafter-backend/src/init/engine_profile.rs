//! What a container engine lets the init of a container do beyond what it lets services do.
//!
//! Docker's default seccomp profile opens further calls to a container with CAP_SYS_ADMIN or CAP_SYS_PTRACE, whoever
//! makes them there (moby, profiles/seccomp/default_linux.go). The init has both capabilities and no service has: services
//! meet again what they would meet in a container of their own.

use notafter_sys::arch::AUDIT_ARCH;
use notafter_sys::bpf::{Action, Instruction, Program, Word};
use notafter_sys::notify::NewPrivileges;
use std::io;

/// The calls that are opened by CAP_SYS_ADMIN.
const BY_SYS_ADMIN: [i64; 20] = [
    libc::SYS_bpf,
    libc::SYS_fanotify_init,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_lookup_dcookie,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
];

/// Those that are opened by CAP_SYS_PTRACE, where the kernel is that of [`crate::doctor`].
const BY_SYS_PTRACE: [i64; 3] = [libc::SYS_kcmp, libc::SYS_pidfd_getfd, libc::SYS_process_madvise];

/// Flags of clone(2) that take CAP_SYS_ADMIN there.
const NEW_NAMESPACES: i32 = libc::CLONE_NEWNS
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWCGROUP;

/// The filter that takes them back. It is without instructions where no profile is in force, and where the engine gave
/// the init no CAP_SYS_ADMIN: nothing that needs it was opened, and no filter could be put on before the service's user is.
///
/// # Errors
/// Where /proc cannot be read.
pub(super) fn withheld(new_privileges: NewPrivileges) -> io::Result<Vec<Instruction>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    if opens_more(&status, new_privileges) { build() } else { Ok(Vec::new()) }
}

/// Whether a profile is in force, by the init's own /proc/self/status, and opens more to an init of such privileges.
fn opens_more(status: &str, new_privileges: NewPrivileges) -> bool {
    let is_filtered = status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"]));
    is_filtered && new_privileges == NewPrivileges::Allowed
}

/// Calls of another architecture are the supervisor's, which refuses them; where no clock is shifted there is none, and
/// whoever makes them still holds neither capability.
fn build() -> io::Result<Vec<Instruction>> {
    let mut program = Program::new();
    let (native, allow, refuse) = (program.label(), program.label(), program.label());
    program.load(Word::Arch);
    program.if_equal(AUDIT_ARCH, native);
    program.go(allow);
    program.bind(native);
    program.load(Word::Number);
    for number in BY_SYS_ADMIN.into_iter().chain(BY_SYS_PTRACE) {
        program.if_equal(number as u32, refuse);
    }
    let (no_clone3, clone) = (program.label(), program.label());
    program.if_not_equal(libc::SYS_clone3 as u32, no_clone3);
    // Its flags lie where no filter looks; without it the C library takes clone(2).
    program.answer(Action::Errno(libc::ENOSYS as u16));
    program.bind(no_clone3);
    program.if_equal(libc::SYS_clone as u32, clone);
    program.go(allow);
    program.bind(clone);
    program.load(Word::ArgLow(0));
    program.if_any_bit(NEW_NAMESPACES as u32, refuse);
    program.bind(allow);
    program.answer(Action::Allow);
    program.bind(refuse);
    program.answer(Action::Errno(libc::EPERM as u16));
    program.assemble().map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use notafter_sys::bpf::{constant_of, interpret};

    #[test]
    fn an_init_that_was_given_no_more_puts_no_filter_on() {
        let [open, filtered] = ["Name:\tx\nSeccomp:\t0\n", "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n"];
        assert!(opens_more(filtered, NewPrivileges::Allowed));
        assert!(
            !opens_more(filtered, NewPrivileges::Denied),
            "the kernel would refuse it: nothing could start"
        );
        assert!(!opens_more(open, NewPrivileges::Allowed));
    }

    #[test]
    fn services_meet_what_they_would_meet_in_a_container_of_their_own() {
        let program = build().unwrap();
        let [allow, refuse] = [Action::Allow, Action::Errno(1)].map(|action| Some(constant_of(action)));
        let no_such_call = Some(constant_of(Action::Errno(38)));
        let user = libc::CLONE_NEWUSER as u64;
        for (number, first, expected) in [
            (libc::SYS_read, user, allow),
            (libc::SYS_clone, libc::SIGCHLD as u64, allow),
            (libc::SYS_clone, (libc::CLONE_VM | libc::CLONE_THREAD) as u64, allow),
            (libc::SYS_clone, user | libc::SIGCHLD as u64, refuse),
            (libc::SYS_clone3, 0, no_such_call),
            (libc::SYS_unshare, user, refuse),
            (libc::SYS_bpf, 0, refuse),
            (libc::SYS_mount, 0, refuse),
            (libc::SYS_pidfd_getfd, 3, refuse),
        ] {
            let answer = interpret(&program, AUDIT_ARCH, number as u32, [first, 0, 0, 0, 0, 0]);
            assert_eq!(answer, expected, "{number} {first:#x}");
        }
        let elsewhere = interpret(&program, AUDIT_ARCH ^ 1, libc::SYS_mount as u32, [0; 6]);
        assert_eq!(elsewhere, allow, "the numbers mean other calls there");
    }
}
