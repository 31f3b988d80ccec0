//! Text and the exit status, by semihosting: a breakpoint that a debugger or an emulator answers.
//!
//! Without a debugger the breakpoint is a fault, so an image that writes is meant for the bench or the emulator.

#![expect(unsafe_code, reason = "the semihosting call is a breakpoint instruction")]

use core::arch::asm;
use core::ffi::CStr;
use core::fmt;

const SYS_WRITE0: usize = 0x04;
const SYS_EXIT_EXTENDED: usize = 0x20;
/// `ADP_Stopped_ApplicationExit`: the program ended of itself; the next word is its status.
const APPLICATION_EXIT: usize = 0x2_0026;

/// # Safety
/// `argument` must be what `operation` asks for: it is read as an address by most.
unsafe fn call(operation: usize, argument: usize) -> usize {
    let result;
    // SAFETY: the breakpoint changes r0 and reads memory behind `argument`, which the caller vouches for; the
    // compiler must have written that memory, hence no `nomem`.
    unsafe {
        asm!("bkpt #0xAB", inout("r0") operation => result, in("r1") argument, options(nostack, preserves_flags));
    }
    result
}

/// Writes `text` to the host's console.
pub fn write(text: &CStr) {
    // SAFETY: SYS_WRITE0 reads a zero-terminated string, and a `CStr` is one.
    unsafe {
        call(SYS_WRITE0, text.as_ptr().addr());
    }
}

/// Writes `label`, `number` in decimal, and a line's end: for an image that has no room for formatting.
pub fn write_number(label: &CStr, mut number: u32) {
    // Ten digits, the line's end, and the zero that ends the string.
    let mut text = *b"0000000000\n\0";
    let mut first = 9;
    for (place, digit) in text[..10].iter_mut().enumerate().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
        if *digit != b'0' {
            first = place;
        }
    }
    write(label);
    if let Ok(digits) = CStr::from_bytes_until_nul(&text[first..]) {
        write(digits);
    }
}

/// Ends the program; the emulator exits with `status`.
pub fn exit(status: u32) -> ! {
    let block = [APPLICATION_EXIT, status as usize];
    // SAFETY: SYS_EXIT_EXTENDED reads two words, which `block` has.
    unsafe {
        call(SYS_EXIT_EXTENDED, block.as_ptr().addr());
    }
    // A debugger may let the core go on.
    loop {
        core::hint::spin_loop();
    }
}

/// Formatted text for the host's console, sent in pieces of up to 63 bytes.
///
/// A zero byte in the text ends its piece early; the demo writes none.
#[derive(Debug, Default)]
pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut piece = [0; 64];
        for bytes in text.as_bytes().chunks(piece.len() - 1) {
            piece[..bytes.len()].copy_from_slice(bytes);
            piece[bytes.len()] = 0;
            write(CStr::from_bytes_until_nul(&piece).map_err(|_| fmt::Error)?);
        }
        Ok(())
    }
}
