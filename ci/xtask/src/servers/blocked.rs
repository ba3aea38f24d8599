//! What a server that does not answer is doing: in which call each of its threads waits. It can only be looked at while
//! it lives, and what hangs once in hundreds of starts has to explain itself the first time.

use notafter_sys::processes::{descendants, field};
use std::fmt::Write as _;
use std::fs;

/// Calls in which threads wait, by number.
macro_rules! named {
    ($($name:ident)*) => {
        [$((stringify!($name), libc::$name)),*]
    };
}
const CALLS: &[(&str, i64)] = &named![
    SYS_accept SYS_accept4 SYS_clock_nanosleep SYS_connect SYS_epoll_pwait SYS_epoll_pwait2 SYS_epoll_wait SYS_execve
    SYS_fallocate SYS_fcntl SYS_fdatasync SYS_flock SYS_fsync SYS_ftruncate SYS_futex SYS_futex_waitv SYS_io_destroy
    SYS_io_getevents SYS_io_submit SYS_io_uring_enter SYS_madvise SYS_mmap SYS_mprotect
    SYS_mq_timedreceive SYS_mq_timedsend SYS_munmap SYS_nanosleep SYS_openat SYS_pause SYS_poll SYS_ppoll SYS_pread64
    SYS_pselect6 SYS_pwrite64 SYS_read SYS_readv SYS_recvfrom SYS_recvmsg SYS_restart_syscall SYS_rt_sigsuspend
    SYS_rt_sigtimedwait SYS_select SYS_semtimedop SYS_sendmsg SYS_sendto SYS_timerfd_settime SYS_unlink SYS_wait4
    SYS_waitid SYS_write SYS_writev
];

/// Every thread below this process, one line each: its name, its state, its call with arguments and where in the kernel
/// it waits. What may not be read is `?`.
pub(super) fn threads() -> String {
    let mut text = String::from("what its threads wait in:\n");
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    for pid in descendants(own).unwrap_or_default() {
        let exe = fs::read_link(format!("/proc/{pid}/exe"));
        let exe = exe.map_or_else(|_| "?".to_owned(), |path| path.display().to_string());
        let inside = field(pid, "NSpid").unwrap_or_default();
        let _ = writeln!(text, "{pid} ({}) {exe}", inside.split_whitespace().last().unwrap_or("?"));
        let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for task in tasks.flatten() {
            let read = |name: &str| {
                let content = fs::read_to_string(task.path().join(name));
                content.map_or_else(|_| "?".to_owned(), |content| content.trim().to_owned())
            };
            let state =
                read("stat").rsplit_once(") ").map_or('?', |(_, rest)| rest.chars().next().unwrap_or('?'));
            let (name, call, place) = (read("comm"), call(&read("syscall")), read("wchan"));
            let _ = writeln!(text, "  {} {name} {state} {call} in {place}", task.file_name().display());
        }
    }
    text
}

/// The first fields of proc_pid_syscall(5) in words: the call and its arguments.
fn call(line: &str) -> String {
    let mut words = line.split_ascii_whitespace();
    let first = words.next().unwrap_or("?");
    let Ok(number) = first.parse::<i64>() else { return first.to_owned() };
    let name = CALLS.iter().find(|(_, known)| *known == number);
    let name =
        name.map_or_else(|| format!("call {number}"), |(name, _)| name.trim_start_matches("SYS_").to_owned());
    format!("{name}({})", words.take(6).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_named_with_its_arguments() {
        for (line, expected) in [
            ("202 0x7f00 0x80 0x0 0x0 0x0 0x0 0x7ffc 0x7f01", "futex(0x7f00, 0x80, 0x0, 0x0, 0x0, 0x0)"),
            ("9999 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8", "call 9999(0x1, 0x2, 0x3, 0x4, 0x5, 0x6)"),
            ("running", "running"),
            ("?", "?"),
        ] {
            assert_eq!(call(line), expected, "{line}");
        }
    }

    #[test]
    fn a_child_that_sleeps_is_told_of() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let told = loop {
            let told = threads();
            if told.contains("nanosleep(") {
                break told;
            }
            assert!(child.try_wait().unwrap().is_none(), "{told}");
        };
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(told.contains(&format!("  {} sleep S clock_nanosleep(", child.id())), "{told}");
    }
}
