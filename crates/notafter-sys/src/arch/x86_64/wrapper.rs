//! The code that replaces the clock entries of the vDSO, as position-independent machine code.
//!
//! `na_clock_gettime` calls the kernel's own implementation and adds what the clock page says; `na_gettimeofday`
//! and `na_time` stand on it. `na_entry` runs once, as the first instructions of a freshly executed program: it
//! asks the supervisor for the clock page, maps it and goes on to where the program would have begun.
//!
//! # Safety
//! The only unsafe operation here takes the addresses of the assembled bytes, which are constants of the binary.
#![allow(unsafe_code, reason = "reading the assembled bytes needs their linker symbols")]

use crate::arch::{Linked, Wrapper};
use crate::vdso::VdsoError;
use std::arch::global_asm;

// Offsets into the page are those of `crate::page::Layout`, its address is `crate::vdso::PAGE_ADDRESS`, and the request
// `PAGE_REQUEST`.
global_asm!(
    ".pushsection .rodata.notafter_vdso,\"a\",@progbits",
    // Known to the whole binary, for another codegen unit may ask, and to nobody outside it.
    ".globl na_vdso_begin",
    ".hidden na_vdso_begin",
    ".globl na_vdso_end",
    ".hidden na_vdso_end",
    ".globl na_vdso_program",
    ".hidden na_vdso_program",
    ".globl na_vdso_call",
    ".hidden na_vdso_call",
    ".globl na_vdso_ask",
    ".hidden na_vdso_ask",
    ".globl na_vdso_back",
    ".hidden na_vdso_back",
    ".globl na_vdso_len",
    ".hidden na_vdso_len",
    ".globl na_clock_gettime",
    ".hidden na_clock_gettime",
    ".globl na_gettimeofday",
    ".hidden na_gettimeofday",
    ".globl na_time",
    ".hidden na_time",
    ".globl na_entry",
    ".hidden na_entry",
    ".p2align 4",
    "na_vdso_begin:",
    "na_vdso_magic: .quad 0x5eed1e55c10c4b1d",
    "na_vdso_program: .quad 0",
    // int clock_gettime(clockid_t id /* edi */, struct timespec *ts /* rsi */)
    "na_clock_gettime:",
    "push rdi",
    "push rsi",
    "sub rsp, 8",
    ".byte 0xe8", // call rel32, filled in when the image is patched
    "na_vdso_call: .long 0",
    "add rsp, 8",
    "pop rsi",
    "pop rdi",
    "test eax, eax",
    "jnz 9f",
    "cmp edi, 11",
    "ja 9f",
    "movabs r8, 0x7e8042003000",
    "mov edx, 0x921", // REALTIME, REALTIME_COARSE, REALTIME_ALARM, TAI
    "bt edx, edi",
    "jc 2f",
    "mov edx, 0x2d2", // MONOTONIC, MONOTONIC_RAW, MONOTONIC_COARSE, BOOTTIME, BOOTTIME_ALARM
    "bt edx, edi",
    "jnc 9f",
    "1: mov ecx, [r8]",
    "test cl, 1",
    "jnz 3f",
    "mov rax, [r8 + 24]",
    "mov rdx, [r8 + 32]",
    "cmp ecx, [r8]",
    "jne 1b",
    "jmp 5f",
    "3: pause",
    "jmp 1b",
    "2: mov ecx, [r8]",
    "test cl, 1",
    "jnz 6f",
    "mov r9d, [r8 + 4]",
    "mov rax, [r8 + 8]",
    "mov rdx, [r8 + 16]",
    "cmp ecx, [r8]",
    "jne 2b",
    "test r9d, 1", // held: the page holds the time itself
    "jnz 7f",
    "5: add rax, [rsi]",
    "add rdx, [rsi + 8]",
    "cmp rdx, 1000000000",
    "jb 7f",
    "sub rdx, 1000000000",
    "inc rax",
    "7: mov [rsi], rax",
    "mov [rsi + 8], rdx",
    "xor eax, eax",
    "9: ret",
    "6: pause",
    "jmp 2b",
    // int gettimeofday(struct timeval *tv /* rdi */, struct timezone *tz /* rsi */)
    ".p2align 4",
    "na_gettimeofday:",
    "test rsi, rsi",
    "jz 1f",
    "mov qword ptr [rsi], 0", // the kernel's time zone is unset on every system that keeps UTC
    "1: test rdi, rdi",
    "jz 8f",
    "push rdi",
    "sub rsp, 16",
    "xor edi, edi",
    "mov rsi, rsp",
    "call na_clock_gettime",
    "mov r8, [rsp]",
    "mov rax, [rsp + 8]",
    "add rsp, 16",
    "pop rdi",
    // By a thousand, exactly for every 32-bit number: a multiplication takes a tenth of a division.
    "imul rax, rax, 0x10624dd3",
    "shr rax, 38",
    "mov [rdi], r8",
    "mov [rdi + 8], rax",
    "8: xor eax, eax",
    "ret",
    // time_t time(time_t *t /* rdi */)
    ".p2align 4",
    "na_time:",
    "push rdi",
    "sub rsp, 16",
    "mov edi, 5",
    "mov rsi, rsp",
    "call na_clock_gettime",
    "mov rax, [rsp]",
    "add rsp, 16",
    "pop rdi",
    "test rdi, rdi",
    "jz 1f",
    "mov [rdi], rax",
    "1: ret",
    // The first instructions of a program. All registers but rsp are zero here (ELF_PLAT_INIT), and must be again.
    ".p2align 4",
    "na_entry:",
    "movabs rdx, 0x1c10c4b1d5",
    "xor edi, edi",
    "xor esi, esi",
    "mov eax, 228", // clock_gettime(0, NULL, PAGE_REQUEST): answered with a file descriptor
    "na_vdso_ask:",
    "syscall",
    "test eax, eax",
    "js 9f",
    "mov ebx, eax",
    "movabs rdi, 0x7e8042003000",
    "mov esi, 4096",
    "mov edx, 1",         // PROT_READ
    "mov r10d, 0x100001", // MAP_SHARED | MAP_FIXED_NOREPLACE
    "mov r8d, eax",
    "xor r9d, r9d",
    "mov eax, 9", // mmap
    "syscall",
    "cmp rax, rdi",
    "jne 9f",
    // Sealed (mseal(2)), page and vDSO can no longer be unmapped, moved, replaced or made writable. Kernels before
    // 6.10 refuse the call; the supervisor's looks do without it.
    "xor edx, edx",
    "mov eax, 462",
    "syscall",
    "lea rdi, [rip + na_vdso_begin]",
    "na_vdso_back: sub rdi, 0x7fffffff", // to the image's start, filled in when the image is patched
    "na_vdso_len: mov esi, 0x7fffffff",  // the image's length, likewise
    "mov eax, 462",
    "syscall",
    "mov edi, ebx",
    "mov eax, 3", // close
    "syscall",
    "xor eax, eax",
    "xor ebx, ebx",
    "xor ecx, ecx",
    "xor edx, edx",
    "xor esi, esi",
    "xor edi, edi",
    "xor r8d, r8d",
    "xor r9d, r9d",
    "xor r10d, r10d",
    "xor r11d, r11d",
    "jmp qword ptr [rip + na_vdso_program]",
    "9: ud2", // without the page no instruction of the program may run
    "na_vdso_end:",
    ".popsection",
);

unsafe extern "C" {
    static na_vdso_begin: u8;
    static na_vdso_end: u8;
    static na_vdso_program: u8;
    static na_vdso_call: u8;
    static na_vdso_ask: u8;
    static na_vdso_back: u8;
    static na_vdso_len: u8;
    static na_clock_gettime: u8;
    static na_gettimeofday: u8;
    static na_time: u8;
    static na_entry: u8;
}

/// The wrapper of this binary.
pub(crate) fn wrapper() -> Wrapper {
    let begin = &raw const na_vdso_begin;
    let len = offset(&raw const na_vdso_end);
    let entry = offset(&raw const na_entry);
    Wrapper {
        // SAFETY: the assembler laid `len` initialised, immutable bytes from `begin` on into .rodata.
        code: unsafe { std::slice::from_raw_parts(begin, len) },
        program: offset(&raw const na_vdso_program),
        ask: entry..offset(&raw const na_vdso_ask) + 2, // behind `syscall`
        replaced: vec![
            ("clock_gettime", offset(&raw const na_clock_gettime)),
            ("gettimeofday", offset(&raw const na_gettimeofday)),
            ("time", offset(&raw const na_time)),
        ],
        link,
    }
}

/// Fills in the distance to the kernel's function, and where the image begins and ends: 32-bit operands.
fn link(code: &mut [u8], linked: Linked) -> Result<(), VdsoError> {
    let call = offset(&raw const na_vdso_call);
    let distance = i32::try_from(linked.target as i64 - (linked.at + call + 4) as i64);
    let distance = distance.map_err(|_| VdsoError::Malformed("clock_gettime is out of reach"))?;
    code[call..call + 4].copy_from_slice(&distance.to_le_bytes());
    let back = offset(&raw const na_vdso_back) + 3; // REX.W, opcode, ModRM
    let len = offset(&raw const na_vdso_len) + 1; // opcode
    for (operand, value) in [(back, linked.at), (len, linked.image_len)] {
        let value = u32::try_from(value).map_err(|_| VdsoError::Malformed("it is too large"))?;
        code[operand..operand + 4].copy_from_slice(&value.to_le_bytes());
    }
    Ok(())
}

/// From the wrapper's start.
fn offset(symbol: *const u8) -> usize {
    symbol as usize - (&raw const na_vdso_begin) as usize
}
