//! The way from the first instruction to `main`, and the four functions on memory that the compiler may call.
//!
//! The system enters `_start` with the stack pointer at the argument count and a stack aligned to 16 bytes. The statics
//! need no preparation here: the system's loader has done it.

#![expect(unsafe_code, reason = "the program's entry and the memory functions")]

use core::arch::{asm, global_asm};

global_asm!(
    ".section .text._start, \"ax\", @progbits",
    ".global _start",
    ".type _start, @function",
    "_start:",
    // An empty frame pointer ends a debugger's walk up the stack.
    "xor ebp, ebp",
    "and rsp, -16",
    "call {main}",
    "ud2",
    ".size _start, . - _start",
    main = sym crate::main,
);

/// # Safety
/// As C's `memcpy`: both ranges valid for `count` bytes and apart.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller vouches for both ranges, and the ABI for a clear direction flag.
    unsafe {
        asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
    to
}

/// # Safety
/// As C's `memmove`: both ranges valid for `count` bytes; they may overlap.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if to.addr().wrapping_sub(from.addr()) >= count {
        // SAFETY: going up, no byte is overwritten before it was read: `to` lies below `from` or past its end.
        return unsafe { memcpy(to, from, count) };
    }
    // SAFETY: going down, no byte is overwritten before it was read, as `to` lies inside the range that starts at
    // `from`; `count` is not zero here, so the last bytes exist. The direction flag is clear again afterwards.
    unsafe {
        asm!("std", "rep movsb", "cld", inout("rcx") count => _, inout("rdi") to.add(count - 1) => _,
            inout("rsi") from.add(count - 1) => _, options(nostack));
    }
    to
}

/// # Safety
/// As C's `memset`: the range valid for `count` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    // SAFETY: the caller vouches for the range; C's contract is that only the low byte of `byte` counts.
    unsafe {
        asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") byte.to_le_bytes()[0],
            options(nostack, preserves_flags));
    }
    to
}

/// # Safety
/// As C's `memcmp`: both ranges valid for `count` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    for at in 0..count {
        // SAFETY: `at` is below `count`, for which the caller vouches. Volatile, or the compiler could turn this loop
        // into a call of the function it is.
        let (a, b) = unsafe { (left.add(at).read_volatile(), right.add(at).read_volatile()) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

/// # Safety
/// As `memcmp`, of which only the zero result matters here.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    // SAFETY: the same contract.
    unsafe { memcmp(left, right, count) }
}

/// Named by the tables of the prebuilt core library, and never called: a panic aborts. Without optimisation the linker
/// keeps those tables.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
