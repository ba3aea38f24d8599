//! The registers of a stopped thread, by what they mean to a system call.

use nix::sys::ptrace;
use nix::unistd::Pid;
use std::io;

/// Whether a call that was interrupted while it waited for the supervisor's answer looks as one that was interrupted
/// while it waited by itself.
pub const RESTARTS_LOOK_ALIKE: bool = false;

/// Code segment of 32-bit code.
const CODE_SEGMENT_32: u64 = 0x23;

/// What functions may use below the stack pointer without moving it (System V ABI, §3.2.2), and as much again.
const RED_ZONE: u64 = 256;

/// Length of the `syscall` instruction.
const SYSCALL_LEN: u64 = 2;

/// Result by which the kernel says that a call was interrupted and is always to be issued again
/// (`ERESTARTNOINTR`, include/linux/errno.h).
const RESTART_ALWAYS: i64 = -513;

/// Registers of a stopped thread.
#[derive(Debug, Clone, Copy)]
pub struct Registers(libc::user_regs_struct);

impl Registers {
    pub(crate) fn of(tid: Pid) -> io::Result<Self> {
        Ok(Self(ptrace::getregs(tid)?))
    }

    pub(crate) fn give(self, tid: Pid) -> io::Result<()> {
        ptrace::setregs(tid, self.0).map_err(io::Error::from)
    }

    /// Whether it runs code of a narrower architecture, which has another vDSO and other calls.
    #[must_use]
    pub fn is_32_bit(&self) -> bool {
        self.0.cs == CODE_SEGMENT_32
    }

    /// Address of the next instruction.
    #[must_use]
    pub fn instruction_pointer(&self) -> u64 {
        self.0.rip
    }

    /// Goes on elsewhere.
    pub fn set_instruction_pointer(&mut self, address: u64) {
        self.0.rip = address;
    }

    /// The system call that it is leaving; none where it is in none, or was kept from issuing it again.
    #[must_use]
    pub fn call(&self) -> Option<i64> {
        Some(self.0.orig_rax.cast_signed()).filter(|number| *number >= 0)
    }

    /// What that call returns: a negative errno where it fails.
    #[must_use]
    pub fn result(&self) -> i64 {
        self.0.rax.cast_signed()
    }

    /// That call's arguments.
    #[must_use]
    pub fn args(&self) -> [u64; 6] {
        [self.0.rdi, self.0.rsi, self.0.rdx, self.0.r10, self.0.r8, self.0.r9]
    }

    /// Whether these are that call's arguments.
    #[must_use]
    pub fn has_args(&self, args: &[u64; 6]) -> bool {
        self.args() == *args
    }

    /// Changes an argument; every index above 5 means the last.
    pub fn set_argument(&mut self, index: u8, value: u64) {
        let argument = match index {
            0 => &mut self.0.rdi,
            1 => &mut self.0.rsi,
            2 => &mut self.0.rdx,
            3 => &mut self.0.r10,
            4 => &mut self.0.r8,
            _ => &mut self.0.r9,
        };
        *argument = value;
    }

    /// The call returns `result` and is not issued again.
    pub fn end_call(&mut self, result: i64) {
        self.0.rax = result.cast_unsigned();
        self.0.orig_rax = u64::MAX;
    }

    /// The kernel is to issue the call again, whatever its result was.
    pub fn restart_call(&mut self) {
        self.0.rax = RESTART_ALWAYS.cast_unsigned();
    }

    /// Goes back before the instruction that made the call, so that it makes it with the arguments as they are now.
    pub fn rewind_call(&mut self) {
        self.0.rax = self.0.orig_rax;
        self.0.orig_rax = u64::MAX;
        self.0.rip = self.0.rip.wrapping_sub(SYSCALL_LEN);
    }

    /// An address below the stack, aligned to 16 bytes, at which a thread that sits in a call uses nothing.
    #[must_use]
    pub fn scratch(&self) -> u64 {
        self.0.rsp.wrapping_sub(RED_ZONE) & !15
    }
}
