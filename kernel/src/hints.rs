//! Hints that memory will be read or written soon, where the processor takes them, and where code lies. They change what
//! things cost and nothing else, and never fault, whatever the address. One of the modules where `unsafe` is allowed.

#![allow(unsafe_code)]

use crate::limits::HEADER;

/// Asks for the cache line at `at`.
#[inline(always)]
pub(crate) fn prefetch(at: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a hint with no effect but on caches.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: as above.
    unsafe {
        core::arch::asm!("prfm pldl1keep, [{0}]", in(reg) at, options(nostack, preserves_flags, readonly));
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    let _ = at;
}

/// Asks for a cell: its header, and the first words of its state, which begin behind that and often on another line.
#[inline(always)]
pub(crate) fn prefetch_cell(header: *const u8) {
    prefetch(header);
    prefetch(header.wrapping_add(HEADER));
}

/// Asks for the cache line at `at`, to be written here. By hand: where the compiler has not been told that its target has
/// this hint, it asks to read instead, which gains nothing. Every 64-bit processor takes it, if only as no operation.
#[inline(always)]
pub(crate) fn prefetch_to_write(at: *mut u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a hint with no effect but on caches.
    unsafe {
        core::arch::asm!("prefetchw [{0}]", in(reg) at, options(nostack, preserves_flags, readonly));
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: as above.
    unsafe {
        core::arch::asm!("prfm pstl1keep, [{0}]", in(reg) at, options(nostack, preserves_flags, readonly));
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    let _ = at;
}

/// Has the function in which this stands begin on a line of the instruction cache: how a tight loop of it lies to the lines
/// is then the same in every program, and not by luck, which is worth up to a quarter of a message's cost. To be called
/// behind the loop: where it stands, a few empty instructions may run.
#[inline(always)]
pub(crate) fn on_a_line() {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: tells the assembler where to put the next instruction, and so the linker where to put all of them; does
    // nothing when it runs.
    unsafe {
        core::arch::asm!(".p2align 6", options(nomem, nostack, preserves_flags));
    }
}
