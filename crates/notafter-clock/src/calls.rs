//! The table of time calls: which system calls read, set or wait for time, and how each is treated.
//!
//! Numbers are the architecture's own; a call that it lacks is left out. The filter and the supervisor both follow
//! this table: a call that it names never runs on real time unseen.

use libc::{EAGAIN, ETIMEDOUT};
use notafter_core::FileTimes;
use notafter_sys::arch::calls::{
    ALARM, EPOLL_WAIT, FUTEX_WAIT, IO_PGETEVENTS, LSTAT, POLL, SELECT, STAT, TIME,
};

/// How the timeout of a wait is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// A number of milliseconds; negative or zero: no wait that ends by time.
    Millis,
    /// A pointer to a `struct timespec`; null: no timeout.
    Timespec,
    /// A pointer to a `struct timeval`; null: no timeout.
    Timeval,
}

/// What the timeout of a wait counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// From the call, in monotonic time.
    Relative,
    /// It is an instant on this clock of clock_gettime(2).
    Absolute(i32),
}

/// One form of waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WaitForm {
    /// Which argument holds the timeout.
    pub(crate) argument: u8,
    pub(crate) encoding: Encoding,
    pub(crate) basis: Basis,
    /// What the call returns when its time is up.
    pub(crate) on_timeout: i64,
}

/// Waits with a timeout in a fixed argument, with what they return when it is up.
const WAITS: [(i64, u8, Encoding, i64); 12] = [
    (libc::SYS_epoll_pwait, 3, Encoding::Millis, 0),
    (libc::SYS_epoll_pwait2, 3, Encoding::Timespec, 0),
    (EPOLL_WAIT, 3, Encoding::Millis, 0),
    (libc::SYS_io_getevents, 4, Encoding::Timespec, 0),
    (IO_PGETEVENTS, 4, Encoding::Timespec, 0),
    (libc::SYS_nanosleep, 0, Encoding::Timespec, 0),
    (POLL, 2, Encoding::Millis, 0),
    (libc::SYS_ppoll, 2, Encoding::Timespec, 0),
    (libc::SYS_pselect6, 4, Encoding::Timespec, 0),
    (libc::SYS_rt_sigtimedwait, 2, Encoding::Timespec, -(EAGAIN as i64)),
    (SELECT, 4, Encoding::Timeval, 0),
    (libc::SYS_semtimedop, 3, Encoding::Timespec, -(EAGAIN as i64)),
];

/// Waits until an instant, with the argument that holds it; their clock follows from other arguments.
const DEADLINES: [(i64, u8); 4] = [
    (FUTEX_WAIT, 4),
    (libc::SYS_futex_waitv, 3),
    (libc::SYS_mq_timedreceive, 4),
    (libc::SYS_mq_timedsend, 4),
];

/// Calls that are always put before the supervisor.
const ALWAYS: [i64; 18] = [
    libc::SYS_adjtimex,
    ALARM,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_settime,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_exit_group,
    libc::SYS_gettimeofday,
    libc::SYS_io_uring_setup,
    libc::SYS_settimeofday,
    libc::SYS_sysinfo,
    TIME,
    libc::SYS_timer_delete,
    libc::SYS_timer_gettime,
    libc::SYS_timer_settime,
    libc::SYS_timerfd_settime,
    libc::SYS_times,
];

/// Calls that change what is mapped, with the arguments that hold address and length.
const REMAPPING: [(i64, u8, u8); 5] = [
    (libc::SYS_madvise, 0, 1),
    (libc::SYS_mprotect, 0, 1),
    (libc::SYS_munmap, 0, 1),
    (libc::SYS_pkey_mprotect, 0, 1),
    (libc::SYS_remap_file_pages, 0, 1),
];

/// The socket options that put a limit on waits, in both of their encodings (SO_RCVTIMEO and SO_SNDTIMEO,
/// include/uapi/asm-generic/socket.h).
pub(crate) const SOCKET_TIMEOUTS: [u32; 4] = [20, 21, 66, 67];

/// futex(2) operations that end by time, where their timeout is given.
pub(crate) mod futex {
    pub(crate) const WAIT: i32 = 0;
    pub(crate) const LOCK_PI: i32 = 6;
    pub(crate) const WAIT_BITSET: i32 = 9;
    pub(crate) const WAIT_REQUEUE_PI: i32 = 11;
    pub(crate) const LOCK_PI2: i32 = 13;
    pub(crate) const TIMED: [i32; 5] = [WAIT, LOCK_PI, WAIT_BITSET, WAIT_REQUEUE_PI, LOCK_PI2];
    pub(crate) const CLOCK_REALTIME: i32 = 256;
    /// The operation without its PRIVATE and CLOCK_REALTIME flags.
    pub(crate) const OPERATION: i32 = 127;
    /// The argument that holds the timeout.
    pub(crate) const TIMEOUT: u8 = 3;
}

/// What the filter tests before it asks the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nothing.
    Always,
    /// A clock that is shifted is read.
    ClockRead,
    /// A mapping is laid over whatever is at an address that is given, which may be the clock page's.
    FixedMapping,
    /// A futex operation that ends by time.
    Futex,
    /// A mapping is moved from or to where the clock page may be.
    Moving,
    /// The argument is a positive `int`.
    Positive(u8),
    /// The argument is a pointer that is not null.
    Present(u8),
    /// A filter with a listener of its own is installed.
    OwnListener,
    /// An interval timer in real time is meant.
    RealTimer,
    /// Shared memory is laid over whatever is there.
    Replacing,
    /// What is mapped changes where the clock page may be.
    Remapping {
        /// The argument that holds the address.
        address: u8,
        /// The argument that holds the length in bytes.
        length: u8,
    },
    /// A socket is given one of [`SOCKET_TIMEOUTS`].
    SocketTimeout,
    /// The supervisor has not issued it itself.
    Unmarked,
}

/// Every call that the filter looks at, with its condition.
pub(crate) fn watched(file_times: FileTimes) -> impl Iterator<Item = (u32, Condition)> {
    let stats = match file_times {
        FileTimes::Real => &[][..],
        FileTimes::Shifted => &STATS,
    };
    let waits = WAITS.iter().map(|&(number, argument, encoding, _)| {
        let condition = match encoding {
            Encoding::Millis => Condition::Positive(argument),
            Encoding::Timespec | Encoding::Timeval => Condition::Present(argument),
        };
        (number, condition)
    });
    let deadlines = DEADLINES.iter().map(|&(number, argument)| (number, Condition::Present(argument)));
    let special = [
        (libc::SYS_clock_gettime, Condition::ClockRead),
        (libc::SYS_futex, Condition::Futex),
        (libc::SYS_getitimer, Condition::RealTimer),
        (libc::SYS_mmap, Condition::FixedMapping),
        (libc::SYS_mremap, Condition::Moving),
        (libc::SYS_seccomp, Condition::OwnListener),
        (libc::SYS_setitimer, Condition::RealTimer),
        (libc::SYS_setsockopt, Condition::SocketTimeout),
        (libc::SYS_shmat, Condition::Replacing),
    ];
    let remapping =
        REMAPPING.iter().map(|&(number, address, length)| (number, Condition::Remapping { address, length }));
    special
        .into_iter()
        .chain(remapping)
        .chain(waits)
        .chain(deadlines)
        .chain(ALWAYS.iter().map(|&number| (number, Condition::Always)))
        .chain(stats.iter().map(|&number| (number, Condition::Unmarked)))
        .filter_map(|(number, condition)| Some((u32::try_from(number).ok()?, condition)))
}

/// Calls that tell the times of a file.
pub(crate) const STATS: [i64; 5] = [libc::SYS_fstat, LSTAT, libc::SYS_newfstatat, STAT, libc::SYS_statx];

/// The ranges of addresses at which a call changes what is mapped, as start and length in bytes; empty where it
/// changes nothing that is there already.
pub(crate) fn remapped(number: i32, args: &[u64; 6]) -> Vec<(u64, u64)> {
    let number = i64::from(number);
    if let Some(&(_, address, length)) = REMAPPING.iter().find(|call| call.0 == number) {
        return vec![(args[usize::from(address)], args[usize::from(length)])];
    }
    let has = |flags: u64, flag: i32| flags & u64::from(flag.cast_unsigned()) != 0;
    match number {
        libc::SYS_mmap if has(args[3], libc::MAP_FIXED) => vec![(args[0], args[1])],
        libc::SYS_mremap if has(args[3], libc::MREMAP_FIXED) => vec![(args[0], args[1]), (args[4], args[2])],
        libc::SYS_mremap => vec![(args[0], args[1])],
        // The segment says how long it is, not the call.
        libc::SYS_shmat if has(args[2], libc::SHM_REMAP) => vec![(args[1], 1 << 32)],
        _ => Vec::new(),
    }
}

/// How this call waits; none where it does not end by time.
pub(crate) fn wait_form(number: i32, args: &[u64; 6]) -> Option<WaitForm> {
    let number = i64::from(number);
    // Arguments of type int: the kernel, too, looks at the lower half alone.
    let int = |index: usize| args[index] as u32 as i32;
    let timed_out = -i64::from(ETIMEDOUT);
    if let Some(&(_, argument, encoding, on_timeout)) = WAITS.iter().find(|wait| wait.0 == number) {
        return Some(WaitForm { argument, encoding, basis: Basis::Relative, on_timeout });
    }
    let until = |argument, clock| {
        let basis = Basis::Absolute(clock);
        Some(WaitForm { argument, encoding: Encoding::Timespec, basis, on_timeout: timed_out })
    };
    match number {
        FUTEX_WAIT => until(4, int(5)),
        libc::SYS_clock_nanosleep => Some(WaitForm {
            argument: 2,
            encoding: Encoding::Timespec,
            basis: if int(1) & libc::TIMER_ABSTIME == 0 { Basis::Relative } else { Basis::Absolute(int(0)) },
            on_timeout: 0,
        }),
        libc::SYS_futex => {
            let real = int(1) & futex::CLOCK_REALTIME != 0;
            let flagged = if real { libc::CLOCK_REALTIME } else { libc::CLOCK_MONOTONIC };
            match int(1) & futex::OPERATION {
                futex::WAIT => Some(WaitForm {
                    argument: futex::TIMEOUT,
                    encoding: Encoding::Timespec,
                    basis: Basis::Relative,
                    on_timeout: timed_out,
                }),
                futex::LOCK_PI => until(futex::TIMEOUT, libc::CLOCK_REALTIME),
                futex::LOCK_PI2 | futex::WAIT_BITSET | futex::WAIT_REQUEUE_PI => {
                    until(futex::TIMEOUT, flagged)
                }
                _ => None,
            }
        }
        libc::SYS_futex_waitv => until(3, int(4)),
        libc::SYS_mq_timedreceive | libc::SYS_mq_timedsend => until(4, libc::CLOCK_REALTIME),
        _ => None,
    }
}

/// Where a wait that is interrupted leaves what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remainder {
    /// A `struct timespec`, or a `struct timeval` where units are microseconds.
    pub(crate) address: u64,
    /// Nanoseconds to a unit of its fraction of a second.
    pub(crate) unit: i64,
    pub(crate) read: Reads,
}

/// Who goes by what is left of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// The caller alone, once a signal has ended the wait.
    Caller,
    /// The caller, however the wait ends, and the kernel, when it issues the call again.
    CallerAndKernel,
}

/// What the call leaves of its timeout; none where it leaves nothing.
pub(crate) fn remainder(number: i32, args: &[u64; 6]) -> Option<Remainder> {
    let (argument, unit, read) = match i64::from(number) {
        libc::SYS_clock_nanosleep => (3, 1, Reads::Caller),
        libc::SYS_nanosleep => (1, 1, Reads::Caller),
        libc::SYS_ppoll => (2, 1, Reads::CallerAndKernel),
        libc::SYS_pselect6 => (4, 1, Reads::CallerAndKernel),
        SELECT => (4, 1_000, Reads::CallerAndKernel),
        _ => return None,
    };
    let address = args[argument];
    (address != 0).then_some(Remainder { address, unit, read })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_stands_twice_in_the_table() {
        let mut numbers: Vec<u32> = watched(FileTimes::Shifted).map(|(number, _)| number).collect();
        let all = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), all);
        assert_eq!(all, 53);
    }

    #[test]
    fn every_watched_wait_has_a_form() {
        for (number, condition) in watched(FileTimes::Shifted) {
            if matches!(condition, Condition::Positive(_) | Condition::Present(_)) {
                let number = i32::try_from(number).unwrap();
                assert!(wait_form(number, &[1; 6]).is_some(), "{number}");
            }
        }
    }

    #[test]
    fn futex_operations_name_their_clock() {
        let number = i32::try_from(libc::SYS_futex).unwrap();
        let form = |operation: i32| wait_form(number, &[0, operation as u64, 0, 8, 0, 0]);
        assert_eq!(form(128).unwrap().basis, Basis::Relative);
        assert_eq!(form(128 | 9).unwrap().basis, Basis::Absolute(libc::CLOCK_MONOTONIC));
        assert_eq!(form(128 | 9 | 256).unwrap().basis, Basis::Absolute(libc::CLOCK_REALTIME));
        assert_eq!(form(6).unwrap().basis, Basis::Absolute(libc::CLOCK_REALTIME));
        assert_eq!(form(1), None);
    }
}
