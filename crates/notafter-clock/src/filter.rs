//! The seccomp filter: lets everything through at once but the calls of the table, under their conditions.

use crate::calls::{self, Condition, futex};
use notafter_core::FileTimes;
use notafter_sys::arch::AUDIT_ARCH;
use notafter_sys::bpf::{Action, BpfError, Instruction, Label, Program, Word};
use notafter_sys::vdso::PAGE_ADDRESS;

/// Upper half of the sixth argument of a call that the supervisor issues again, with another timeout, or to put right
/// what it tells. The kernel looks at the lower half alone where that argument means anything, so a guest loses nothing
/// by it; and a guest that sets it itself gains an unshifted timeout or time of a file, never an unshifted clock.
pub(crate) const REWRITTEN: u32 = 0xC10C_4B1D;

/// The bit that marks calls of the x32 ABI, whose numbers the table does not know.
pub(crate) const X32: u32 = 0x4000_0000;

const SHIFTED_CLOCKS: [i32; 9] = [
    libc::CLOCK_REALTIME,
    libc::CLOCK_MONOTONIC,
    libc::CLOCK_MONOTONIC_RAW,
    libc::CLOCK_REALTIME_COARSE,
    libc::CLOCK_MONOTONIC_COARSE,
    libc::CLOCK_BOOTTIME,
    libc::CLOCK_REALTIME_ALARM,
    libc::CLOCK_BOOTTIME_ALARM,
    libc::CLOCK_TAI,
];

/// Assembles the filter.
pub(crate) fn build(file_times: FileTimes) -> Result<Vec<Instruction>, BpfError> {
    let mut program = Program::new();
    let (known, native) = (program.label(), program.label());
    program.load(Word::Arch);
    program.if_equal(AUDIT_ARCH, known);
    program.answer(Action::Notify); // the supervisor refuses and records them
    program.bind(known);
    program.load(Word::Number);
    program.if_no_bit(X32, native);
    program.answer(Action::Notify);
    program.bind(native);
    for (number, condition) in calls::watched(file_times) {
        let next = program.label();
        program.if_not_equal(number, next);
        decide(&mut program, condition);
        program.bind(next);
    }
    program.answer(Action::Allow);
    program.assemble()
}

/// Answers the call by its condition.
fn decide(program: &mut Program, condition: Condition) {
    let (allow, notify) = (program.label(), program.label());
    match condition {
        Condition::Always => {}
        Condition::ClockRead => {
            program.load(Word::ArgLow(0));
            for clock in SHIFTED_CLOCKS {
                program.if_equal(clock as u32, notify);
            }
            program.go(allow);
        }
        Condition::Futex => {
            program.load(Word::ArgHigh(5));
            program.if_equal(REWRITTEN, allow);
            if_null(program, futex::TIMEOUT, allow);
            program.load(Word::ArgLow(1));
            program.and(futex::OPERATION as u32);
            for operation in futex::TIMED {
                program.if_equal(operation as u32, notify);
            }
            program.go(allow);
        }
        Condition::FixedMapping => {
            let fixed = program.label();
            program.load(Word::ArgLow(3));
            program.if_any_bit(libc::MAP_FIXED as u32, fixed);
            program.go(allow);
            program.bind(fixed);
            if_near_page(program, 0, 1, notify);
            program.go(allow);
        }
        Condition::Moving => {
            if_near_page(program, 0, 1, notify);
            if_near_page(program, 4, 2, notify);
            program.go(allow);
        }
        Condition::OwnListener => {
            program.load(Word::ArgLow(1));
            program.if_any_bit(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32, notify);
            program.go(allow);
        }
        Condition::Positive(argument) => {
            program.load(Word::ArgLow(argument));
            program.if_equal(0, allow);
            program.if_any_bit(0x8000_0000, allow);
        }
        Condition::Present(argument) => {
            program.load(Word::ArgHigh(5));
            program.if_equal(REWRITTEN, allow);
            if_null(program, argument, allow);
        }
        Condition::RealTimer => {
            program.load(Word::ArgLow(0));
            program.if_not_equal(libc::ITIMER_REAL as u32, allow);
        }
        Condition::Replacing => {
            program.load(Word::ArgLow(2));
            program.if_any_bit(libc::SHM_REMAP as u32, notify);
            program.go(allow);
        }
        Condition::Remapping { address, length } => {
            if_near_page(program, address, length, notify);
            program.go(allow);
        }
        Condition::SocketTimeout => {
            program.load(Word::ArgLow(1));
            program.if_not_equal(libc::SOL_SOCKET as u32, allow);
            program.load(Word::ArgLow(2));
            for option in calls::SOCKET_TIMEOUTS {
                program.if_equal(option, notify);
            }
            program.go(allow);
        }
        Condition::Unmarked => {
            program.load(Word::ArgHigh(5));
            program.if_equal(REWRITTEN, allow);
        }
    }
    program.bind(notify);
    program.answer(Action::Notify);
    program.bind(allow);
    program.answer(Action::Allow);
}

/// Jumps where a range may touch the clock page: one that begins in the same 4 GiB or in those before, where hardly
/// anything ever lies, and any that is 4 GiB long or longer. The supervisor looks closer.
fn if_near_page(program: &mut Program, address: u8, length: u8, near: Label) {
    let span = (PAGE_ADDRESS >> 32) as u32;
    program.load(Word::ArgHigh(address));
    program.if_equal(span, near);
    program.if_equal(span - 1, near);
    program.load(Word::ArgHigh(length));
    let short = program.label();
    program.if_equal(0, short);
    program.go(near);
    program.bind(short);
}

/// Jumps where the pointer in `argument` is null.
fn if_null(program: &mut Program, argument: u8, null: Label) {
    let set = program.label();
    program.load(Word::ArgLow(argument));
    program.if_not_equal(0, set);
    program.load(Word::ArgHigh(argument));
    program.if_equal(0, null);
    program.bind(set);
}

#[cfg(test)]
mod tests {
    use super::*;
    use notafter_sys::bpf::{constant_of, interpret};

    fn answer(number: i64, args: [u64; 6]) -> u32 {
        interpret(&build(FileTimes::Real).unwrap(), AUDIT_ARCH, u32::try_from(number).unwrap(), args).unwrap()
    }

    #[test]
    fn only_calls_that_read_or_wait_for_time_are_put_before_the_supervisor() {
        let (allow, notify) = (constant_of(Action::Allow), constant_of(Action::Notify));
        let high = 1_u64 << 32;
        for (number, args, expected) in [
            (libc::SYS_read, [0; 6], allow),
            (libc::SYS_execve, [0; 6], notify),
            (libc::SYS_clock_gettime, [0; 6], notify),
            (libc::SYS_clock_gettime, [1, 0, 0, 0, 0, 0], notify),
            (libc::SYS_clock_gettime, [2, 0, 0, 0, 0, 0], allow),
            (libc::SYS_poll, [0, 0, 5, 0, 0, 0], notify),
            (libc::SYS_poll, [0, 0, 0, 0, 0, 0], allow),
            (libc::SYS_poll, [0, 0, 0xffff_ffff, 0, 0, 0], allow),
            (libc::SYS_ppoll, [0, 0, high, 0, 0, 0], notify),
            (libc::SYS_ppoll, [0; 6], allow),
            (libc::SYS_futex, [0, 128, 0, 8, 0, 0], notify),
            (libc::SYS_futex, [0, 129, 0, 8, 0, 0], allow),
            (libc::SYS_futex, [0, 128, 0, 0, 0, 0], allow),
            (libc::SYS_futex, [0, 137, 0, 8, 0, u64::from(REWRITTEN) << 32], allow),
            (libc::SYS_munmap, [PAGE_ADDRESS, 4096, 0, 0, 0, 0], notify),
            (libc::SYS_munmap, [PAGE_ADDRESS - high, high - 1, 0, 0, 0, 0], notify),
            (libc::SYS_munmap, [4096, 1 << 47, 0, 0, 0, 0], notify),
            (libc::SYS_munmap, [0x7f12_3456_7000, 4096, 0, 0, 0, 0], allow),
            (libc::SYS_mmap, [PAGE_ADDRESS, 4096, 1, 0x10, 0, 0], notify),
            (libc::SYS_mmap, [PAGE_ADDRESS, 4096, 1, 0x10_0001, 0, 0], allow),
            (libc::SYS_mremap, [0x7f12_3456_7000, 4096, 4096, 3, PAGE_ADDRESS, 0], notify),
            (libc::SYS_mremap, [0x7f12_3456_7000, 4096, 8192, 1, 0, 0], allow),
            (libc::SYS_shmat, [0, PAGE_ADDRESS, 0x4000, 0, 0, 0], notify),
            (libc::SYS_exit_group, [0; 6], notify),
            (libc::SYS_setitimer, [0; 6], notify),
            (libc::SYS_setitimer, [2, 0, 0, 0, 0, 0], allow),
            (libc::SYS_setsockopt, [3, 1, 20, 8, 16, 0], notify),
            (libc::SYS_setsockopt, [3, 1, 67, 8, 16, 0], notify),
            (libc::SYS_setsockopt, [3, 1, 2, 8, 4, 0], allow),
            (libc::SYS_setsockopt, [3, 6, 20, 8, 4, 0], allow),
            (libc::SYS_seccomp, [1, 8, 0, 0, 0, 0], notify),
            (libc::SYS_seccomp, [1, 0, 0, 0, 0, 0], allow),
            (libc::SYS_newfstatat, [3, 4096, 4096, 0, 0, 0], allow),
        ] {
            assert_eq!(answer(number, args), expected, "call {number} {args:x?}");
        }
    }

    #[test]
    fn times_of_files_are_put_before_the_supervisor_where_they_are_shifted() {
        let filter = build(FileTimes::Shifted).unwrap();
        for number in calls::STATS {
            let answer = |mark| {
                let args = [3, 4096, 4096, 0, 0, u64::from(mark) << 32 | 7];
                interpret(&filter, AUDIT_ARCH, u32::try_from(number).unwrap(), args)
            };
            assert_eq!(answer(0), Some(constant_of(Action::Notify)), "{number}");
            assert_eq!(answer(REWRITTEN), Some(constant_of(Action::Allow)), "{number}");
        }
    }

    #[test]
    fn another_architecture_is_never_let_through() {
        let i386 = 0x4000_0003;
        let answer = interpret(&build(FileTimes::Real).unwrap(), i386, 20, [0; 6]);
        assert_eq!(answer, Some(constant_of(Action::Notify)));
        let x32_clock_gettime = interpret(&build(FileTimes::Real).unwrap(), AUDIT_ARCH, X32 | 228, [2; 6]);
        assert_eq!(x32_clock_gettime, Some(constant_of(Action::Notify)));
    }
}
