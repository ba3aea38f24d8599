//! The registers of a stopped thread, by what they mean to a system call.
//!
//! Before it stops for a tracer, the kernel has undone a call that is to be issued again (arch/arm64/kernel/signal.c,
//! `do_signal`): the first argument is back in `x0`, `pc` back at the instruction. So registers tell neither why it was
//! interrupted nor, by themselves, that it is in a call. The instructions around `pc` do, which are read along with them.

use crate::memory;
use nix::sys::ptrace;
use nix::unistd::Pid;
use std::io;

/// Whether a call that was interrupted while it waited for the supervisor's answer looks as one that was interrupted
/// while it waited by itself.
pub const RESTARTS_LOOK_ALIKE: bool = true;

/// Set in the processor's state while it runs 32-bit code (`PSR_MODE32_BIT`, arch/arm64/include/uapi/asm/ptrace.h).
const MODE_32_BIT: u64 = 0x10;

/// Which register holds the number of a call.
const NUMBER: usize = 8;

/// Length of an instruction.
const INSTRUCTION_LEN: u64 = 4;

/// `svc`, but for the sixteen bits of which Linux takes no notice (Arm Architecture Reference Manual, C6.2).
const CALL_MASK: u32 = 0xffe0_001f;
const CALL: u32 = 0xd400_0001;

/// What stands for every result by which the kernel says that a call is to be issued again (`ERESTARTSYS`,
/// include/linux/errno.h).
const RESTART: i64 = -512;

/// Where a thread stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Before the instruction that makes a call.
    Before,
    /// Behind it.
    Behind,
    Elsewhere,
}

/// Registers of a stopped thread (PTRACE_GETREGSET with NT_PRSTATUS).
#[derive(Debug, Clone, Copy)]
pub struct Registers {
    values: libc::user_regs_struct,
    standing: Standing,
}

impl Registers {
    pub(crate) fn of(tid: Pid) -> io::Result<Self> {
        let values = ptrace::getregs(tid)?;
        Ok(Self { values, standing: Standing::of(tid, values.pc) })
    }

    pub(crate) fn give(self, tid: Pid) -> io::Result<()> {
        ptrace::setregs(tid, self.values).map_err(io::Error::from)
    }

    /// Whether it runs code of a narrower architecture, which has another vDSO and other calls.
    #[must_use]
    pub fn is_32_bit(&self) -> bool {
        self.values.pstate & MODE_32_BIT != 0
    }

    /// Address of the next instruction.
    #[must_use]
    pub fn instruction_pointer(&self) -> u64 {
        self.values.pc
    }

    /// Goes on elsewhere.
    pub fn set_instruction_pointer(&mut self, address: u64) {
        self.values.pc = address;
        self.standing = Standing::Elsewhere;
    }

    /// The system call that it is leaving, or about to issue; none where it stands at none.
    #[must_use]
    pub fn call(&self) -> Option<i64> {
        let number = Some(self.values.regs[NUMBER].cast_signed()).filter(|number| *number >= 0);
        number.filter(|_| self.standing != Standing::Elsewhere)
    }

    /// What that call returns: a negative errno where it fails, -512 where it will be issued again.
    #[must_use]
    pub fn result(&self) -> i64 {
        match self.standing {
            Standing::Before => RESTART,
            Standing::Behind | Standing::Elsewhere => self.values.regs[0].cast_signed(),
        }
    }

    /// That call's arguments; the first is its result where it will not be issued again.
    #[must_use]
    pub fn args(&self) -> [u64; 6] {
        [0, 1, 2, 3, 4, 5].map(|index: usize| self.values.regs[index])
    }

    /// Whether that call has these arguments, as far as registers tell.
    #[must_use]
    pub fn has_args(&self, args: &[u64; 6]) -> bool {
        match self.standing {
            Standing::Before => self.args() == *args,
            Standing::Behind => self.args()[1..] == args[1..],
            Standing::Elsewhere => false,
        }
    }

    /// Changes an argument; every index above 5 means the last. The register of the first holds the result where the call
    /// will not be issued again, and is left alone.
    pub fn set_argument(&mut self, index: u8, value: u64) {
        if index > 0 || self.standing != Standing::Behind {
            self.values.regs[usize::from(index.min(5))] = value;
        }
    }

    /// The call returns `result` and is not issued again.
    pub fn end_call(&mut self, result: i64) {
        self.values.regs[0] = result.cast_unsigned();
        if self.standing == Standing::Before {
            self.values.pc = self.values.pc.wrapping_add(INSTRUCTION_LEN);
            self.standing = Standing::Behind;
        }
    }

    /// The kernel is to issue the call again where it would. One that never is fails with EINTR: its first argument is
    /// lost, and every program must expect that of it (signal(7)).
    pub fn restart_call(&mut self) {}

    /// Nothing is to be done: a call that is issued again stands before its instruction already.
    pub fn rewind_call(&mut self) {}

    /// An address below the stack, aligned to 16 bytes, at which a thread that sits in a call uses nothing. The ABI has
    /// no red zone (AAPCS64, §6.4.5); some leaf functions of hand-written code believe in one all the same.
    #[must_use]
    pub fn scratch(&self) -> u64 {
        self.values.sp.wrapping_sub(256) & !15
    }
}

impl Standing {
    /// What cannot be read is no instruction.
    fn of(tid: Pid, pc: u64) -> Self {
        let is_call = |address| {
            let mut word = [0; 4];
            memory::read(tid.as_raw(), address, &mut word).is_ok()
                && u32::from_le_bytes(word) & CALL_MASK == CALL
        };
        if is_call(pc) {
            Self::Before
        } else if is_call(pc.wrapping_sub(INSTRUCTION_LEN)) {
            Self::Behind
        } else {
            Self::Elsewhere
        }
    }
}
