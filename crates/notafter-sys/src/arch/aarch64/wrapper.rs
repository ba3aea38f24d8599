//! The code that replaces the clock entries of the vDSO, as position-independent machine code.
//!
//! The same as on x86_64, but for two things. There is no `time`: programs make it of the others. And an entry begins with
//! `bti c` (`hint #34`), without which a kernel that guards its vDSO by branch target identification ends whoever calls
//! it.
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
    ".globl na_vdso_back",
    ".hidden na_vdso_back",
    ".globl na_vdso_len",
    ".hidden na_vdso_len",
    ".globl na_vdso_call",
    ".hidden na_vdso_call",
    ".globl na_vdso_ask",
    ".hidden na_vdso_ask",
    ".globl na_clock_gettime",
    ".hidden na_clock_gettime",
    ".globl na_gettimeofday",
    ".hidden na_gettimeofday",
    ".globl na_entry",
    ".hidden na_entry",
    ".p2align 4",
    "na_vdso_begin:",
    "na_vdso_magic: .quad 0x5eed1e55c10c4b1d",
    "na_vdso_program: .quad 0",
    "na_vdso_back: .quad 0", // from the image's start to this wrapper's, filled in when the image is patched
    "na_vdso_len: .quad 0",  // the image's length, likewise
    // int clock_gettime(clockid_t id /* w0 */, struct timespec *ts /* x1 */)
    "na_clock_gettime:",
    "hint #34",
    "stp x29, x30, [sp, #-32]!",
    "mov x29, sp",
    "stp x0, x1, [sp, #16]",
    "na_vdso_call: bl .", // filled in when the image is patched
    "ldp x2, x1, [sp, #16]",
    "ldp x29, x30, [sp], #32",
    "cbnz w0, 9f",
    "cmp w2, #11",
    "b.hi 9f",
    "movz x3, #0x3000",
    "movk x3, #0x4200, lsl #16",
    "movk x3, #0x7e80, lsl #32",
    "mov w4, #0x921", // REALTIME, REALTIME_COARSE, REALTIME_ALARM, TAI
    "lsr w4, w4, w2",
    "tbnz w4, #0, 2f",
    "mov w4, #0x2d2", // MONOTONIC, MONOTONIC_RAW, MONOTONIC_COARSE, BOOTTIME, BOOTTIME_ALARM
    "lsr w4, w4, w2",
    "tbz w4, #0, 9f",
    "1: ldar w4, [x3]",
    "tbnz w4, #0, 3f",
    "ldp x5, x6, [x3, #24]",
    "dmb ishld",
    "ldr w7, [x3]",
    "cmp w4, w7",
    "b.ne 1b",
    "b 5f",
    "3: yield",
    "b 1b",
    "2: ldar w4, [x3]",
    "tbnz w4, #0, 6f",
    "ldr w8, [x3, #4]",
    "ldp x5, x6, [x3, #8]",
    "dmb ishld",
    "ldr w7, [x3]",
    "cmp w4, w7",
    "b.ne 2b",
    "tbnz w8, #0, 7f", // held: the page holds the time itself
    "5: ldp x9, x10, [x1]",
    "add x5, x5, x9",
    "add x6, x6, x10",
    "movz w9, #0xca00",
    "movk w9, #0x3b9a, lsl #16", // 1,000,000,000
    "cmp x6, x9",
    "b.lo 7f",
    "sub x6, x6, x9",
    "add x5, x5, #1",
    "7: stp x5, x6, [x1]",
    "9: ret",
    "6: yield",
    "b 2b",
    // int gettimeofday(struct timeval *tv /* x0 */, struct timezone *tz /* x1 */)
    ".p2align 4",
    "na_gettimeofday:",
    "hint #34",
    "cbz x1, 1f",
    "str xzr, [x1]", // the kernel's time zone is unset on every system that keeps UTC
    "1: cbz x0, 8f",
    "stp x29, x30, [sp, #-48]!",
    "mov x29, sp",
    "str x0, [sp, #16]",
    "mov w0, #0",
    "add x1, sp, #32",
    "bl na_clock_gettime",
    "ldr x0, [sp, #16]",
    "ldp x1, x2, [sp, #32]",
    "ldp x29, x30, [sp], #48",
    "mov w3, #1000",
    "udiv x2, x2, x3",
    "stp x1, x2, [x0]",
    "8: mov w0, #0",
    "ret",
    // The first instructions of a program. All registers but sp are zero here (start_thread), and must be again, but for
    // x16, which no program may rely on.
    ".p2align 4",
    "na_entry:",
    "hint #34",
    "mov x0, #0",
    "mov x1, #0",
    "movz x2, #0xb1d5",
    "movk x2, #0x10c4, lsl #16",
    "movk x2, #0x1c, lsl #32",
    "mov x8, #113", // clock_gettime(0, NULL, PAGE_REQUEST): answered with a file descriptor
    "na_vdso_ask:",
    "svc #0",
    "tbnz w0, #31, 9f",
    "mov w9, w0",
    "movz x10, #0x3000",
    "movk x10, #0x4200, lsl #16",
    "movk x10, #0x7e80, lsl #32",
    "mov x0, x10",
    "mov x1, #4096",
    "mov x2, #1",              // PROT_READ
    "movz x3, #1",             // MAP_SHARED
    "movk x3, #0x10, lsl #16", // MAP_FIXED_NOREPLACE
    "mov x4, x9",
    "mov x5, #0",
    "mov x8, #222", // mmap
    "svc #0",
    "cmp x0, x10",
    "b.ne 9f",
    // Sealed (mseal(2)), page and vDSO can no longer be unmapped, moved, replaced or made writable. Kernels before
    // 6.10 refuse the call; the supervisor's looks do without it.
    "mov x2, #0",
    "mov x8, #462",
    "svc #0",
    "adr x0, na_vdso_begin",
    "ldr x1, na_vdso_back",
    "sub x0, x0, x1",
    "ldr x1, na_vdso_len",
    "mov x8, #462",
    "svc #0",
    "mov w0, w9",
    "mov x8, #57", // close
    "svc #0",
    "mov x0, #0",
    "mov x1, #0",
    "mov x2, #0",
    "mov x3, #0",
    "mov x4, #0",
    "mov x5, #0",
    "mov x8, #0",
    "mov x9, #0",
    "mov x10, #0",
    "ldr x16, na_vdso_program",
    "br x16",
    "9: udf #0", // without the page no instruction of the program may run
    "na_vdso_end:",
    ".popsection",
);

unsafe extern "C" {
    static na_vdso_begin: u8;
    static na_vdso_end: u8;
    static na_vdso_program: u8;
    static na_vdso_back: u8;
    static na_vdso_len: u8;
    static na_vdso_call: u8;
    static na_vdso_ask: u8;
    static na_clock_gettime: u8;
    static na_gettimeofday: u8;
    static na_entry: u8;
}

/// `bl`, without its distance: 26 bits, in instructions (Arm Architecture Reference Manual, C6.2).
const BRANCH_WITH_LINK: u32 = 0x9400_0000;
const DISTANCE_BITS: u32 = 26;

/// The wrapper of this binary.
pub(crate) fn wrapper() -> Wrapper {
    let begin = &raw const na_vdso_begin;
    let len = offset(&raw const na_vdso_end);
    let entry = offset(&raw const na_entry);
    Wrapper {
        // SAFETY: the assembler laid `len` initialised, immutable bytes from `begin` on into .rodata.
        code: unsafe { std::slice::from_raw_parts(begin, len) },
        program: offset(&raw const na_vdso_program),
        ask: entry..offset(&raw const na_vdso_ask) + 4, // behind `svc`
        replaced: vec![
            ("clock_gettime", offset(&raw const na_clock_gettime)),
            ("gettimeofday", offset(&raw const na_gettimeofday)),
        ],
        link,
    }
}

/// Fills in the distance to the kernel's function, and where the image begins and ends.
fn link(code: &mut [u8], linked: Linked) -> Result<(), VdsoError> {
    let call = offset(&raw const na_vdso_call);
    let distance = (linked.target as i64 - (linked.at + call) as i64) / 4;
    let reach = 1 << (DISTANCE_BITS - 1);
    if !(-reach..reach).contains(&distance) {
        return Err(VdsoError::Malformed("clock_gettime is out of reach"));
    }
    let distance = distance as u32 & ((1 << DISTANCE_BITS) - 1);
    code[call..call + 4].copy_from_slice(&(BRANCH_WITH_LINK | distance).to_le_bytes());
    let (back, len) = (offset(&raw const na_vdso_back), offset(&raw const na_vdso_len));
    for (slot, value) in [(back, linked.at), (len, linked.image_len)] {
        code[slot..slot + 8].copy_from_slice(&(value as u64).to_le_bytes());
    }
    Ok(())
}

/// From the wrapper's start.
fn offset(symbol: *const u8) -> usize {
    symbol as usize - (&raw const na_vdso_begin) as usize
}
