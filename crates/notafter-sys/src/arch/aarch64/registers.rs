//! The registers of a stopped thread, by what they mean to a system call. Not run yet.

use nix::sys::ptrace;
use nix::unistd::Pid;
use std::io;

/// Set in the processor's state while it runs 32-bit code (`PSR_MODE32_BIT`, arch/arm64/include/uapi/asm/ptrace.h).
const MODE_32_BIT: u64 = 0x10;

/// Which register holds the number of a call.
const NUMBER: usize = 8;

/// Length of an instruction.
const INSTRUCTION_LEN: u64 = 4;

/// Registers of a stopped thread (PTRACE_GETREGSET with NT_PRSTATUS).
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
        self.0.pstate & MODE_32_BIT != 0
    }

    /// Address of the next instruction.
    #[must_use]
    pub fn instruction_pointer(&self) -> u64 {
        self.0.pc
    }

    /// Goes on elsewhere.
    pub fn set_instruction_pointer(&mut self, address: u64) {
        self.0.pc = address;
    }

    /// The system call that it is leaving. Whether it is in one at all, registers do not tell.
    #[must_use]
    pub fn call(&self) -> Option<i64> {
        Some(self.0.regs[NUMBER].cast_signed()).filter(|number| *number >= 0)
    }

    /// What that call returns: a negative errno where it fails; its first argument where it will be issued again.
    #[must_use]
    pub fn result(&self) -> i64 {
        self.0.regs[0].cast_signed()
    }

    /// That call's arguments; the first is its result where it will not be issued again.
    #[must_use]
    pub fn args(&self) -> [u64; 6] {
        [0, 1, 2, 3, 4, 5].map(|index: usize| self.0.regs[index])
    }

    /// Changes an argument; every index above 5 means the last.
    pub fn set_argument(&mut self, index: u8, value: u64) {
        self.0.regs[usize::from(index.min(5))] = value;
    }

    /// A call that stands before its instruction, to be issued again, returns `result` instead.
    pub fn end_call(&mut self, result: i64) {
        self.0.regs[0] = result.cast_unsigned();
        self.0.pc = self.0.pc.wrapping_add(INSTRUCTION_LEN);
    }

    /// Nothing is to be done: a call that is issued again stands before its instruction already.
    pub fn restart_call(&mut self) {}

    /// As [`Registers::restart_call`].
    pub fn rewind_call(&mut self) {}

    /// An address below the stack, aligned to 16 bytes, at which a thread that sits in a call uses nothing. The ABI has
    /// no red zone (AAPCS64, §6.4.5); some leaf functions of hand-written code believe in one all the same.
    #[must_use]
    pub fn scratch(&self) -> u64 {
        self.0.sp.wrapping_sub(256) & !15
    }
}
