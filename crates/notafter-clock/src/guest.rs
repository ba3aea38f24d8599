//! What /proc tells of a guest process. Everything read here is bounded and may be nonsense.

use std::fs::File;
use std::io::{self, Read};

const AT_SYSINFO_EHDR: u64 = 33;
/// Of a thread that ends (include/linux/sched.h).
const PF_EXITING: u32 = 4;

fn read_bounded(path: &str, limit: u64) -> io::Result<Vec<u8>> {
    // The kernel makes most of these files anew for each read: one is enough for most.
    let mut bytes = Vec::with_capacity(1024);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_text(path: &str) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&read_bounded(path, 1 << 16)?).into_owned())
}

/// Where the vDSO of a process is mapped (its auxiliary vector, getauxval(3)).
pub(crate) fn vdso_base(tid: i32) -> io::Result<u64> {
    let bytes = read_bounded(&format!("/proc/{tid}/auxv"), 4096)?;
    let words = bytes
        .chunks_exact(8)
        .map(|word| word.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)));
    let words: Vec<u64> = words.collect();
    let base = words.chunks_exact(2).find(|pair| pair[0] == AT_SYSINFO_EHDR).map(|pair| pair[1]);
    base.filter(|base| *base != 0)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the process has no vDSO"))
}

/// The executable of a process, as it sees it. Of one that may only be executed the kernel tells the name alone; `?`
/// where that is not known either.
pub(crate) fn exe(tid: i32) -> String {
    match std::fs::read_link(format!("/proc/{tid}/exe")) {
        Ok(path) => path.to_string_lossy().into_owned(),
        Err(_) => read_text(&format!("/proc/{tid}/comm"))
            .ok()
            .map(|name| name.trim_end().to_owned())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "?".to_owned()),
    }
}

/// The arguments with which a process was executed, as far as 64 KiB go; none where that is not known.
pub(crate) fn arguments(pid: i32) -> Vec<String> {
    let line = read_text(&format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split_terminator('\0').map(str::to_owned).collect()
}

/// The value of a field of /proc/PID/status.
pub(crate) fn status_field(tid: i32, field: &str) -> io::Result<String> {
    let status = read_text(&format!("/proc/{tid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.map(|value| value.trim().to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// The process to which a thread belongs.
pub(crate) fn process_of(tid: i32) -> io::Result<i32> {
    status_field(tid, "Tgid")?.parse().map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Whether the parent of a process is in no namespace that can be seen from here.
pub(crate) fn has_no_parent(pid: i32) -> bool {
    status_field(pid, "PPid").is_ok_and(|parent| parent == "0")
}

/// Who traces a process; none where nobody does or that is not known.
pub(crate) fn tracer_of(tid: i32) -> Option<i32> {
    status_field(tid, "TracerPid").ok()?.parse().ok().filter(|pid| *pid != 0)
}

/// A system call: its number and its arguments.
pub(crate) type Call = (i32, [u64; 6]);

/// How often a thread has left its processor, by itself or not. While it is blocked, the number stands.
pub(crate) fn switches(tid: i32) -> Option<u64> {
    let count = |field| status_field(tid, field).ok()?.parse::<u64>().ok();
    Some(count("voluntary_ctxt_switches")? + count("nonvoluntary_ctxt_switches")?)
}

/// The system call in which a thread is blocked; none where it runs.
pub(crate) fn blocked_in(tid: i32) -> Option<Call> {
    call_of(&read_text(&format!("/proc/{tid}/syscall")).ok()?)
}

/// Whether a thread runs, or would if it had a processor: it may be about to begin a call, or have left it.
pub(crate) fn is_running(tid: i32) -> bool {
    read_text(&format!("/proc/{tid}/syscall")).is_ok_and(|text| text.trim_end() == "running")
}

/// A system call as /proc/PID/syscall writes it.
fn call_of(text: &str) -> Option<Call> {
    let mut words = text.split_ascii_whitespace();
    let number = words.next()?.parse().ok()?;
    let mut args = [0; 6];
    for arg in &mut args {
        *arg = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
    }
    Some((number, args))
}

/// The clock of a timerfd, by number; none where the descriptor is none.
pub(crate) fn timerfd_clock(pid: i32, fd: i32) -> Option<i32> {
    let text = read_text(&format!("/proc/{pid}/fdinfo/{fd}")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("clockid:"))?.trim().parse().ok()
}

/// The descriptors of a process that are timerfds; none where it shows none.
pub(crate) fn timerfds(pid: i32) -> Vec<i32> {
    let directory = format!("/proc/{pid}/fd");
    let fds = numbers_in(&directory).unwrap_or_default();
    let is_timerfd = |fd: &i32| {
        std::fs::read_link(format!("{directory}/{fd}"))
            .is_ok_and(|file| file.as_os_str() == "anon_inode:[timerfd]")
    };
    fds.into_iter().filter(is_timerfd).collect()
}

/// A timer of timer_create(2), as /proc/PID/timers describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PosixTimer {
    pub(crate) signal: i32,
    pub(crate) value: u64,
    pub(crate) notify: Notify,
    pub(crate) clock: i32,
}

/// How a timer tells that it has expired (`sigev_notify`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notify {
    Nobody,
    Process,
    Thread(i32),
}

/// The timer with this id.
pub(crate) fn posix_timer(pid: i32, id: i32) -> Option<PosixTimer> {
    parse_timers(&read_text(&format!("/proc/{pid}/timers")).ok()?, id)
}

fn parse_timers(text: &str, id: i32) -> Option<PosixTimer> {
    let mut lines = text
        .lines()
        .skip_while(|line| line.strip_prefix("ID: ").and_then(|text| text.parse().ok()) != Some(id));
    lines.next()?;
    let (signal, value) = lines.next()?.strip_prefix("signal: ")?.split_once('/')?;
    let (how, whom) = lines.next()?.strip_prefix("notify: ")?.split_once('/')?;
    let (kind, target) = whom.split_once('.')?;
    let notify = match (how, kind) {
        ("none", _) => Notify::Nobody,
        (_, "tid") => Notify::Thread(target.parse().ok()?),
        _ => Notify::Process,
    };
    Some(PosixTimer {
        signal: signal.parse().ok()?,
        value: u64::from_str_radix(value, 16).ok()?,
        notify,
        clock: lines.next()?.strip_prefix("ClockID: ")?.trim().parse().ok()?,
    })
}

/// Every process that this one is to supervise: all others of its pid namespace where it is pid 1 of that, what
/// descends from it otherwise. /proc must show them.
pub(crate) fn processes() -> io::Result<Vec<i32>> {
    match i32::try_from(std::process::id()) {
        Ok(own) if own != 1 => notafter_sys::processes::descendants(own),
        // One that was put into the namespace from outside descends from nobody in it.
        _ => numbers_in("/proc").map(|mut pids| {
            pids.retain(|pid| *pid != 1);
            pids
        }),
    }
}

/// The threads of a process.
pub(crate) fn threads(pid: i32) -> io::Result<Vec<i32>> {
    numbers_in(&format!("/proc/{pid}/task"))
}

fn numbers_in(directory: &str) -> io::Result<Vec<i32>> {
    let names =
        std::fs::read_dir(directory)?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(names.collect())
}

/// The state letter of a thread (`R`, `S`, `D`, `T`, `t`, `Z`, `X`, `I`, proc_pid_stat(5)) and its name.
pub(crate) fn state(pid: i32, tid: i32) -> Option<(char, String)> {
    state_in(&read_text(&format!("/proc/{pid}/task/{tid}/stat")).ok()?)
}

/// The same from the text of `stat`.
pub(crate) fn state_in(stat: &str) -> Option<(char, String)> {
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    Some((rest.trim_start().chars().next()?, name.to_owned()))
}

/// How often a thread was given a processor so far: the third field of `schedstat` (Documentation/scheduler/sched-stats.rst).
pub(crate) fn runs_in(schedstat: &str) -> Option<u64> {
    schedstat.split_ascii_whitespace().nth(2)?.parse().ok()
}

/// CPU time of the process of a thread and of its children that it has waited for, in clock ticks and in the order of
/// `struct tms` (times(2)).
pub(crate) fn cpu_times(tid: i32) -> Option<[i64; 4]> {
    let pid = process_of(tid).ok()?;
    parse_cpu_times(&read_text(&format!("/proc/{pid}/stat")).ok()?)
}

fn parse_cpu_times(stat: &str) -> Option<[i64; 4]> {
    // Behind the name, which may hold anything, `utime` is the twelfth field (proc_pid_stat(5)).
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut times = [0; 4];
    for time in &mut times {
        *time = fields.next()?.parse().ok()?;
    }
    Some(times)
}

/// Whether a process exists and has not ended: whether any of its threads may still run.
pub(crate) fn is_alive(pid: i32) -> bool {
    living_thread(pid).is_some()
}

/// A thread of a process that may still run, the first one where that does; it shows what the process maps. A process
/// goes on without its first thread; and one that is on its way out has no memory any more, for as long as it takes to
/// give it back.
pub(crate) fn living_thread(pid: i32) -> Option<i32> {
    let lives = |tid: &i32| {
        let stat = read_text(&format!("/proc/{pid}/task/{tid}/stat")).unwrap_or_default();
        may_run(&stat).unwrap_or(false)
    };
    Some(pid).filter(lives).or_else(|| threads(pid).ok()?.into_iter().find(lives))
}

/// Whether the thread with this `stat` may ever run a program again: it is neither dead nor past the beginning of its
/// exit, where the kernel sets PF_EXITING for good (kernel/exit.c, `do_exit`).
fn may_run(stat: &str) -> Option<bool> {
    // State and flags are the third and the ninth field, the name before them may hold anything (proc_pid_stat(5)).
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    let flags: u32 = fields.nth(5)?.parse().ok()?;
    Some(!matches!(state, "Z" | "X" | "x") && flags & PF_EXITING == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_are_found_by_id() {
        let text = "ID: 10\nsignal: 14/0000000000000000\nnotify: none/pid.7\nClockID: 1\n\
                    ID: 1\nsignal: 32/00007fff86e452a8\nnotify: signal/tid.2634\nClockID: 0\n";
        let timer = parse_timers(text, 1).unwrap();
        assert_eq!(
            timer,
            PosixTimer { signal: 32, value: 0x7fff_86e4_52a8, notify: Notify::Thread(2634), clock: 0 }
        );
        assert_eq!(parse_timers(text, 10).unwrap().notify, Notify::Nobody);
        assert_eq!(parse_timers(text, 0), None);
    }

    #[test]
    fn threads_that_end_run_no_more() {
        for (stat, runs) in [
            ("7 (a) R) S 1 7 7 0 -1 4194560 100 0", Some(true)),
            ("7 (a) R 1 7 7 0 -1 4194564 100 0", Some(false)),
            ("7 (a) Z 1 7 7 0 -1 4194560 100 0", Some(false)),
            ("7 (a) R 1 7", None),
        ] {
            assert_eq!(may_run(stat), runs, "{stat}");
        }
    }

    #[test]
    fn cpu_times_stand_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 11 12 13 14 20 0 1 0 99";
        assert_eq!(parse_cpu_times(stat), Some([11, 12, 13, 14]));
        assert_eq!(parse_cpu_times("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_has_a_vdso_and_an_executable() {
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(vdso_base(pid).unwrap() > 4096);
        assert!(exe(pid).contains("notafter"), "{}", exe(pid));
        assert_eq!(process_of(pid).unwrap(), pid);
        assert!(processes().unwrap().iter().all(|other| *other != pid));
    }
}
