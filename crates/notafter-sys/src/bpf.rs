//! An assembler for the classic BPF programs of seccomp(2): jumps go to labels, and a jump that cannot be encoded is
//! an error before the kernel sees it.

use std::collections::HashMap;

/// One instruction as the kernel takes it (`struct sock_filter`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    constant: u32,
}

/// What a filter answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The call goes on.
    Allow,
    /// The call fails with this errno.
    Errno(u16),
    /// The supervisor is asked.
    Notify,
}

impl Action {
    fn constant(self) -> u32 {
        match self {
            Self::Allow => 0x7fff_0000,
            Self::Errno(errno) => 0x0005_0000 | u32::from(errno),
            Self::Notify => 0x7fc0_0000,
        }
    }
}

/// A 32-bit word of `struct seccomp_data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// The architecture.
    Arch,
    /// The upper half of argument 0 to 5.
    ArgHigh(u8),
    /// The lower half of argument 0 to 5.
    ArgLow(u8),
    /// The number of the system call.
    Number,
}

impl Word {
    fn offset(self) -> u32 {
        match self {
            Self::Number => 0,
            Self::Arch => 4,
            Self::ArgLow(index) => 16 + 8 * u32::from(index),
            Self::ArgHigh(index) => 20 + 8 * u32::from(index),
        }
    }
}

/// A place in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label(u32);

/// Why a program cannot be assembled: a defect of the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BpfError {
    /// A conditional jump reaches 255 instructions at most.
    #[error("a jump at instruction {0} is too far")]
    JumpTooFar(usize),
    /// The kernel takes 4096 instructions at most.
    #[error("the program has {0} instructions")]
    TooLong(usize),
    /// A label was used and never bound.
    #[error("a jump at instruction {0} goes nowhere")]
    UnboundLabel(usize),
}

enum Line {
    Fixed(Instruction),
    Jump { code: u16, constant: u32, yes: Label, no: Option<Label> },
}

const LOAD: u16 = 0x20;
const RETURN: u16 = 0x06;
const AND: u16 = 0x54;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_ANY_BIT: u16 = 0x45;
const JUMP: u16 = 0x05;

/// A program under construction.
#[derive(Default)]
pub struct Program {
    lines: Vec<Line>,
    bound: HashMap<Label, usize>,
    labels: u32,
}

impl Program {
    /// An empty program.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A label to jump to, not bound yet. Jumps go forward only, as the kernel demands.
    pub fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels)
    }

    /// Binds `label` to the next instruction.
    pub fn bind(&mut self, label: Label) {
        self.bound.insert(label, self.lines.len());
    }

    /// Loads a word.
    pub fn load(&mut self, word: Word) {
        self.fixed(LOAD, word.offset());
    }

    /// Masks the loaded word.
    pub fn and(&mut self, mask: u32) {
        self.fixed(AND, mask);
    }

    /// Ends with `action`.
    pub fn answer(&mut self, action: Action) {
        self.fixed(RETURN, action.constant());
    }

    /// Jumps where the loaded word equals `constant`, else goes on.
    pub fn if_equal(&mut self, constant: u32, yes: Label) {
        self.lines.push(Line::Jump { code: JUMP_EQUAL, constant, yes, no: None });
    }

    /// Jumps where the loaded word differs from `constant`, else goes on.
    pub fn if_not_equal(&mut self, constant: u32, no: Label) {
        // The true branch is the next instruction: a label bound right behind.
        let next = self.label();
        self.lines.push(Line::Jump { code: JUMP_EQUAL, constant, yes: next, no: Some(no) });
        self.bind(next);
    }

    /// Jumps where the loaded word has any of the bits, else goes on.
    pub fn if_any_bit(&mut self, bits: u32, yes: Label) {
        self.lines.push(Line::Jump { code: JUMP_ANY_BIT, constant: bits, yes, no: None });
    }

    /// Jumps where the loaded word has none of the bits, else goes on.
    pub fn if_no_bit(&mut self, bits: u32, no: Label) {
        let next = self.label();
        self.lines.push(Line::Jump { code: JUMP_ANY_BIT, constant: bits, yes: next, no: Some(no) });
        self.bind(next);
    }

    /// Jumps.
    pub fn go(&mut self, label: Label) {
        self.lines.push(Line::Jump { code: JUMP, constant: 0, yes: label, no: None });
    }

    fn fixed(&mut self, code: u16, constant: u32) {
        self.lines.push(Line::Fixed(Instruction { code, jump_true: 0, jump_false: 0, constant }));
    }

    /// The program as the kernel takes it.
    ///
    /// # Errors
    /// [`BpfError`].
    pub fn assemble(&self) -> Result<Vec<Instruction>, BpfError> {
        if self.lines.len() > 4096 {
            return Err(BpfError::TooLong(self.lines.len()));
        }
        self.lines.iter().enumerate().map(|(at, line)| self.encode(at, line)).collect()
    }

    fn encode(&self, at: usize, line: &Line) -> Result<Instruction, BpfError> {
        match line {
            Line::Fixed(instruction) => Ok(*instruction),
            Line::Jump { code: JUMP, yes, .. } => {
                let distance =
                    u32::try_from(self.distance(at, *yes)?).map_err(|_| BpfError::JumpTooFar(at))?;
                Ok(Instruction { code: JUMP, jump_true: 0, jump_false: 0, constant: distance })
            }
            Line::Jump { code, constant, yes, no } => {
                let near = |label| -> Result<u8, BpfError> {
                    u8::try_from(self.distance(at, label)?).map_err(|_| BpfError::JumpTooFar(at))
                };
                let jump_false = no.map_or(Ok(0), near)?;
                Ok(Instruction { code: *code, jump_true: near(*yes)?, jump_false, constant: *constant })
            }
        }
    }

    fn distance(&self, at: usize, label: Label) -> Result<usize, BpfError> {
        let target = self.bound.get(&label).ok_or(BpfError::UnboundLabel(at))?;
        target.checked_sub(at + 1).ok_or(BpfError::UnboundLabel(at))
    }
}

/// Runs an assembled program over a `struct seccomp_data` as the kernel would; none where the program leaves the
/// instructions that this crate assembles.
#[must_use]
pub fn interpret(program: &[Instruction], arch: u32, number: u32, args: [u64; 6]) -> Option<u32> {
    let mut data = [0_u8; 64];
    data[..4].copy_from_slice(&number.to_le_bytes());
    data[4..8].copy_from_slice(&arch.to_le_bytes());
    for (index, arg) in args.iter().enumerate() {
        data[16 + index * 8..24 + index * 8].copy_from_slice(&arg.to_le_bytes());
    }
    let (mut at, mut word) = (0, 0_u32);
    loop {
        let instruction = program.get(at)?;
        at += 1;
        let branch = |yes| usize::from(if yes { instruction.jump_true } else { instruction.jump_false });
        match instruction.code {
            LOAD => {
                let offset = usize::try_from(instruction.constant).ok()?;
                word = u32::from_le_bytes(data.get(offset..offset + 4)?.try_into().ok()?);
            }
            AND => word &= instruction.constant,
            JUMP_EQUAL => at += branch(word == instruction.constant),
            JUMP_ANY_BIT => at += branch(word & instruction.constant != 0),
            JUMP => at += usize::try_from(instruction.constant).ok()?,
            RETURN => return Some(instruction.constant),
            _ => return None,
        }
    }
}

/// The answer of an assembled program, for comparison with [`interpret`].
#[must_use]
pub fn constant_of(action: Action) -> u32 {
    action.constant()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::AUDIT_ARCH;

    #[test]
    fn labels_become_distances() {
        let mut program = Program::new();
        let notify = program.label();
        program.load(Word::Number);
        program.if_equal(59, notify);
        program.answer(Action::Allow);
        program.bind(notify);
        program.answer(Action::Notify);
        let program = program.assemble().unwrap();
        let run = |number| interpret(&program, AUDIT_ARCH, number, [0; 6]);
        assert_eq!(run(59), Some(constant_of(Action::Notify)));
        assert_eq!(run(60), Some(constant_of(Action::Allow)));
    }

    #[test]
    fn a_jump_that_cannot_be_encoded_is_an_error() {
        let mut program = Program::new();
        let far = program.label();
        program.load(Word::Number);
        program.if_equal(1, far);
        for _ in 0..300 {
            program.and(1);
        }
        assert_eq!(program.assemble(), Err(BpfError::UnboundLabel(1)));
        program.bind(far);
        program.answer(Action::Allow);
        assert_eq!(program.assemble(), Err(BpfError::JumpTooFar(1)));
    }
}
